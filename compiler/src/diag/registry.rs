//! Every diagnostic there is, in order of code.

use super::Declaration;

/// All kinds, sorted by code.
pub static ALL: &[&Declaration] = &[];

/// Kind by code (`E0301`, any case) or name (`unmatched-pattern`).
pub fn by_code_or_name(text: &str) -> Option<&'static Declaration> {
    ALL.iter().copied().find(|d| d.code.eq_ignore_ascii_case(text) || d.name == text)
}
