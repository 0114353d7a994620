//! Names of tensors as patterns that a recipe can hold, which match these names and no others.

use super::collapse::collapse;
use crate::syntax::written_segment;

/// A segment, and whether it is the text of one name and so may stand in braces.
type Segment = (String, bool);

/// Patterns for `names`, in the order in which names of each first occur: `layers.{0..=3}.norm.{weight,bias}`. Numbers are
/// collapsed, then names that differ in one segment only, the last one first.
pub fn patterns_of<'n>(names: impl IntoIterator<Item = &'n str>) -> Vec<String> {
    let written: Vec<String> = names
        .into_iter()
        .map(|name| name.split('.').map(written_segment).collect::<Vec<_>>().join("."))
        .collect();
    let (rows, _) = collapse(written.iter().map(|name| (name.as_str(), ())), usize::MAX);
    let mut patterns: Vec<Vec<Segment>> = rows.iter().map(|row| segments(&row.pattern)).collect();
    let longest = patterns.iter().map(Vec::len).max().unwrap_or(0);
    for position in (0..longest).rev() {
        patterns = merged(patterns, position);
    }
    let text =
        |pattern: Vec<Segment>| pattern.into_iter().map(|(segment, _)| segment).collect::<Vec<_>>().join(".");
    patterns.into_iter().map(text).collect()
}

/// Splits at the dots that stand neither in braces nor in quotes.
fn segments(pattern: &str) -> Vec<Segment> {
    let (mut out, mut current) = (Vec::new(), String::new());
    let (mut depth, mut quoted, mut escaped) = (0usize, false, false);
    for c in pattern.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '{' if !quoted => depth += 1,
            '}' if !quoted => depth = depth.saturating_sub(1),
            '.' if depth == 0 && !quoted => {
                out.push(std::mem::take(&mut current));
                continue;
            }
            _ => {}
        }
        current.push(c);
    }
    out.push(current);
    let plain = |text: &str| !text.starts_with(['"', '{']);
    out.into_iter().map(|text| (plain(&text), text)).map(|(plain, text)| (text, plain)).collect()
}

/// Puts the segments at `position` of patterns that are equal otherwise into braces.
fn merged(patterns: Vec<Vec<Segment>>, position: usize) -> Vec<Vec<Segment>> {
    use std::collections::BTreeMap;
    let mut places: BTreeMap<Vec<String>, usize> = BTreeMap::new();
    let mut out: Vec<(Vec<Segment>, Vec<String>)> = Vec::new();
    for mut pattern in patterns {
        let own = match pattern.get_mut(position) {
            Some((segment, true)) => std::mem::take(segment),
            _ => {
                out.push((pattern, Vec::new()));
                continue;
            }
        };
        let key: Vec<String> = pattern.iter().map(|(text, _)| text.clone()).collect();
        match places.get(&key).and_then(|at| out.get_mut(*at)) {
            Some((_, choices)) => choices.push(own),
            None => {
                places.insert(key, out.len());
                out.push((pattern, vec![own]));
            }
        }
    }
    let finish = |(mut pattern, choices): (Vec<Segment>, Vec<String>)| {
        if let Some(segment) = pattern.get_mut(position) {
            match choices.as_slice() {
                [] => {}
                [only] => *segment = (only.clone(), true),
                several => *segment = (format!("{{{}}}", several.join(",")), false),
            }
        }
        pattern
    };
    out.into_iter().map(finish).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_few_patterns() {
        let names = [
            "norm.weight",
            "norm.bias",
            "l.0.q.weight",
            "l.1.q.weight",
            "l.0.k.weight",
            "l.1.k.weight",
            "l.0.k.bias",
            "odd name.x",
            "odd name.y",
            "_",
            "a--b",
        ];
        let expected = [
            "norm.{weight,bias}",
            "l.{0..=1}.{q,k}.weight",
            "l.0.k.bias",
            "\"odd name\".{x,y}",
            "\"_\"",
            "\"a--b\"",
        ];
        assert_eq!(patterns_of(names), expected);
        assert_eq!(patterns_of([]), Vec::<String>::new());
    }
}
