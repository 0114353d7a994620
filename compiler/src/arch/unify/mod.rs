//! Unification of a declaration with the names and shapes of a checkpoint.
//!
//! ```text
//! names ── walk the trie ──> candidates ── choose optional segments and branches ──> who is who
//!                                                                                     │
//! families: members, gaps ─┐                                                          │
//! axes of tensors ─────────┴─> equations ── vote, solve to a fixpoint ──> dims ── check ──> conflicts
//! ```
//!
//! Everything is in a fixed order (file order of the checkpoint, order of the declaration), so equal inputs give equal
//! models. The cost is linear in the number of tensors.

mod accept;
mod blame;
mod choices;
mod equation;
mod facts;
mod instances;
mod members;
mod missing;
mod places;
mod scope;
mod settings;
mod solve;

use super::decl::ArchDecl;
use super::model::{ArchModel, Conflict, Dim, SettingValue};
use super::trie::Trie;
use crate::checkpoint::Schema;

/// Unifies `decl` with a header. `overrides` are settings of the recipe (`set top_k = 2`); names among them that the
/// declaration does not have are gone past, because the checker reports them with their place.
///
/// Never fails: what disagrees is in [`ArchModel::conflicts`].
pub fn unify(decl: &ArchDecl, schema: &Schema, overrides: &[(String, SettingValue)]) -> ArchModel {
    Named::new(decl, schema).model(overrides)
}

/// The same, if the declaration fits the header by itself, whatever `overrides` say.
pub fn unify_fitting(
    decl: &ArchDecl,
    schema: &Schema,
    overrides: &[(String, SettingValue)],
) -> Option<ArchModel> {
    let named = Named::new(decl, schema);
    let fits = named.conflicts(&named.solve(&[])).is_empty();
    fits.then(|| named.model(overrides))
}

/// A header of which the names are matched with a declaration; what follows does not grow with the number of tensors, but
/// for the facts of each.
struct Named<'a> {
    decl: &'a ArchDecl,
    schema: &'a Schema,
    accepted: accept::Accepted,
    families: Vec<members::Members>,
    equations: Vec<equation::Equation<'a>>,
}

impl<'a> Named<'a> {
    fn new(decl: &'a ArchDecl, schema: &'a Schema) -> Named<'a> {
        let accepted = accept::accept(decl, schema, &Trie::new(decl));
        let families = members::members(decl, schema, &accepted);
        let equations = equation::equations(decl, schema, &accepted, &families);
        Named { decl, schema, accepted, families, equations }
    }

    fn solve(&self, overrides: &[(String, SettingValue)]) -> solve::Solved<'a> {
        solve::solve(self.decl, self.schema, &self.equations, overrides)
    }

    fn conflicts(&self, solved: &solve::Solved<'_>) -> Vec<Conflict> {
        let (decl, accepted) = (self.decl, &self.accepted);
        let mut conflicts = solved.conflicts.clone();
        conflicts.extend(equation::rank_conflicts(decl, accepted));
        conflicts.extend(accepted.choices.conflicts.iter().cloned());
        conflicts.extend(members::gaps(decl, &self.families, &solved.values));
        conflicts.extend(missing::missing(decl, accepted, &self.families));
        let unknown = accepted.tensors.iter().enumerate().filter(|(_, found)| found.is_none());
        conflicts.extend(unknown.map(|(tensor, _)| Conflict::Unknown { tensor }));
        conflicts
    }

    fn model(self, overrides: &[(String, SettingValue)]) -> ArchModel {
        let solved = self.solve(overrides);
        let conflicts = self.conflicts(&solved);
        let Named { decl, schema, accepted, families, .. } = self;
        let scopes = scope::scopes(decl, schema, &accepted, &families);
        let dims = decl.dims.iter().zip(&solved.values).zip(&solved.origins).zip(scopes);
        let dims = dims.map(|(((dim, value), origin), scope)| Dim {
            name: dim.name.clone(),
            value: *value,
            origin: origin.clone(),
            recurrent: dim.recurrent,
            residual: dim.residual,
            scope,
        });
        ArchModel {
            name: decl.name.clone(),
            dims: dims.collect(),
            tensors: facts::facts(decl, schema, &accepted, &solved.values),
            settings: settings::settings(decl, schema, &solved, overrides),
            bounds: settings::bounds(decl, &solved),
            families: members::families(decl, families),
            conflicts,
            untied: missing::untied(decl, schema, &accepted),
        }
    }
}
