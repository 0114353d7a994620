//! The words of the language for the editors' grammars: taken from the compiler's tables, written between marked lines.
//!
//! A file below `editors/` marks a place with a comment, and the words that belong there follow:
//!
//! ```text
//! ; words: formats                 Tree-sitter queries: strings, up to `; words: end`
//! " words: formats                 Vim: `let s:formats = [...]`, up to `" words: end`
//! ;; words: formats                Emacs: `(defconst icp-formats '(...))`, up to `;; words: end`
//! "comment": "words: formats",     JSON: the first group `(?:...)` of the regex on the next line
//! ```
//!
//! `words: formats + kinds` takes two lists together, under the first one's name.
//! `ICPC_UPDATE=1 cargo test -p icpc-tests --test editors` writes them; without the variable the test compares.

mod lists;
mod marked;
mod queries;

pub use lists::{List, lists};
pub use marked::{Syntax, rewrite};
pub use queries::{Copy, Editor, copies, translate};
