//! Diagnostics as data: declared once, made by checks, rendered at the very end.
//!
//! ```text
//!  check ─ Diagnostic (relative) ─ absolute ─ sort ─┬─ render  full, for a terminal
//!                                                   ├─ short   one line each
//!                                                   ├─ json    one object a line
//!                                                   └─ sarif   for code-scanning services
//! ```
//!
//! A diagnostic's kind is a [`Declaration`] in the file of its check (`declare!`), with a page in
//! `docs/diagnostics/NAME.md` that runs as a test. Adding one touches that file, the page and [`ALL`] only.

mod absolute;
mod data;
mod fix;
mod headline;
mod json;
pub mod lint;
mod registry;
mod render;
mod sarif;
mod short;
mod sources;
pub mod suggest;

#[cfg(test)]
mod samples;

pub use absolute::{absolute, sort};
pub use data::{Certainty, Declaration, Diagnostic, Edit, Fix, Label, Level, Loc, Place};
pub use fix::{apply_fixes, chosen_edits};
pub use json::json;
pub use registry::{ALL, by_code_or_name};
pub(crate) use render::clean;
pub use render::{Style, render};
pub use sarif::sarif;
pub use short::{short, summary};
pub use sources::{Listing, ListingLine, Position, Sources, Spot};

/// Declares a diagnostic: `declare!(UNMATCHED_PATTERN, "unmatched-pattern", E0301, Error)`. The page
/// `docs/diagnostics/unmatched-pattern.md` must exist, or the build fails.
macro_rules! declare {
    ($(#[$doc:meta])* $ident:ident, $name:literal, $code:ident, $level:ident) => {
        $(#[$doc])*
        pub static $ident: $crate::diag::Declaration = $crate::diag::Declaration {
            name: $name,
            code: stringify!($code),
            level: $crate::diag::Level::$level,
            page: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/diagnostics/", $name, ".md")),
        };
    };
}
pub(crate) use declare;
