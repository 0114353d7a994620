//! Every diagnostic there is, in order of code. The one file that names modules above its own: it is a list of statics,
//! and a test compares it with the `declare!`s of the sources.

use super::Declaration;
use crate::hir::problems;

/// All kinds, sorted by code.
pub static ALL: &[&Declaration] = &[
    // 02: names and imports
    &problems::UNKNOWN_NAME,
    &problems::UNKNOWN_IMPORT,
    &problems::CIRCULAR_DEFINITION,
    &problems::DUPLICATE_NAME,
    &problems::WRONG_KIND,
    &problems::UNKNOWN_FIELD,
    &problems::MISSING_FIELD,
    &problems::VALUE_OUT_OF_RANGE,
    &problems::REPEATED_ITEM,
    &problems::UNBOUND_PARAMETER,
];

/// Kind by code (`E0301`, any case) or name (`unmatched-pattern`).
pub fn by_code_or_name(text: &str) -> Option<&'static Declaration> {
    ALL.iter().copied().find(|d| d.code.eq_ignore_ascii_case(text) || d.name == text)
}
