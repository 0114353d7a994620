//! Patterns over tensor names.

use super::Builder;
use crate::base::Span;
use crate::syntax::error::quote;
use crate::syntax::grammar::{Pair, Rule};
use crate::syntax::tree::{Alternative, Choice, GlobPart, Pattern, Segment, SegmentKind, SyntaxError};

impl<'t> Builder<'t> {
    /// `pattern`, and `except_pattern`, which has no `except` of its own.
    pub(in crate::syntax) fn pattern(&mut self, pair: Pair<'t>) -> Pattern {
        let span = self.span(&pair);
        let mut pattern = Pattern { alternatives: vec![], optional: None, filter: None, except: None, span };
        let mut rest = None;
        for part in pair.into_inner() {
            let at = self.span(&part);
            match part.as_rule() {
                Rule::optional => pattern.optional = Some(at),
                Rule::condition => pattern.filter = self.filter(part),
                Rule::except if pattern.except.is_some() => {
                    let error = SyntaxError::new(self.token_at(at.range().start), "a second `except`");
                    self.report(error.help("join the patterns: `except a | b`"));
                }
                Rule::except => pattern.except = self.except(part),
                Rule::rest => {
                    rest = Some(at);
                    pattern.alternatives.push(Alternative::Rest { span: at });
                }
                _ => self.alternative(part, at, &mut pattern.alternatives),
            }
        }
        if let (Some(span), [_, _, ..]) = (rest, pattern.alternatives.as_slice()) {
            let error = SyntaxError::new(span, "`_` is not joined with other patterns")
                .label("matches all that is left");
            self.report(error.help("`_` alone takes everything"));
        }
        pattern
    }

    fn except(&mut self, pair: Pair<'t>) -> Option<Box<Pattern>> {
        let mut keyword = self.span(&pair);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::kw_except => keyword = self.span(&part),
                _ => return Some(Box::new(self.pattern(part))),
            }
        }
        self.missing("a pattern", keyword);
        None
    }

    /// An alternative, or a sign between two.
    fn alternative(&mut self, pair: Pair<'t>, span: Span, alternatives: &mut Vec<Alternative>) {
        match pair.as_rule() {
            Rule::bar if pair.as_str() == "|" => {}
            Rule::bar => self.wrong_sign(&pair, "|"),
            Rule::early_optional => {
                let error = SyntaxError::new(span, "`?` stands behind the last alternative");
                self.report(error.help("it is about the whole pattern"));
            }
            Rule::role => alternatives.extend(self.role(pair, span)),
            Rule::regex => self.regex(span),
            // A path with a broken segment would match something else.
            _ => {
                let segments = self.segments(pair);
                alternatives.extend(segments.map(|segments| Alternative::Path { segments, span }));
            }
        }
    }

    fn role(&mut self, pair: Pair<'t>, span: Span) -> Option<Alternative> {
        let Some(word) = pair.into_inner().next() else {
            self.missing("a role such as `norm`", span);
            return None;
        };
        Some(Alternative::Role { role: self.ident(&word), span })
    }

    fn regex(&mut self, span: Span) {
        let headline = format!("{} is a regular expression", quote(self.slice(span)));
        let help = "`*` matches one segment, `**` any number of them, `{a,b}` either";
        self.report(SyntaxError::new(span, headline).label("patterns are globs over segments").help(help));
    }

    fn segments(&mut self, pair: Pair<'t>) -> Option<Vec<Segment>> {
        let mut segments = vec![];
        for part in pair.into_inner() {
            let span = self.span(&part);
            match part.as_rule() {
                Rule::dots_behind => {
                    self.report(SyntaxError::new(span, "the pattern ends with a `.`").fix(span, ""));
                }
                Rule::dots_between => {
                    self.report(SyntaxError::new(span, "an empty segment between two dots").fix(span, "."));
                }
                Rule::slash => {
                    self.report(SyntaxError::new(span, "segments are joined by `.`, not `/`").fix(span, "."))
                }
                Rule::index => segments.push(self.index(&part, span)),
                _ => segments.push(self.segment(part, span)),
            }
        }
        segments.into_iter().collect()
    }

    /// `layers[0]`, as a module is indexed in Python.
    fn index(&mut self, pair: &Pair<'t>, span: Span) -> Option<Segment> {
        let inner = pair.as_str().trim_start_matches('[').trim_end_matches(']');
        let error = SyntaxError::new(span, format!("{} is no part of a tensor's name", quote(pair.as_str())));
        let kind = match inner {
            "*" | ":" | "" => GlobPart::Star,
            name if name.bytes().all(|b| b.is_ascii_digit()) => GlobPart::Literal(name.to_owned()),
            _ => {
                self.report(error.help("a range of indices is written `{0..=3}`, any index `*`"));
                return None;
            }
        };
        let written = match &kind {
            GlobPart::Literal(name) => format!(".{name}"),
            _ => ".*".to_owned(),
        };
        self.report(error.help(format!("an index is a segment: `{written}`")).fix(span, written));
        Some(Segment { kind: SegmentKind::Glob(vec![kind]), span })
    }

    fn segment(&mut self, pair: Pair<'t>, span: Span) -> Option<Segment> {
        let kind = match pair.as_rule() {
            Rule::plain => SegmentKind::Glob(vec![GlobPart::Literal(pair.as_str().to_owned())]),
            Rule::any_depth => SegmentKind::AnyDepth,
            Rule::glob => SegmentKind::Glob(self.glob(pair)),
            _ => {
                let text = self.text_of(&pair);
                if text.starts_with("re:") {
                    self.regex(span);
                    return None;
                }
                SegmentKind::Quoted(text)
            }
        };
        Some(Segment { kind, span })
    }

    fn glob(&mut self, pair: Pair<'t>) -> Vec<GlobPart> {
        let parts = pair.into_inner();
        let mut glob = vec![];
        for part in parts {
            let span = self.span(&part);
            match part.as_rule() {
                Rule::literal => glob.push(GlobPart::Literal(part.as_str().to_owned())),
                Rule::one => glob.push(GlobPart::One),
                Rule::star => {
                    if span.len() > 1 {
                        let error = SyntaxError::new(span, "`**` stands for whole segments only");
                        self.report(error.help("inside a segment, `*` matches any text").fix(span, "*"));
                    }
                    glob.push(GlobPart::Star);
                }
                Rule::range => glob.extend(self.range(part, span)),
                Rule::choice => glob.push(self.choice(part, span)),
                _ => self.choice_tail(span),
            }
        }
        glob
    }

    fn choice_tail(&mut self, span: Span) {
        let dot = self.token_at(span.range().start);
        let error = SyntaxError::new(dot, "a choice in braces stays within one segment");
        self.report(error.help("join whole patterns with `|`"));
    }

    fn choice(&mut self, pair: Pair<'t>, span: Span) -> GlobPart {
        let mut choices: Vec<Choice> = vec![];
        let mut after_item = false;
        for part in pair.into_inner() {
            let at = self.span(&part);
            match part.as_rule() {
                Rule::comma if !after_item => {
                    let error = SyntaxError::new(at, "nothing stands before this `,`");
                    self.report(error.help("remove the `,`").fix(at, ""));
                }
                Rule::comma => after_item = false,
                _ => {
                    if after_item {
                        let before = choices.last().map_or(at, |c| c.span).range().end;
                        let error = SyntaxError::new(at, "expected `,` between two choices");
                        self.report(error.fix(Span::new(before, before), ","));
                    }
                    choices.push(Choice { parts: self.glob(part), span: at });
                    after_item = true;
                }
            }
        }
        if choices.is_empty() {
            self.report(
                SyntaxError::new(span, "braces without a choice").help("such as `{w1,w2}` or `{0..=3}`"),
            );
        }
        self.dashed_range(&choices, span);
        GlobPart::Choice(choices)
    }

    /// `{0-3}`, which would match only a segment of that name.
    fn dashed_range(&mut self, choices: &[Choice], span: Span) {
        let [Choice { parts, .. }] = choices else { return };
        let [GlobPart::Literal(text)] = parts.as_slice() else { return };
        let Some((from, to)) = text.split_once('-') else { return };
        let is_number = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        if is_number(from) && is_number(to) {
            let range = format!("{{{from}..={to}}}");
            let error = SyntaxError::new(span, format!("{} is written as a range", quote(text)));
            self.report(error.help(format!("`{range}`")).fix(span, range));
        }
    }

    fn range(&mut self, pair: Pair<'t>, span: Span) -> Option<GlobPart> {
        let (mut from, mut to, mut inclusive, mut dots_at) = (Some(0u64), None, false, span);
        let mut too_large = None;
        for part in pair.into_inner() {
            let number = || part.as_str().replace('_', "").parse::<u64>().ok();
            match part.as_rule() {
                Rule::range_from => {
                    from = number();
                    too_large = too_large.or(from.is_none().then(|| self.span(&part)));
                }
                Rule::range_to => {
                    to = Some(number());
                    too_large = too_large.or(to.flatten().is_none().then(|| self.span(&part)));
                }
                _ => {
                    dots_at = self.span(&part);
                    inclusive = part.as_str() != "..";
                    if part.as_str() == "..." {
                        self.wrong_sign(&part, "..=");
                    }
                }
            }
        }
        if let Some(at) = too_large {
            self.report(SyntaxError::new(at, "an index is at most 2^64 - 1"));
            return None;
        }
        let from = from?;
        let last = match (to.flatten(), inclusive) {
            (None, false) => None,
            (None, true) => {
                self.report(SyntaxError::new(dots_at, "`..=` without a last index").fix(dots_at, ".."));
                None
            }
            (Some(to), true) => Some(Some(to)),
            (Some(to), false) => Some(to.checked_sub(1)),
        };
        if last.is_some_and(|last| last.is_none_or(|last| last < from)) {
            self.report(SyntaxError::new(span, format!("the range {} is empty", quote(self.slice(span)))));
        }
        Some(GlobPart::Range { from, to: last.flatten(), span })
    }
}
