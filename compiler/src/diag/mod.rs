//! Diagnostics as data: declared once, made by checks, rendered at the very end.
//!
//! A diagnostic's kind is a [`Declaration`] in the file of its check (`declare!`), with a page in
//! `docs/diagnostics/NAME.md` that runs as a test. Adding one touches that file, the page and [`ALL`] only.

mod data;
mod registry;

pub use data::{Certainty, Declaration, Diagnostic, Edit, Fix, Label, Level, Loc, Place};
pub use registry::{ALL, by_code_or_name};

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
