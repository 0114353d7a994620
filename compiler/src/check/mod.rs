//! Checks: one file per diagnostic or family of them. Each is a plain function from [`Context`] to diagnostics.

use std::collections::BTreeMap;

use crate::arch::model::ArchModel;
use crate::checkpoint::{Schema, TokenizerKind};
use crate::diag::Diagnostic;
use crate::hir::Recipe;
use crate::matching::{Index, Matched, Ownership};
use crate::prune::Pruned;

pub mod already_compressed;
pub mod architecture;
pub mod arm_facts;
pub mod derive;
pub mod dtype_edge;
pub mod forward;
pub mod impossible_windows;
pub mod integer_product;
pub mod length_beyond_positions;
pub mod misplaced_rest;
pub mod percentile_cuts_nothing;
pub mod requantised;
pub mod settings;
pub mod shadowed_arm;
pub mod short_text;
pub mod storage;
pub mod target;
pub mod tie_conflict;
pub mod tokens_beyond_vocabulary;
pub mod tune;
pub mod uncovered_tensors;
pub mod unmatched_pattern;

/// Everything a check may look at.
pub struct Context<'a> {
    /// The resolved recipe.
    pub recipe: &'a Recipe,
    /// The checkpoint's header.
    pub schema: &'a Schema,
    /// Trie of its names.
    pub index: &'a Index,
    /// The architecture unified with it, when one is known.
    pub model: Option<&'a ArchModel>,
    /// The library's architecture that most of the checkpoint is of, where none is known.
    pub nearest: Option<&'a ArchModel>,
    /// What each arm's pattern matches.
    pub arms: &'a [&'a Matched],
    /// What each pruning's pattern matches.
    pub prunes: &'a [&'a Matched],
    /// Who owns what.
    pub ownership: &'a Ownership,
    /// What the prunings remove.
    pub pruned: &'a Pruned,
    /// Files that the recipe names, by path as written.
    pub assets: &'a Assets,
    /// What the forward says of training, where the recipe trains.
    pub trainable: &'a tune::Trainable,
    /// Rows of the table in which the forward looks token ids up, where it has one.
    pub vocabulary: Option<u64>,
}

/// What is known of the files that a recipe names.
pub type Assets = BTreeMap<String, Asset>;

/// One such file; read by the loader, never by a check.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Asset {
    /// It is there.
    Present {
        /// Bytes of a file; nothing of a folder.
        bytes: Option<u64>,
    },
    /// It is not.
    Missing {
        /// Where it was looked for, and why it could not be read.
        reason: String,
    },
    /// A tokenizer that could be read.
    Tokenizer(Vocabulary),
    /// A tokenizer that could not.
    Unreadable {
        /// One sentence.
        reason: String,
        /// Line from 1, where known.
        line: Option<u32>,
    },
}

impl Asset {
    /// Bytes of a file that is there.
    pub fn bytes(&self) -> Option<u64> {
        match self {
            Asset::Present { bytes } => *bytes,
            _ => None,
        }
    }
}

/// Numbers of a tokenizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Vocabulary {
    /// Schema of its file.
    pub kind: TokenizerKind,
    /// Declared size, where it declares one.
    pub declared: Option<u64>,
    /// Number of entries.
    pub entries: u64,
    /// Largest token id.
    pub max_id: u64,
    /// Whether it rewrites a text before it cuts it.
    pub rewrites: bool,
}

/// All checks of a recipe against a checkpoint, in order of code.
pub fn check(context: &Context<'_>) -> Vec<Diagnostic> {
    let checks: &[fn(&Context<'_>) -> Vec<Diagnostic>] = &[
        settings::check,
        misplaced_rest::check,
        unmatched_pattern::check,
        shadowed_arm::check,
        uncovered_tensors::check,
        tie_conflict::check,
        storage::check,
        length_beyond_positions::check,
        impossible_windows::check,
        short_text::check,
        tokens_beyond_vocabulary::check,
        percentile_cuts_nothing::check,
        requantised::check,
        architecture::check,
        tune::check,
        target::check,
    ];
    let mut found = checks.iter().flat_map(|check| check(context)).collect();
    already_compressed::check(context, &mut found);
    found
}
