//! What is cut together: every place in which a dim stands, instance by instance.
//!
//! A dim is one variable, so taking an index of it away takes the same index out of every axis that has it and out of
//! every family that it counts.

use std::collections::BTreeMap;

use super::model::{ArchModel, AxisDims, Factor};

/// One instance of a dim: `inner` in `layers.1`, `experts` in `layers.3`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coupling {
    /// Prefix of the instance, empty for a dim of the whole model.
    pub instance: String,
    /// Places in axes, in file order; a dim may stand in several axes of a tensor and several times in one axis.
    pub runs: Vec<AxisRun>,
    /// Tensors that belong to one index of a family which the dim counts, in file order.
    pub members: Vec<Member>,
    /// Tensors with an axis that cannot be cut: its terms are not known, or the dim is a factor of itself.
    pub unclear: Vec<usize>,
}

/// A dim in an axis, which is `before + outer * extent * inner + after` long: index i owns, for each o below `outer`, the
/// `inner` rows from `before + (o * extent + i) * inner`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AxisRun {
    /// Index into the schema's tensors.
    pub tensor: usize,
    /// Axis of the tensor.
    pub axis: usize,
    /// Rows before.
    pub before: u64,
    /// Repetitions outside.
    pub outer: u64,
    /// Rows of one index.
    pub inner: u64,
    /// Rows after.
    pub after: u64,
}

/// A tensor of one member of a family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Index into the schema's tensors.
    pub tensor: usize,
    /// `layers.1.moe.layer.experts`.
    pub family: String,
    /// Which member.
    pub index: u64,
}

/// All instances of `dim`, in the order in which the file has them.
pub fn couplings(model: &ArchModel, dim: &str) -> Vec<Coupling> {
    let Some(declared) = model.dim(dim) else { return Vec::new() };
    let depth = declared.scope.split('.').filter(|s| *s == "*").count();
    let mut found: Vec<Coupling> = Vec::new();
    let mut places: BTreeMap<(&str, u64), usize> = BTreeMap::new();
    for (tensor, facts) in model.tensors.iter().enumerate() {
        let Some(facts) = facts else { continue };
        let runs: Vec<Option<AxisRun>> =
            facts.axes.iter().enumerate().flat_map(|(axis, dims)| runs(dim, tensor, axis, dims)).collect();
        let members = facts.indices.iter().filter(|m| &*m.dim == dim);
        let members: Vec<Member> =
            members.map(|m| Member { tensor, family: m.family.to_string(), index: m.index }).collect();
        if runs.is_empty() && members.is_empty() {
            continue;
        }
        let around = depth.checked_sub(1).and_then(|last| facts.indices.get(last));
        let key = around.map_or(("", 0), |m| (&*m.family, m.index));
        let place = *places.entry(key).or_insert_with(|| {
            let instance = around.map_or_else(String::new, |m| format!("{}.{}", m.family, m.index));
            found.push(Coupling { instance, ..Coupling::default() });
            found.len() - 1
        });
        let Some(coupling) = found.get_mut(place) else { continue };
        if runs.contains(&None) {
            coupling.unclear.push(tensor);
        }
        coupling.runs.extend(runs.into_iter().flatten());
        coupling.members.extend(members);
    }
    found
}

/// Each place of `dim` in an axis; `None` for one that cannot be cut.
fn runs(dim: &str, tensor: usize, axis: usize, dims: &AxisDims) -> Vec<Option<AxisRun>> {
    let is = |f: &Factor| matches!(f, Factor::Dim(name, _) if name == dim);
    if dims.terms.is_empty() && names(&dims.expr).any(|n| n == dim) {
        return vec![None];
    }
    let extent = |f: &Factor| match f {
        Factor::Const(n) | Factor::Dim(_, n) => *n,
    };
    let length = dims.terms.iter().map(|t| t.value).fold(0, u64::saturating_add);
    let mut before = 0u64;
    let mut found = Vec::new();
    for term in &dims.terms {
        match term.factors.iter().filter(|f| is(f)).count() {
            0 => {}
            1 => {
                let outer =
                    term.factors.iter().take_while(|f| !is(f)).map(extent).fold(1, u64::saturating_mul);
                let inner = term
                    .factors
                    .iter()
                    .skip_while(|f| !is(f))
                    .skip(1)
                    .map(extent)
                    .fold(1, u64::saturating_mul);
                let after = length.saturating_sub(before).saturating_sub(term.value);
                found.push(Some(AxisRun { tensor, axis, before, outer, inner, after }));
            }
            _ => found.push(None),
        }
        before = before.saturating_add(term.value);
    }
    found
}

fn names(expr: &str) -> impl Iterator<Item = &str> {
    expr.split(|c: char| !c.is_alphanumeric() && c != '_')
}
