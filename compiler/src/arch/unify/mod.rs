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
    let trie = Trie::new(decl);
    let accepted = accept::accept(decl, schema, &trie);
    let families = members::members(decl, schema, &accepted);
    let equations = equation::equations(decl, schema, &accepted, &families);
    let solved = solve::solve(decl, schema, &equations, overrides);

    let mut conflicts = solved.conflicts.clone();
    conflicts.extend(equation::rank_conflicts(decl, &accepted));
    conflicts.extend(accepted.choices.conflicts.iter().cloned());
    conflicts.extend(members::gaps(decl, &families, &solved.values));
    conflicts.extend(missing::missing(decl, &accepted, &families));
    let unknown = accepted.tensors.iter().enumerate().filter(|(_, found)| found.is_none());
    conflicts.extend(unknown.map(|(tensor, _)| Conflict::Unknown { tensor }));

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
