//! Places inside of a pattern.

use super::scan::{Frame, Kind, Scan};
use super::token::Token;
use super::{PatternOf, Place, Segment, Slot};

/// A pattern up to the word at the cursor.
pub(super) struct Before<'s, 't> {
    pub(super) text: &'t str,
    pub(super) tokens: &'s [Token<'t>],
    /// Where the word at the cursor starts.
    pub(super) word: usize,
    pub(super) of: PatternOf,
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Paths,
    Filter,
}

impl<'t> Before<'_, 't> {
    /// The part in which the cursor stands, and where it begins.
    fn part(&self) -> (Part, usize, bool) {
        let (mut part, mut from, mut filtered) = (Part::Paths, 0, false);
        for (i, token) in self.tokens.iter().enumerate() {
            // A segment may have the name of a keyword: then a dot touches it.
            let before = i.checked_sub(1).and_then(|i| self.tokens.get(i));
            let dotted = before.is_some_and(|b| b.text == ".")
                || self.tokens.get(i + 1).is_some_and(|n| n.text == "." && !n.spaced);
            match token.text {
                "|" if part == Part::Paths => from = i + 1,
                "where" | "if" | "when" if !dotted && i > from => {
                    (part, from, filtered) = (Part::Filter, i + 1, true);
                }
                "except" if !dotted && i > 0 => (part, from, filtered) = (Part::Paths, i + 1, false),
                _ => {}
            }
        }
        (part, from, filtered)
    }

    /// The place of the word, and where what it replaces starts.
    pub(super) fn place(&self) -> (Place<'t>, usize) {
        let (part, from, filtered) = self.part();
        let tokens = self.tokens.get(from..).unwrap_or(&[]);
        match part {
            Part::Filter => (filter(tokens, self.word), self.word),
            Part::Paths => self.path(tokens, from, !filtered),
        }
    }

    fn path(&self, tokens: &[Token<'t>], from: usize, filter: bool) -> (Place<'t>, usize) {
        let of = match self.of {
            PatternOf::Prune(dim) => PatternOf::Prune(dim && self.tokens.is_empty()),
            arm => arm,
        };
        let segment = |prefix, alone| Place::Segment(Segment { prefix, braces: None, alone, of });
        let Some(last) = tokens.last() else { return (segment("", from == 0), self.word) };
        if last.text == "@" && last.end() == self.word {
            return (Place::Role, self.word);
        }
        if last.text != "." && last.end() != self.word || last.text == "?" {
            return (Place::AfterPattern { filter }, self.word);
        }
        let start = self.segment_start(tokens);
        let inner = tokens.iter().skip_while(|t| t.start < start);
        if inner.clone().any(|t| t.is_group() || !(t.is_word() || matches!(t.text, "*" | "-"))) {
            return (Place::Nothing, self.word);
        }
        (
            segment(self.prefix(tokens, start), from == 0 && start == tokens.first().map_or(0, |t| t.start)),
            start,
        )
    }

    /// Where the last segment of a path starts.
    fn segment_start(&self, tokens: &[Token<'t>]) -> usize {
        let first = tokens.first().map_or(self.word, |t| t.start);
        tokens.iter().rfind(|t| t.text == ".").map_or(first, Token::end)
    }

    /// The segments before byte `start`, without their last dot.
    fn prefix(&self, tokens: &[Token<'t>], start: usize) -> &'t str {
        let from = tokens.first().map_or(start, |t| t.start);
        self.text.get(from..start).map_or("", |p| p.trim_end().trim_end_matches('.'))
    }

    /// The place in braces that are the last of the tokens; `choice` holds what is in them.
    pub(super) fn in_braces(&self, choice: &Frame<'t>) -> (Place<'t>, usize) {
        let (part, from, _) = self.part();
        let tokens = self.tokens.get(from..).unwrap_or(&[]);
        let (Part::Paths, Some((brace, before)), true) =
            (part, tokens.split_last(), choice.tokens.is_empty())
        else {
            return (Place::Nothing, self.word);
        };
        let start = if before.is_empty() { brace.start } else { self.segment_start(before) };
        let stem = self.text.get(start..brace.start).unwrap_or("");
        if !stem.chars().all(super::token::is_word) {
            return (Place::Nothing, self.word);
        }
        let segment = Segment {
            prefix: self.prefix(before, start),
            braces: Some((stem, choice.done.clone())),
            alone: false,
            of: self.of,
        };
        (Place::Segment(segment), self.word)
    }
}

/// The place in a condition.
pub(super) fn filter<'t>(tokens: &[Token<'t>], word: usize) -> Place<'t> {
    let joins = |t: &Token<'_>| matches!(t.text, "and" | "or" | "not" | "&&" | "||" | "!");
    let from = tokens.iter().rposition(joins).map_or(0, |i| i + 1);
    let tokens = tokens.get(from..).unwrap_or(&[]);
    let Some((subject, rest)) = tokens.split_first() else { return Place::Subject };
    if !subject.is_word() {
        return if subject.is_group() { Place::AfterCondition } else { Place::Nothing };
    }
    // `dim(0)`
    let rest = if rest.first().is_some_and(Token::is_group) { rest.get(1..).unwrap_or(&[]) } else { rest };
    match rest {
        [] => Place::SubjectCompared(subject.text),
        [_] => Place::SubjectValue(subject.text),
        [_, .., last]
            if last.is_number() && subject.text == "bytes" && rest.len() == 2 && last.end() <= word =>
        {
            Place::Unit { slot: Slot::Bare, percent: false }
        }
        _ => Place::AfterCondition,
    }
}

/// The pattern around an open bracket of kind `Choice` or `Group`, which is the last of `scan`.
pub(super) fn around<'s, 't>(scan: &'s Scan<'t>, text: &'t str, word: usize) -> Option<Before<'s, 't>> {
    let parent = scan.frames.len().checked_sub(2).and_then(|i| scan.frames.get(i))?;
    of_frame(parent, text, word)
}

/// The pattern that a frame holds.
pub(super) fn of_frame<'s, 't>(frame: &'s Frame<'t>, text: &'t str, word: usize) -> Option<Before<'s, 't>> {
    let tokens = frame.tokens.as_slice();
    match frame.kind {
        Kind::Arms if !frame.has("=>") => Some(Before { text, tokens, word, of: PatternOf::Arm }),
        Kind::Recipe if frame.word(0) == "prune" => {
            let dim = frame.word(1) == "dim" && frame.tokens.get(2).is_none_or(|t| t.text != ".");
            let skip = if dim { 4 } else { 1 };
            Some(Before { text, tokens: tokens.get(skip..)?, word, of: PatternOf::Prune(!dim) })
        }
        _ => None,
    }
}
