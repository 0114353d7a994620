//! Values and arguments.

use super::file::broken_value;
use super::sequence::{Element, Style};
use super::{Builder, is_junk};
use crate::base::Span;
use crate::syntax::error::quote;
use crate::syntax::grammar::{Pair, Rule};
use crate::syntax::keywords::UNITS;
use crate::syntax::tree::{Arg, Ident, Path, SyntaxError, Value, ValueKind};

const ARGS: Style = Style { separator: ",", required: false, element: "the argument", open: "(" };
const LIST: Style = Style { separator: ",", required: false, element: "the value", open: "[" };

impl<'t> Builder<'t> {
    pub(super) fn value(&mut self, pair: Pair<'t>) -> Value {
        let span = self.span(&pair);
        let mut parts = pair.into_inner().filter(|p| p.as_rule() != Rule::kw_of);
        let first = parts.next().map(|p| self.primary(p)).unwrap_or_else(|| broken_value(span));
        match parts.next().map(|p| self.primary(p)) {
            Some(whole) => Value { kind: ValueKind::Of(Box::new(first), Box::new(whole)), span },
            None => first,
        }
    }

    fn primary(&mut self, pair: Pair<'t>) -> Value {
        let span = self.span(&pair);
        let kind = match pair.as_rule() {
            Rule::string if self.open_strings.binary_search(&span.range().start).is_ok() => ValueKind::Broken,
            Rule::string | Rule::single_quoted => ValueKind::Text(self.text_of(&pair)),
            Rule::list => ValueKind::List(self.list(pair)),
            Rule::number_value => self.number_value(pair),
            _ => self.word_value(pair, span),
        };
        Value { kind, span }
    }

    /// Text of a quoted string, its escapes resolved and wrong ones reported.
    pub(super) fn text_of(&mut self, pair: &Pair<'t>) -> String {
        let span = self.span(pair);
        let inner = pair.as_str().get(1..pair.as_str().len().saturating_sub(1)).unwrap_or("");
        if pair.as_rule() == Rule::single_quoted {
            let written = inner.replace('\\', "\\\\").replace('"', "\\\"");
            let error = SyntaxError::new(span, "texts stand in double quotes");
            self.report(error.fix(span, format!("\"{written}\"")));
            return inner.to_owned();
        }
        self.unescape(inner, span.range().start + 1)
    }

    fn unescape(&mut self, inner: &str, start: usize) -> String {
        let mut text = String::with_capacity(inner.len());
        let mut chars = inner.char_indices();
        while let Some((at, c)) = chars.next() {
            if c != '\\' {
                text.push(c);
                continue;
            }
            match chars.next() {
                Some((_, 'n')) => text.push('\n'),
                Some((_, 't')) => text.push('\t'),
                Some((_, '"')) => text.push('"'),
                Some((_, '\\')) => text.push('\\'),
                other => {
                    let width = 1 + other.map_or(0, |(_, c)| c.len_utf8());
                    let span = Span::new(start + at, start + at + width);
                    let headline = format!("unknown escape {}", quote(self.slice(span)));
                    let error = SyntaxError::new(span, headline)
                        .help("escapes are `\\\\`, `\\\"`, `\\n` and `\\t`; paths may use `/`");
                    self.report(error.fix(Span::new(start + at, start + at + 1), "\\\\"));
                    text.extend(other.map(|(_, c)| c));
                }
            }
        }
        text
    }

    fn number_value(&mut self, pair: Pair<'t>) -> ValueKind {
        let mut parts = pair.into_inner();
        let Some(number) = parts.next() else { return ValueKind::Broken };
        let digits: String = number.as_str().trim_start_matches('+').replace('_', "");
        let Some(suffix) = parts.next() else {
            return match digits.contains(['.', 'e', 'E']) {
                true => ValueKind::Float(digits),
                false => ValueKind::Int(digits),
            };
        };
        match (suffix.as_rule(), suffix.as_str()) {
            (Rule::percent, _) => ValueKind::Percent(digits),
            (Rule::unit, "x") => ValueKind::Ratio(digits),
            (Rule::unit, _) => ValueKind::Size { number: digits, unit: self.ident(&suffix) },
            _ => self.foreign_unit(&suffix, digits),
        }
    }

    /// `3 mb`, `50 percent`, `4 gigabytes`.
    fn foreign_unit(&mut self, suffix: &Pair<'t>, number: String) -> ValueKind {
        let written = suffix.as_str();
        let span = self.span(suffix);
        let lower = written.to_lowercase();
        let known = match lower.as_str() {
            "percent" | "pct" => Some("%"),
            "k" => Some("kB"),
            "m" => Some("MB"),
            "g" => Some("GB"),
            "t" => Some("TB"),
            "bytes" | "byte" => Some("B"),
            _ => UNITS.iter().map(|(u, _)| *u).find(|u| u.to_lowercase() == lower),
        };
        let error = SyntaxError::new(span, format!("{} is no unit", quote(written)));
        let Some(unit) = known else {
            let units: Vec<String> = UNITS.iter().map(|(u, _)| format!("`{u}`")).collect();
            self.report(error.help(format!("units are {}, `%` and `x`", units.join(", "))));
            return ValueKind::Broken;
        };
        self.report(error.help(format!("did you mean `{unit}`?")).fix(span, unit));
        match unit {
            "%" => ValueKind::Percent(number),
            unit => ValueKind::Size { number, unit: Ident { text: unit.to_owned(), span } },
        }
    }

    fn word_value(&mut self, pair: Pair<'t>, span: Span) -> ValueKind {
        let mut segments = vec![];
        let mut tail = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::word => segments.push(self.ident(&part)),
                _ => tail = Some(part),
            }
        }
        let (Some(first), Some(last)) = (segments.first(), segments.last()) else { return ValueKind::Broken };
        let span_of_path = first.span.cover(last.span);
        let single = if segments.len() == 1 { Some(first.clone()) } else { None };
        let path = Path { segments, span: span_of_path };
        match (tail, single) {
            (None, Some(word)) => self.plain_word(word, path),
            (None, None) => ValueKind::Name(path),
            (Some(tail), Some(word)) if tail.as_rule() == Rule::args => {
                ValueKind::Call { name: word, args: self.args(tail) }
            }
            (Some(tail), Some(word)) => {
                let at = self.span(&tail);
                let number = Value { kind: self.number_value(tail), span: at };
                ValueKind::Worded(word, Box::new(number))
            }
            (Some(_), None) => {
                self.report(SyntaxError::new(span, "formats and functions have a plain name"));
                ValueKind::Broken
            }
        }
    }

    fn plain_word(&mut self, word: Ident, path: Path) -> ValueKind {
        let meant = match word.text.as_str() {
            "true" => return ValueKind::Bool(true),
            "false" => return ValueKind::Bool(false),
            "True" | "TRUE" | "yes" | "Yes" | "on" | "On" => true,
            "False" | "FALSE" | "no" | "No" | "off" | "Off" => false,
            _ => return ValueKind::Name(path),
        };
        let error = SyntaxError::new(word.span, format!("{} is written `{meant}`", quote(&word.text)));
        self.report(error.fix(word.span, meant.to_string()));
        ValueKind::Bool(meant)
    }

    pub(super) fn args(&mut self, list: Pair<'t>) -> Vec<Arg> {
        let mut args = vec![];
        self.sequence(list, ARGS, |b, pair| {
            if is_junk(pair.as_rule()) {
                return b.junk_in_list(&pair, "an argument");
            }
            args.push(b.arg(pair));
            Element::Separated
        });
        args
    }

    /// `name: value` or a value.
    pub(super) fn arg(&mut self, pair: Pair<'t>) -> Arg {
        let span = self.span(&pair);
        let (mut name, mut value, mut sign) = (None, None, span);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::word => name = Some(self.ident(&part)),
                Rule::value => value = Some(self.value(part)),
                rule => {
                    sign = self.span(&part);
                    if rule == Rule::wrong_colon {
                        self.wrong_sign(&part, ":");
                    }
                }
            }
        }
        if value.is_none() {
            self.missing("a value", sign);
        }
        Arg { name, value: value.unwrap_or_else(|| broken_value(span)), span }
    }

    fn list(&mut self, list: Pair<'t>) -> Vec<Value> {
        let mut values = vec![];
        self.sequence(list, LIST, |b, pair| {
            if is_junk(pair.as_rule()) {
                return b.junk_in_list(&pair, "a value");
            }
            values.push(b.value(pair));
            Element::Separated
        });
        values
    }
}
