//! The arms and prunings of a document, each with the recipes through which it is seen with a checkpoint: its own; if
//! that names none, those of open documents that build on it.

use std::collections::BTreeMap;
use std::sync::Arc;

use icpc::checkpoint::Schema;
use icpc::db::Analysis;
use icpc::diag::Loc;
use icpc::hir::Recipe;

use crate::state::World;

/// A recipe that was checked against a checkpoint.
pub struct View {
    /// Its file.
    pub path: String,
    /// Its name.
    pub name: String,
    /// It, resolved.
    pub recipe: Arc<Recipe>,
    /// What is known of it and its checkpoint.
    pub analysis: Arc<Analysis>,
    /// The checkpoint.
    pub schema: Arc<Schema>,
}

/// What an arm or a pruning is in a recipe.
#[derive(Clone, Copy)]
pub struct Seen<'v> {
    /// The recipe.
    pub view: &'v View,
    /// Number of the arm or pruning there, from 0.
    pub number: usize,
    /// The recipe is the one in which it is written.
    pub own: bool,
}

/// Item of the file, and byte in the item.
type At = (u32, u32);

/// All of a document.
#[derive(Default)]
pub struct Views {
    views: Vec<View>,
    arms: BTreeMap<At, Vec<(usize, usize, bool)>>,
    prunes: BTreeMap<At, Vec<(usize, usize, bool)>>,
}

impl Views {
    /// Of the document at `path`.
    pub fn new(world: &World, path: &str) -> Views {
        let mut found = Views::default();
        let others = world.documents.keys().map(String::as_str).filter(|other| *other != path);
        for other in std::iter::once(path).chain(others) {
            for name in world.session.recipe_names(other) {
                found.add(world, path, other, name);
            }
        }
        found
    }

    fn add(&mut self, world: &World, path: &str, other: &str, name: String) {
        let session = &world.session;
        let Some(recipe) = session.recipe(other, &name) else { return };
        let here = |loc: &Loc| Some((loc.item.filter(|_| loc.file.as_ref() == path)?, loc.span.start));
        let arms: Vec<(At, usize)> =
            recipe.arms.iter().enumerate().filter_map(|(n, arm)| Some((here(&arm.loc)?, n))).collect();
        let prunes: Vec<(At, usize)> =
            recipe.prunes.iter().enumerate().filter_map(|(n, p)| Some((here(&p.loc)?, n))).collect();
        if arms.is_empty() && prunes.is_empty() {
            return;
        }
        let schema = session.checkpoint_path(other, &name).and_then(|c| session.schema(&c));
        let (Some(analysis), Some(schema)) = (session.analysis(other, &name), schema) else { return };
        let view = self.views.len();
        let own = |at: At| recipe.loc.file.as_ref() == path && recipe.loc.item == Some(at.0);
        for (at, number) in arms {
            self.arms.entry(at).or_default().push((view, number, own(at)));
        }
        for (at, number) in prunes {
            self.prunes.entry(at).or_default().push((view, number, own(at)));
        }
        self.views.push(View { path: other.to_owned(), name, recipe, analysis, schema });
    }

    /// The arm that starts at byte `start` of item `item`: in its own recipe alone, or in all that build on it.
    pub fn arm(&self, item: u32, start: u32) -> Vec<Seen<'_>> {
        self.seen(self.arms.get(&(item, start)))
    }

    /// The pruning that starts there.
    pub fn prune(&self, item: u32, start: u32) -> Vec<Seen<'_>> {
        self.seen(self.prunes.get(&(item, start)))
    }

    fn seen(&self, found: Option<&Vec<(usize, usize, bool)>>) -> Vec<Seen<'_>> {
        let seen = found.into_iter().flatten().filter_map(|(view, number, own)| {
            Some(Seen { view: self.views.get(*view)?, number: *number, own: *own })
        });
        let mut seen: Vec<Seen<'_>> = seen.collect();
        if let Some(own) = seen.iter().find(|s| s.own).copied() {
            seen = vec![own];
        }
        seen
    }
}
