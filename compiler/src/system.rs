//! The door to the file system: reads what a recipe names into a [`Session`]. Only headers of checkpoints are read.

use std::path::Path;
use std::sync::Arc;

use crate::check::{Asset, Vocabulary};
use crate::checkpoint::{self, parse_tokenizer};
use crate::db::CheckpointState;
use crate::hir::items::BYTES;
use crate::hir::names::join;
use crate::hir::value::ValueKind;
use crate::manifest::Finder;
use crate::session::Session;

/// Largest `.icp` file that is read.
const MAX_SOURCE: u64 = 64 << 20;
/// Largest tokenizer file that is read.
pub const MAX_TOKENIZER: u64 = 256 << 20;

/// Reads the recipe file at `path` with all its imports, checkpoints and named files.
///
/// # Errors
/// One sentence when the file itself cannot be read, or the manifest of its library is wrong; everything that it names and that cannot be read becomes a
/// diagnostic at its place.
pub fn load(session: &mut Session, path: &str, checkpoint: Option<&str>) -> Result<(), String> {
    let mut finder = Finder::default();
    session.set_file(path, &read_source(path)?);
    session.set_libraries(path, finder.libraries(path)?);
    let mut pending = session.missing_imports(path);
    while let Some(import) = pending.pop() {
        // One that cannot be read stays unknown: the checker reports it where it is imported.
        match read_text(&import) {
            Ok(text) => {
                session.set_file(&import, &text);
                session.set_libraries(&import, finder.libraries(&import)?);
                pending.extend(session.missing_imports(&import));
            }
            Err(reason) => session.remove_file(&import, Path::new(&import).exists().then_some(reason)),
        }
    }
    session.override_checkpoint(checkpoint);
    for name in session.recipe_names(path) {
        load_checkpoint(session, path, &name);
        load_assets(session, path, &name);
    }
    Ok(())
}

/// Text of an `.icp` file.
///
/// # Errors
/// One sentence with the path.
pub fn read_source(path: &str) -> Result<String, String> {
    read_text(path).map_err(|reason| format!("cannot read `{path}`: {reason}"))
}

/// Text of an `.icp` file.
///
/// # Errors
/// Why it cannot be read, without the path.
pub fn read_text(path: &str) -> Result<String, String> {
    let bytes = read_bounded(path, MAX_SOURCE)?;
    String::from_utf8(bytes)
        .map_err(|e| format!("not UTF-8 at byte {}: save it as UTF-8", e.utf8_error().valid_up_to()))
}

/// Bytes of a file that is no larger than `limit`.
///
/// # Errors
/// Why it cannot be read, without the path.
pub fn read_bounded(path: &str, limit: u64) -> Result<Vec<u8>, String> {
    let meta = std::fs::metadata(path).map_err(|e| plain(&e))?;
    if meta.is_dir() {
        return Err("it is a folder".to_owned());
    }
    // A pipe or a device would block or never end.
    if !meta.is_file() {
        return Err("neither a file nor a folder".to_owned());
    }
    if meta.len() > limit {
        return Err(format!("{} bytes are more than {limit}", meta.len()));
    }
    std::fs::read(path).map_err(|e| plain(&e))
}

/// An I/O error in words, without the number of the operating system.
pub fn plain(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file".into(),
        std::io::ErrorKind::PermissionDenied => "permission denied".into(),
        std::io::ErrorKind::NotADirectory => "a part of the path is no folder".into(),
        std::io::ErrorKind::IsADirectory => "it is a folder".into(),
        _ => {
            let said = error.to_string();
            said.split(" (os error").next().unwrap_or(&said).to_owned()
        }
    }
}

/// Reads the header of a checkpoint.
pub fn read_checkpoint(path: &str) -> CheckpointState {
    match checkpoint::open(Path::new(path)) {
        Ok(schema) => CheckpointState::Loaded(Arc::new(schema)),
        Err(error) if !Path::new(path).exists() => CheckpointState::Missing(error.to_string()),
        Err(error) => CheckpointState::Failed(error.to_string()),
    }
}

fn load_checkpoint(session: &mut Session, path: &str, recipe: &str) {
    if let Some(checkpoint) = session.checkpoint_path(path, recipe)
        && !session.has_checkpoint(&checkpoint)
    {
        session.set_checkpoint(&checkpoint, read_checkpoint(&checkpoint));
    }
}

fn load_assets(session: &mut Session, path: &str, recipe: &str) {
    for asset in named_assets(session, path, recipe) {
        let found = read_asset(&asset);
        session.set_asset(&asset.path, found);
    }
}

/// A file beside the checkpoint that a recipe names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamedAsset {
    /// Joined with the folder of the recipe that names it.
    pub path: String,
    /// Whether it is read as a tokenizer; of any other file only its presence matters.
    pub tokenizer: bool,
}

/// Data and tokenizers that a recipe names.
pub fn named_assets(session: &Session, path: &str, recipe: &str) -> Vec<NamedAsset> {
    let Some(recipe) = session.recipe(path, recipe) else { return Vec::new() };
    let settings = [&recipe.calibrate, &recipe.evaluate, &recipe.tune].into_iter().flatten();
    let fields = settings.flat_map(|s| &s.fields);
    let named = fields.filter_map(|(field, _, value)| match &value.kind {
        ValueKind::Text(named) if field == "tokenizer" && named == BYTES => None,
        ValueKind::Text(named) => {
            Some(NamedAsset { path: join(&value.loc.file, named), tokenizer: field == "tokenizer" })
        }
        _ => None,
    });
    named.collect()
}

/// Facts of a file that a recipe names, as it is on the disk.
pub fn read_asset(asset: &NamedAsset) -> Asset {
    let path = &asset.path;
    if !asset.tokenizer {
        let found = match std::fs::metadata(path) {
            // To open a pipe would block.
            Ok(meta) if !meta.is_file() && !meta.is_dir() => Err("neither a file nor a folder".to_owned()),
            Ok(meta) => {
                let bytes = meta.is_file().then_some(meta.len());
                std::fs::File::open(path).map(|_| bytes).map_err(|e| plain(&e))
            }
            Err(e) => Err(plain(&e)),
        };
        return match found {
            Ok(bytes) => Asset::Present { bytes },
            Err(reason) => Asset::Missing { reason: format!("`{path}`: {reason}") },
        };
    }
    let bytes = match read_bounded(path, MAX_TOKENIZER) {
        Ok(bytes) => bytes,
        Err(reason) => return Asset::Missing { reason: format!("cannot read `{path}`: {reason}") },
    };
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => return Asset::Unreadable { reason: "it is not UTF-8".into(), line: None },
    };
    tokenizer_asset(&text)
}

/// Facts of a tokenizer file by its text.
pub fn tokenizer_asset(text: &str) -> Asset {
    match parse_tokenizer(text) {
        Ok(tokenizer) => Asset::Tokenizer(Vocabulary {
            kind: tokenizer.kind,
            declared: tokenizer.declared.map(|(n, _)| n),
            entries: tokenizer.entries,
            max_id: tokenizer.largest.map_or(0, |l| l.id),
            rewrites: tokenizer.rewrites,
        }),
        Err(error) => {
            let line = match error.place {
                checkpoint::error::Place::Line(line) | checkpoint::error::Place::LineColumn(line, _) => {
                    u32::try_from(line).ok()
                }
                _ => None,
            };
            Asset::Unreadable { reason: error.message, line }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_that_is_not_utf_8_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        std::fs::write(path("latin.icp"), b"// caf\xe9\n").unwrap();
        std::fs::write(path("main.icp"), "use \"latin.icp\";\nuse \"lost.icp\";\n").unwrap();
        let mut session = Session::new();
        load(&mut session, &path("main.icp"), None).unwrap();
        let found = session.diagnostics(&path("main.icp"), None);
        let shown: Vec<(String, &str)> =
            found.iter().map(|d| (d.headline.replace(&path(""), ""), d.primary.text.as_str())).collect();
        assert_eq!(
            shown,
            [
                ("`latin.icp` cannot be read".to_owned(), "not UTF-8 at byte 6: save it as UTF-8"),
                ("there is no file `lost.icp`".to_owned(), ""),
            ]
        );
    }
}
