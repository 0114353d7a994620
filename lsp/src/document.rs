//! An open document: its text as the client has it, and where its lines start.

use std::ops::Range;
use std::sync::Arc;

use crate::convert::{Encoding, Lines};
use tower_lsp::ls_types::{TextDocumentContentChangeEvent, Uri};

/// A document that the client has open.
#[derive(Clone, Debug)]
pub struct Document {
    /// As the client names it, for answers.
    pub uri: Uri,
    /// Version of the text, as the client counts.
    pub version: i32,
    text: String,
    lines: Arc<Lines>,
}

impl Document {
    /// A document as it was opened.
    pub fn new(uri: Uri, version: i32, text: String) -> Document {
        let lines = Arc::new(Lines::new(&text));
        Document { uri, version, text, lines }
    }

    /// All of it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where its lines start.
    pub fn lines(&self) -> &Arc<Lines> {
        &self.lines
    }

    /// Applies the changes of one notification, one after the other. A range beyond the end is taken to end there, a
    /// range that ends before it starts is empty.
    pub fn change(&mut self, version: i32, changes: Vec<TextDocumentContentChangeEvent>, encoding: Encoding) {
        for change in changes {
            match change.range {
                None => {
                    self.text = change.text;
                    self.lines = Arc::new(Lines::new(&self.text));
                }
                Some(range) => {
                    let start = self.lines.offset(&self.text, range.start, encoding);
                    let end = self.lines.offset(&self.text, range.end, encoding).max(start);
                    self.replace(start as usize..end as usize, &change.text);
                }
            }
        }
        self.version = version;
    }

    fn replace(&mut self, range: Range<usize>, new: &str) {
        // Offsets of a position are on boundaries and inside of the text; anything else would be a bug here.
        if self.text.get(range.clone()).is_none() {
            return;
        }
        self.text.replace_range(range.clone(), new);
        Arc::make_mut(&mut self.lines).replaced(&self.text, range, new.len());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tower_lsp::ls_types::{Position, Range};

    use super::*;

    fn document(text: &str) -> Document {
        Document::new("file:///a.icp".parse().unwrap(), 1, text.to_owned())
    }

    fn edit(start: (u32, u32), end: (u32, u32), text: &str) -> TextDocumentContentChangeEvent {
        let at = |(line, character)| Position { line, character };
        let range = Range { start: at(start), end: at(end) };
        TextDocumentContentChangeEvent { range: Some(range), range_length: None, text: text.to_owned() }
    }

    #[test]
    fn changes_apply_in_order_and_clamp() {
        let mut d = document("één\r\ntwo\r\n");
        let changes = vec![
            edit((0, 3), (0, 3), "!"),
            edit((1, 9), (7, 7), " 😀"),
            edit((1, 5), (0, 4), "?"),
            edit((9, 9), (9, 9), "end"),
        ];
        d.change(2, changes, Encoding::default());
        assert_eq!((d.text(), d.version), ("één!\r\ntwo ?😀end", 2));
    }

    proptest! {
        #[test]
        fn lines_after_edits_are_those_of_the_text(
            text in "[a\r\né😀]{0,24}",
            edits in proptest::collection::vec(((0..6u32, 0..6u32), (0..6u32, 0..6u32), "[b\r\né]{0,6}"), 0..8),
        ) {
            let mut d = document(&text);
            for (start, end, new) in edits {
                d.change(2, vec![edit(start, end, &new)], Encoding::default());
                prop_assert_eq!(d.lines().as_ref(), &Lines::new(d.text()));
            }
        }
    }
}
