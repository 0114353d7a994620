//! Literate tests: Markdown whose fenced blocks are inputs and expected outputs.
//!
//! ```text
//!  text ─ markdown ─ Document ─ case ─ Case (one a section) ─ run ─┬─ equal, or a list of differences
//!                                                     │            └─ ICPC_UPDATE=1: the text with new outputs
//!                                             Compiler::check
//! ```
//!
//! Input blocks of a section (those above the first `##` belong to every section):
//!
//! | info string | is |
//! | --- | --- |
//! | `icp`, `icp file=common.icp` | a recipe file; the one that is checked is `recipe.icp`, the block without a name |
//! | `icp within=recipe`, `icp within=assign` | a part of a recipe, put into the rest of one; not checked, only parsed |
//! | `listing`, `listing file=a.pt` | a checkpoint's header; without a name it is the first one that the recipe names |
//! | `json file=config.json`, `text file=data.txt` | any other file; a text that ends with `...` is as long as anything asks for |
//! | `args` | a command line: `--set clip=99% --recipe mixed --verbose` |
//!
//! A block `expect` holds what must be true, one a line ([`Expectation`]); `//` begins a comment.
//!
//! Output blocks, at least one a section that has a recipe: `diagnostics` (full), `short`, `plan`, `fixed` (the
//! recipe after its fixes).

mod case;
mod compiler;
mod expect;
mod markdown;
mod run;
mod session;

pub use case::{Case, Output, cases};
pub use compiler::{Checked, Compiler, Found, Inputs, Planned, Spotted};
pub use expect::Expectation;
pub use markdown::{Block, Document, Section};
pub use run::{Rules, difference, run, same};
pub use session::Session;
