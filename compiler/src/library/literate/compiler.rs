//! What a literate test asks of a compiler. One implementation is the real one, another the harness's own tests'.

use std::collections::BTreeMap;

use crate::hir::module::Libraries;

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
    /// The listing that takes the place of the checkpoint that recipes name.
    pub checkpoint: Option<String>,
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
    /// Of each plan the bytes of the checkpoint's tensors, and of the stored ones.
    pub sizes: Vec<(u64, u64)>,
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
