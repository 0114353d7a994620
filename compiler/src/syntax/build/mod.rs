//! Pairs of the grammar to nodes of the tree, and everything odd among them to errors.

mod arch;
mod file;
mod filter;
mod forward;
mod junk;
mod pattern;
mod recipe;
mod sequence;
mod shape;
mod value;

use super::grammar::{Pair, Rule};
use super::tree::{Ident, Path, SyntaxError};
use crate::base::Span;

/// Builds the tree of one text.
pub(super) struct Builder<'t> {
    /// As it was given.
    source: &'t str,
    /// Cleaned: as long as the source, without its comments.
    text: &'t str,
    open_strings: &'t [usize],
    /// Where the text that pest sees begins in `text`: more than 0 for a part that is read again.
    base: usize,
    /// How many brackets without an end were reported.
    open_brackets: usize,
    pub(super) errors: Vec<SyntaxError>,
}

impl<'t> Builder<'t> {
    pub(super) fn new(source: &'t str, text: &'t str, open_strings: &'t [usize]) -> Builder<'t> {
        Builder { source, text, open_strings, base: 0, open_brackets: 0, errors: vec![] }
    }

    pub(super) fn report(&mut self, error: SyntaxError) {
        self.errors.push(error);
    }

    fn span(&self, pair: &Pair<'t>) -> Span {
        let span = pair.as_span();
        Span::new(self.base + span.start(), self.base + span.end())
    }

    pub(super) fn slice(&self, span: Span) -> &'t str {
        self.text.get(span.range()).unwrap_or("")
    }

    fn ident(&self, pair: &Pair<'t>) -> Ident {
        Ident { text: pair.as_str().to_owned(), span: self.span(pair) }
    }

    fn path(&self, pair: Pair<'t>) -> Path {
        let span = self.span(&pair);
        Path { segments: pair.into_inner().map(|p| self.ident(&p)).collect(), span }
    }

    /// The token that starts at `offset` or behind the spaces there; empty at the end of the text.
    pub(super) fn token_at(&self, offset: usize) -> Span {
        let rest = self.text.get(offset..).unwrap_or("");
        let start = offset + (rest.len() - rest.trim_start().len());
        let rest = self.text.get(start..).unwrap_or("");
        let word = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let length = match word {
            0 => ["=>", "->", "==", "!=", "<=", ">=", "::", "..", "||", "&&"]
                .iter()
                .find(|sign| rest.starts_with(**sign))
                .map_or_else(|| rest.chars().next().map_or(0, char::len_utf8), |sign| sign.len()),
            n => n,
        };
        Span::new(start, start + length)
    }

    /// The last character of what ends at `end`: where something that is missing behind it is shown.
    fn last_char(&self, end: usize) -> Span {
        let width = self.text.get(..end).and_then(|t| t.chars().next_back()).map_or(0, char::len_utf8);
        Span::new(end - width, end)
    }

    /// Whether a line ends between two offsets.
    fn line_between(&self, from: usize, to: usize) -> bool {
        self.text.get(from..to).is_some_and(|gap| gap.contains(['\n', '\r']))
    }

    /// Text of the `///` lines above `start`.
    fn docs_above(&self, start: u32) -> String {
        let head = self.source.get(..start as usize).unwrap_or("");
        let above = head.trim_end_matches([' ', '\t']);
        if !above.is_empty() && !above.ends_with(['\n', '\r']) {
            return String::new();
        }
        let lines = above.rsplit(['\n', '\r']).map(str::trim);
        let docs: Vec<&str> = lines
            .take_while(|line| line.is_empty() || line.starts_with("///"))
            .filter_map(|line| line.strip_prefix("///"))
            .collect();
        join_docs(docs.into_iter().rev())
    }

    /// Text of the `//!` lines before the first item.
    fn file_docs(&self) -> String {
        let comments = self
            .source
            .split(['\n', '\r'])
            .map(str::trim)
            .take_while(|line| line.is_empty() || line.starts_with("//"));
        join_docs(comments.filter_map(|line| line.strip_prefix("//!")))
    }
}

fn join_docs<'d>(lines: impl Iterator<Item = &'d str>) -> String {
    let lines: Vec<&str> = lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    lines.join("\n")
}

/// Whether a rule stands for text that is nothing of the language.
fn is_junk(rule: Rule) -> bool {
    matches!(rule, Rule::top_junk | Rule::item_junk | Rule::elem_junk | Rule::arg_junk | Rule::head_junk)
}
