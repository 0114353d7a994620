//! How syntax errors are put together.

use super::tree::SyntaxError;
use crate::base::Span;

/// Longest piece of source that a headline repeats, in characters.
const QUOTED: usize = 20;

impl SyntaxError {
    /// A place and the fact about it.
    pub(super) fn new(span: Span, headline: impl Into<String>) -> SyntaxError {
        SyntaxError { span, headline: headline.into(), label: String::new(), help: None, fix: None }
    }

    /// Text at the span.
    #[must_use]
    pub(super) fn label(mut self, label: impl Into<String>) -> SyntaxError {
        self.label = label.into();
        self
    }

    /// One action.
    #[must_use]
    pub(super) fn help(mut self, help: impl Into<String>) -> SyntaxError {
        self.help = Some(help.into());
        self
    }

    /// The one replacement that makes it parse.
    #[must_use]
    pub(super) fn fix(mut self, span: Span, text: impl Into<String>) -> SyntaxError {
        self.fix = Some((span, text.into()));
        self
    }
}

/// A piece of source in backticks, cut to what a headline can hold; control characters are replaced.
pub(super) fn quote(text: &str) -> String {
    let line = text.lines().next().unwrap_or("").trim();
    let mut shown = String::new();
    for (count, c) in line.chars().enumerate() {
        if count == QUOTED {
            shown.push('…');
            break;
        }
        match c {
            '`' => shown.push('\''),
            c if c.is_control() => shown.push(char::REPLACEMENT_CHARACTER),
            c => shown.push(c),
        }
    }
    format!("`{shown}`")
}
