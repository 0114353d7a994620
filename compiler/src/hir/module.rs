//! A file's items with spans relative to each item: the barrier behind which typing above an item changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::Span;
use crate::diag::Loc;
use crate::syntax::{shift, tree};

/// What a file may import from by a library's name.
pub type Libraries = Arc<LibraryFolders>;

/// Libraries that a file may import from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LibraryFolders {
    /// Their folders by the name that a `use` gives them, relative to the importing file's folder, with `/`.
    pub folders: BTreeMap<String, String>,
    /// What is wrong with the manifest that would name them.
    pub problem: Option<String>,
}

/// Items of one file.
#[derive(Clone, Debug, PartialEq)]
pub struct Module {
    /// Path of the file as the user gave it.
    pub path: Arc<str>,
    /// Text of the `//!` lines.
    pub docs: String,
    /// Items in source order; their spans are relative to the item's start.
    pub items: Vec<Arc<Item>>,
    /// Libraries that it may import from.
    pub libraries: Libraries,
    /// Number of the first item of each name.
    by_name: BTreeMap<String, u32>,
}

impl Module {
    /// The first item of a name.
    pub fn item(&self, name: &str) -> Option<&Arc<Item>> {
        self.by_name.get(name).and_then(|number| self.items.get(*number as usize))
    }
}

/// One item of a [`Module`].
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// File and number: the place that its spans are relative to.
    pub file: Arc<str>,
    /// Number in the file.
    pub number: u32,
    /// The tree.
    pub tree: tree::Item,
    /// Places in it that did not parse, in source order.
    pub errors: Vec<Span>,
}

impl Item {
    /// Place of `span` in this item.
    pub fn loc(&self, span: Span) -> Loc {
        Loc { file: Arc::clone(&self.file), item: Some(self.number), span }
    }

    /// Whether something in `span`, or what stands where it should go on, did not parse: what follows from it is
    /// reported already.
    pub fn has_error_in(&self, span: Span) -> bool {
        let first = self.errors.partition_point(|e| e.start < span.start);
        self.errors.get(first).is_some_and(|e| e.start <= span.end.saturating_add(1))
    }

    /// Its name, where it has one.
    pub fn name(&self) -> Option<&tree::Ident> {
        match &self.tree {
            tree::Item::Use(_) => None,
            tree::Item::Const(c) => Some(&c.name),
            tree::Item::Recipe(r) => Some(&r.name),
            tree::Item::Arch(a) => Some(&a.name),
            tree::Item::Derive(d) => Some(&d.name),
        }
    }
}

/// Start of an item in its file.
pub fn item_start(item: &tree::Item) -> u32 {
    match item {
        tree::Item::Use(u) => u.span.start,
        tree::Item::Const(c) => c.span.start,
        tree::Item::Recipe(r) => r.span.start,
        tree::Item::Arch(a) => a.span.start,
        tree::Item::Derive(d) => d.span.start,
    }
}

/// Starts of all items: what turns a relative [`Loc`] into an absolute one.
pub fn item_starts(file: &tree::File) -> Vec<u32> {
    file.items.iter().map(item_start).collect()
}

/// Lowers a parsed file. A `use` of a library becomes one of the library's file.
pub fn lower(path: &Arc<str>, file: &tree::File, libraries: &Libraries) -> Module {
    let items = file.items.iter().zip(0u32..).map(|(item, number)| {
        let mut tree = item.clone();
        if let tree::Item::Use(u) = &mut tree {
            find_library(u, libraries);
        }
        let base = item_start(&tree);
        shift(&mut tree, &mut |span| *span = span.relative_to(base));
        let end = file.items.get(number as usize + 1).map_or(u32::MAX, item_start);
        let first = file.errors.partition_point(|e| e.span.start < base);
        let errors = file.errors.iter().skip(first).map(|e| e.span).take_while(|e| e.start < end);
        let errors = errors.map(|span| span.relative_to(base)).collect();
        Arc::new(Item { file: Arc::clone(path), number, tree, errors })
    });
    let items: Vec<Arc<Item>> = items.collect();
    let mut by_name = BTreeMap::new();
    for item in items.iter().rev() {
        by_name.extend(item.name().map(|name| (name.text.clone(), item.number)));
    }
    Module {
        path: Arc::clone(path),
        docs: file.docs.clone(),
        items,
        libraries: Arc::clone(libraries),
        by_name,
    }
}

/// `use common::tables` is `tables.icp` of the library's folder, and its item of that name.
fn find_library(u: &mut tree::Use, libraries: &Libraries) {
    let tree::UseFrom::Path(path) = &u.from else { return };
    let segments: Vec<&str> = path.segments.iter().map(|s| s.text.as_str()).collect();
    let (Some(file), Some(last)) = (library_file(&segments, libraries), path.segments.last()) else { return };
    if u.names.is_empty() {
        u.names.push(last.clone());
    }
    u.from = tree::UseFrom::File { path: file, span: path.span };
}

/// The file that `common::tables` names, relative to the importing file's folder.
pub fn library_file(segments: &[&str], libraries: &LibraryFolders) -> Option<String> {
    let [first, inside @ .., last] = segments else { return None };
    let folder = libraries.folders.get(*first).filter(|_| *first != "std")?;
    let parts: Vec<&str> = [folder.as_str()].iter().chain(inside).chain([last]).copied().collect();
    Some(format!("{}.icp", parts.join("/")))
}
