//! One segment of a pattern against one segment of a name.

use crate::syntax::tree::{GlobPart, SegmentKind};

/// Whether `segment` accepts `text`; `**` is not decided here and accepts everything.
pub fn accepts(segment: &SegmentKind, text: &str) -> bool {
    match segment {
        SegmentKind::AnyDepth => true,
        SegmentKind::Quoted(exact) => exact == text,
        SegmentKind::Glob(parts) => glob(parts, text, &mut |rest| rest.is_empty()),
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

// Continuation style keeps backtracking over stars, choices and ranges in one place; segments are short.
fn glob(parts: &[GlobPart], text: &str, then: &mut dyn FnMut(&str) -> bool) -> bool {
    let Some((first, rest)) = parts.split_first() else { return then(text) };
    match first {
        GlobPart::Literal(literal) => match text.strip_prefix(literal.as_str()) {
            Some(after) => glob(rest, after, then),
            None => false,
        },
        GlobPart::One => {
            let mut chars = text.chars();
            chars.next().is_some() && glob(rest, chars.as_str(), then)
        }
        GlobPart::Star if rest.is_empty() => then(""),
        GlobPart::Star => {
            let ends = text.char_indices().map(|(i, _)| i).chain([text.len()]);
            ends.into_iter().any(|i| text.get(i..).is_some_and(|after| glob(rest, after, then)))
        }
        GlobPart::Choice(choices) => {
            choices.iter().any(|choice| glob(&choice.parts, text, &mut |after| glob(rest, after, then)))
        }
        GlobPart::Range { from, to, .. } => {
            let digits = text.bytes().take_while(u8::is_ascii_digit).count();
            (1..=digits).any(|n| {
                let (Some(number), Some(after)) = (text.get(..n), text.get(n..)) else { return false };
                let plain = n == 1 || !number.starts_with('0');
                plain
                    && number.parse::<u64>().is_ok_and(|k| *from <= k && to.is_none_or(|to| k <= to))
                    && glob(rest, after, then)
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::tree::Choice;

    fn lit(text: &str) -> GlobPart {
        GlobPart::Literal(text.into())
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
        assert!(accepts(&w, "w1x") && accepts(&w, "w12x") && accepts(&w, "w12") && !accepts(&w, "w1"));
    }
}
