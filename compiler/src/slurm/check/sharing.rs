//! Outputs of other recipes: two that write the same files overwrite or refuse each other.

use super::super::place::inside;
use super::{Finding, Subject};

/// A recipe beside the one that is submitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Other {
    /// Its file.
    pub file: String,
    /// Its name.
    pub recipe: String,
    /// The folder that it writes, absolute.
    pub output: String,
}

pub(super) fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mine = &subject.paths.output;
    let shared =
        subject.others.iter().filter(|other| inside(mine, &other.output) || inside(&other.output, mine));
    let finding = |other: &Other| {
        let what = format!("recipe `{}` of {}", other.recipe, other.file);
        let says = if other.output == *mine {
            format!("{what} writes `{mine}`, too")
        } else {
            format!("{what} writes `{}`, and this one `{mine}`: one lies in the other", other.output)
        };
        Finding::warning(says, "give one of them another folder in `emit`, or with `--out`")
    };
    shared.map(finding).collect()
}
