//! The JSON of a safetensors header, read in one pass that borrows from it and sees every duplicate.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::error::{CheckpointError, Place, Result, Shown};
use super::name::Name;
use crate::base::Shape;

/// One tensor as the JSON has it, unchecked.
#[derive(Debug)]
pub(super) struct RawTensor<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) dtype: Cow<'a, str>,
    pub(super) shape: Shape,
    pub(super) begin: u64,
    pub(super) end: u64,
}

impl RawTensor<'_> {
    /// Its name as a part of `text`, the one that it was parsed from.
    pub(super) fn name(&self, text: &Arc<String>) -> Name {
        if let Cow::Borrowed(name) = self.name
            && let Some(start) = (name.as_ptr() as usize).checked_sub(text.as_ptr() as usize)
            && text.get(start..start + name.len()) == Some(name)
        {
            return Name::part(text, start..start + name.len());
        }
        Name::from(self.name.as_ref())
    }
}

/// The whole JSON, unchecked.
#[derive(Debug, Default)]
pub(super) struct RawHeader<'a> {
    pub(super) tensors: Vec<RawTensor<'a>>,
    pub(super) metadata: Vec<(String, String)>,
    pub(super) notes: Vec<String>,
}

/// Parses `text`; an error names the tensor that was being read.
pub(super) fn parse(text: &str) -> Result<RawHeader<'_>> {
    if !text.starts_with('{') {
        return Err(CheckpointError::malformed("the header is not a JSON object").at(Place::Byte(8)));
    }
    let mut header = RawHeader::default();
    let mut current = Cow::Borrowed("");
    let mut json = serde_json::Deserializer::from_str(text);
    let parsed =
        Top { header: &mut header, current: &mut current }.deserialize(&mut json).and_then(|()| json.end());
    match parsed {
        Ok(()) => Ok(header),
        Err(error) => {
            let place = match current.is_empty() {
                true => Place::Byte(8 + byte_of(text, error.line(), error.column())),
                false => Place::Tensor(current.into_owned()),
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
    current: &'h mut Cow<'a, str>,
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
        let mut shapes = Shapes::default();
        while let Some(name) = map.next_key_seed(Text)? {
            if name == "__metadata__" {
                if std::mem::replace(&mut metadata, true) {
                    return Err(A::Error::custom("`__metadata__` stands twice"));
                }
                map.next_value_seed(Metadata(&mut self.header.metadata))?;
                continue;
            }
            self.current.clone_from(&name);
            let seed = Tensor { name, notes: &mut self.header.notes, shapes: &mut shapes };
            self.header.tensors.push(map.next_value_seed(seed)?);
            *self.current = Cow::Borrowed("");
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

/// Shapes that were read, each once.
#[derive(Default)]
struct Shapes {
    known: BTreeSet<Arc<[u64]>>,
    /// Extents of the shape at hand; here so that they are allocated once.
    extents: Vec<u64>,
}

impl<'de> DeserializeSeed<'de> for &mut Shapes {
    type Value = Shape;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> std::result::Result<Shape, D::Error> {
        d.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for &mut Shapes {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<Shape, A::Error> {
        self.extents.clear();
        while let Some(extent) = items.next_element()? {
            self.extents.push(extent);
        }
        if let Some(known) = self.known.get(self.extents.as_slice()) {
            return Ok(Shape(Arc::clone(known)));
        }
        let shape: Arc<[u64]> = self.extents.as_slice().into();
        self.known.insert(Arc::clone(&shape));
        Ok(Shape(shape))
    }
}

struct Tensor<'h, 'a> {
    name: Cow<'a, str>,
    notes: &'h mut Vec<String>,
    shapes: &'h mut Shapes,
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
                "shape" => shape.replace(map.next_value_seed(&mut *self.shapes)?).is_some(),
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
