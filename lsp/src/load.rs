//! What the open recipes name: the files to read beside them.

use std::collections::BTreeSet;

use icpc::hir::names::join;
use icpc::manifest::FILE;
use icpc::session::Session;
use icpc::system::{NamedAsset, named_assets};

/// A file to read, and as what. The order is the one to read in: names come from imports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Named {
    /// The manifest that decides what files of a folder may import from: named as if it were in that folder, wherever
    /// above it is.
    Manifest(String),
    /// An imported file.
    Import(String),
    /// A checkpoint, with the `config.json` beside it.
    Checkpoint(String),
    /// Data, or a tokenizer.
    Asset(NamedAsset),
}

impl Named {
    /// Where it lies.
    pub fn path(&self) -> &str {
        match self {
            Named::Manifest(path) | Named::Import(path) | Named::Checkpoint(path) => path,
            Named::Asset(asset) => &asset.path,
        }
    }
}

/// The manifest that decides what a file may import from.
pub fn manifest(path: &str) -> Named {
    Named::Manifest(join(path, FILE))
}

/// Everything that the documents `open` name, as far as what is known of their imports tells.
pub fn named<'a>(session: &Session, open: impl Iterator<Item = &'a String>) -> BTreeSet<Named> {
    let open: BTreeSet<&String> = open.collect();
    let mut out = BTreeSet::new();
    let mut pending: Vec<String> = open.iter().map(|path| (*path).clone()).collect();
    while let Some(path) = pending.pop() {
        out.insert(manifest(&path));
        for import in session.imports(&path) {
            // A circle ends at the first file that was seen.
            if !open.contains(&import) && out.insert(Named::Import(import.clone())) {
                pending.push(import);
            }
        }
    }
    for path in open {
        for recipe in session.recipe_names(path) {
            out.extend(session.checkpoint_path(path, &recipe).map(Named::Checkpoint));
            out.extend(named_assets(session, path, &recipe).into_iter().map(Named::Asset));
        }
    }
    out
}
