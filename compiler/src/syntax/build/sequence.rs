//! Lists and blocks: elements, what separates them, and the bracket at the end.

use super::{Builder, is_junk};
use crate::base::Span;
use crate::syntax::error::quote;
use crate::syntax::grammar::{Pair, Rule};
use crate::syntax::tree::SyntaxError;

/// How the elements of one kind of list are written.
#[derive(Clone, Copy)]
pub(super) struct Style {
    /// `,` or `;`.
    pub(super) separator: &'static str,
    /// Whether the last element needs it too.
    pub(super) required: bool,
    /// `an arm`, for messages.
    pub(super) element: &'static str,
    /// What encloses the list: `(`, `[`, `{`; empty if nothing does.
    pub(super) open: &'static str,
}

/// What the caller made of an element.
pub(super) enum Element {
    /// Takes a separator behind it.
    Separated,
    /// A block: nothing behind it.
    Block,
    /// Already reported; the rest of its line belongs to it.
    Broken,
}

struct Pending {
    end: usize,
    broken: bool,
}

impl<'t> Builder<'t> {
    /// Walks a list, reports what is wrong between its elements, and hands each element or junk to `build`.
    pub(super) fn sequence(
        &mut self,
        list: Pair<'t>,
        style: Style,
        mut build: impl FnMut(&mut Self, Pair<'t>) -> Element,
    ) {
        let span = self.span(&list);
        let mut pending: Option<Pending> = None;
        let mut closed = style.open.is_empty();
        for pair in list.into_inner() {
            let at = self.span(&pair);
            match pair.as_rule() {
                Rule::EOI | Rule::lbrace => {}
                Rule::rbrace | Rule::rparen | Rule::rbracket => closed = true,
                Rule::comma | Rule::semi => {
                    pending = self.separator(at, pair.as_str(), style, pending.take())
                }
                _ => {
                    let broken = self.before_element(&pair, at, style, pending.take());
                    let (known, open) = (self.errors.len(), self.open_brackets);
                    let element = match broken && is_junk(pair.as_rule()) {
                        true => Element::Broken,
                        false => build(self, pair),
                    };
                    if broken {
                        self.errors.truncate(known);
                    }
                    // Where an element ends whose bracket is open is a guess.
                    let broken = broken || self.open_brackets > open;
                    let end = at.range().end;
                    pending = match element {
                        Element::Separated => Some(Pending { end, broken }),
                        Element::Broken => Some(Pending { end, broken: true }),
                        Element::Block => None,
                    };
                }
            }
        }
        if let Some(last) = pending.filter(|p| style.required && !p.broken) {
            self.missing_separator(last.end, style);
        }
        if !closed {
            let open = Span::new(span.range().start, span.range().start + style.open.len());
            self.unclosed(open);
        }
    }

    /// An opening bracket without its end.
    pub(super) fn unclosed(&mut self, open: Span) {
        let close = match self.slice(open) {
            "(" => ")",
            "[" => "]",
            _ => "}",
        };
        let headline = format!("{} is never closed", quote(self.slice(open)));
        self.open_brackets += 1;
        self.report(SyntaxError::new(open, headline).label(format!("no matching `{close}`")));
    }

    /// Returns the element that still waits for its separator.
    fn separator(
        &mut self,
        at: Span,
        written: &str,
        style: Style,
        pending: Option<Pending>,
    ) -> Option<Pending> {
        let wrong = written != style.separator;
        let error = match pending {
            // A sign that separates nothing here is part of the broken line.
            Some(p) if p.broken && wrong => return Some(Pending { end: at.range().end, broken: true }),
            Some(p) if p.broken || !wrong => return None,
            Some(_) => SyntaxError::new(
                at,
                format!("{} ends with `{}`, not `{written}`", style.element, style.separator),
            )
            .fix(at, style.separator),
            None => SyntaxError::new(at, format!("nothing stands before this `{written}`"))
                .help(format!("remove the `{written}`"))
                .fix(at, ""),
        };
        self.report(error);
        None
    }

    /// Whether the element only continues a line that is already reported.
    fn before_element(&mut self, pair: &Pair<'t>, at: Span, style: Style, pending: Option<Pending>) -> bool {
        let Some(Pending { end, broken }) = pending else { return false };
        let next_line = self.line_between(end, at.range().start);
        match (next_line, broken, is_junk(pair.as_rule())) {
            (false, true, _) => return true,
            (true, true, _) => {}
            (false, false, true) => {
                let token = self.token_at(at.range().start);
                let headline = format!("unexpected {} behind {}", quote(self.slice(token)), style.element);
                let expected = match style.open {
                    "(" => "`,` or `)`".to_owned(),
                    "[" => "`,` or `]`".to_owned(),
                    _ => format!("`{}`", style.separator),
                };
                self.report(SyntaxError::new(token, headline).label(format!("expected {expected}")));
                return true;
            }
            _ => self.missing_separator(end, style),
        }
        false
    }

    fn missing_separator(&mut self, end: usize, style: Style) {
        let Style { separator, element, .. } = style;
        self.report(
            SyntaxError::new(self.last_char(end), format!("expected `{separator}` behind {element}"))
                .fix(Span::new(end, end), separator),
        );
    }
}
