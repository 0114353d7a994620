//! The JSON of a safetensors header, read in one pass that borrows from it and sees every duplicate.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use super::error::{CheckpointError, Place, Result, Shown};

/// One tensor as the JSON has it, unchecked.
#[derive(Debug)]
pub(super) struct RawTensor<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) dtype: Cow<'a, str>,
    pub(super) shape: Vec<u64>,
    pub(super) begin: u64,
    pub(super) end: u64,
}

/// The whole JSON, unchecked.
#[derive(Debug, Default)]
pub(super) struct RawHeader<'a> {
    pub(super) tensors: Vec<RawTensor<'a>>,
    pub(super) metadata: Vec<(String, String)>,
    pub(super) notes: Vec<String>,
}

/// Parses `json`; an error names the tensor that was being read.
pub(super) fn parse(json: &[u8]) -> Result<RawHeader<'_>> {
    let text = std::str::from_utf8(json).map_err(|e| {
        let offset = 8 + e.valid_up_to() as u64;
        CheckpointError::malformed("the header is not UTF-8").at(Place::Byte(offset))
    })?;
    if !text.starts_with('{') {
        return Err(CheckpointError::malformed("the header is not a JSON object").at(Place::Byte(8)));
    }
    let mut header = RawHeader::default();
    let mut current = String::new();
    let mut json = serde_json::Deserializer::from_str(text);
    let parsed =
        Top { header: &mut header, current: &mut current }.deserialize(&mut json).and_then(|()| json.end());
    match parsed {
        Ok(()) => Ok(header),
        Err(error) => {
            let place = match current.is_empty() {
                true => Place::Byte(8 + byte_of(text, error.line(), error.column())),
                false => Place::Tensor(current),
            };
            Err(CheckpointError::malformed(format!("the header is wrong: {}", bare(&error))).at(place))
        }
    }
}

/// serde_json's message without its position, which is given in bytes of the file instead.
pub(super) fn bare(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let end = message.rfind(" at line ").unwrap_or(message.len());
    Shown(message.get(..end).unwrap_or(&message)).to_string()
}

fn byte_of(text: &str, line: usize, column: usize) -> u64 {
    let before = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum::<usize>();
    (before + column.saturating_sub(1)) as u64
}

struct Top<'h, 'a> {
    header: &'h mut RawHeader<'a>,
    /// Name of the tensor that is being read, for the error.
    current: &'h mut String,
}

impl<'de> DeserializeSeed<'de> for Top<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Top<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        let mut metadata = false;
        while let Some(name) = map.next_key_seed(Text)? {
            if name == "__metadata__" {
                if std::mem::replace(&mut metadata, true) {
                    return Err(A::Error::custom("`__metadata__` stands twice"));
                }
                map.next_value_seed(Metadata(&mut self.header.metadata))?;
                continue;
            }
            self.current.clear();
            self.current.push_str(&name);
            let tensor = map.next_value_seed(Tensor { name, notes: &mut self.header.notes })?;
            self.header.tensors.push(tensor);
            self.current.clear();
        }
        Ok(())
    }
}

/// A string, borrowed when it has no escape.
struct Text;

impl<'de> DeserializeSeed<'de> for Text {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> std::result::Result<Cow<'de, str>, D::Error> {
        d.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Text {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> std::result::Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> std::result::Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

struct Metadata<'h>(&'h mut Vec<(String, String)>);

impl<'de> DeserializeSeed<'de> for Metadata<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> std::result::Result<(), D::Error> {
        d.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Metadata<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`__metadata__` as an object of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(Text)? {
            let value = map.next_value_seed(Text)?;
            self.0.push((key.into_owned(), value.into_owned()));
        }
        Ok(())
    }
}

struct Tensor<'h, 'a> {
    name: Cow<'a, str>,
    notes: &'h mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for Tensor<'_, 'de> {
    type Value = RawTensor<'de>;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> std::result::Result<RawTensor<'de>, D::Error> {
        d.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Tensor<'_, 'de> {
    type Value = RawTensor<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `dtype`, `shape` and `data_offsets`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<RawTensor<'de>, A::Error> {
        let (mut dtype, mut shape, mut offsets) = (None, None, None);
        while let Some(field) = map.next_key_seed(Text)? {
            let twice = match field.as_ref() {
                "dtype" => dtype.replace(map.next_value_seed(Text)?).is_some(),
                "shape" => shape.replace(map.next_value::<Vec<u64>>()?).is_some(),
                "data_offsets" => offsets.replace(map.next_value::<(u64, u64)>()?).is_some(),
                other => {
                    map.next_value::<IgnoredAny>()?;
                    // One sentence is enough for a file in which every tensor has the field.
                    if self.notes.is_empty() {
                        let (name, field) = (Shown(&self.name), Shown(other));
                        self.notes
                            .push(format!("field `{field}` of tensor `{name}` is unknown and not read"));
                    }
                    false
                }
            };
            if twice {
                return Err(A::Error::custom(format_args!("`{field}` stands twice")));
            }
        }
        let (begin, end) = offsets.ok_or_else(|| A::Error::missing_field("data_offsets"))?;
        Ok(RawTensor {
            name: self.name,
            dtype: dtype.ok_or_else(|| A::Error::missing_field("dtype"))?,
            shape: shape.ok_or_else(|| A::Error::missing_field("shape"))?,
            begin,
            end,
        })
    }
}
