//! The pass before the grammar: what would confuse every rule is reported once and blanked out.
//!
//! The result has the length of the text, so spans stay as they are. Blanked: comments, a byte order mark, `#` and
//! `/* */` comments, unterminated strings (closed on their line), characters that only look like spaces or quotes,
//! NUL and other control characters, and brackets that nest too deep.

use super::error::quote;
use super::tree::SyntaxError;
use crate::base::Span;

/// How deep brackets nest; recipes need about eight. Bounds the stack of every later recursion.
pub(super) const MAX_NESTING: usize = 32;

/// Texts above this size are refused.
pub(super) const MAX_BYTES: usize = 64 << 20;

/// A text that the grammar can take.
pub(super) struct Cleaned {
    /// As long as the source, byte for byte.
    pub(super) text: String,
    /// What was blanked and why, in source order.
    pub(super) errors: Vec<SyntaxError>,
    /// Starts of strings that had no end.
    pub(super) open_strings: Vec<usize>,
    /// Places where so much was blanked that the grammar's errors on the same line mean nothing.
    pub(super) broken: Vec<usize>,
    /// Whether brackets nested too deep, so that nothing else can be said about them.
    pub(super) too_deep: bool,
}

/// Blanks out what is no text of the language.
pub(super) fn clean(source: &str) -> Cleaned {
    let mut cleaner = Cleaner {
        source,
        text: source.as_bytes().to_vec(),
        errors: vec![],
        open_strings: vec![],
        broken: vec![],
        too_deep: false,
        depth: 0,
        at: 0,
        line_end: 0,
    };
    if source.starts_with('\u{feff}') {
        cleaner.blank(0, 3);
        cleaner.at = 3;
    }
    while let Some(c) = source.get(cleaner.at..).and_then(|rest| rest.chars().next()) {
        cleaner.step(c);
    }
    // Only whole characters are overwritten, with ASCII, so this is UTF-8; if not, nothing can be parsed.
    let text = String::from_utf8(cleaner.text).unwrap_or_else(|_| " ".repeat(source.len()));
    let Cleaner { errors, open_strings, broken, too_deep, .. } = cleaner;
    Cleaned { text, errors, open_strings, broken, too_deep }
}

struct Cleaner<'t> {
    source: &'t str,
    text: Vec<u8>,
    errors: Vec<SyntaxError>,
    open_strings: Vec<usize>,
    broken: Vec<usize>,
    too_deep: bool,
    depth: usize,
    at: usize,
    line_end: usize,
}

impl Cleaner<'_> {
    fn blank(&mut self, start: usize, end: usize) {
        for byte in self.text.iter_mut().take(end).skip(start) {
            if !matches!(*byte, b'\n' | b'\r') {
                *byte = b' ';
            }
        }
    }

    fn put(&mut self, at: usize, byte: u8) {
        if let Some(place) = self.text.get_mut(at) {
            *place = byte;
        }
    }

    fn rest(&self) -> &str {
        self.source.get(self.at..).unwrap_or("")
    }

    /// Where the current line ends; looked for once a line.
    fn line_end(&mut self) -> usize {
        if self.line_end <= self.at {
            self.line_end = self.rest().find(['\n', '\r']).map_or(self.source.len(), |n| self.at + n);
        }
        self.line_end
    }

    /// What is left of the current line.
    fn line(&mut self) -> &str {
        let end = self.line_end();
        self.source.get(self.at..end).unwrap_or("")
    }

    /// The byte before the current one.
    fn before(&self) -> u8 {
        self.at.checked_sub(1).and_then(|i| self.source.as_bytes().get(i)).copied().unwrap_or(b'\n')
    }

    fn report(&mut self, error: SyntaxError) {
        self.errors.push(error);
    }

    fn report_broken(&mut self, error: SyntaxError) {
        self.broken.push(error.span.range().start);
        self.errors.push(error);
    }

    fn step(&mut self, c: char) {
        match c {
            '"' => self.string(),
            '\'' => self.single_quoted(),
            '/' if self.rest().starts_with("//") => {
                let end = self.line_end();
                self.blank(self.at, end);
                self.at = end;
            }
            '/' if self.rest().starts_with("/*") && !is_name_end(self.before()) => self.block_comment(),
            '#' if !is_name_end(self.before()) => self.hash_comment(),
            '(' | '[' | '{' => self.open(c),
            ')' | ']' | '}' => {
                self.depth = self.depth.saturating_sub(1);
                self.at += 1;
            }
            c if c.is_ascii() && (!c.is_control() || matches!(c, '\n' | '\r' | '\t')) => self.at += 1,
            c => self.odd_character(c),
        }
    }

    fn string(&mut self) {
        let start = self.at;
        let bytes = self.source.as_bytes();
        let mut at = start + 1;
        loop {
            match bytes.get(at) {
                Some(b'"') => break self.at = at + 1,
                Some(b'\\') if !matches!(bytes.get(at + 1), None | Some(b'\n' | b'\r')) => at += 2,
                None | Some(b'\n' | b'\r') => break self.open_string(start, at),
                Some(_) => at += 1,
            }
        }
    }

    /// Closes the string before what ends its line anyway, such as `,` or `);`.
    fn open_string(&mut self, start: usize, end: usize) {
        self.at = end;
        let line = self.source.get(start + 1..end).unwrap_or("");
        let content = line.trim_end_matches([',', ';', ')', '}', ']', ' ', '\t']);
        let close = start + 1 + content.len();
        self.open_strings.push(start);
        self.blank(start + 1, close);
        self.put(start, b' ');
        // `""` in the place of the string needs two bytes; the quote alone becomes a word.
        match close - start {
            1 => self.put(start, b'x'),
            _ => {
                self.put(close - 2, b'"');
                self.put(close - 1, b'"');
                if let Some(last) = self.open_strings.last_mut() {
                    *last = close - 2;
                }
            }
        }
        let shown = self.source.get(start..close).unwrap_or("\"");
        let error =
            SyntaxError::new(Span::new(start, close), format!("unterminated string {}", quote(shown)))
                .label("no closing `\"` on this line")
                .fix(Span::new(close, close), "\"");
        self.report_broken(error);
    }

    fn single_quoted(&mut self) {
        let inner = self.line().get(1..).unwrap_or("");
        self.at += inner.find('\'').map_or(1, |n| n + 2);
    }

    fn hash_comment(&mut self) {
        let (start, end) = (self.at, self.line_end());
        self.blank(start, end);
        self.at = end;
        let hash = Span::new(start, start + 1);
        self.report(SyntaxError::new(hash, "comments start with `//`, not with `#`").fix(hash, "//"));
    }

    fn block_comment(&mut self) {
        let start = self.at;
        let end = self.rest().find("*/").map(|n| start + n + 2);
        let error = SyntaxError::new(Span::new(start, start + 2), "comments are lines that start with `//`");
        let error = match end {
            Some(_) => error.label("a block comment"),
            None => error.label("a block comment without an end"),
        };
        let end = end.unwrap_or(self.source.len());
        self.blank(start, end);
        self.at = end;
        self.report(error);
    }

    fn open(&mut self, c: char) {
        if self.depth < MAX_NESTING {
            self.depth += 1;
            self.at += c.len_utf8();
            return;
        }
        let start = self.at;
        let end = end_of_brackets(self.source, start);
        self.blank(start, end);
        self.at = end;
        let headline = format!("brackets nest more than {MAX_NESTING} levels deep");
        self.too_deep = true;
        self.report_broken(SyntaxError::new(Span::new(start, start + 1), headline));
    }

    fn odd_character(&mut self, c: char) {
        let span = Span::new(self.at, self.at + c.len_utf8());
        self.at = span.range().end;
        let (ascii, name) = match c {
            '\u{a0}' | '\u{2000}'..='\u{200b}' | '\u{202f}' | '\u{3000}' | '\u{feff}' => (' ', "space"),
            '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{ab}' | '\u{bb}' => ('"', "quote"),
            '\u{2013}' | '\u{2014}' | '\u{2212}' => ('-', "dash"),
            '\0' => {
                self.blank(span.range().start, span.range().end);
                let error = SyntaxError::new(span, "a NUL byte in the text")
                    .help("save the file as UTF-8")
                    .fix(span, "");
                return self.report_broken(error);
            }
            // Letters and signs of other scripts are left to the grammar, which knows what was expected.
            c if !c.is_control() => return,
            c => {
                self.blank(span.range().start, span.range().end);
                let headline = format!("a control character U+{:04X} in the text", u32::from(c));
                return self.report_broken(SyntaxError::new(span, headline));
            }
        };
        self.blank(span.range().start, span.range().end);
        let headline = format!("U+{:04X} is not the {name} of ASCII", u32::from(c));
        let error = SyntaxError::new(span, headline).label("looks the same");
        match ascii {
            '"' => {
                let (whole, text) = self.smart_string(span);
                self.report_broken(error.fix(whole, text));
            }
            other => {
                self.put(span.range().start, if other == '-' { b'-' } else { b' ' });
                self.report_broken(error.fix(span, other.to_string()));
            }
        }
    }

    /// A string between typographic quotes: read as a string, its end looked for on this line. Returns what to
    /// replace by what.
    fn smart_string(&mut self, open: Span) -> (Span, String) {
        let (at, end) = (self.at, self.line_end());
        let inner = self.source.get(at..end).unwrap_or("");
        let Some(length) = inner.find(['\u{201c}', '\u{201d}', '\u{bb}', '"']) else {
            return (open, "\"".to_owned());
        };
        let close = at + length;
        let width = inner.get(length..).and_then(|s| s.chars().next()).map_or(1, char::len_utf8);
        self.put(open.range().end - 1, b'"');
        self.blank(close, close + width);
        self.put(close, b'"');
        self.at = close + width;
        (Span::new(open.range().start, self.at), format!("\"{}\"", inner.get(..length).unwrap_or("")))
    }
}

fn is_name_end(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'*' | b'}' | b'.' | b'/')
}

/// Where the bracket at `start` closes, counting all three kinds alike; the end of the text if it does not.
fn end_of_brackets(source: &str, start: usize) -> usize {
    let mut depth = 0usize;
    for (i, byte) in source.bytes().enumerate().skip(start) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                depth -= 1;
                if depth == 0 {
                    return i + 1;
                }
            }
            _ => {}
        }
    }
    source.len()
}
