//! Paths in strings: what lies in the recipe's folder, or in one below it.

use icpc::hir::names::join;
use icpc::syntax::place::{Cursor, FileKind, Place};
use tower_lsp::ls_types::CompletionItemKind;

use super::{At, Choice};
use crate::convert;

/// The folder whose content is asked for, if the cursor is in a path below the folder of the recipe at `path`.
pub(super) fn folder(path: &str, cursor: &Cursor<'_>) -> Option<String> {
    let Place::File(_) = cursor.place else { return None };
    let home = join(path, "");
    let folder = join(path, directory(cursor.typed));
    let below = folder == home || folder.strip_prefix(&home).is_some_and(|rest| rest.starts_with('/'));
    (below && !cursor.typed.starts_with('/') && convert::is_on_disk(&folder)).then_some(folder)
}

/// All up to the last `/`.
fn directory(typed: &str) -> &str {
    typed.rfind('/').and_then(|i| typed.get(..=i)).unwrap_or("")
}

/// What the folder holds that a string of this kind can name, the likely first, and where the name starts.
pub(super) fn paths(at: &At<'_>, kind: FileKind) -> (Vec<Choice>, u32) {
    let start = at.cursor.replace.start + u32::try_from(directory(at.cursor.typed).len()).unwrap_or(0);
    let Some(folder) = &at.world.folder else { return (Vec::new(), start) };
    let choice = |(name, is_folder): &(String, bool)| {
        if *is_folder {
            return Some(Choice::new(format!("{name}/"), CompletionItemKind::FOLDER));
        }
        let own = at.path.rsplit('/').next() == Some(name);
        let extension = name.rsplit_once('.').map_or("", |(_, e)| e);
        let fits = match kind {
            FileKind::Recipe => extension == "icp" && !own,
            FileKind::Tokenizer => extension == "json",
            // A checkpoint is told by its content; what surely is none are the recipes.
            FileKind::Checkpoint | FileKind::Data => extension != "icp",
        };
        fits.then(|| Choice::new(name.clone(), CompletionItemKind::FILE))
    };
    let mut found: Vec<Choice> = folder.iter().filter_map(choice).collect();
    let likely: &[&str] = match kind {
        FileKind::Checkpoint => &["safetensors", "pt", "pth", "bin", "gguf", "listing"],
        FileKind::Data => &["txt"],
        FileKind::Recipe | FileKind::Tokenizer => &[],
    };
    found.sort_by_key(|c| c.label.rsplit_once('.').is_none_or(|(_, extension)| !likely.contains(&extension)));
    (found, start)
}
