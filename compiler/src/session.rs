//! A checker with its inputs: what command line, language server and tests talk to. No I/O.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use salsa::Setter;

use crate::arch::ArchDecl;
use crate::arch::derive::Shape;
use crate::check::Asset;
use crate::checkpoint::{Schema, parse_listing};
use crate::db::{
    self, Analysis, Checked, CheckpointFile, CheckpointState, Database, Group, SourceText, TensorNames,
    Workspace,
};
use crate::diag::{Diagnostic, Sources};
use crate::graph::{Graph, Types};
use crate::hir::module::{Libraries, Module, library_file};
use crate::hir::resolve::Overrides;
use crate::hir::value::Value;
use crate::hir::{Recipe, names};
use crate::plan::cost::Sums;
use crate::plan::ir::Plan;
use crate::plan::{OutputLayout, print_plan};
use crate::stdlib;
use crate::syntax::tree;

/// Files, checkpoints and parameters, and everything that follows from them.
pub struct Session {
    db: Database,
    workspace: Workspace,
}

/// A session as it is now, to be read on another thread. A change of the session makes it unwind with
/// [`salsa::Cancelled`] and waits until it is dropped: a reader keeps it no longer than its answer takes.
pub struct Snapshot(Session);

impl std::ops::Deref for Snapshot {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.0
    }
}

impl Default for Session {
    fn default() -> Session {
        Session::new()
    }
}

impl Session {
    /// A session that knows the library only.
    pub fn new() -> Session {
        let db = Database::default();
        let library = stdlib::files().map(|(path, text)| {
            let file = SourceText::builder(Arc::from(*path), Arc::from(*text), Libraries::default())
                .durability(salsa::Durability::HIGH)
                .new(&db);
            ((*path).to_owned(), file)
        });
        let library: BTreeMap<String, SourceText> = library.collect();
        let workspace = Workspace::new(
            &db,
            library,
            BTreeMap::new(),
            BTreeMap::new(),
            None,
            BTreeMap::new(),
            Overrides::new(),
        );
        Session { db, workspace }
    }

    /// A session with one checkpoint and a recipe that keeps it, and the recipe's file and name.
    pub fn of_checkpoint(found: CheckpointState) -> (Session, String, String) {
        let (file, recipe) = ("checkpoint.icp", "all");
        let mut session = Session::new();
        session.set_checkpoint("checkpoint", found);
        session.set_file(file, "recipe all { checkpoint \"checkpoint\"; assign { _ => keep } }");
        (session, file.to_owned(), recipe.to_owned())
    }

    /// Diagnostics of items at their places in the files.
    pub fn placed(&self, found: Vec<Diagnostic>) -> Vec<Diagnostic> {
        db::problems::absolute_and_sorted(&self.db, self.workspace, found)
    }

    /// The session as it is now, for a reader on another thread.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(Session { db: self.db.clone(), workspace: self.workspace })
    }

    /// The database: to attach a reader to, to cancel one, and for tests of which queries ran.
    pub fn database(&self) -> &Database {
        &self.db
    }

    /// The inputs.
    pub fn workspace(&self) -> Workspace {
        self.workspace
    }

    /// Adds a file or replaces its text.
    pub fn set_file(&mut self, path: &str, text: &str) {
        self.set_files([(path, text)]);
    }

    /// Adds files or replaces their texts, with one change of the table of files for all of them.
    pub fn set_files<'a>(&mut self, files: impl IntoIterator<Item = (&'a str, &'a str)>) {
        let mut added = Vec::new();
        for (path, text) in files {
            match self.file(path) {
                Some(file) if file.text(&self.db).as_ref() == text => {}
                Some(file) => {
                    file.set_text(&mut self.db).to(Arc::from(text));
                }
                None => {
                    let file =
                        SourceText::new(&self.db, Arc::from(path), Arc::from(text), Libraries::default());
                    added.push((path.to_owned(), file));
                }
            }
        }
        if !added.is_empty() {
            let mut unreadable = self.workspace.unreadable(&self.db).clone();
            let before = unreadable.len();
            added.iter().for_each(|(path, _)| drop(unreadable.remove(path)));
            if unreadable.len() < before {
                self.workspace.set_unreadable(&mut self.db).to(unreadable);
            }
            let mut files = self.workspace.files(&self.db).clone();
            files.extend(added);
            self.workspace.set_files(&mut self.db).to(files);
        }
    }

    /// Says which libraries a known file may import from.
    pub fn set_libraries(&mut self, path: &str, libraries: Libraries) {
        if let Some(file) = self.file(path)
            && *file.libraries(&self.db) != libraries
        {
            file.set_libraries(&mut self.db).to(libraries);
        }
    }

    /// Forgets a file. `reason` says why a file that is there could not be read.
    pub fn remove_file(&mut self, path: &str, reason: Option<String>) {
        let mut files = self.workspace.files(&self.db).clone();
        if files.remove(path).is_some() {
            self.workspace.set_files(&mut self.db).to(files);
        }
        let known = self.workspace.unreadable(&self.db);
        if known.get(path) != reason.as_ref() {
            let mut known = known.clone();
            match reason {
                Some(reason) => drop(known.insert(path.to_owned(), reason)),
                None => drop(known.remove(path)),
            }
            self.workspace.set_unreadable(&mut self.db).to(known);
        }
    }

    fn file(&self, path: &str) -> Option<SourceText> {
        self.workspace.files(&self.db).get(path).copied()
    }

    /// Whether a file is known.
    pub fn has_file(&self, path: &str) -> bool {
        self.file(path).is_some()
    }

    /// Sets the header of the checkpoint at `path` (joined with the recipe's folder), or why there is none.
    pub fn set_checkpoint(&mut self, path: &str, state: CheckpointState) {
        let known = self.workspace.checkpoints(&self.db).get(path).copied();
        match known {
            Some(checkpoint) if *checkpoint.state(&self.db) == state => {}
            Some(checkpoint) => {
                checkpoint.set_state(&mut self.db).to(state);
            }
            None => {
                let checkpoint =
                    CheckpointFile::builder(state).durability(salsa::Durability::MEDIUM).new(&self.db);
                let mut all = self.workspace.checkpoints(&self.db).clone();
                all.insert(path.to_owned(), checkpoint);
                self.workspace.set_checkpoints(&mut self.db).to(all);
            }
        }
    }

    /// Forgets the checkpoints and the facts of files that are not in `named`, by their paths.
    pub fn keep_only(&mut self, named: &BTreeSet<String>) {
        let mut checkpoints = self.workspace.checkpoints(&self.db).clone();
        let before = checkpoints.len();
        checkpoints.retain(|path, _| named.contains(path));
        if checkpoints.len() < before {
            self.workspace.set_checkpoints(&mut self.db).to(checkpoints);
        }
        let mut assets = self.workspace.assets(&self.db).clone();
        let before = assets.len();
        assets.retain(|path, _| named.contains(path));
        if assets.len() < before {
            self.workspace.set_assets(&mut self.db).to(assets);
        }
    }

    /// Sets the checkpoint at `path` by a text listing; a listing that does not parse is a checkpoint that cannot be
    /// read.
    pub fn set_checkpoint_listing(&mut self, path: &str, text: &str) {
        let name = path.rsplit('/').next().unwrap_or(path);
        let state = match parse_listing(name, text) {
            Ok(schema) => CheckpointState::Loaded(Arc::new(schema)),
            Err(error) => CheckpointState::Failed(error.to_string()),
        };
        self.set_checkpoint(path, state);
    }

    /// Takes this checkpoint instead of the one that recipes name.
    pub fn override_checkpoint(&mut self, path: Option<&str>) {
        self.workspace.set_checkpoint_override(&mut self.db).to(path.map(str::to_owned));
    }

    /// Sets a fact of a file that a recipe names; `path` is joined with the recipe's folder.
    pub fn set_asset(&mut self, path: &str, asset: Asset) {
        let mut assets = self.workspace.assets(&self.db).clone();
        if assets.get(path) != Some(&asset) {
            assets.insert(path.to_owned(), asset);
            self.workspace.set_assets(&mut self.db).to(assets);
        }
    }

    /// Sets a recipe's parameter from the text of a value (`--set clip=99.9%`).
    ///
    /// # Errors
    /// The sentence that says why the text is no value.
    pub fn set_parameter(&mut self, name: &str, text: &str) -> Result<(), String> {
        let value = parse_value(name, text)?;
        let mut overrides = self.workspace.overrides(&self.db).clone();
        overrides.insert(name.to_owned(), value);
        self.workspace.set_overrides(&mut self.db).to(overrides);
        // Diagnostics about the value point into this text.
        self.set_file(&parameter_file(name), text);
        Ok(())
    }

    /// Names of the recipes of a file.
    pub fn recipe_names(&self, path: &str) -> Vec<String> {
        self.file(path).map(|f| db::recipe_names(&self.db, f).clone()).unwrap_or_default()
    }

    /// Items of a file.
    pub fn module(&self, path: &str) -> Option<Arc<Module>> {
        self.file(path).map(|f| Arc::clone(db::module(&self.db, f)))
    }

    /// The tree of a file.
    pub fn tree(&self, path: &str) -> Option<Arc<tree::File>> {
        self.file(path).map(|f| Arc::clone(db::parse(&self.db, f)))
    }

    /// A resolved recipe.
    pub fn recipe(&self, path: &str, name: &str) -> Option<Arc<Recipe>> {
        let file = self.file(path)?;
        db::resolved(&self.db, self.workspace, file, name.to_owned()).recipe.clone()
    }

    /// Diagnostics of a file, absolute and sorted; of one recipe of it if `only` names it.
    pub fn diagnostics(&self, path: &str, only: Option<&str>) -> Vec<Diagnostic> {
        match self.file(path) {
            Some(file) => db::diagnostics(&self.db, self.workspace, file, only.map(str::to_owned)).clone(),
            None => Vec::new(),
        }
    }

    /// The same, told apart by recipe: for who shows all recipes of a file at once.
    pub fn diagnostic_groups(&self, path: &str) -> Vec<Group> {
        self.file(path).map(|file| db::groups(&self.db, self.workspace, file)).unwrap_or_default()
    }

    /// What the checks say of a recipe and its checkpoint, without a plan: enough to show while someone types.
    pub fn checked(&self, path: &str, name: &str) -> Option<Arc<Checked>> {
        let file = self.file(path)?;
        db::checked(&self.db, self.workspace, file, name.to_owned()).clone()
    }

    /// What is known of a recipe and its checkpoint, with its plan.
    pub fn analysis(&self, path: &str, name: &str) -> Option<Arc<Analysis>> {
        let file = self.file(path)?;
        db::analysis(&self.db, self.workspace, file, name.to_owned()).clone()
    }

    /// What a recipe makes of its checkpoint, in bytes.
    pub fn sums(&self, path: &str, name: &str) -> Option<Arc<Sums>> {
        let file = self.file(path)?;
        db::sums(&self.db, self.workspace, file, name.to_owned()).clone()
    }

    /// The exact output of a recipe's plan, if it has one.
    pub fn layout(&self, path: &str, name: &str) -> Option<Arc<OutputLayout>> {
        let file = self.file(path)?;
        db::layout(&self.db, self.workspace, file, name.to_owned()).clone()
    }

    /// A recipe's plan and its exact output, if it has one.
    pub fn planned(&self, path: &str, name: &str) -> Option<(Arc<Plan>, Arc<OutputLayout>)> {
        Some((Arc::clone(self.analysis(path, name)?.plan.as_ref()?), self.layout(path, name)?))
    }

    /// The plan as text, if the recipe has one.
    pub fn plan_text(&self, path: &str, name: &str) -> Option<String> {
        let (plan, layout) = self.planned(path, name)?;
        Some(print_plan(&plan, &layout))
    }

    /// Element types of the graph of the recipe `name` of `path`, as it stores the weights.
    pub fn types(&self, path: &str, name: &str) -> Option<Types> {
        db::types(&self.db, self.workspace, self.file(path)?, name.to_owned())
    }

    /// The graph of a recipe's checkpoint, and the diagnostics that are in its way; `None` without an architecture that fits
    /// and has a forward.
    pub fn graph(&self, path: &str, name: &str) -> Option<(Option<Graph>, Vec<Diagnostic>)> {
        let recipe = self.recipe(path, name)?;
        let (lowered, problems) = db::graph(&self.db, self.workspace, &recipe)?;
        Some((lowered.graph, problems))
    }

    /// The smaller shape that a recipe derives from its checkpoint; `None` where it takes the checkpoint's own.
    pub fn shape(&self, path: &str, name: &str) -> Option<Arc<Shape>> {
        db::shape_of(&self.db, self.workspace, self.recipe(path, name)?.as_ref())
    }

    /// As [`Session::graph`], of the checkpoint as it is, whatever shape the recipe derives from it: that of a teacher, or of an
    /// output.
    pub fn own_graph(&self, path: &str, name: &str) -> Option<(Option<Graph>, Vec<Diagnostic>)> {
        let recipe = Recipe { derive: None, ..Recipe::clone(self.recipe(path, name)?.as_ref()) };
        let (lowered, problems) = db::graph(&self.db, self.workspace, &recipe)?;
        Some((lowered.graph, problems))
    }

    /// As [`Session::tensor_names`], of the checkpoint as it is.
    pub fn own_names(&self, path: &str, name: &str) -> Option<TensorNames> {
        let recipe = Recipe { derive: None, ..Recipe::clone(self.recipe(path, name)?.as_ref()) };
        db::names_of(&self.db, self.workspace, &recipe)
    }

    /// Path of a recipe's checkpoint, joined with the recipe's folder.
    pub fn checkpoint_path(&self, path: &str, name: &str) -> Option<String> {
        let recipe = self.recipe(path, name)?;
        db::checkpoint_path(&self.db, self.workspace, &recipe)
    }

    /// The tensors of a recipe's checkpoint, if its header could be read. Nothing is checked for it.
    pub fn tensor_names(&self, path: &str, name: &str) -> Option<TensorNames> {
        db::names_of(&self.db, self.workspace, self.recipe(path, name)?.as_ref())
    }

    /// The architecture that a recipe names, as it is declared.
    pub fn declaration(&self, path: &str, name: &str) -> Option<Arc<ArchDecl>> {
        db::declaration_of(&self.db, self.workspace, self.recipe(path, name)?.as_ref())
    }

    /// What a file can see: its own items and what it imports.
    pub fn visible(&self, path: &str) -> Option<names::Names> {
        self.file(path).map(|file| db::visible(&self.db, self.workspace, file))
    }

    /// Header of the checkpoint at `path`, if it could be read.
    pub fn schema(&self, path: &str) -> Option<Arc<Schema>> {
        let checkpoint = self.workspace.checkpoints(&self.db).get(path)?;
        checkpoint.state(&self.db).schema().cloned()
    }

    /// The checkpoint at `path` as it was found, if it was looked for.
    pub fn checkpoint(&self, path: &str) -> Option<&CheckpointState> {
        self.workspace.checkpoints(&self.db).get(path).map(|c| c.state(&self.db))
    }

    /// Whether the header of `path` was read, successfully or not.
    pub fn has_checkpoint(&self, path: &str) -> bool {
        self.workspace.checkpoints(&self.db).contains_key(path)
    }

    /// Libraries that a file may import from.
    pub fn libraries(&self, path: &str) -> Libraries {
        self.file(path).map(|f| Arc::clone(f.libraries(&self.db))).unwrap_or_default()
    }

    /// Path of the file that a `use` in `importer` names, as it is written there.
    pub fn import_path(&self, importer: &str, from: &tree::UseFrom) -> String {
        if let tree::UseFrom::Path(path) = from {
            let segments: Vec<&str> = path.segments.iter().map(|s| s.text.as_str()).collect();
            if let Some(file) = library_file(&segments, &self.libraries(importer)) {
                return names::join(importer, &file);
            }
        }
        names::import_path(importer, from)
    }

    /// Files that `path` imports, known or not, without the library's.
    pub fn imports(&self, path: &str) -> Vec<String> {
        let Some(module) = self.module(path) else { return Vec::new() };
        let imports = module.items.iter().filter_map(|item| match &item.tree {
            // A path is the embedded library's, or of a library that nobody named: neither is a file to read.
            tree::Item::Use(u) if matches!(u.from, tree::UseFrom::File { .. }) => {
                Some(names::import_path(path, &u.from))
            }
            _ => None,
        });
        imports.collect()
    }

    /// Files that `path` imports and that are not known yet.
    pub fn missing_imports(&self, path: &str) -> Vec<String> {
        self.imports(path).into_iter().filter(|p| !self.has_file(p)).collect()
    }

    /// Paths and texts of all files but the library's, sorted.
    pub fn texts(&self) -> Vec<(&str, &str)> {
        let files = self.workspace.files(&self.db).iter();
        let own = files.filter(|(path, _)| stdlib::text(path).is_none());
        own.map(|(path, file)| (path.as_str(), file.text(&self.db).as_ref())).collect()
    }

    /// Text of a file, the library's included.
    pub fn text(&self, path: &str) -> Option<&Arc<str>> {
        self.file(path).map(|f| f.text(&self.db))
    }

    /// Texts for a renderer.
    pub fn sources(&self) -> Sources<'_> {
        let files = self.workspace.files(&self.db).iter();
        files.fold(Sources::new(), |sources, (path, file)| sources.file(path, file.text(&self.db)))
    }
}

fn parameter_file(name: &str) -> String {
    format!("--set {name}")
}

/// Parses `text` as the value of a parameter.
fn parse_value(name: &str, text: &str) -> Result<Value, String> {
    const BEFORE: &str = "const value = ";
    let source = format!("{BEFORE}{text};");
    let tree = crate::syntax::parse(&source);
    let mut problems = Vec::new();
    let mut value = None;
    if let ([tree::Item::Const(c)], []) = (tree.items.as_slice(), tree.errors.as_slice()) {
        let item = crate::hir::Item {
            file: Arc::from(parameter_file(name)),
            number: 0,
            tree: tree::Item::Const(c.clone()),
            errors: Vec::new(),
        };
        value = Some(crate::hir::eval::eval(&c.value, &item, &Default::default(), &mut problems));
    }
    match (value, problems.first()) {
        (Some(mut value), None) => {
            // The place is the text on the command line, which starts behind `const value = `.
            value.loc.item = None;
            value.loc.span = crate::base::Span::new(0, text.len());
            Ok(value)
        }
        (_, Some(problem)) => Err(problem.headline.clone()),
        (None, None) if text.is_empty() => Err("no value stands behind the `=`".to_owned()),
        (None, None) => Err(format!("`{text}` is no value; a string has quotes: `--set '{name}=\"...\"'`")),
    }
}
