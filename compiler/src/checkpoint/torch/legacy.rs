//! PyTorch's older container: five pickles one behind the other, then the storages with their lengths.

use std::collections::BTreeMap;

use super::super::error::{CheckpointError, ErrorKind, Place, Result, Shown};
use super::super::source::ReadAt;
use super::pickle::{self, Heap, Id, MAX_PICKLE, Node};
use super::tensor::Storage;

/// The first pickle, a number that marks the format: `0x1950a86a20f9469cfc6c`.
pub(in super::super) const MAGIC: [u8; 15] =
    [0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, b'.'];

/// First read of the header, in bytes; it doubles while the pickles go on.
const FIRST_READ: u64 = 1 << 20;

/// Bytes that hold all pickles, perhaps followed by weights.
pub(super) fn header(file: &dyn ReadAt) -> Result<Vec<u8>> {
    let mut length = FIRST_READ;
    loop {
        let take = length.min(file.size()).min(MAX_PICKLE);
        let mut bytes =
            vec![0; usize::try_from(take).map_err(|_| CheckpointError::limit("the header is too long"))?];
        file.read_exact_at(&mut bytes, 0).map_err(|e| CheckpointError::io("reading the header", &e))?;
        match parse(&bytes, &mut Heap::new()) {
            Err(e) if e.kind == ErrorKind::Truncated && take < file.size() => {
                if take == MAX_PICKLE {
                    return Err(CheckpointError::limit(format!(
                        "its pickles are longer than {MAX_PICKLE} bytes"
                    )));
                }
                length *= 2;
            }
            Err(e) => return Err(e),
            Ok(parsed) => {
                bytes.truncate(parsed.end);
                return Ok(bytes);
            }
        }
    }
}

/// The pickles, read.
#[derive(Debug)]
pub(super) struct Parsed {
    /// The object that was saved.
    pub(super) root: Id,
    /// Keys of the storages, in the order of their bytes.
    keys: Vec<Id>,
    /// The byte behind the last pickle.
    pub(super) end: usize,
}

/// Reads the five pickles at the start of `bytes`.
pub(super) fn parse<'a>(bytes: &'a [u8], heap: &mut Heap<'a>) -> Result<Parsed> {
    let mut at = MAGIC.len();
    let mut next = |heap: &mut Heap<'a>| -> Result<Id> {
        let (value, end) = pickle::load(bytes, at, heap)?;
        at = end;
        Ok(value)
    };
    let protocol = next(heap)?;
    if !matches!(heap.get(protocol), Node::Int(1001)) {
        return Err(CheckpointError::unsupported(
            "the older PyTorch container has a protocol other than 1001",
        ));
    }
    let system = next(heap)?;
    let order = heap.items(system).unwrap_or_default();
    let little = order.iter().find(|(key, _)| heap.text(*key) == Some("little_endian"));
    if little.is_some_and(|(_, value)| matches!(heap.get(*value), Node::Bool(false))) {
        let error = CheckpointError::unsupported("its tensors have byte order `big`");
        return Err(error.remedy("save it again on a little-endian machine"));
    }
    let root = next(heap)?;
    let keys = next(heap)?;
    let keys = heap.sequence(keys).map(<[Id]>::to_vec);
    let keys = keys.ok_or_else(|| CheckpointError::malformed("the list of its storages is no list"))?;
    Ok(Parsed { root, keys, end: at })
}

/// Storages by key, with their place in the file.
pub(super) struct Storages {
    by_key: BTreeMap<String, (u64, u64, u64)>,
}

impl Storages {
    /// Follows the storages from the byte behind the pickles. `widths` are the bytes of an element, by key.
    pub(super) fn find(
        file: &dyn ReadAt,
        heap: &Heap<'_>,
        parsed: &Parsed,
        widths: &BTreeMap<String, u64>,
        notes: &mut Vec<String>,
    ) -> Result<Storages> {
        let mut by_key = BTreeMap::new();
        let mut at = parsed.end as u64;
        for (number, key) in parsed.keys.iter().enumerate() {
            let key = match heap.get(*key) {
                Node::Text(text) => text.to_string(),
                Node::Int(n) => n.to_string(),
                _ => return Err(CheckpointError::malformed("the key of a storage is no text")),
            };
            let mut count = [0; 8];
            let place = || Place::Key(key.clone());
            let read = file.read_exact_at(&mut count, at);
            read.map_err(|e| CheckpointError::io("reading the length of the storage", &e).at(place()))?;
            // A storage that no tensor of the object uses cannot be stepped over: its width is not known.
            let width = widths.get(&key).copied();
            let width =
                width.ok_or_else(|| CheckpointError::malformed("no tensor says its dtype").at(place()))?;
            let offset = at + 8;
            let bytes = u64::from_le_bytes(count).checked_mul(width);
            let end = bytes.and_then(|b| offset.checked_add(b)).filter(|end| *end <= file.size());
            let (Some(bytes), Some(end)) = (bytes, end) else {
                let message = format!(
                    "the storage says {} elements at byte {offset} of a file of {} bytes",
                    u64::from_le_bytes(count),
                    file.size()
                );
                return Err(CheckpointError::truncated(message).at(place()));
            };
            if by_key.insert(key.clone(), (offset, bytes, number as u64)).is_some() {
                return Err(CheckpointError::malformed("two storages have this key").at(place()));
            }
            at = end;
        }
        if at != file.size() {
            notes.push(format!("{} bytes behind the last storage are not read", file.size() - at));
        }
        Ok(Storages { by_key })
    }

    /// Where storage `key` lies; it must hold exactly `bytes`.
    pub(super) fn storage(&self, key: &str, bytes: u64) -> Result<Storage> {
        let place = || Place::Key(key.to_owned());
        let found = self.by_key.get(key).copied();
        let (offset, held, number) =
            found.ok_or_else(|| CheckpointError::malformed("the file lacks this storage").at(place()))?;
        if held != bytes {
            let message = format!("storage `{}` holds {held} bytes, the pickle says {bytes}", Shown(key));
            return Err(CheckpointError::malformed(message));
        }
        Ok(Storage { offset, bytes, number })
    }
}
