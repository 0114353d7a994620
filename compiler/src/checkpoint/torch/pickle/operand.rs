//! Operands of opcodes: bounds-checked steps over the bytes of a pickle.

use std::borrow::Cow;

use super::super::super::error::{CheckpointError, Place, Result};

/// A position in a pickle.
#[derive(Debug)]
pub(super) struct Operands<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Operands<'a> {
    pub(super) fn new(bytes: &'a [u8], position: usize) -> Operands<'a> {
        Operands { bytes, position }
    }

    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// The next `count` bytes.
    pub(super) fn take(&mut self, count: u64) -> Result<&'a [u8]> {
        let end = usize::try_from(count).ok().and_then(|n| self.position.checked_add(n));
        let taken = end.and_then(|end| self.bytes.get(self.position..end));
        let taken = taken.ok_or_else(|| {
            let error = CheckpointError::truncated(format!(
                "the pickle ends at byte {}, {} to follow",
                self.bytes.len(),
                if count == 1 { "1 byte was".to_owned() } else { format!("{count} bytes were") }
            ));
            error.at(Place::Byte(self.position as u64))
        })?;
        self.position += taken.len();
        Ok(taken)
    }

    /// The next `N` bytes.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N as u64)?);
        Ok(out)
    }

    pub(super) fn u8(&mut self) -> Result<u8> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    pub(super) fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A line without its end.
    pub(super) fn line(&mut self) -> Result<&'a [u8]> {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        match rest.iter().position(|b| *b == b'\n') {
            Some(end) => {
                let line = self.take(end as u64)?;
                self.position += 1;
                Ok(line.strip_suffix(b"\r").unwrap_or(line))
            }
            None => Err(CheckpointError::truncated("the pickle ends inside a line")
                .at(Place::Byte(self.position as u64))),
        }
    }

    /// A line of ASCII or UTF-8.
    pub(super) fn line_text(&mut self) -> Result<&'a str> {
        let at = self.position;
        let line = self.line()?;
        std::str::from_utf8(line).map_err(|_| wrong_at(at, "a line is not UTF-8"))
    }

    /// UTF-8 text of `count` bytes.
    pub(super) fn text(&mut self, count: u64) -> Result<Cow<'a, str>> {
        let at = self.position;
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
        let at = self.position;
        let line = self.line()?;
        let inner = match line {
            [b'\'', inner @ .., b'\''] | [b'"', inner @ .., b'"'] => inner,
            _ => return Err(wrong_at(at, "a string without quotes")),
        };
        unescape(inner, true).ok_or_else(|| wrong_at(at, "an unknown escape in a string"))
    }

    /// A raw-unicode-escape line of protocol 0.
    pub(super) fn unicode_line(&mut self) -> Result<String> {
        let at = self.position;
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
