//! Where a dim stands: its instances, and in each the tensors that carry it.

use std::collections::BTreeMap;

use super::Slice;
use crate::arch::model::{ArchModel, AxisDims, Factor};
use crate::checkpoint::Schema;

/// One instance of a dim, such as `experts` in `layers.1`.
#[derive(Clone, Debug, Default)]
pub(super) struct Instance {
    /// Tensors with the dim in an axis.
    pub axes: Vec<(usize, Slice)>,
    /// Tensors that belong to one index of the dim: tensor, index, family.
    pub members: Vec<(usize, u64, String)>,
    /// Tensors with an axis in which the dim stands more than once, or multiplied with another dim.
    pub unclear: Vec<usize>,
}

/// Instances of `dim` by prefix, in the order of the prefixes' names.
pub(super) fn instances(
    dim: &str,
    scope: &str,
    model: &ArchModel,
    schema: &Schema,
) -> BTreeMap<String, Instance> {
    let depth = if scope.is_empty() { 0 } else { scope.split('.').count() };
    let mut found: BTreeMap<String, Instance> = BTreeMap::new();
    for (number, (facts, tensor)) in model.tensors.iter().zip(&schema.tensors).enumerate() {
        let Some(facts) = facts.as_ref().filter(|_| tensor.tied_to.is_none()) else { continue };
        let prefix = || tensor.name.split('.').take(depth).collect::<Vec<_>>().join(".");
        for (axis, dims) in facts.axes.iter().enumerate() {
            match slice(dim, axis, dims) {
                Stands::Not => {}
                Stands::Once(slice) => found.entry(prefix()).or_default().axes.push((number, slice)),
                Stands::Unclear => found.entry(prefix()).or_default().unclear.push(number),
            }
        }
        for member in facts.indices.iter().filter(|m| &*m.dim == dim) {
            let instance = found.entry(prefix()).or_default();
            instance.members.push((number, member.index, member.family.to_string()));
        }
    }
    found
}

enum Stands {
    Not,
    Once(Slice),
    Unclear,
}

/// Whether a product has one dim: of `heads * head_dim` neither may be cut by itself, since what counts the groups of
/// heads, or pairs the rows of one, is said by no dim.
fn alone(factors: &[Factor]) -> bool {
    factors.iter().filter(|f| matches!(f, Factor::Dim(..))).count() == 1
}

/// How `dim` stands in an axis.
fn slice(dim: &str, axis: usize, dims: &AxisDims) -> Stands {
    let mut result = Stands::Not;
    let mut before = 0u64;
    let length: u64 = dims.terms.iter().map(|t| t.value).sum();
    for term in &dims.terms {
        let is = |f: &Factor| matches!(f, Factor::Dim(name, _) if name == dim);
        let extent = |f: &Factor| match f {
            Factor::Const(n) | Factor::Dim(_, n) => *n,
        };
        match term.factors.iter().filter(|f| is(f)).count() {
            0 => {}
            1 if matches!(result, Stands::Not) && alone(&term.factors) => {
                let outer = term.factors.iter().take_while(|f| !is(f)).map(extent).product();
                let inner = term.factors.iter().skip_while(|f| !is(f)).skip(1).map(extent).product();
                let after = length.saturating_sub(before).saturating_sub(term.value);
                result = Stands::Once(Slice { axis, before, outer, inner, after });
            }
            _ => return Stands::Unclear,
        }
        before = before.saturating_add(term.value);
    }
    result
}
