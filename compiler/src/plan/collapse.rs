//! Names that differ in numbers only, as one: `layers.{0..=3}.w` for four of them.

use std::collections::BTreeMap;

/// A name with its numeric segments taken out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Template(Vec<Option<String>>);

/// A name as template and numbers. Segments are split at `.`; a number has no leading zero.
pub(crate) fn template(name: &str) -> (Template, Vec<u64>) {
    let mut numbers = Vec::new();
    let segments = name
        .split('.')
        .map(|segment| match segment.parse::<u64>() {
            Ok(number) if number.to_string() == segment => {
                numbers.push(number);
                None
            }
            _ => Some(segment.to_owned()),
        })
        .collect();
    (Template(segments), numbers)
}

/// Numbers that can stand at each place of a template; every combination exists.
type Product = Vec<Vec<u64>>;

/// The fewest products that hold exactly `tuples` (sorted, unique), grouped from the left.
fn products(tuples: &[&[u64]]) -> Vec<Product> {
    let mut by_first: BTreeMap<u64, Vec<&[u64]>> = BTreeMap::new();
    for tuple in tuples {
        match tuple.split_first() {
            Some((first, rest)) => by_first.entry(*first).or_default().push(rest),
            None => return vec![Vec::new()],
        }
    }
    let mut merged: Vec<(Vec<u64>, Vec<Product>)> = Vec::new();
    for (first, rest) in by_first {
        let rest = products(&rest);
        match merged.iter_mut().find(|(_, other)| *other == rest) {
            Some((firsts, _)) => firsts.push(first),
            None => merged.push((vec![first], rest)),
        }
    }
    let prepend = |firsts: &Vec<u64>, rest: Product| std::iter::once(firsts.clone()).chain(rest).collect();
    merged.iter().flat_map(|(firsts, rests)| rests.iter().map(|rest| prepend(firsts, rest.clone()))).collect()
}

/// The patterns, as a recipe could write them, that name exactly these numbers, each with how many names it stands for.
pub(crate) fn patterns(template: &Template, numbers: &[Vec<u64>]) -> Vec<(String, u64)> {
    let mut tuples: Vec<&[u64]> = numbers.iter().map(Vec::as_slice).collect();
    tuples.sort_unstable();
    tuples.dedup();
    products(&tuples).iter().map(|product| (render(template, product), count(product))).collect()
}

fn count(product: &Product) -> u64 {
    product.iter().map(|numbers| numbers.len() as u64).product()
}

fn render(template: &Template, product: &Product) -> String {
    let mut numbers = product.iter();
    let segment = |segment: &Option<String>| match segment {
        Some(text) => text.clone(),
        None => numbers.next().map(|n| number_set(n)).unwrap_or_default(),
    };
    template.0.iter().map(segment).collect::<Vec<_>>().join(".")
}

/// `3`, `{0..=3}`, `{0,2,5}`.
fn number_set(numbers: &[u64]) -> String {
    match (numbers.first(), numbers.last()) {
        (Some(first), Some(last)) if first == last => first.to_string(),
        (Some(first), Some(last)) if last - first + 1 == numbers.len() as u64 => {
            format!("{{{first}..={last}}}")
        }
        _ => format!("{{{}}}", numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(",")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(names: &[&str]) -> String {
        let parsed: Vec<_> = names.iter().map(|name| template(name)).collect();
        let numbers: Vec<Vec<u64>> = parsed.iter().map(|(_, numbers)| numbers.clone()).collect();
        let found = patterns(&parsed[0].0, &numbers);
        found.iter().map(|(text, n)| format!("{text} ×{n}")).collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn ranges_and_products() {
        assert_eq!(shown(&["a.b"]), "a.b ×1");
        assert_eq!(shown(&["l.0.w", "l.1.w", "l.2.w"]), "l.{0..=2}.w ×3");
        assert_eq!(shown(&["l.10.w", "l.2.w"]), "l.{2,10}.w ×2");
        let experts = ["l.1.e.0", "l.1.e.1", "l.3.e.0", "l.3.e.1"];
        assert_eq!(shown(&experts), "l.{1,3}.e.{0..=1} ×4");
        assert_eq!(shown(&experts[..3]), "l.1.e.{0..=1} ×2 | l.3.e.0 ×1");
        assert_ne!(template("l.01.w").0, template("l.1.w").0);
    }
}
