//! Which of the known architectures a checkpoint has.

use super::decl::ArchDecl;
use super::model::{ArchModel, SettingValue};
use super::trie::{Trie, Walker};
use super::unify::{unify, unify_fitting};
use crate::checkpoint::{Schema, TensorInfo};

/// Names that are looked at before an architecture is unified: with one of them unknown it cannot fit.
const SAMPLE: usize = 512;

/// The first of `decls` that fits a header, by its number, unified with it and with the settings of a recipe. The choice
/// looks at names and shapes; settings only matter to the one that is chosen.
pub fn choose(
    decls: &[&ArchDecl],
    schema: &Schema,
    settings: &[(String, SettingValue)],
) -> Option<(usize, ArchModel)> {
    decls.iter().enumerate().find_map(|(number, decl)| {
        let trie = Trie::new(decl);
        let mut walker = Walker::new(&trie);
        let declared = sample(schema).all(|t| walker.walk(&t.name).is_some());
        declared.then(|| unify_fitting(decl, schema, settings)).flatten().map(|model| (number, model))
    })
}

/// Of `decls`, of which none fits, the one that declares most of a header, if that is most of it: unified, with what is in the
/// way as its conflicts.
pub fn nearest(decls: &[&ArchDecl], schema: &Schema) -> Option<ArchModel> {
    let near = decls.iter().filter(|decl| {
        let trie = Trie::new(decl);
        let mut walker = Walker::new(&trie);
        let (known, all) = sample(schema)
            .fold((0, 0), |(known, all), t| (known + usize::from(walker.walk(&t.name).is_some()), all + 1));
        known * 2 > all
    });
    let near = near.map(|decl| unify(decl, schema, &[])).min_by_key(|model| model.conflicts.len());
    near.filter(|model| model.conflicts.len() * 2 <= schema.tensors.len())
}

fn sample(schema: &Schema) -> impl Iterator<Item = &TensorInfo> {
    let step = schema.tensors.len().div_ceil(SAMPLE).max(1);
    schema.tensors.iter().step_by(step)
}
