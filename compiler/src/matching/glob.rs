//! One segment of a pattern against one segment of a name.

use crate::syntax::tree::{GlobPart, SegmentKind};

/// Whether `segment` accepts `text`; `**` is not decided here and accepts everything.
pub fn accepts(segment: &SegmentKind, text: &str) -> bool {
    match segment {
        SegmentKind::AnyDepth => true,
        SegmentKind::Quoted(exact) => exact == text,
        SegmentKind::Glob(parts) => match parts.as_slice() {
            [GlobPart::Star] => true,
            [GlobPart::Literal(exact)] => exact == text,
            parts => glob(parts, text, &[0]).last() == Some(&text.len()),
        },
    }
}

/// The exact text that a segment stands for, if it stands for one only.
pub fn literal(segment: &SegmentKind) -> Option<&str> {
    match segment {
        SegmentKind::Quoted(text) => Some(text),
        SegmentKind::Glob(parts) => match parts.as_slice() {
            [GlobPart::Literal(text)] => Some(text),
            _ => None,
        },
        SegmentKind::AnyDepth => None,
    }
}

/// Texts that [`texts`] makes of choices behind each other at most, which multiply.
const MOST_TEXTS: usize = 4096;
/// Bytes that it writes at most.
const MOST_BYTES: usize = 1 << 22;

/// The exact texts that a segment stands for, if they are few.
pub fn texts(segment: &SegmentKind) -> Option<Vec<String>> {
    match segment {
        SegmentKind::Quoted(text) => Some(vec![text.clone()]),
        SegmentKind::Glob(parts) => {
            let mut room = MOST_BYTES;
            spelled(parts, &mut room)
        }
        SegmentKind::AnyDepth => None,
    }
}

fn spelled(parts: &[GlobPart], room: &mut usize) -> Option<Vec<String>> {
    let mut all = vec![String::new()];
    for part in parts {
        let choices: Vec<String> = match part {
            GlobPart::Literal(text) => vec![text.clone()],
            GlobPart::Choice(choices) => {
                let mut texts = Vec::new();
                for choice in choices {
                    texts.extend(spelled(&choice.parts, room)?);
                }
                texts
            }
            GlobPart::Star | GlobPart::One | GlobPart::Range { .. } => return None,
        };
        let sum = |texts: &[String]| texts.iter().map(|t| t.len() + 1).sum::<usize>();
        if all.len() > 1 && choices.len() > 1 && all.len().saturating_mul(choices.len()) > MOST_TEXTS {
            return None;
        }
        let bytes =
            sum(&all).checked_mul(choices.len())?.checked_add(sum(&choices).checked_mul(all.len())?)?;
        *room = room.checked_sub(bytes)?;
        all = all.iter().flat_map(|start| choices.iter().map(move |end| format!("{start}{end}"))).collect();
    }
    Some(all)
}

/// Digits of the largest number of a range.
const MOST_DIGITS: usize = 20;

/// All ways at once, as the set of places that they have come to: one after the other they can be more than anyone waits for.
fn glob(parts: &[GlobPart], text: &str, from: &[usize]) -> Vec<usize> {
    let mut places = from.to_vec();
    for part in parts {
        if places.is_empty() {
            break;
        }
        places = behind(part, text, &places);
    }
    places
}

/// Where a part can end that begins at one of `from`; both ascending, each place once.
fn behind(part: &GlobPart, text: &str, from: &[usize]) -> Vec<usize> {
    let rest = |at: &usize| text.get(*at..).unwrap_or("");
    let mut ends: Vec<usize> = match part {
        GlobPart::Literal(literal) => {
            let hit = |at: &&usize| rest(at).starts_with(literal.as_str());
            return from.iter().filter(hit).map(|at| at + literal.len()).collect();
        }
        GlobPart::One => {
            return from.iter().filter_map(|at| Some(at + rest(at).chars().next()?.len_utf8())).collect();
        }
        GlobPart::Star => {
            let first = from.first().copied().unwrap_or(text.len());
            return (first..=text.len()).filter(|at| text.is_char_boundary(*at)).collect();
        }
        GlobPart::Choice(choices) => choices.iter().flat_map(|c| glob(&c.parts, text, from)).collect(),
        GlobPart::Range { from: first, to, .. } => {
            let within = |k: u64| *first <= k && to.is_none_or(|to| k <= to);
            let numbers = |at: &usize| {
                let rest = rest(at);
                let most = if rest.starts_with('0') { 1 } else { MOST_DIGITS };
                let digits = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
                let hit = |n: &usize| rest.get(..*n).and_then(|t| t.parse().ok()).is_some_and(within);
                (1..=digits).filter(hit).map(|n| at + n).collect::<Vec<_>>()
            };
            from.iter().flat_map(numbers).collect()
        }
    };
    ends.sort_unstable();
    ends.dedup();
    ends
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::tree::Choice;

    fn lit(text: &str) -> GlobPart {
        GlobPart::Literal(text.into())
    }

    #[test]
    fn choices_that_multiply_are_not_written_out() {
        let bit = || ["0", "1"].map(|t| Choice { parts: vec![lit(t)], span: Default::default() }).to_vec();
        let bits = |n| SegmentKind::Glob((0..n).map(|_| GlobPart::Choice(bit())).collect());
        assert_eq!(texts(&bits(8)).unwrap().len(), 256);
        assert_eq!(texts(&bits(200)), None);
        assert!(accepts(&bits(200), &"01".repeat(100)));
    }

    #[test]
    fn ways_that_multiply_are_walked_at_once() {
        let stars: Vec<GlobPart> = (0..60).flat_map(|_| [GlobPart::Star, lit("a")]).collect();
        let with = |end: &str| SegmentKind::Glob(stars.iter().cloned().chain([lit(end)]).collect());
        assert!(accepts(&with(""), &"a".repeat(100)));
        assert!(!accepts(&with("b"), &"a".repeat(100)));
        let either = ["a", "aa"].map(|t| Choice { parts: vec![lit(t)], span: Default::default() });
        let many = SegmentKind::Glob(vec![GlobPart::Choice(either.to_vec()); 60]);
        assert!(accepts(&many, &"a".repeat(100)) && !accepts(&many, &"a".repeat(121)));
        let open = GlobPart::Range { from: 0, to: None, span: Default::default() };
        let numbers = SegmentKind::Glob(vec![open; 60]);
        assert!(accepts(&numbers, &"1".repeat(100)) && !accepts(&numbers, &"1".repeat(59)));
    }

    #[test]
    fn segments() {
        let range = GlobPart::Range { from: 2, to: Some(11), span: Default::default() };
        let seg = SegmentKind::Glob(vec![range]);
        let hits: Vec<u32> = (0..20).filter(|n| accepts(&seg, &n.to_string())).collect();
        assert_eq!(hits, (2..=11).collect::<Vec<_>>());
        assert!(!accepts(&seg, "02"));

        let proj = SegmentKind::Glob(vec![GlobPart::Star, lit("_proj")]);
        assert!(accepts(&proj, "q_proj") && accepts(&proj, "_proj") && !accepts(&proj, "q_proj2"));

        let choice = |t: &str| Choice { parts: vec![lit(t)], span: Default::default() };
        let w = SegmentKind::Glob(vec![
            lit("w"),
            GlobPart::Choice(vec![choice("1"), choice("12")]),
            GlobPart::One,
        ]);
        assert_eq!(texts(&w), None);
        let w12 =
            SegmentKind::Glob(vec![lit("w"), GlobPart::Choice(vec![choice("1"), choice("12")]), lit("x")]);
        assert_eq!(texts(&w12).unwrap(), ["w1x", "w12x"]);
        assert!(accepts(&w, "w1x") && accepts(&w, "w12x") && accepts(&w, "w12") && !accepts(&w, "w1"));
    }
}
