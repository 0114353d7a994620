//! From listing text to a schema.

use std::collections::BTreeMap;

use super::super::error::{CheckpointError, Place, Result, Shown};
use super::super::hash;
use super::super::schema::{Attribute, ConfigFact, Container, Entry, Quantized, Schema, TensorInfo};
use super::cursor::Cursor;
use super::{MAX_TENSORS, expand};
use crate::base::{DType, Shape, checked_bytes};

/// Reads a listing; `source` is the name to show. An error names the line.
pub fn parse_listing(source: &str, text: &str) -> Result<Schema> {
    let mut listing = Listing {
        by_name: BTreeMap::new(),
        schema: Schema {
            source: source.to_owned(),
            container: Container::Listing,
            files: Vec::new(),
            tensors: Vec::new(),
            entries: Vec::new(),
            config: Vec::new(),
            config_problem: None,
            notes: Vec::new(),
            header_hash: hash::hex(text.as_bytes()),
        },
    };
    for (i, line) in text.lines().enumerate() {
        let number = i as u64 + 1;
        listing.line(line, number).map_err(|e| e.at(Place::Line(number)).in_file(source))?;
    }
    Ok(listing.schema)
}

struct Listing {
    schema: Schema,
    by_name: BTreeMap<String, u32>,
}

impl Listing {
    fn line(&mut self, line: &str, number: u64) -> Result<()> {
        let mut cursor = Cursor::new(line);
        if cursor.at_end() {
            return Ok(());
        }
        match keyword(&mut cursor) {
            Some("config") => self.config(&mut cursor, number)?,
            Some("entry") => {
                let path = single_name(&mut cursor)?;
                cursor.expect('=')?;
                let value = cursor.quoted()?;
                self.schema.entries.push(Entry { path, value });
            }
            Some(_) => {
                let note = cursor.quoted()?;
                self.schema.notes.push(note);
            }
            None => self.tensors(&mut cursor)?,
        }
        if cursor.at_end() {
            return Ok(());
        }
        Err(CheckpointError::malformed(format!("end of line expected, found {}", cursor.found())))
    }

    fn config(&mut self, cursor: &mut Cursor<'_>, number: u64) -> Result<()> {
        let key = single_name(cursor)?;
        cursor.expect('=')?;
        let value = attribute(cursor)?;
        let origin = match cursor.keyword("from") {
            true => cursor.quoted()?,
            false => format!("{}:{number}", self.schema.source),
        };
        self.schema.config.push(ConfigFact { key, value, origin });
        Ok(())
    }

    fn tensors(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        let room = MAX_TENSORS.saturating_sub(self.schema.tensors.len());
        let names = names(cursor, room)?;
        if cursor.sign('=') {
            return self.aliases(names, cursor);
        }
        let found = cursor.found();
        let dtype = DType::from_name(cursor.word())
            .ok_or_else(|| CheckpointError::malformed(format!("a dtype expected, found {found}")))?;
        let shape = Shape::from(cursor.list(|word| word.parse::<u64>().ok())?);
        let mut bytes = checked_bytes(&shape.0, dtype).ok_or_else(|| {
            CheckpointError::malformed(format!("the bytes of {dtype} {shape} do not fit in 64 bits"))
        })?;
        let mut stored_as = None;
        if cursor.keyword("as") {
            stored_as = Some(cursor.word()).filter(|w| !w.is_empty()).map(Box::from);
            let exact = match cursor.keyword("in") {
                true => cursor.word().parse().ok().filter(|_| cursor.keyword("bytes")),
                false => None,
            };
            bytes = exact.filter(|_| stored_as.is_some()).ok_or_else(|| {
                CheckpointError::malformed("`as` wants a type and its size, as in `as q4_k in 144 bytes`")
            })?;
        }
        let quantized = quantized(cursor)?.map(Box::new);
        for name in names {
            self.push(TensorInfo {
                name: name.into(),
                dtype,
                shape: shape.clone(),
                bytes,
                place: None,
                tied_to: None,
                quantized: quantized.clone(),
                stored_as: stored_as.clone(),
                line: 0,
            })?;
        }
        Ok(())
    }

    fn aliases(&mut self, names: Vec<String>, cursor: &mut Cursor<'_>) -> Result<()> {
        let firsts = self::names(cursor, MAX_TENSORS)?;
        if firsts.len() != 1 && firsts.len() != names.len() {
            let message = format!("{} aliases stand for {} names", names.len(), firsts.len());
            return Err(CheckpointError::malformed(message));
        }
        for (name, first) in names.into_iter().zip(firsts.iter().cycle()) {
            let known = self.by_name.get(first).copied();
            let Some((number, known)) = known.and_then(|n| Some((n, self.schema.tensors.get(n as usize)?)))
            else {
                let message = format!("`{}` is no tensor above this line", Shown(first));
                return Err(CheckpointError::malformed(message));
            };
            if let Some(root) = known.tied_to.and_then(|root| self.schema.tensors.get(root as usize)) {
                let message = format!("`{}` is itself an alias of `{}`", Shown(first), Shown(&root.name));
                return Err(CheckpointError::malformed(message));
            }
            let tensor = TensorInfo { name: name.into(), tied_to: Some(number), ..known.clone() };
            self.push(tensor)?;
        }
        Ok(())
    }

    fn push(&mut self, mut tensor: TensorInfo) -> Result<()> {
        let number = u32::try_from(self.schema.tensors.len()).unwrap_or(u32::MAX);
        if self.by_name.insert(tensor.name.to_string(), number).is_some() {
            return Err(CheckpointError::malformed(format!("`{}` is listed twice", Shown(&tensor.name))));
        }
        tensor.line = number;
        self.schema.tensors.push(tensor);
        Ok(())
    }
}

/// The keyword that begins a line, taken. A tensor that has a keyword's name is quoted, so only the word counts.
fn keyword(cursor: &mut Cursor<'_>) -> Option<&'static str> {
    let mut ahead = *cursor;
    let word = ahead.bare_name();
    let keyword = super::KEYWORDS.into_iter().find(|k| *k == word)?;
    *cursor = ahead;
    Some(keyword)
}

fn single_name(cursor: &mut Cursor<'_>) -> Result<String> {
    if cursor.at_quote() {
        return cursor.quoted();
    }
    match cursor.bare_name() {
        "" => Err(CheckpointError::malformed(format!("a name expected, found {}", cursor.found()))),
        name => Ok(name.to_owned()),
    }
}

fn names(cursor: &mut Cursor<'_>, room: usize) -> Result<Vec<String>> {
    if cursor.at_quote() {
        return match room {
            0 => Err(CheckpointError::limit(format!("more than {MAX_TENSORS} tensors"))),
            _ => Ok(vec![cursor.quoted()?]),
        };
    }
    let name = single_name(cursor)?;
    expand::expand(&name, room)
}

fn attribute(cursor: &mut Cursor<'_>) -> Result<Attribute> {
    if cursor.at_quote() {
        return Ok(Attribute::Text(cursor.quoted()?));
    }
    let found = cursor.found();
    let word = cursor.word();
    let value = match word {
        "true" => Some(Attribute::Bool(true)),
        "false" => Some(Attribute::Bool(false)),
        _ => match word.parse::<i64>() {
            Ok(n) => Some(Attribute::Int(n)),
            Err(_) => word.parse::<f64>().ok().map(Attribute::Float),
        },
    };
    value.ok_or_else(|| {
        CheckpointError::malformed(format!("a number, flag or quoted text expected, found {found}"))
    })
}

fn quantized(cursor: &mut Cursor<'_>) -> Result<Option<Quantized>> {
    if !cursor.keyword("quantized") {
        return Ok(None);
    }
    let wanted =
        || CheckpointError::malformed("`quantized` wants a scheme, `scales [...]` and `zeros [...]`");
    let scheme = cursor.word().to_owned();
    let axis = match cursor.keyword("axis") {
        true => Some(cursor.word().parse().map_err(|_| wanted())?),
        false => None,
    };
    if scheme.is_empty() || !cursor.keyword("scales") {
        return Err(wanted());
    }
    let scales = cursor.list(|word| word.parse::<f64>().ok())?;
    if !cursor.keyword("zeros") {
        return Err(wanted());
    }
    let zero_points = cursor.list(|word| word.parse::<i64>().ok())?;
    Ok(Some(Quantized { scheme, scales, zero_points, axis }))
}
