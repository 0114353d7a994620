//! Which of the known architectures a checkpoint has.

use super::decl::ArchDecl;
use super::model::{ArchModel, SettingValue};
use super::trie::{Trie, Walker};
use super::unify::unify_fitting;
use crate::checkpoint::Schema;

/// Names that are looked at before an architecture is unified: with one of them unknown it cannot fit.
const SAMPLE: usize = 512;

/// The first of `decls` that fits a header, by its number, unified with it and with the settings of a recipe. The choice
/// looks at names and shapes; settings only matter to the one that is chosen.
pub fn choose(
    decls: &[&ArchDecl],
    schema: &Schema,
    settings: &[(String, SettingValue)],
) -> Option<(usize, ArchModel)> {
    let step = schema.tensors.len().div_ceil(SAMPLE).max(1);
    decls.iter().enumerate().find_map(|(number, decl)| {
        let trie = Trie::new(decl);
        let mut walker = Walker::new(&trie);
        let mut sample = schema.tensors.iter().step_by(step);
        let declared = sample.all(|t| walker.walk(&t.name).is_some());
        declared.then(|| unify_fitting(decl, schema, settings)).flatten().map(|model| (number, model))
    })
}
