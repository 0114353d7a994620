//! Text listings: the header of a checkpoint as lines that people write, tests hold and diagnostics point into.
//!
//! ```text
//! # itera_lite_tiny: a comment runs from `#` behind white space to the end of the line
//! embedding.weight               f32  [8000, 128]
//! layers.{0..=3}.ssm.A_log       f32  [8]
//! layers.{1,3}.moe.w{1,2}.weight bf16 [64, 128]
//! "odd name/with = signs"        i64  []
//! lm_head.weight                 = embedding.weight
//! gate.weight                    i8   [4, 128] quantized per_tensor_affine scales [0.00084] zeros [0]
//! blk.0.attn_q.weight            u8   [4096, 4096] as q4_k in 9437184 bytes
//! config max_position_embeddings = 2048 from "config.json:12"
//! config rms_norm_eps = 1e-5
//! config tie_word_embeddings = true
//! config model_type = "llama"
//! entry  quantization_info.bits = "4"
//! note   "3 tensors under `optimizer` are left out"
//! ```
//!
//! - A tensor is `name dtype [extents]`, outermost extent first, a scalar `[]`; dtypes are those of [`DType`].
//! - `{a..=b}`, `{a..b}` and `{x,y}` in an unquoted name stand for several tensors; the last brace runs fastest.
//! - `alias = name` says that both names share one storage; `name` stands above. With braces on both sides the
//!   names pair up.
//! - A name that has white space, quotes, `#`, `=`, `{`, `}`, `[`, `]` or control characters is a JSON string, and so
//!   is one that is empty or reads `config`, `entry` or `note`.
//! - `as` names a storage type that no dtype says, with its exact bytes.
//! - A `config` line without `from` has the listing's own line as its origin.
//!
//! The *canonical* listing of a schema ([`write_listing`]) has tensor `i` on line `i` (from 0), then the facts, the
//! entries, the notes. Reading it back gives the same tensors, facts, entries and notes.
//!
//! [`DType`]: crate::base::DType

mod cursor;
mod expand;
mod lines;
mod parse;
mod write;

pub use lines::{Lines, written_name};
pub use parse::parse_listing;
pub use write::{LineParts, line_parts, write_listing};

/// Most tensors that one listing declares, braces multiplied out.
pub const MAX_TENSORS: usize = 1_000_000;

/// Words that begin a line and so are no bare names.
const KEYWORDS: [&str; 3] = ["config", "entry", "note"];

/// Whether `name` must be quoted wherever it stands.
fn needs_quotes(name: &str) -> bool {
    name.is_empty() || name.chars().any(|c| c.is_whitespace() || c.is_control() || "\"#={}[]".contains(c))
}
