//! Facts of each tensor, shared by all tensors of one declaration.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::accept::Accepted;
use super::instances::Instances;
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
    let mut memberships = Memberships::new(decl, schema, &accepted.instances);
    let mut one = |(tensor, found): (&crate::checkpoint::TensorInfo, &Option<super::accept::Found>)| {
        let found = (*found)?;
        let of = decl.tensors.get(found.decl)?;
        let (axes, extents) = declared.get(found.decl)?;
        let agrees = |(expected, extent): (&Option<u64>, &u64)| expected.is_none_or(|e| e == *extent);
        let axes = if !found.rank {
            Arc::clone(&nothing)
        } else if extents.iter().zip(tensor.shape.0.iter()).all(agrees) {
            Arc::clone(axes)
        } else {
            // Terms that do not add up to the axis would cut it in wrong places.
            let own =
                axes.iter().zip(extents).zip(tensor.shape.0.iter()).map(|((axis, expected), extent)| {
                    let terms = if agrees((expected, extent)) { axis.terms.clone() } else { Vec::new() };
                    AxisDims { expr: axis.expr.clone(), terms }
                });
            own.collect()
        };
        let indices = memberships.of(found.instance)?;
        Some(TensorFacts { roles: Arc::clone(&of.roles), axes, indices, span: of.span })
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

/// Families of each instance. Names are shared: there may be as many instances as tensors.
struct Memberships<'a> {
    decl: &'a ArchDecl,
    schema: &'a Schema,
    instances: &'a Instances,
    dims: Vec<Arc<str>>,
    /// By family and the instance around it.
    names: BTreeMap<(u32, u32), Arc<str>>,
    known: Vec<Option<Arc<[MemberOf]>>>,
}

impl<'a> Memberships<'a> {
    fn new(decl: &'a ArchDecl, schema: &'a Schema, instances: &'a Instances) -> Memberships<'a> {
        let dims = decl.dims.iter().map(|d| d.name.as_str().into()).collect();
        let known = vec![None; instances.len()];
        Memberships { decl, schema, instances, dims, names: BTreeMap::new(), known }
    }

    fn of(&mut self, instance: u32) -> Option<Arc<[MemberOf]>> {
        if let Some(Some(known)) = self.known.get(instance as usize) {
            return Some(Arc::clone(known));
        }
        let chain: Vec<u32> = self.instances.chain(instance).map(|(number, _)| number).collect();
        let members: Arc<[MemberOf]> = chain.into_iter().rev().filter_map(|i| self.member(i)).collect();
        *self.known.get_mut(instance as usize)? = Some(Arc::clone(&members));
        Some(members)
    }

    fn member(&mut self, instance: u32) -> Option<MemberOf> {
        let member = self.instances.get(instance)?;
        let dim = self.decl.families.get(member.family as usize)?.dim;
        let path = || self.instances.family_path(instance, self.schema).into();
        let family = self.names.entry((member.family, member.parent)).or_insert_with(path);
        Some(MemberOf {
            family: Arc::clone(family),
            dim: Arc::clone(self.dims.get(dim)?),
            index: member.index,
        })
    }
}
