//! Where a place is: the texts that labels point into, and their lines and columns.

use std::collections::BTreeMap;

use super::data::Place;
use crate::base::{LineIndex, Span};

/// A line and a column, both from 1; the column counts Unicode characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
}

/// One tensor's line of a checkpoint's listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListingLine {
    /// From 0, as `TensorInfo::line` counts.
    pub number: u32,
    /// The line, without its newline.
    pub text: String,
    /// Bytes of dtype and shape in the line.
    pub stored: Span,
    /// Bytes of each extent in the line.
    pub axes: Vec<Span>,
}

impl ListingLine {
    /// Bytes to underline: the extent of `axis`, or dtype and shape.
    pub fn span(&self, axis: Option<u32>) -> Span {
        axis.and_then(|a| self.axes.get(a as usize)).copied().unwrap_or(self.stored)
    }
}

/// A checkpoint's listing of which a renderer asks single lines, so that a checkpoint of 100,000 tensors costs no
/// more than the lines that are shown.
pub trait Listing {
    /// Name of the checkpoint to show.
    fn name(&self) -> &str;
    /// The line of a tensor, by its index in the schema.
    fn line(&self, tensor: u32) -> Option<ListingLine>;
}

/// What a renderer needs beside the diagnostics. Borrows everything.
#[derive(Clone, Default)]
pub struct Sources<'a> {
    files: BTreeMap<&'a str, Text<'a>>,
    listing: Option<&'a dyn Listing>,
}

#[derive(Clone)]
struct Text<'a> {
    text: &'a str,
    lines: LineIndex,
    /// Characters before each block of [`BLOCK`] bytes: a file may be one long line with a thousand problems.
    characters: Vec<usize>,
}

/// Bytes between places up to which characters are counted beforehand.
const BLOCK: usize = 128;

/// A place, found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spot<'a> {
    /// In a text that is known.
    Text {
        /// Path of the file.
        path: &'a str,
        /// All of it.
        text: &'a str,
        /// Bytes, on character boundaries and inside the text.
        span: Span,
        /// Of the first byte.
        start: Position,
        /// One past the last.
        end: Position,
    },
    /// In the listing of the checkpoint.
    Listing {
        /// Name of the checkpoint.
        name: &'a str,
        /// The line.
        line: ListingLine,
        /// Bytes in the line.
        span: Span,
    },
    /// A file without a text.
    Whole {
        /// Its path.
        path: &'a str,
        /// From 1, where known.
        line: Option<u32>,
    },
}

impl<'a> Sources<'a> {
    /// No texts yet: every place is then shown as a whole file.
    pub fn new() -> Sources<'a> {
        Sources::default()
    }

    /// Adds the text of a file under the path that diagnostics give it.
    #[must_use]
    pub fn file(mut self, path: &'a str, text: &'a str) -> Sources<'a> {
        let mut characters = vec![0];
        for block in text.as_bytes().chunks(BLOCK) {
            // Bytes that go on with a character begin none.
            let begun = block.iter().filter(|b| **b & 0xc0 != 0x80).count();
            characters.push(characters.last().map_or(0, |before| before + begun));
        }
        self.files.insert(path, Text { text, lines: LineIndex::new(text), characters });
        self
    }

    /// Sets the listing that [`Place::Tensor`] points into.
    #[must_use]
    pub fn listing(mut self, listing: &'a dyn Listing) -> Sources<'a> {
        self.listing = Some(listing);
        self
    }

    /// Text of a file.
    pub fn text(&self, path: &str) -> Option<&'a str> {
        self.files.get(path).map(|f| f.text)
    }

    /// Line and column of a byte; offsets beyond the end give the end.
    pub fn position(&self, path: &str, offset: u32) -> Option<Position> {
        self.files.get(path).map(|f| f.position(offset))
    }

    /// Where a place is. A span that is not absolute yet says no more than its file.
    pub fn find<'s>(&'s self, place: &'s Place) -> Spot<'s> {
        match place {
            Place::Source(loc) => match self.files.get(loc.file.as_ref()) {
                Some(file) if loc.item.is_none() => file.spot(&loc.file, loc.span),
                _ => Spot::Whole { path: &loc.file, line: None },
            },
            Place::File { path, line } => match (self.files.get(path.as_ref()), line) {
                (Some(file), Some(line)) => file.spot(path, file.line(*line)),
                _ => Spot::Whole { path, line: *line },
            },
            Place::Tensor { tensor, axis } => {
                let name = self.listing.map_or("checkpoint", Listing::name);
                match self.listing.and_then(|l| l.line(*tensor)) {
                    Some(line) => Spot::Listing { name, span: line.span(*axis), line },
                    None => Spot::Whole { path: name, line: None },
                }
            }
        }
    }
}

impl<'a> Text<'a> {
    fn position(&self, offset: u32) -> Position {
        let offset = Span::new(floor(self.text, offset as usize), 0).start;
        let (line, _) = self.lines.line_column(offset);
        let start = self.lines.line_start(line).unwrap_or(0) as usize;
        let column = self.characters_before(offset as usize).saturating_sub(self.characters_before(start));
        let from_one = |n: u32| n.saturating_add(1);
        Position { line: from_one(line), column: from_one(u32::try_from(column).unwrap_or(u32::MAX)) }
    }

    /// Characters that begin before a byte.
    fn characters_before(&self, offset: usize) -> usize {
        let block = offset / BLOCK;
        let before = self.characters.get(block).copied().unwrap_or(0);
        let bytes = self.text.as_bytes().get(block * BLOCK..offset).unwrap_or_default();
        before + bytes.iter().filter(|b| **b & 0xc0 != 0x80).count()
    }

    fn spot<'s>(&'s self, path: &'s str, span: Span) -> Spot<'s> {
        let end = floor(self.text, span.end as usize);
        let start = floor(self.text, span.start as usize).min(end);
        // An empty place behind the last newline would stand on a line that is not there.
        let last = self.text.trim_end().len();
        let span = if start == end && start > last { Span::new(last, last) } else { Span::new(start, end) };
        Spot::Text {
            path,
            text: self.text,
            span,
            start: self.position(span.start),
            end: self.position(span.end),
        }
    }

    /// Bytes of line `number` (from 1) without indentation and newline.
    fn line(&self, number: u32) -> Span {
        let end_of_text = Span::new(self.text.len(), 0).start;
        let start = self.lines.line_start(number.saturating_sub(1)).unwrap_or(end_of_text);
        let end = self.lines.line_start(number).unwrap_or(end_of_text).max(start);
        let line = self.text.get(start as usize..end as usize).unwrap_or("");
        let indent = line.len() - line.trim_start().len();
        let first = start as usize + indent.min(line.trim_end().len());
        Span::new(first, (start as usize + line.trim_end().len()).max(first))
    }
}

/// Nearest character boundary at or below `offset`.
fn floor(text: &str, offset: usize) -> usize {
    let offset = offset.min(text.len());
    (0..=offset).rev().find(|o| text.is_char_boundary(*o)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{Loc, samples};

    fn at(sources: &Sources<'_>, start: usize, end: usize) -> String {
        let place = Place::Source(Loc { file: "a.icp".into(), item: None, span: Span::new(start, end) });
        match sources.find(&place) {
            Spot::Text { start, end, .. } => {
                format!("{}:{}..{}:{}", start.line, start.column, end.line, end.column)
            }
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn columns_count_characters() {
        let sources = Sources::new().file("a.icp", "// ä → b\nrecipe x {}\n");
        assert_eq!(at(&sources, 3, 5), "1:4..1:5");
        assert_eq!(at(&sources, 4, 5), "1:4..1:5", "the middle of a character is its start");
        assert_eq!(at(&sources, 12, 18), "2:1..2:7");
        assert_eq!(at(&sources, 900, 901), "2:12..2:12", "beyond the end is the end of the last line");
    }

    #[test]
    fn columns_of_a_long_line_count_characters_too() {
        let text = format!("// {}x", "ä→".repeat(3000));
        let sources = Sources::new().file("a.icp", &text);
        let x = text.len() - 1;
        assert_eq!(at(&sources, x, x + 1), "1:6004..1:6005");
        assert_eq!(at(&sources, 3 + 5 * 1000, x), "1:2004..1:6004");
    }

    #[test]
    fn a_line_of_a_listing_knows_its_extents() {
        let line = samples::listing_line(1, "position_embedding.weight", 28, "f32", &[128, 64]);
        assert_eq!(line.text, "position_embedding.weight    f32 [128, 64]");
        assert_eq!(line.text.get(line.span(Some(1)).range()), Some("64"));
        assert_eq!(line.text.get(line.span(None).range()), Some("f32 [128, 64]"));
        assert_eq!(line.span(Some(7)), line.stored);
    }

    #[test]
    fn a_line_of_a_file_is_found_by_number() {
        let sources = Sources::new().file("config.json", "{\n  \"a\": 1\n}");
        let place = Place::File { path: "config.json".into(), line: Some(2) };
        let Spot::Text { text, span, .. } = sources.find(&place) else { panic!("not found") };
        assert_eq!(text.get(span.range()), Some("\"a\": 1"));
    }
}
