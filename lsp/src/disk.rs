//! What is known of the disk: which files were read, and what shows that one has changed. Of checkpoints only headers
//! are read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use icpc::check::Asset;
use icpc::checkpoint::Schema;
use icpc::db::CheckpointState;
use icpc::hir::module::{Libraries, LibraryFolders};
use icpc::manifest::{Finder, deciding};
use icpc::session::Session;
use icpc::system;

use crate::convert;
use crate::load::{Named, manifest};

/// A file that was written to so shortly before it was read may be written to again within the same tick of the file
/// system's clock.
const TICK: Duration = Duration::from_millis(50);

/// Size and time of the last change of a file and of those that are read with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    files: Vec<(String, u64, Option<SystemTime>)>,
    /// Nothing was written to within a [`TICK`] of the look.
    settled: bool,
}

impl Stamp {
    /// As the file is now.
    pub fn of(named: &Named) -> Stamp {
        let path = Path::new(named.path());
        let mut stamp = Stamp { files: Vec::new(), settled: true };
        if !convert::is_on_disk(named.path()) {
            return stamp;
        }
        if let Named::Manifest(path) = named {
            deciding(path).iter().for_each(|path| stamp.add(Path::new(path)));
            stamp.files.sort();
            return stamp;
        }
        stamp.add(path);
        if matches!(named, Named::Checkpoint(_)) {
            let folder = if path.is_dir() { Some(path) } else { path.parent() };
            let whole = path.is_dir() || path.extension().is_some_and(|e| e == "json");
            match folder.filter(|_| whole).map(std::fs::read_dir) {
                // The files of an index, or whatever the folder's checkpoint is.
                Some(Ok(entries)) => entries.flatten().for_each(|e| stamp.add(&e.path())),
                _ => folder.into_iter().for_each(|f| stamp.add(&f.join("config.json"))),
            }
        }
        stamp.files.sort();
        stamp
    }

    fn add(&mut self, path: &Path) {
        let Ok(meta) = std::fs::metadata(path) else { return };
        let modified = meta.modified().ok();
        let age = modified.and_then(|m| SystemTime::now().duration_since(m).ok());
        self.settled &= age.is_some_and(|age| age > TICK);
        self.files.push((path.to_string_lossy().into_owned(), meta.len(), modified));
    }

    /// Whether a file with this stamp is surely as it was when it had that one.
    fn same(&self, now: &Stamp) -> bool {
        self.settled && self.files == now.files
    }
}

/// A file as it was read.
pub struct Reading {
    named: Named,
    stamp: Stamp,
    content: Content,
}

impl Reading {
    /// Where the file lies.
    pub fn path(&self) -> &str {
        self.named.path()
    }
}

enum Content {
    /// `None` when there is no such file, else why it cannot be read.
    Text(Result<String, Option<String>>),
    Checkpoint(CheckpointState),
    Asset(Asset),
    Libraries(Libraries),
}

/// Reads a file. What cannot be read says why; nothing here fails.
pub fn read(named: Named) -> Reading {
    // First the stamp: a change while the file is read then shows at the next look.
    let stamp = Stamp::of(&named);
    let content = match &named {
        _ if !convert::is_on_disk(named.path()) => nowhere(&named),
        Named::Import(path) => {
            Content::Text(system::read_text(path).map_err(|e| Path::new(path).exists().then_some(e)))
        }
        Named::Manifest(path) => Content::Libraries(libraries(path)),
        Named::Checkpoint(path) => Content::Checkpoint(system::read_checkpoint(path)),
        Named::Asset(asset) => Content::Asset(system::read_asset(asset)),
    };
    Reading { named, stamp, content }
}

/// What files beside `path` may import from.
fn libraries(path: &str) -> Libraries {
    match Finder::default().libraries(path) {
        Ok(libraries) => libraries,
        Err(problem) => {
            Libraries::new(LibraryFolders { problem: Some(problem), ..LibraryFolders::default() })
        }
    }
}

/// A relative path in a document that is not saved.
fn nowhere(named: &Named) -> Content {
    let reason = format!("`{}`: the document has no folder yet, save it", named.path());
    match named {
        Named::Manifest(_) => Content::Libraries(Libraries::default()),
        Named::Import(_) => Content::Text(Err(Some(reason))),
        Named::Checkpoint(_) => Content::Checkpoint(CheckpointState::Missing(reason)),
        Named::Asset(_) => Content::Asset(Asset::Missing { reason }),
    }
}

/// Most entries of a folder that are looked at.
const MOST_INSIDE: usize = 1_000;

/// What is in a folder, sorted: names, and whether each is a folder. What is hidden is left out.
pub fn inside(folder: &str) -> Vec<(String, bool)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().take(MOST_INSIDE);
    let named = entries.filter_map(|e| {
        let name = e.file_name().into_string().ok().filter(|n| !n.starts_with('.'))?;
        // Of a link, what it leads to.
        Some((name, e.path().is_dir()))
    });
    let mut found: Vec<(String, bool)> = named.collect();
    found.sort();
    found
}

/// Files that were read.
#[derive(Debug, Default)]
pub struct Disk {
    known: BTreeMap<Named, Stamp>,
    /// The last header of each checkpoint that could be read.
    headers: BTreeMap<String, Arc<Schema>>,
    /// What files may import from, by the path that a manifest in their folder has.
    libraries: BTreeMap<String, Libraries>,
}

impl Disk {
    /// Those of `named` that were not read yet.
    pub fn unread(&self, named: &BTreeSet<Named>) -> Vec<Named> {
        named.iter().filter(|n| !self.known.contains_key(n)).cloned().collect()
    }

    /// Files that were read, with their stamps, to be looked at again.
    pub fn known(&self) -> Vec<(Named, Stamp)> {
        self.known.iter().map(|(named, stamp)| (named.clone(), stamp.clone())).collect()
    }

    /// Forgets that a file was read, so that it is read again when it is named.
    pub fn forget(&mut self, path: &str) {
        self.known.retain(|named, _| named.path() != path);
    }

    /// Takes over what was read. Documents that are open stay as the client has them.
    pub fn take(&mut self, readings: Vec<Reading>, session: &mut Session, is_open: impl Fn(&str) -> bool) {
        let mut texts = Vec::new();
        for Reading { named, stamp, content } in readings {
            let path = named.path();
            match content {
                Content::Text(_) if is_open(path) => continue,
                Content::Text(Ok(text)) => texts.push((path.to_owned(), text)),
                // The checker reports it where it is imported.
                Content::Text(Err(reason)) => session.remove_file(path, reason),
                Content::Checkpoint(state) => session.set_checkpoint(path, self.best(path, state)),
                Content::Asset(asset) => session.set_asset(path, asset),
                Content::Libraries(libraries) => drop(self.libraries.insert(path.to_owned(), libraries)),
            }
            self.known.insert(named, stamp);
        }
        session.set_files(texts.iter().map(|(path, text)| (path.as_str(), text.as_str())));
        self.name_libraries(session);
    }

    /// Tells the session what its files may import from, as far as it was read.
    pub fn name_libraries(&self, session: &mut Session) {
        let all: Vec<String> = session.texts().iter().map(|(path, _)| (*path).to_owned()).collect();
        for path in all {
            if let Some(libraries) = self.libraries.get(manifest(&path).path()) {
                session.set_libraries(&path, Arc::clone(libraries));
            }
        }
    }

    /// A file that is there and cannot be read is being written, perhaps: its last header stays.
    fn best(&mut self, path: &str, state: CheckpointState) -> CheckpointState {
        match state {
            CheckpointState::Loaded(schema) => {
                self.headers.insert(path.to_owned(), Arc::clone(&schema));
                CheckpointState::Loaded(schema)
            }
            CheckpointState::Failed(reason) => match self.headers.get(path) {
                Some(schema) => CheckpointState::Outdated(Arc::clone(schema), reason),
                None => CheckpointState::Failed(reason),
            },
            other => {
                self.headers.remove(path);
                other
            }
        }
    }

    /// Forgets what no document names any more.
    pub fn keep_only(&mut self, named: &BTreeSet<Named>, session: &mut Session) {
        let paths: BTreeSet<String> = named.iter().map(|n| n.path().to_owned()).collect();
        self.known.retain(|n, _| named.contains(n));
        self.headers.retain(|path, _| paths.contains(path));
        self.libraries.retain(|path, _| paths.contains(path));
        session.keep_only(&paths);
    }
}

/// Those files that have changed since they were read.
pub fn changed(known: Vec<(Named, Stamp)>) -> Vec<Named> {
    known
        .into_iter()
        .filter(|(named, stamp)| !stamp.same(&Stamp::of(named)))
        .map(|(named, _)| named)
        .collect()
}
