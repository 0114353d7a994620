//! Facts of each tensor, shared by all tensors of one declaration.

use std::sync::Arc;

use super::accept::Accepted;
use super::instances::ROOT;
use crate::arch::decl::{ArchDecl, Expr, ExprFactor};
use crate::arch::model::{AxisDims, Factor, MemberOf, TensorFacts, Term};
use crate::checkpoint::Schema;

/// Axes of a declaration, and the extents that they should have.
type Declared = (Arc<[AxisDims]>, Vec<Option<u64>>);

/// Facts, index for index as in the schema.
pub(super) fn facts(
    decl: &ArchDecl,
    schema: &Schema,
    accepted: &Accepted,
    dims: &[Option<u64>],
) -> Vec<Option<TensorFacts>> {
    let declared: Vec<Declared> = decl
        .tensors
        .iter()
        .map(|t| {
            let axes = t.shape.iter().map(|expr| axis(decl, expr, dims)).collect();
            (axes, t.shape.iter().map(|expr| expr.value(dims)).collect())
        })
        .collect();
    let nothing: Arc<[AxisDims]> = Arc::new([]);
    let mut indices: Vec<Option<Arc<[MemberOf]>>> = vec![None; accepted.instances.len()];
    let mut one = |(tensor, found): (&crate::checkpoint::TensorInfo, &Option<super::accept::Found>)| {
        let found = (*found)?;
        let of = decl.tensors.get(found.decl)?;
        let (axes, extents) = declared.get(found.decl)?;
        let agrees = |(expected, extent): (&Option<u64>, &u64)| expected.is_none_or(|e| e == *extent);
        let axes = if !found.rank {
            Arc::clone(&nothing)
        } else if extents.iter().zip(&tensor.shape.0).all(agrees) {
            Arc::clone(axes)
        } else {
            // Terms that do not add up to the axis would cut it in wrong places.
            let own = axes.iter().zip(extents).zip(&tensor.shape.0).map(|((axis, expected), extent)| {
                let terms = if agrees((expected, extent)) { axis.terms.clone() } else { Vec::new() };
                AxisDims { expr: axis.expr.clone(), terms }
            });
            own.collect()
        };
        let known = indices.get_mut(found.instance as usize)?;
        let indices = known.get_or_insert_with(|| members(decl, schema, accepted, found.instance));
        Some(TensorFacts { roles: Arc::clone(&of.roles), axes, indices: Arc::clone(indices), span: of.span })
    };
    schema.tensors.iter().zip(&accepted.tensors).map(&mut one).collect()
}

fn axis(decl: &ArchDecl, expr: &Expr, dims: &[Option<u64>]) -> AxisDims {
    let terms: Option<Vec<Term>> = expr
        .terms
        .iter()
        .map(|term| {
            let factor = |f: &ExprFactor| match f {
                ExprFactor::Const(n) => Some(Factor::Const(*n)),
                ExprFactor::Dim(d) => Some(Factor::Dim(decl.dims.get(*d)?.name.clone(), f.value(dims)?)),
            };
            Some(Term {
                factors: term.factors.iter().map(factor).collect::<Option<_>>()?,
                value: term.value(dims)?,
            })
        })
        .collect();
    AxisDims { expr: expr.text.clone(), terms: terms.unwrap_or_default() }
}

fn members(decl: &ArchDecl, schema: &Schema, accepted: &Accepted, instance: u32) -> Arc<[MemberOf]> {
    if instance == ROOT {
        return Arc::new([]);
    }
    let mut members: Vec<MemberOf> = accepted
        .instances
        .chain(instance)
        .map(|(number, member)| {
            let dim = decl.families.get(member.family as usize).and_then(|f| decl.dims.get(f.dim));
            MemberOf {
                family: accepted.instances.family_path(number, schema).to_owned(),
                dim: dim.map_or_else(String::new, |d| d.name.clone()),
                index: member.index,
            }
        })
        .collect();
    members.reverse();
    members.into()
}
