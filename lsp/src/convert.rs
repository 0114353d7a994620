//! Between bytes, as the compiler counts, and positions and URIs, as the protocol does. The only file that knows
//! UTF-16.

use std::ops::Range as Bytes;
use std::path::Path;
use std::sync::Arc;

use icpc::base::Span;
use tower_lsp::ls_types::{Position, PositionEncodingKind, Range, Uri};

/// Unit of the columns, agreed on with the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// Bytes, when the client offers them.
    Utf8,
    /// Code units of UTF-16, what every client knows.
    #[default]
    Utf16,
}

impl Encoding {
    /// Chooses among what the client offers.
    pub fn choose(offered: Option<&[PositionEncodingKind]>) -> Encoding {
        match offered {
            Some(kinds) if kinds.contains(&PositionEncodingKind::UTF8) => Encoding::Utf8,
            _ => Encoding::Utf16,
        }
    }

    /// As the protocol names it.
    pub fn kind(self) -> PositionEncodingKind {
        match self {
            Encoding::Utf8 => PositionEncodingKind::UTF8,
            Encoding::Utf16 => PositionEncodingKind::UTF16,
        }
    }

    /// Width of a character.
    fn width(self, c: char) -> usize {
        match self {
            Encoding::Utf8 => c.len_utf8(),
            Encoding::Utf16 => c.len_utf16(),
        }
    }
}

/// Code units of UTF-16 in the first `offset` bytes of a text: what the protocol counts in labels.
pub fn label_units(text: &str, offset: usize) -> u32 {
    let before = text.get(..offset).unwrap_or(text);
    u32::try_from(before.chars().map(char::len_utf16).sum::<usize>()).unwrap_or(u32::MAX)
}

/// Starts of the lines of a text. A line ends with `\n`, `\r\n` or `\r`, as the protocol says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lines {
    starts: Vec<u32>,
}

impl Lines {
    /// Of this text.
    pub fn new(text: &str) -> Lines {
        let mut starts = vec![0];
        starts_in(text.as_bytes(), 0..text.len(), &mut starts);
        Lines { starts }
    }

    /// Brings the starts up to date after the bytes `old` were replaced by `new_len` bytes, which gave `text`.
    pub(crate) fn replaced(&mut self, text: &str, old: Bytes<usize>, new_len: usize) {
        // One byte more on both sides: a `\r` before may get its `\n`, or lose it.
        let from = old.start.saturating_sub(1);
        let new_end = (old.start + new_len + 1).min(text.len());
        let keep = self.starts.partition_point(|s| (*s as usize) <= from);
        let behind = self.starts.partition_point(|s| (*s as usize) <= old.end + 1);
        let mut fresh = Vec::new();
        starts_in(text.as_bytes(), from..new_end, &mut fresh);
        let clip = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let (removed, added) = (clip(old.len()), clip(new_len));
        for start in self.starts.iter_mut().skip(behind) {
            *start = (*start - removed) + added;
        }
        self.starts.splice(keep..behind, fresh);
    }

    /// Number of lines; a text that ends with a newline has an empty last one.
    pub fn count(&self) -> u32 {
        u32::try_from(self.starts.len()).unwrap_or(u32::MAX)
    }

    /// Line of a byte, from 0.
    pub fn line(&self, offset: u32) -> u32 {
        u32::try_from(self.starts.partition_point(|s| *s <= offset).saturating_sub(1)).unwrap_or(u32::MAX)
    }

    /// Bytes of a line without what ends it.
    pub fn span(&self, text: &str, line: u32) -> Span {
        let end_of_text = Span::new(text.len(), 0).start;
        let start = self.starts.get(line as usize).copied().unwrap_or(end_of_text);
        let end = self.starts.get(line as usize + 1).copied().unwrap_or(end_of_text);
        let written = text.get(start as usize..end as usize).unwrap_or("");
        let ending = written.len() - written.trim_end_matches(['\n', '\r']).len();
        // A line holds one end only: `trim_end_matches` cannot take more than that.
        Span { start, end: end - u32::try_from(ending).unwrap_or(0) }
    }

    /// The byte at a position. A column beyond the end of its line is its end, a line beyond the last the end of the
    /// text, a column inside a character its start.
    pub fn offset(&self, text: &str, position: Position, encoding: Encoding) -> u32 {
        if position.line >= self.count() {
            return Span::new(text.len(), 0).start;
        }
        let line = self.span(text, position.line);
        let mut left = position.character as usize;
        let mut offset = line.start;
        for c in text.get(line.range()).unwrap_or("").chars() {
            let width = encoding.width(c);
            if left < width {
                break;
            }
            left -= width;
            offset += u32::try_from(c.len_utf8()).unwrap_or(0);
        }
        offset
    }

    /// Position of a byte; beyond the end it is that of the end, inside a character that of its start.
    pub fn position(&self, text: &str, offset: u32, encoding: Encoding) -> Position {
        let mut offset = (offset as usize).min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.line(Span::new(offset, 0).start);
        let start = self.starts.get(line as usize).copied().unwrap_or(0) as usize;
        let before = text.get(start..offset).unwrap_or("");
        let character = before.chars().map(|c| encoding.width(c)).sum::<usize>();
        Position { line, character: u32::try_from(character).unwrap_or(u32::MAX) }
    }
}

/// A text with the way from its bytes to positions and back.
#[derive(Clone, Debug)]
pub struct Source {
    /// All of it.
    pub text: Arc<str>,
    /// Where its lines start.
    pub lines: Arc<Lines>,
    /// Unit of columns.
    pub encoding: Encoding,
}

impl Source {
    /// The byte at a position; see [`Lines::offset`].
    pub fn offset(&self, position: Position) -> u32 {
        self.lines.offset(&self.text, position, self.encoding)
    }

    /// Bytes of a range.
    pub fn bytes(&self, range: Range) -> Span {
        let start = self.offset(range.start);
        Span { start, end: self.offset(range.end).max(start) }
    }

    /// Position of a byte; see [`Lines::position`].
    pub fn position(&self, offset: u32) -> Position {
        self.lines.position(&self.text, offset, self.encoding)
    }

    /// Range of some bytes.
    pub fn range(&self, span: Span) -> Range {
        Range { start: self.position(span.start), end: self.position(span.end) }
    }
}

/// Positions of bytes that mostly ascend, in time that does not grow with the length of their lines.
pub struct Positions<'s> {
    source: &'s Source,
    offset: u32,
    at: Position,
}

impl<'s> Positions<'s> {
    /// From the start of a text.
    pub fn new(source: &'s Source) -> Positions<'s> {
        Positions { source, offset: 0, at: Position::default() }
    }

    /// Position of a byte; see [`Lines::position`].
    pub fn at(&mut self, offset: u32) -> Position {
        let Source { text, lines, encoding } = self.source;
        // Inside of a character or beyond the end: nothing to go on from.
        if !text.is_char_boundary(offset as usize) {
            return lines.position(text, offset, *encoding);
        }
        let same_line = lines.line(offset) == self.at.line;
        self.at = match text.get(self.offset as usize..offset as usize) {
            Some(between) if same_line => {
                let width = between.chars().map(|c| encoding.width(c)).sum::<usize>();
                let width = u32::try_from(width).unwrap_or(u32::MAX);
                Position { character: self.at.character.saturating_add(width), ..self.at }
            }
            _ => lines.position(text, offset, *encoding),
        };
        self.offset = offset;
        self.at
    }

    /// Range of some bytes.
    pub fn range(&mut self, span: Span) -> Range {
        Range { start: self.at(span.start), end: self.at(span.end) }
    }
}

/// Adds the starts of lines that begin behind an end of line in `within`.
fn starts_in(text: &[u8], within: Bytes<usize>, starts: &mut Vec<u32>) {
    let ends = |i: usize| match text.get(i) {
        Some(b'\n') => true,
        Some(b'\r') => text.get(i + 1) != Some(&b'\n'),
        _ => false,
    };
    starts.extend(within.filter(|i| ends(*i)).map(|i| Span::new(i + 1, 0).start));
}

/// Scheme of the virtual documents that show a checkpoint's listing.
pub const LISTING_SCHEME: &str = "icpc-listing";

/// The path by which the compiler knows a document: absolute, with `/`. A document that is no file has its URI.
pub fn path_of(uri: &Uri) -> String {
    let file = uri.scheme().as_str().eq_ignore_ascii_case("file");
    match uri.to_file_path().filter(|_| file) {
        Some(path) => path.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/"),
        None => uri.as_str().to_owned(),
    }
}

/// The URI of a path that [`path_of`] gave, or of a file that one names.
pub fn uri_of(path: &str) -> Option<Uri> {
    match is_on_disk(path) {
        true => Uri::from_file_path(Path::new(path)),
        false => path.parse().ok(),
    }
}

/// Whether a path is one of the file system: absolute. One that is not belongs to a document without a folder.
pub fn is_on_disk(path: &str) -> bool {
    Path::new(path).is_absolute()
}

/// URI of the virtual document with the listing of the checkpoint at `path`.
pub fn listing_uri(path: &str) -> Option<Uri> {
    let file = uri_of(path)?;
    format!("{LISTING_SCHEME}://{}.listing", file.path().as_str()).parse().ok()
}

/// Path of the checkpoint whose listing a virtual document shows.
pub fn listed(uri: &Uri) -> Option<String> {
    if uri.scheme().as_str() != LISTING_SCHEME {
        return None;
    }
    let path = uri.to_file_path()?.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/");
    path.strip_suffix(".listing").map(str::to_owned)
}

/// Scheme of the virtual documents that show the library.
pub const LIBRARY_SCHEME: &str = "icpc-std";

/// URI of the virtual document with the library file at `path` (`std/arch/llama.icp`).
pub fn library_uri(path: &str) -> Option<Uri> {
    format!("{LIBRARY_SCHEME}:///{}", path.strip_prefix("std/")?).parse().ok()
}

/// Path of the library file that a virtual document shows.
pub fn of_library(uri: &Uri) -> Option<String> {
    let path = uri.path().as_str().strip_prefix('/')?;
    (uri.scheme().as_str() == LIBRARY_SCHEME).then(|| format!("std/{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_of_the_agreed_unit() {
        let text = "é😀x\n\ny";
        let lines = Lines::new(text);
        let at = |line, character| Position { line, character };
        assert_eq!(lines.offset(text, at(0, 3), Encoding::Utf16), 6);
        assert_eq!(lines.offset(text, at(0, 2), Encoding::Utf16), 2, "inside of a pair: its start");
        assert_eq!(lines.offset(text, at(0, 6), Encoding::Utf8), 6);
        assert_eq!(lines.offset(text, at(0, 99), Encoding::Utf16), 7, "the end of the line");
        assert_eq!(lines.offset(text, at(9, 0), Encoding::Utf16), 10, "the end of the text");
        assert_eq!(lines.position(text, 6, Encoding::Utf16), at(0, 3));
        assert_eq!(lines.position(text, 6, Encoding::Utf8), at(0, 6));
        assert_eq!(lines.position(text, 4, Encoding::Utf8), at(0, 2), "inside of a character: its start");
        assert_eq!(lines.position(text, 99, Encoding::Utf16), at(2, 1));
    }

    #[test]
    fn positions_one_after_the_other_are_those_of_each() {
        let text: Arc<str> = "é😀x\n\r\ny é".into();
        for encoding in [Encoding::Utf8, Encoding::Utf16] {
            let source = Source { lines: Arc::new(Lines::new(&text)), text: Arc::clone(&text), encoding };
            let mut positions = Positions::new(&source);
            let up = 0..=Span::new(text.len() + 2, 0).start;
            for offset in up.clone().chain(up.clone().rev()).chain(up.step_by(3)) {
                assert_eq!(positions.at(offset), source.position(offset), "{encoding:?} {offset}");
            }
        }
    }

    #[test]
    fn every_end_of_line_counts() {
        let text = "a\r\nb\rc\n";
        let lines = Lines::new(text);
        assert_eq!(lines.count(), 4);
        assert_eq!(lines.span(text, 0), Span::new(0, 1));
        assert_eq!(lines.span(text, 1), Span::new(3, 4));
        assert_eq!(lines.span(text, 3), Span::new(7, 7));
        assert_eq!(lines.span(text, 4), Span::new(7, 7));
    }

    #[test]
    fn paths_and_uris() {
        let uri: Uri = "file:///tmp/a%20b/x.icp".parse().unwrap();
        assert_eq!(path_of(&uri), "/tmp/a b/x.icp");
        assert_eq!(uri_of("/tmp/a b/x.icp"), Some(uri));
        let unsaved: Uri = "untitled:Untitled-1".parse().unwrap();
        assert_eq!(uri_of(&path_of(&unsaved)), Some(unsaved));
        let listing = listing_uri("/tmp/a b/x.pt").unwrap();
        assert_eq!(listing.as_str(), "icpc-listing:///tmp/a%20b/x.pt.listing");
        assert_eq!(listed(&listing).as_deref(), Some("/tmp/a b/x.pt"));
        let library = library_uri("std/arch/llama.icp").unwrap();
        assert_eq!(library.as_str(), "icpc-std:///arch/llama.icp");
        assert_eq!(of_library(&library).as_deref(), Some("std/arch/llama.icp"));
        assert_eq!(of_library(&listing), None);
    }
}
