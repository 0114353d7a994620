//! Short texts for people, as Markdown or plain, by what the client shows.

use tower_lsp::ls_types::{MarkupContent, MarkupKind};

/// Paragraphs and verbatim lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    blocks: Vec<Block>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Block {
    Say(String),
    Code(String),
}

impl Text {
    /// One paragraph.
    pub fn new(text: impl Into<String>) -> Text {
        Text::default().say(text)
    }

    /// Adds a paragraph, in which `` ` `` marks names; see [`name`]. An empty one adds nothing.
    #[must_use]
    pub fn say(mut self, text: impl Into<String>) -> Text {
        let text = text.into();
        if !text.is_empty() {
            self.blocks.push(Block::Say(text));
        }
        self
    }

    /// Adds lines that are shown as they are. None adds nothing.
    #[must_use]
    pub fn code(mut self, text: impl Into<String>) -> Text {
        let text = text.into();
        if !text.is_empty() {
            self.blocks.push(Block::Code(text));
        }
        self
    }

    /// Adds all of another text.
    #[must_use]
    pub fn then(mut self, other: Text) -> Text {
        self.blocks.extend(other.blocks);
        self
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// For a client that shows Markdown, or does not.
    pub fn content(&self, markdown: bool) -> MarkupContent {
        let block = |block: &Block| match block {
            Block::Say(text) => clean(text),
            Block::Code(text) if markdown => {
                let text = clean(text);
                // Names come from files: no run of ticks in them may end the block.
                let fence = "`".repeat(longest_ticks(&text).max(2) + 1);
                format!("{fence}text\n{}\n{fence}", text.trim_end())
            }
            Block::Code(text) => clean(text.trim_end()),
        };
        let value = self.blocks.iter().map(block).collect::<Vec<_>>().join("\n\n");
        let kind = if markdown { MarkupKind::Markdown } else { MarkupKind::PlainText };
        MarkupContent { kind, value }
    }
}

/// A name or a piece of source in a paragraph, whatever is in it.
pub fn name(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let ticks = "`".repeat(longest_ticks(&text) + 1);
    match ticks.len() {
        1 => format!("`{text}`"),
        _ => format!("{ticks} {text} {ticks}"),
    }
}

/// Rows in columns two spaces apart; the columns of `right` are flush right.
pub fn table(rows: &[Vec<String>], right: &[usize]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|r| r.get(column)).map(|c| c.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|c| width(c).unwrap_or(0)).collect();
    let mut out = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            let padding = " ".repeat(width.saturating_sub(cell.chars().count()));
            if right.contains(&column) { format!("{padding}{cell}") } else { format!("{cell}{padding}") }
        });
        out.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        out.push('\n');
    }
    out
}

fn longest_ticks(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// Control characters would move the cursor of a client in a terminal, and those that turn the direction of text would
/// make a name look like another.
pub fn clean(text: &str) -> String {
    let safe = |c: char| match c {
        '\n' => c,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.chars().map(safe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_files_cannot_end_a_block() {
        let hostile = Text::new(format!("{} is", name("a`b"))).code("x\n```\n# y\u{1b}");
        assert_eq!(hostile.content(true).value, "`` a`b `` is\n\n````text\nx\n```\n# y\u{fffd}\n````");
        assert_eq!(hostile.content(false).value, "`` a`b `` is\n\nx\n```\n# y\u{fffd}");
        assert!(Text::default().say("").code("").is_empty());
    }

    #[test]
    fn columns_line_up() {
        let rows = [vec!["a".to_owned(), "1".to_owned()], vec!["layers.*".to_owned(), "20".to_owned()]];
        assert_eq!(table(&rows, &[1]), "a          1\nlayers.*  20\n");
    }
}
