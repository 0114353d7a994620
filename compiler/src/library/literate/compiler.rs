//! What a literate test asks of a compiler. One implementation is the real one, another the harness's own tests'.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::checkpoint::Schema;
use crate::hir::module::Libraries;
use crate::plan::OutputLayout;
use crate::plan::ir::Plan;

/// Everything that a section gives.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// Recipe files and others, by path.
    pub files: BTreeMap<String, String>,
    /// Checkpoint listings, by path.
    pub listings: BTreeMap<String, String>,
    /// The file that is checked.
    pub main: String,
    /// Words of the command line.
    pub args: Vec<String>,
    /// What recipe files may import from, by path.
    pub libraries: BTreeMap<String, Libraries>,
    /// Path and header of what takes the place of the checkpoint that recipes name.
    pub checkpoint: Option<(String, Arc<Schema>)>,
}

/// Kind of one diagnostic that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// `E0301`.
    pub code: String,
    /// `unmatched-pattern`.
    pub name: String,
    /// `error`, `warning` or `note`.
    pub level: String,
    /// What is wrong with its wording; empty if nothing is.
    pub wording: Vec<String>,
    /// Where it points.
    pub place: Spotted,
}

impl Found {
    /// ` at 7:12`, or nothing where it points at a whole file.
    pub fn at(&self) -> String {
        match (self.place.line, self.place.column) {
            (0, _) => String::new(),
            (line, 0) => format!(" at {line}"),
            (line, column) => format!(" at {line}:{column}"),
        }
    }
}

/// Where a diagnostic points.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spotted {
    /// From 1; 0 for a whole file.
    pub line: u32,
    /// From 1; 0 where it is not known.
    pub column: u32,
    /// Text of the line.
    pub text: String,
}

/// A plan that was made.
#[derive(Clone, Debug)]
pub struct Planned {
    /// Name of its recipe.
    pub recipe: String,
    /// It.
    pub plan: Arc<Plan>,
    /// Its exact output.
    pub layout: Arc<OutputLayout>,
}

/// What a compiler says.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// Diagnostics in order of output.
    pub found: Vec<Found>,
    /// Full rendering.
    pub full: String,
    /// One line each.
    pub short: String,
    /// Text of the main file after its fixes, safe and unsafe.
    pub fixed: String,
    /// The plan, or why there is none.
    pub plan: String,
    /// The plans.
    pub plans: Vec<Planned>,
    /// Of each recipe's checkpoint the number of elements, tied tensors counted once.
    pub params: Vec<u64>,
}

/// A compiler under test.
pub trait Compiler {
    /// Checks the main file. An error is the harness's, not the recipe's: an argument that does not exist.
    ///
    /// # Errors
    /// A sentence.
    fn check(&self, inputs: &Inputs) -> Result<Checked, String>;

    /// Syntax errors of a text, one line each.
    fn parse(&self, text: &str) -> Vec<String>;
}
