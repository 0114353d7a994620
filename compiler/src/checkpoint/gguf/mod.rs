//! GGUF headers, versions 2 and 3: key-value pairs, then tensor infos, then aligned data.
//!
//! Source: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

mod element;
mod tensors;
mod values;

use super::bytes::Bytes;
use super::error::{CheckpointError, ErrorKind, Place, Result};
use super::schema::{Attribute, ConfigFact, Container, Entry, Schema, SourceFile};
use super::source::ReadAt;
use super::{hash, names};
use values::Value;

/// The first four bytes.
pub(super) const MAGIC: [u8; 4] = *b"GGUF";

/// First read of the header, in bytes; it doubles while the header goes on.
const FIRST_READ: u64 = 1 << 20;

/// Longest header, in bytes. Vocabularies are in it, tens of megabytes for the largest.
pub(super) const MAX_HEADER: u64 = 512 << 20;

/// Reads the header of `file`; `name` is the file's name.
pub(super) fn read(file: &dyn ReadAt, name: &str) -> Result<Schema> {
    let mut length = FIRST_READ;
    loop {
        let take = length.min(file.size()).min(MAX_HEADER);
        let size = usize::try_from(take).map_err(|_| CheckpointError::limit("the header is too long"))?;
        let mut bytes = vec![0; size];
        file.read_exact_at(&mut bytes, 0).map_err(|e| CheckpointError::io("reading the header", &e))?;
        match parse(&bytes, file.size(), name) {
            Err(e) if e.kind == ErrorKind::Truncated && take < file.size().min(MAX_HEADER) => length *= 2,
            Err(e) if e.kind == ErrorKind::Truncated && take < file.size() => {
                return Err(CheckpointError::limit(format!("the header is longer than {MAX_HEADER} bytes")));
            }
            Err(e) => return Err(e),
            Ok(mut schema) => {
                schema.files =
                    vec![SourceFile { name: name.to_owned(), bytes: file.size(), modified: file.modified() }];
                return Ok(schema);
            }
        }
    }
}

/// Parses a header that lies within `bytes`, the start of a file of `file_bytes`. The schema has no files yet.
pub(super) fn parse(bytes: &[u8], file_bytes: u64, name: &str) -> Result<Schema> {
    let mut reader = Bytes::new(bytes, 0, "header");
    if reader.array::<4>()? != MAGIC {
        return Err(CheckpointError::malformed("it does not begin with `GGUF`").at(Place::Byte(0)));
    }
    match reader.u32()? {
        2 | 3 => {}
        version if version.swap_bytes() <= 3 => {
            return Err(CheckpointError::unsupported("a big-endian GGUF file").at(Place::Byte(4)));
        }
        version => {
            let message = format!("GGUF version {version}, versions 2 and 3 are read");
            return Err(CheckpointError::unsupported(message).at(Place::Byte(4)));
        }
    }
    let tensor_count = reader.u64()?;
    let pair_count = reader.u64()?;
    // The shortest pair takes 13 bytes, the shortest tensor 24: a larger count than the file has room for is a lie.
    if tensor_count > file_bytes / 24 || pair_count > file_bytes / 13 {
        let message = format!("{tensor_count} tensors and {pair_count} keys in a file of {file_bytes} bytes");
        return Err(CheckpointError::malformed(message).at(Place::Byte(8)));
    }
    let mut pairs = Vec::new();
    for _ in 0..pair_count {
        pairs.push(reader.pair()?);
    }
    if let Some(repeated) = names::first_repeated(pairs.iter().map(|(key, _)| *key)) {
        let key = pairs.get(repeated).map_or("", |(key, _)| *key);
        return Err(CheckpointError::malformed("the header has it twice").at(Place::Key(key.to_owned())));
    }
    check_split(&pairs)?;
    let alignment = alignment(&pairs)?;
    let mut notes = Vec::new();
    let tensors = tensors::read(&mut reader, tensor_count, alignment, file_bytes, &mut notes)?;
    let header = bytes.get(..reader.position()).unwrap_or(bytes);
    let origin = |key: &str| format!("key {key} of {name}");
    let fact = |(key, value): &(&str, Value<'_>)| {
        Some(ConfigFact { key: (*key).to_owned(), value: attribute(value)?, origin: origin(key) })
    };
    Ok(Schema {
        source: name.to_owned(),
        container: Container::Gguf,
        files: Vec::new(),
        tensors,
        config: pairs.iter().filter_map(fact).collect(),
        config_problem: None,
        entries: pairs
            .iter()
            .map(|(key, v)| Entry { path: (*key).to_owned(), value: v.to_string() })
            .collect(),
        notes,
        header_hash: hash::hex(header),
    })
}

fn attribute(value: &Value<'_>) -> Option<Attribute> {
    Some(match value {
        Value::Bool(b) => Attribute::Bool(*b),
        Value::Int(n) => Attribute::Int(i64::try_from(*n).ok()?),
        Value::Float(x) => Attribute::Float(*x),
        Value::Text(text) => Attribute::Text(text.to_string()),
        Value::Array { .. } => return None,
    })
}

/// One file of several is no checkpoint.
fn check_split(pairs: &[(&str, Value<'_>)]) -> Result<()> {
    match pairs.iter().find(|(key, _)| *key == "split.count") {
        Some((_, Value::Int(count))) if *count > 1 => {
            let error = CheckpointError::unsupported(format!("it is one of {count} files of a split GGUF"));
            Err(error.remedy("merge them with `llama-gguf-split --merge`"))
        }
        _ => Ok(()),
    }
}

fn alignment(pairs: &[(&str, Value<'_>)]) -> Result<u64> {
    let Some((key, value)) = pairs.iter().find(|(key, _)| *key == "general.alignment") else { return Ok(32) };
    match value {
        Value::Int(n) => u64::try_from(*n).ok().filter(|n| n.is_power_of_two() && *n <= 1 << 20),
        _ => None,
    }
    .ok_or_else(|| {
        CheckpointError::malformed(format!("an alignment of {value}")).at(Place::Key((*key).to_owned()))
    })
}
