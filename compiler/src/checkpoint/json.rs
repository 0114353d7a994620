//! JSON beside a checkpoint, walked with the line of each key.
//!
//! serde_json parses; a key without escapes is borrowed from the text, so its address tells its line.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::error::{CheckpointError, Place, Result};
use super::safetensors_json::bare;
use crate::base::LineIndex;

/// One step of the way to a value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step<'t> {
    /// Key of an object, and the byte where it stands, unless it has escapes.
    Key(Cow<'t, str>, Option<usize>),
    /// Position in an array.
    Item(u64),
}

impl Step<'_> {
    /// The key, or nothing for an item.
    pub(super) fn key(&self) -> &str {
        match self {
            Step::Key(key, _) => key,
            Step::Item(_) => "",
        }
    }
}

/// A value that holds no others.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar<'t> {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(Cow<'t, str>),
}

/// Calls `seen` with every scalar of `text` and the way to it, in order.
pub(super) fn walk<'t>(text: &'t str, seen: &mut dyn FnMut(&[Step<'t>], Scalar<'t>)) -> Result<()> {
    let mut walk = Walk { text, path: Vec::new(), seen };
    let mut json = serde_json::Deserializer::from_str(text);
    let walked = Value(&mut walk).deserialize(&mut json).and_then(|()| json.end());
    walked.map_err(|e| not_json(text, &e))
}

/// Line of a key in the text, from 1.
pub(super) fn line_of(index: &LineIndex, path: &[Step<'_>]) -> Option<u32> {
    let at = path.iter().rev().find_map(|step| match step {
        Step::Key(_, at) => *at,
        Step::Item(_) => None,
    })?;
    Some(index.line_column(u32::try_from(at).ok()?).0 + 1)
}

/// The sentence about text that is no JSON. Python writes `NaN` and `Infinity`, which JSON does not have.
pub(super) fn not_json(text: &str, error: &serde_json::Error) -> CheckpointError {
    let (line, column) = (error.line(), error.column());
    let content = text.lines().nth(line.saturating_sub(1)).unwrap_or("");
    let near = ["NaN", "Infinity"].into_iter().find(|word| {
        let mut places = content.match_indices(word).map(|(at, _)| at..=at + word.len() + 1);
        places.any(|around| around.contains(&column))
    });
    let message = match near {
        Some(word) => format!("bare `{word}` is not JSON"),
        None => format!("not JSON: {}", bare(error)),
    };
    CheckpointError::malformed(message).at(Place::LineColumn(line as u64, column.max(1) as u64))
}

struct Walk<'t, 's> {
    text: &'t str,
    path: Vec<Step<'t>>,
    seen: &'s mut dyn FnMut(&[Step<'t>], Scalar<'t>),
}

struct Value<'w, 't, 's>(&'w mut Walk<'t, 's>);

impl<'t> Value<'_, 't, '_> {
    fn scalar(self, value: Scalar<'t>) {
        (self.0.seen)(&self.0.path, value);
    }
}

impl<'t> DeserializeSeed<'t> for Value<'_, 't, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'t>>(self, d: D) -> std::result::Result<(), D::Error> {
        d.deserialize_any(self)
    }
}

impl<'t> Visitor<'t> for Value<'_, 't, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> std::result::Result<(), E> {
        self.scalar(Scalar::Null);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> std::result::Result<(), E> {
        self.scalar(Scalar::Bool(value));
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> std::result::Result<(), E> {
        self.scalar(Scalar::Int(value.into()));
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> std::result::Result<(), E> {
        self.scalar(Scalar::Int(value.into()));
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> std::result::Result<(), E> {
        self.scalar(Scalar::Float(value));
        Ok(())
    }

    fn visit_borrowed_str<E>(self, value: &'t str) -> std::result::Result<(), E> {
        self.scalar(Scalar::Text(Cow::Borrowed(value)));
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> std::result::Result<(), E> {
        self.scalar(Scalar::Text(Cow::Owned(value.to_owned())));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'t>>(self, mut items: A) -> std::result::Result<(), A::Error> {
        for i in 0.. {
            self.0.path.push(Step::Item(i));
            let more = items.next_element_seed(Value(&mut *self.0))?;
            self.0.path.pop();
            if more.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        while let Some(step) = map.next_key_seed(Key(self.0.text))? {
            self.0.path.push(step);
            map.next_value_seed(Value(&mut *self.0))?;
            self.0.path.pop();
        }
        Ok(())
    }
}

/// A key, with the text that it may be borrowed from.
struct Key<'t>(&'t str);

impl<'t> DeserializeSeed<'t> for Key<'t> {
    type Value = Step<'t>;

    fn deserialize<D: Deserializer<'t>>(self, d: D) -> std::result::Result<Step<'t>, D::Error> {
        d.deserialize_str(self)
    }
}

impl<'t> Visitor<'t> for Key<'t> {
    type Value = Step<'t>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'t str) -> std::result::Result<Step<'t>, E> {
        let at = (key.as_ptr() as usize).checked_sub(self.0.as_ptr() as usize);
        Ok(Step::Key(Cow::Borrowed(key), at.filter(|at| *at <= self.0.len())))
    }

    fn visit_str<E>(self, key: &str) -> std::result::Result<Step<'t>, E> {
        Ok(Step::Key(Cow::Owned(key.to_owned()), None))
    }
}
