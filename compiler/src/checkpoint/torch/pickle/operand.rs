//! Operands of opcodes that are texts.

use std::borrow::Cow;

use super::super::super::bytes::Bytes;
use super::super::super::error::{CheckpointError, Place, Result};

impl<'a> Bytes<'a> {
    /// A line without its end.
    pub(super) fn line(&mut self) -> Result<&'a [u8]> {
        match self.rest().iter().position(|b| *b == b'\n') {
            Some(end) => {
                let line = self.take(end as u64)?;
                self.take(1)?;
                Ok(line.strip_suffix(b"\r").unwrap_or(line))
            }
            None => Err(CheckpointError::truncated("the pickle ends inside a line")
                .at(Place::Byte(self.position() as u64))),
        }
    }

    /// A line of ASCII or UTF-8.
    pub(super) fn line_text(&mut self) -> Result<&'a str> {
        let at = self.position();
        let line = self.line()?;
        std::str::from_utf8(line).map_err(|_| wrong_at(at, "a line is not UTF-8"))
    }

    /// UTF-8 text of `count` bytes.
    pub(super) fn text(&mut self, count: u64) -> Result<Cow<'a, str>> {
        let at = self.position();
        let text = std::str::from_utf8(self.take(count)?);
        text.map(Cow::Borrowed).map_err(|_| wrong_at(at, "a text is not UTF-8"))
    }

    /// A byte string of Python 2: ASCII as it is, anything else read as Latin-1.
    pub(super) fn old_text(&mut self, count: u64) -> Result<Cow<'a, str>> {
        let bytes = self.take(count)?;
        Ok(match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => Cow::Owned(bytes.iter().map(|b| char::from(*b)).collect()),
        })
    }

    /// A quoted string of protocol 0, escapes resolved.
    pub(super) fn quoted_line(&mut self) -> Result<String> {
        let at = self.position();
        let line = self.line()?;
        let inner = match line {
            [b'\'', inner @ .., b'\''] | [b'"', inner @ .., b'"'] => inner,
            _ => return Err(wrong_at(at, "a string without quotes")),
        };
        unescape(inner, true).ok_or_else(|| wrong_at(at, "an unknown escape in a string"))
    }

    /// A raw-unicode-escape line of protocol 0.
    pub(super) fn unicode_line(&mut self) -> Result<String> {
        let at = self.position();
        unescape(self.line()?, false).ok_or_else(|| wrong_at(at, "an unknown escape in a string"))
    }
}

fn wrong_at(position: usize, message: &str) -> CheckpointError {
    CheckpointError::malformed(message).at(Place::Byte(position as u64))
}

/// Latin-1 with `\uXXXX` and `\UXXXXXXXX`; with `all`, Python's other escapes too.
fn unescape(bytes: &[u8], all: bool) -> Option<String> {
    let mut out = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'\\' {
            out.push(char::from(*first));
            continue;
        }
        let digits = match rest.first() {
            Some(b'u') => 4,
            Some(b'U') => 8,
            Some(b'x') if all => 2,
            Some(escape) if all => {
                out.push(simple_escape(*escape)?);
                rest = rest.get(1..)?;
                continue;
            }
            // Raw text keeps a backslash that begins no \u.
            _ => {
                out.push('\\');
                continue;
            }
        };
        let code = std::str::from_utf8(rest.get(1..=digits)?).ok()?;
        let code = u32::from_str_radix(code, 16).ok()?;
        out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
        rest = rest.get(digits + 1..)?;
    }
    Some(out)
}

fn simple_escape(escape: u8) -> Option<char> {
    Some(match escape {
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'\\' => '\\',
        b'\'' => '\'',
        b'"' => '"',
        b'0' => '\0',
        _ => return None,
    })
}
