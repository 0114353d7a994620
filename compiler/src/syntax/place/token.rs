//! Words and signs before the cursor. Unlike the grammar this reads no further than it must, and understands nothing.

/// A word, a sign, a string, or a closed bracket with all that is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'t> {
    /// As written.
    pub(super) text: &'t str,
    /// First byte.
    pub(super) start: usize,
    /// Something blank stands before it.
    pub(super) spaced: bool,
    /// A line ends before it.
    pub(super) line: bool,
}

impl Token<'_> {
    /// One past the last byte.
    pub(super) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Whether it is a word or a number.
    pub(super) fn is_word(&self) -> bool {
        self.text.starts_with(is_word)
    }

    /// Whether it is a number.
    pub(super) fn is_number(&self) -> bool {
        self.text.starts_with(|c: char| c.is_ascii_digit())
    }

    /// Whether it is a bracket that closed.
    pub(super) fn is_group(&self) -> bool {
        self.text.len() > 1 && self.text.starts_with(['(', '[', '{'])
    }
}

/// Letters, digits, `_`.
pub(super) fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// What the cursor is in, if it is in a token that is not a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inside {
    /// A comment.
    Comment,
    /// A string: bytes between its quotes.
    Text(usize, usize),
}

/// Reads tokens up to the cursor.
pub(super) struct Tokens<'t> {
    text: &'t str,
    at: usize,
    end: usize,
    spaced: bool,
    line: bool,
    /// What the cursor is in; known when there are no more tokens.
    pub(super) inside: Option<Inside>,
}

const LONG: &[&str] = &["=>", "::", "==", "!=", "<=", ">=", "->"];

impl<'t> Tokens<'t> {
    /// Those of `text` from byte `at` up to byte `end`.
    pub(super) fn new(text: &'t str, at: usize, end: usize) -> Tokens<'t> {
        Tokens { text, at, end, spaced: true, line: true, inside: None }
    }

    /// Whether a line ends between the last token and the cursor; whether anything blank stands there.
    pub(super) fn gap(&self) -> (bool, bool) {
        (self.line, self.spaced)
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or("")
    }

    /// Where the current line ends.
    fn line_end(&self) -> usize {
        self.rest().find(['\n', '\r']).map_or(self.text.len(), |n| self.at + n)
    }

    fn take(&mut self, end: usize) -> Option<Token<'t>> {
        // What reaches beyond the cursor is not before it.
        let end = end.min(self.end);
        let text = self.text.get(self.at..end)?;
        let token = Token { text, start: self.at, spaced: self.spaced, line: self.line };
        (self.at, self.spaced, self.line) = (end, false, false);
        Some(token)
    }
}

impl<'t> Iterator for Tokens<'t> {
    type Item = Token<'t>;

    fn next(&mut self) -> Option<Token<'t>> {
        while self.at < self.end {
            let rest = self.rest();
            let c = rest.chars().next()?;
            if c.is_whitespace() {
                self.line |= matches!(c, '\n' | '\r');
                self.spaced = true;
                self.at += c.len_utf8();
            } else if rest.starts_with("//") || (c == '#' && self.spaced) {
                let end = self.line_end();
                if self.end <= end {
                    // Behind the first sign: before it the cursor is not in the comment.
                    self.inside = Some(Inside::Comment);
                }
                (self.at, self.spaced) = (end, true);
            } else if c == '"' || c == '\'' {
                let (close, closed) = string_end(self.text, self.at, c);
                if self.end < close || (self.end == close && !closed) {
                    let content = if closed { close - 1 } else { close };
                    self.inside = Some(Inside::Text(self.at + 1, content));
                    self.at = self.end;
                    return None;
                }
                return self.take(close);
            } else if is_word(c) {
                let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                return self.take(self.at + length);
            } else {
                let long = LONG.iter().find(|sign| rest.starts_with(**sign));
                return self.take(self.at + long.map_or(c.len_utf8(), |sign| sign.len()));
            }
        }
        None
    }
}

/// Where the string that starts at `start` ends, and whether a quote ends it: otherwise its line does.
fn string_end(text: &str, start: usize, quote: char) -> (usize, bool) {
    let mut chars = text.get(start + 1..).unwrap_or("").char_indices();
    while let Some((i, c)) = chars.next() {
        match c {
            '\n' | '\r' => return (start + 1 + i, false),
            c if c == quote => return (start + 1 + i + 1, true),
            '\\' => {
                if let Some((i, '\n' | '\r')) = chars.next() {
                    return (start + 1 + i, false);
                }
            }
            _ => {}
        }
    }
    (text.len(), false)
}
