//! Steps over one line of a listing.

use super::super::error::{CheckpointError, Result, Shown};

/// What is left of a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(line: &'a str) -> Cursor<'a> {
        Cursor { rest: line.trim() }
    }

    /// Bytes that are left.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// Whether only a comment or nothing is left.
    pub(super) fn at_end(&self) -> bool {
        self.rest.is_empty() || self.rest.starts_with('#')
    }

    /// Takes the bytes while `keep` holds.
    fn take(&mut self, keep: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !keep(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest.trim_start();
        word
    }

    /// A bare name: everything up to white space, a quote, a bracket, or `=` outside of braces.
    pub(super) fn bare_name(&mut self) -> &'a str {
        let mut inside = false;
        let end = self.rest.find(|c: char| {
            inside = (inside || c == '{') && c != '}';
            c.is_whitespace() || matches!(c, '"' | '#' | '[' | ']') || (c == '=' && !inside)
        });
        let (name, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest.trim_start();
        name
    }

    /// A word of letters, digits, `_`, `.`, `+`, `-`.
    pub(super) fn word(&mut self) -> &'a str {
        self.take(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '+' | '-'))
    }

    /// Whether the next character is `c`; it is then taken.
    pub(super) fn sign(&mut self, c: char) -> bool {
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    /// Takes `c` or says that it is missing.
    pub(super) fn expect(&mut self, c: char) -> Result<()> {
        if self.sign(c) {
            return Ok(());
        }
        Err(CheckpointError::malformed(format!("`{c}` expected, found {}", self.found())))
    }

    /// Whether the next word is `word`; it is then taken.
    pub(super) fn keyword(&mut self, word: &str) -> bool {
        let mut ahead = *self;
        let found = ahead.word() == word;
        if found {
            *self = ahead;
        }
        found
    }

    /// Whether a quoted string comes next.
    pub(super) fn at_quote(&self) -> bool {
        self.rest.starts_with('"')
    }

    /// A JSON string.
    pub(super) fn quoted(&mut self) -> Result<String> {
        let mut escaped = false;
        let close = self.rest.char_indices().skip(1).find(|(_, c)| {
            let closes = *c == '"' && !escaped;
            escaped = *c == '\\' && !escaped;
            closes
        });
        let Some((close, _)) = close.filter(|_| self.at_quote()) else {
            return Err(CheckpointError::malformed("a quoted text has no closing quote"));
        };
        let (literal, rest) = self.rest.split_at(close + 1);
        self.rest = rest.trim_start();
        serde_json::from_str(literal)
            .map_err(|e| CheckpointError::malformed(format!("a quoted text is not a JSON string: {e}")))
    }

    /// A list in brackets, each item read by `item`.
    pub(super) fn list<T>(&mut self, item: impl Fn(&str) -> Option<T>) -> Result<Vec<T>> {
        self.expect('[')?;
        let mut out = Vec::new();
        while !self.sign(']') {
            if !out.is_empty() {
                self.expect(',')?;
            }
            let found = self.found();
            let word = self.word();
            out.push(
                item(word)
                    .ok_or_else(|| CheckpointError::malformed(format!("number expected, found {found}")))?,
            );
        }
        Ok(out)
    }

    /// What comes next, for a message.
    pub(super) fn found(&self) -> String {
        match self.rest.split_whitespace().next() {
            None => "the end of the line".to_owned(),
            Some(word) => format!("`{}`", Shown(word)),
        }
    }
}
