//! Keys and values of a GGUF header.

use std::borrow::Cow;
use std::fmt;

use super::super::bytes::Bytes;
use super::super::error::{CheckpointError, Place, Result, Shown};

/// Deepest nesting of arrays.
const MAX_DEPTH: u32 = 4;
/// Items of an array that are kept to be shown.
const SHOWN_ITEMS: usize = 4;
/// Longest text that is shown, in characters.
const SHOWN_TEXT: usize = 120;

/// A value, arrays shortened.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(Cow<'a, str>),
    Array { length: u64, first: Vec<Value<'a>> },
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(b) => write!(f, "{b}"),
            Value::Int(n) => write!(f, "{n}"),
            Value::Float(x) => write!(f, "{x:?}"),
            Value::Text(text) if text.chars().count() > SHOWN_TEXT => {
                let start: String = text.chars().take(SHOWN_TEXT).collect();
                write!(f, "{start}…")
            }
            Value::Text(text) => f.write_str(text),
            Value::Array { length, first } => {
                f.write_str("[")?;
                for (i, item) in first.iter().enumerate() {
                    write!(f, "{}{item}", if i > 0 { ", " } else { "" })?;
                }
                match length.saturating_sub(first.len() as u64) {
                    0 => f.write_str("]"),
                    more => write!(f, " and {more} more]"),
                }
            }
        }
    }
}

impl<'a> Bytes<'a> {
    /// A name, which must be UTF-8.
    pub(super) fn name(&mut self) -> Result<&'a str> {
        let at = self.position();
        let length = self.u64()?;
        std::str::from_utf8(self.take(length)?)
            .map_err(|_| CheckpointError::malformed("a name is not UTF-8").at(Place::Byte(at as u64)))
    }

    /// One key and its value.
    pub(super) fn pair(&mut self) -> Result<(&'a str, Value<'a>)> {
        let key = self.name()?;
        let kind = self.u32()?;
        let value = self.value(kind, 0).map_err(|mut e| {
            if !matches!(e.place, Place::File) {
                e.message = format!("{} (key `{}`)", e.message, Shown(key));
            }
            e.at(Place::Key(key.to_owned()))
        })?;
        Ok((key, value))
    }

    fn value(&mut self, kind: u32, depth: u32) -> Result<Value<'a>> {
        Ok(match kind {
            0 => Value::Int(self.u8()?.into()),
            1 => Value::Int(i8::from_le_bytes(self.array()?).into()),
            2 => Value::Int(self.u16()?.into()),
            3 => Value::Int(i16::from_le_bytes(self.array()?).into()),
            4 => Value::Int(self.u32()?.into()),
            5 => Value::Int(i32::from_le_bytes(self.array()?).into()),
            6 => Value::Float(f32::from_le_bytes(self.array()?).into()),
            7 => Value::Bool(self.array::<1>()? != [0]),
            8 => {
                let length = self.u64()?;
                // Tokens of a vocabulary may be parts of characters.
                Value::Text(String::from_utf8_lossy(self.take(length)?))
            }
            9 => self.list(depth)?,
            10 => Value::Int(self.u64()?.into()),
            11 => Value::Int(i64::from_le_bytes(self.array()?).into()),
            12 => Value::Float(f64::from_le_bytes(self.array()?)),
            other => return Err(CheckpointError::malformed(format!("value type {other} is not known"))),
        })
    }

    fn list(&mut self, depth: u32) -> Result<Value<'a>> {
        if depth >= MAX_DEPTH {
            return Err(CheckpointError::limit(format!("arrays nested deeper than {MAX_DEPTH}")));
        }
        let kind = self.u32()?;
        let length = self.u64()?;
        let mut first = Vec::new();
        let width = match kind {
            0 | 1 | 7 => Some(1),
            2 | 3 => Some(2),
            4..=6 => Some(4),
            10..=12 => Some(8),
            _ => None,
        };
        let shown = length.min(SHOWN_ITEMS as u64);
        for _ in 0..shown {
            first.push(self.value(kind, depth + 1)?);
        }
        match width {
            Some(width) => {
                let bytes = (length - shown).checked_mul(width);
                let bytes =
                    bytes.ok_or_else(|| CheckpointError::malformed("an array of more than 2^64 bytes"))?;
                self.take(bytes)?;
            }
            // Each item takes bytes, so the end of the header ends a length that lies.
            None => {
                for _ in shown..length {
                    self.value(kind, depth + 1)?;
                }
            }
        }
        Ok(Value::Array { length, first })
    }
}
