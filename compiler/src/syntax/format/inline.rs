//! What stands within a line: values, patterns, arguments.

use super::Formatter;
use super::rows::columns;
use crate::syntax::tree::{Alternative, Arg, Filter, Ident, Path, Pattern, SegmentKind, Value, ValueKind};

impl Formatter<'_> {
    pub(super) fn value(&self, value: &Value) -> String {
        let written = self.slice(value.span);
        match &value.kind {
            ValueKind::Int(_) | ValueKind::Float(_) => number(written),
            ValueKind::Percent(_) => format!("{}%", number(written.trim_end_matches('%'))),
            ValueKind::Ratio(_) => format!("{}x", number(written.trim_end_matches('x'))),
            ValueKind::Size { unit, .. } => {
                format!("{} {}", number(written.strip_suffix(&unit.text).unwrap_or(written)), unit.text)
            }
            ValueKind::Text(_) | ValueKind::Broken => written.to_owned(),
            ValueKind::Bool(b) => b.to_string(),
            ValueKind::Name(path) => path_text(path),
            ValueKind::Call { name, args } => format!("{}({})", name.text, self.args(args)),
            ValueKind::Of(part, whole) => format!("{} of {}", self.value(part), self.value(whole)),
            ValueKind::Worded(word, number) => format!("{} {}", word.text, self.value(number)),
            ValueKind::List(values) => {
                format!("[{}]", values.iter().map(|v| self.value(v)).collect::<Vec<_>>().join(", "))
            }
        }
    }

    /// A value in lines of at most `room` columns where its arguments allow it; the first line has `used` before it.
    pub(super) fn value_lines(&self, value: &Value, used: usize, room: usize) -> Vec<String> {
        let line = self.value(value);
        let broken = |open: String, parts: Vec<Vec<String>>, close: &str| {
            let inner = parts.into_iter().flat_map(|mut lines| {
                if let Some(last) = lines.last_mut() {
                    last.push(',');
                }
                lines
            });
            let inner = inner.map(|l| format!("    {l}"));
            std::iter::once(open).chain(inner).chain([close.to_owned()]).collect()
        };
        if used + columns(&line) <= room {
            return vec![line];
        }
        let inside = room.saturating_sub(5);
        match &value.kind {
            ValueKind::Call { name, args } if !args.is_empty() => {
                let parts = args.iter().map(|arg| self.arg_lines(arg, inside)).collect();
                broken(format!("{}(", name.text), parts, ")")
            }
            ValueKind::List(values) if !values.is_empty() => {
                broken("[".to_owned(), values.iter().map(|v| self.value_lines(v, 0, inside)).collect(), "]")
            }
            _ => vec![line],
        }
    }

    /// `name: value` in lines.
    pub(super) fn arg_lines(&self, arg: &Arg, room: usize) -> Vec<String> {
        let name = arg.name.as_ref().map(|n| format!("{}: ", n.text)).unwrap_or_default();
        let mut lines = self.value_lines(&arg.value, columns(&name), room);
        if let Some(first) = lines.first_mut() {
            first.insert_str(0, &name);
        }
        lines
    }

    pub(super) fn args(&self, args: &[Arg]) -> String {
        args.iter().map(|a| self.arg(a)).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn arg(&self, arg: &Arg) -> String {
        match &arg.name {
            Some(name) => format!("{}: {}", name.text, self.value(&arg.value)),
            None => self.value(&arg.value),
        }
    }

    /// The alternatives of a pattern, each with the `|` that it starts with.
    pub(super) fn alternatives(&self, pattern: &Pattern) -> Vec<String> {
        let written = pattern.alternatives.iter().map(|a| self.alternative(a));
        written.enumerate().map(|(i, a)| if i == 0 { a } else { format!("| {a}") }).collect()
    }

    /// What follows the alternatives: `?`, `where`, `except`.
    pub(super) fn pattern_tail(&self, pattern: &Pattern) -> String {
        let mut out = String::new();
        if pattern.optional.is_some() {
            // Behind a letter, `?` would be one more character of the name.
            let attached = match pattern.alternatives.last() {
                Some(Alternative::Path { segments, .. }) => {
                    segments.last().is_some_and(|s| self.slice(s.span).ends_with(['*', '}', '"']))
                }
                Some(Alternative::Role { .. }) => true,
                _ => false,
            };
            out.push_str(if attached { "?" } else { " ?" });
        }
        if let Some(filter) = &pattern.filter {
            out.push_str(" where ");
            out.push_str(&self.filter(filter));
        }
        if let Some(except) = &pattern.except {
            out.push_str(" except ");
            out.push_str(&self.pattern(except));
        }
        out
    }

    pub(super) fn pattern(&self, pattern: &Pattern) -> String {
        self.alternatives(pattern).join(" ") + &self.pattern_tail(pattern)
    }

    fn alternative(&self, alternative: &Alternative) -> String {
        match alternative {
            Alternative::Role { role, .. } => format!("@{}", role.text),
            Alternative::Rest { .. } => "_".to_owned(),
            Alternative::Path { segments, .. } => {
                let segment = |s: &crate::syntax::tree::Segment| match s.kind {
                    SegmentKind::Glob(_) => glob(self.slice(s.span)),
                    _ => self.slice(s.span).to_owned(),
                };
                segments.iter().map(segment).collect::<Vec<_>>().join(".")
            }
        }
    }

    fn filter(&self, filter: &Filter) -> String {
        let inside = |inner: &Filter, round: bool| match round {
            true => format!("({})", self.filter(inner)),
            false => self.filter(inner),
        };
        let (is_or, is_and) =
            (|f: &Filter| matches!(f, Filter::Or(..)), |f: &Filter| matches!(f, Filter::And(..)));
        match filter {
            Filter::Or(left, right) => format!("{} or {}", self.filter(left), inside(right, is_or(right))),
            Filter::And(left, right) => {
                format!("{} and {}", inside(left, is_or(left)), inside(right, is_or(right) || is_and(right)))
            }
            Filter::Not(inner, _) => {
                format!("not {}", inside(inner, !matches!(**inner, Filter::Compare { .. })))
            }
            Filter::Compare { subject, arg, op, value, .. } => {
                let arg = arg.as_ref().map(|a| format!("({})", self.value(a))).unwrap_or_default();
                format!("{}{arg} {} {}", subject.text, op.symbol(), self.value(value))
            }
        }
    }
}

/// A number as written, without the spaces and the plus sign around it.
fn number(written: &str) -> String {
    written.trim().trim_start_matches('+').to_owned()
}

/// A segment without the spaces and the last commas inside its braces.
fn glob(written: &str) -> String {
    let mut out = String::with_capacity(written.len());
    // A comment inside braces was moved out already.
    let code = written.lines().map(|line| line.split("//").next().unwrap_or(""));
    for c in code.flat_map(str::chars).filter(|c| !c.is_whitespace()) {
        if c == '}' && out.ends_with(',') {
            out.pop();
        }
        out.push(c);
    }
    out
}

pub(super) fn path_text(path: &Path) -> String {
    path.segments.iter().map(|s| s.text.as_str()).collect::<Vec<_>>().join("::")
}

pub(super) fn words(names: &[Ident]) -> String {
    names.iter().map(|n| n.text.as_str()).collect::<Vec<_>>().join(", ")
}
