//! `layers.{0..=3}.w{1,2}`: one written name, many tensors.

use super::super::error::{CheckpointError, Result, Shown};
use super::MAX_TENSORS;

enum Part<'a> {
    Literal(&'a str),
    Range(u64, u64),
    Words(Vec<&'a str>),
}

impl Part<'_> {
    fn count(&self) -> u64 {
        match self {
            Part::Literal(_) => 1,
            Part::Range(from, to) => to.saturating_sub(*from),
            Part::Words(words) => words.len() as u64,
        }
    }
}

/// Names that `written` stands for, the last brace running fastest. At most `room` of them.
pub(super) fn expand(written: &str, room: usize) -> Result<Vec<String>> {
    let parts = parts(written)?;
    let total = parts.iter().try_fold(1u64, |n, part| n.checked_mul(part.count()));
    let total = total.and_then(|n| usize::try_from(n).ok()).filter(|n| *n <= room).ok_or_else(|| {
        CheckpointError::limit(format!(
            "`{}` goes beyond the {MAX_TENSORS} tensors of a listing",
            Shown(written)
        ))
    })?;
    if total == 0 {
        return Err(CheckpointError::malformed(format!("`{}` stands for no name", Shown(written))));
    }
    let mut names = vec![String::new()];
    for part in &parts {
        names = names.iter().flat_map(|name| each(part, name)).collect();
    }
    Ok(names)
}

fn each(part: &Part<'_>, name: &str) -> Vec<String> {
    match part {
        Part::Literal(text) => vec![format!("{name}{text}")],
        Part::Range(from, to) => (*from..*to).map(|i| format!("{name}{i}")).collect(),
        Part::Words(words) => words.iter().map(|w| format!("{name}{w}")).collect(),
    }
}

fn parts(written: &str) -> Result<Vec<Part<'_>>> {
    let mut out = Vec::new();
    let mut rest = written;
    while let Some((before, behind)) = rest.split_once('{') {
        let Some((inside, after)) = behind.split_once('}') else {
            return Err(CheckpointError::malformed(format!("`{}` has no closing brace", Shown(written))));
        };
        out.push(Part::Literal(before));
        out.push(brace(inside).ok_or_else(|| {
            CheckpointError::malformed(format!("`{{{}}}` is neither a range nor a choice", Shown(inside)))
        })?);
        rest = after;
    }
    if rest.contains('}') {
        return Err(CheckpointError::malformed(format!("`{}` has no opening brace", Shown(written))));
    }
    out.push(Part::Literal(rest));
    Ok(out)
}

fn brace(inside: &str) -> Option<Part<'_>> {
    if inside.contains('{') {
        return None;
    }
    if let Some((from, to)) = inside.split_once("..") {
        let (to, one_more) = match to.strip_prefix('=') {
            Some(last) => (last, 1),
            None => (to, 0),
        };
        return Some(Part::Range(from.parse().ok()?, to.parse::<u64>().ok()?.checked_add(one_more)?));
    }
    let words: Vec<&str> = inside.split(',').map(str::trim).collect();
    (words.len() > 1 && words.iter().all(|w| !w.is_empty())).then_some(Part::Words(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_multiply_out() {
        let shown = |text: &str| match expand(text, 100) {
            Ok(names) => names.join(" "),
            Err(error) => error.to_string(),
        };
        insta::assert_snapshot!(shown("a.{0..=1}.w{1,2}"), @"a.0.w1 a.0.w2 a.1.w1 a.1.w2");
        insta::assert_snapshot!(shown("a.{3..5}"), @"a.3 a.4");
        insta::assert_snapshot!(shown("plain"), @"plain");
        insta::assert_snapshot!(shown("a{5..5}"), @"`a{5..5}` stands for no name");
        insta::assert_snapshot!(shown("a{0..=18446744073709551615}"), @"`{0..=18446744073709551615}` is neither a range nor a choice");
        insta::assert_snapshot!(shown("a{0..99}.{0..99}"), @"`a{0..99}.{0..99}` goes beyond the 1000000 tensors of a listing");
        insta::assert_snapshot!(shown("a{b"), @"`a{b` has no closing brace");
        insta::assert_snapshot!(shown("a}b"), @"`a}b` has no opening brace");
    }
}
