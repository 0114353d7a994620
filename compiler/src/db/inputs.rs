//! What comes from outside: texts, headers, facts of files. A query never does I/O.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::check::Assets;
use crate::checkpoint::Schema;
use crate::hir::resolve::Overrides;

/// The database as queries see it.
#[salsa::db]
pub trait Db: salsa::Database {}

/// The database. A clone is a handle for another thread.
#[salsa::db]
#[derive(Clone)]
pub struct Database {
    storage: salsa::Storage<Self>,
    executed: Arc<Mutex<Option<Vec<String>>>>,
}

#[salsa::db]
impl salsa::Database for Database {}

#[salsa::db]
impl Db for Database {}

impl Default for Database {
    fn default() -> Database {
        let executed: Arc<Mutex<Option<Vec<String>>>> = Arc::default();
        let log = Arc::clone(&executed);
        let on_event = move |event: salsa::Event| {
            if let salsa::EventKind::WillExecute { database_key } = event.kind
                && let Ok(mut log) = log.lock()
                && let Some(log) = log.as_mut()
            {
                log.push(format!("{database_key:?}"));
            }
        };
        Database { storage: salsa::Storage::new(Some(Box::new(on_event))), executed }
    }
}

impl Database {
    /// Starts to record which queries execute; what tests of incrementality look at.
    pub fn record_executions(&self) {
        if let Ok(mut log) = self.executed.lock() {
            *log = Some(Vec::new());
        }
    }

    /// Queries executed since the recording started or this was last called, by name, in order.
    pub fn executed(&self) -> Vec<String> {
        let mut taken = Vec::new();
        if let Ok(mut log) = self.executed.lock()
            && let Some(log) = log.as_mut()
        {
            taken.append(log);
        }
        let name = |key: &String| key.split(['(', '<']).next().unwrap_or(key).to_owned();
        taken.iter().map(name).collect()
    }
}

/// Text of one `.icp` file.
#[salsa::input(debug)]
pub struct SourceText {
    /// Path as imports resolve it.
    pub path: Arc<str>,
    /// Its text.
    pub text: Arc<str>,
}

/// Header of one checkpoint.
#[salsa::input]
pub struct CheckpointFile {
    /// What could be read.
    pub state: CheckpointState,
}

/// A checkpoint as it was found.
#[derive(Clone, Debug, PartialEq)]
pub enum CheckpointState {
    /// Its header.
    Loaded(Arc<Schema>),
    /// Why there is none, in one sentence.
    Failed(String),
}

/// Everything that the queries of one session can see.
#[salsa::input]
pub struct Workspace {
    /// Loaded files by path, the library included.
    pub files: BTreeMap<String, SourceText>,
    /// Checkpoints by path as recipes name them, joined with the recipe's folder.
    pub checkpoints: BTreeMap<String, CheckpointFile>,
    /// A checkpoint that replaces the one that recipes name.
    pub checkpoint_override: Option<String>,
    /// Facts of the files that recipes name, by path as written.
    pub assets: Assets,
    /// Parameters from outside.
    pub overrides: Overrides,
}
