//! Names that differ in numbers only, as one: `layers.{0..=3}.w` for four of them.

use std::collections::BTreeMap;

use crate::base::number_set;

/// A name with its numeric segments taken out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Template(Vec<Option<String>>);

/// A name as template and numbers. Segments are split at `.`; a number has no leading zero.
pub(crate) fn template(name: &str) -> (Template, Vec<u64>) {
    let mut numbers = Vec::new();
    let segments = name
        .split('.')
        .map(|segment| match number(segment) {
            Some(number) => {
                numbers.push(number);
                None
            }
            None => Some(segment.to_owned()),
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

/// Names that differ in numbers only and share their facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row<F> {
    /// As a recipe could write them: `layers.{0..=3}.w`.
    pub pattern: String,
    /// How many names it stands for.
    pub count: u64,
    /// What they share.
    pub facts: F,
}

/// Names with one template and equal facts.
struct Group<'n, F> {
    first: &'n str,
    /// Segments of the first name; `None` for a number.
    segments: Vec<Option<&'n str>>,
    facts: F,
    /// Numbers of all names, one name after the other.
    numbers: Vec<u64>,
    names: u64,
    /// Group of the name that came behind the last one of this group.
    next: usize,
}

/// Collapses names, each given once with its facts. Gives at most `most` rows in the order in which they first occur, and
/// how many names are in none of them. Fast enough to run on a hundred thousand names while a person waits.
pub fn collapse<'n, F: Ord + Copy>(
    names: impl IntoIterator<Item = (&'n str, F)>,
    most: usize,
) -> (Vec<Row<F>>, u64) {
    let mut groups: Vec<Group<'n, F>> = Vec::new();
    let mut known: BTreeMap<(Vec<Option<&'n str>>, F), usize> = BTreeMap::new();
    let mut last = 0;
    for (name, facts) in names {
        // Names come in the order of a file, where layer follows layer: what followed before follows again.
        let guess = groups.get(last).map_or(0, |group| group.next);
        let guessed = groups.get_mut(guess).is_some_and(|group| group.facts == facts && group.takes(name));
        let at = if guessed {
            guess
        } else {
            let (segments, numbers) = split(name);
            let free = groups.len();
            let at = *known.entry((segments.clone(), facts)).or_insert(free);
            if at == free {
                let (numbers, names) = (Vec::new(), 0);
                groups.push(Group { first: name, segments, facts, numbers, names, next: free });
            }
            if let Some(group) = groups.get_mut(at) {
                group.numbers.extend(numbers);
                group.names += 1;
            }
            at
        };
        if let Some(group) = groups.get_mut(last) {
            group.next = at;
        }
        last = at;
    }
    let (mut rows, mut left) = (Vec::new(), 0);
    for group in &groups {
        if rows.len() >= most {
            left += group.names;
            continue;
        }
        let found = group.rows();
        let room = most - rows.len();
        left += found.iter().skip(room).map(|row| row.count).sum::<u64>();
        rows.extend(found.into_iter().take(room));
    }
    (rows, left)
}

/// A name's segments and its numbers.
fn split(name: &str) -> (Vec<Option<&str>>, Vec<u64>) {
    let segments = || name.split('.').map(|segment| (segment, number(segment)));
    let texts = segments().map(|(segment, number)| number.is_none().then_some(segment)).collect();
    (texts, segments().filter_map(|(_, number)| number).collect())
}

impl<F: Copy> Group<'_, F> {
    /// Takes a name up if it has this template.
    fn takes(&mut self, name: &str) -> bool {
        let before = self.numbers.len();
        let mut segments = self.segments.iter();
        for segment in name.split('.') {
            let fits = match segments.next() {
                Some(Some(text)) => *text == segment,
                Some(None) => number(segment).map(|number| self.numbers.push(number)).is_some(),
                None => false,
            };
            if !fits {
                self.numbers.truncate(before);
                return false;
            }
        }
        let whole = segments.next().is_none();
        match whole {
            true => self.names += 1,
            false => self.numbers.truncate(before),
        }
        whole
    }

    fn rows(&self) -> Vec<Row<F>> {
        let (template, first) = template(self.first);
        let width = first.len().max(1);
        let axis = |axis: usize| {
            let mut values: Vec<u64> = self.numbers.iter().skip(axis).step_by(width).copied().collect();
            values.dedup();
            values.sort_unstable();
            values.dedup();
            values
        };
        let axes: Product = (0..first.len()).map(axis).collect();
        // Different names within a product of their own number are all of it: by far the most common case.
        let found = match count(&axes) == self.names {
            true => vec![(render(&template, &axes), self.names)],
            false => {
                let tuples: Vec<Vec<u64>> = self.numbers.chunks(width).map(<[u64]>::to_vec).collect();
                patterns(&template, &tuples)
            }
        };
        let row = |(pattern, count)| Row { pattern, count, facts: self.facts };
        found.into_iter().map(row).collect()
    }
}

/// A segment as the number that it is.
fn number(segment: &str) -> Option<u64> {
    // Most segments are told by their first byte.
    let starts = segment.bytes().next().is_some_and(|b| b.is_ascii_digit());
    let plain = starts && (segment.len() == 1 || !segment.starts_with('0'));
    if plain { segment.parse().ok() } else { None }
}

fn count(product: &Product) -> u64 {
    product.iter().fold(1, |all, numbers| all.saturating_mul(numbers.len() as u64))
}

fn render(template: &Template, product: &Product) -> String {
    let mut numbers = product.iter();
    let segment = |segment: &Option<String>| match segment {
        Some(text) => text.clone(),
        None => numbers.next().map(|n| number_set(n)).unwrap_or_default(),
    };
    template.0.iter().map(segment).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    #[test]
    fn rows_are_capped_and_the_rest_is_counted() {
        let names = ["l.0.w", "l.1.w", "norm", "l.0.b", "l.1.b", "l.3.b", "l.2.w"];
        let facts = |name: &str| if name == "l.2.w" { "odd" } else { "" };
        let all = || names.iter().map(|name| (*name, facts(name)));
        let shown = |most| {
            let (rows, left) = collapse(all(), most);
            let rows: Vec<String> =
                rows.iter().map(|r| format!("{} ×{}{}", r.pattern, r.count, r.facts)).collect();
            format!("{} + {left}", rows.join(" | "))
        };
        assert_eq!(shown(9), "l.{0..=1}.w ×2 | norm ×1 | l.{0,1,3}.b ×3 | l.2.w ×1odd + 0");
        assert_eq!(shown(2), "l.{0..=1}.w ×2 | norm ×1 + 4");
        assert_eq!(shown(0), " + 7");
        let partial = ["e.1.0", "e.1.1", "e.2.0"].map(|name| (name, ()));
        let (rows, left) = collapse(partial, 1);
        assert_eq!((rows.len(), rows[0].pattern.as_str(), left), (1, "e.1.{0..=1}", 1));
        assert_eq!(collapse([], 3), (Vec::<Row<()>>::new(), 0));
    }

    proptest! {
        /// Whatever the order and the guesses, the rows are those of each template and its facts taken alone.
        #[test]
        fn rows_are_those_of_each_template(
            names in proptest::collection::btree_set("[ab0]?(\\.(0|1|2|10|01|w)){0,3}", 0..40),
            odd in 1..5usize,
        ) {
            let names: Vec<(&str, usize)> =
                names.iter().enumerate().map(|(i, name)| (name.as_str(), i / 7 % odd)).collect();
            let (rows, left) = collapse(names.iter().copied(), usize::MAX);
            let mut expected = Vec::new();
            let mut by_template: BTreeMap<(Template, usize), Vec<Vec<u64>>> = BTreeMap::new();
            for (name, facts) in &names {
                let (template, numbers) = template(name);
                by_template.entry((template, *facts)).or_default().push(numbers);
            }
            for ((template, facts), numbers) in &by_template {
                let row = |(pattern, count)| Row { pattern, count, facts: *facts };
                expected.extend(patterns(template, numbers).into_iter().map(row));
            }
            let sorted = |mut rows: Vec<Row<usize>>| {
                rows.sort_by(|a, b| (&a.pattern, a.facts).cmp(&(&b.pattern, b.facts)));
                rows
            };
            prop_assert_eq!(left, 0);
            prop_assert_eq!(sorted(rows), sorted(expected));
        }
    }
}
