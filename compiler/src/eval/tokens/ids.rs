//! Token ids that are there already: `.json`, `.npy`, or numbers between white space.

use serde_json::Value;

use super::utf8;
use crate::eval::error::EvalError;

/// Longest header of an `.npy` that is read.
const MAX_HEADER: usize = 1 << 16;

pub(super) fn read(path: &str, bytes: &[u8]) -> Result<Vec<Vec<u32>>, EvalError> {
    let failed = |message: String| {
        EvalError::new(path, "reading token ids", message)
            .remedy("name a tokenizer if it is text, or `bytes`; ids are whole numbers from 0")
    };
    let extension = path.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    match extension.as_deref() {
        Some("npy") => array(bytes).map_err(failed),
        Some("json") => {
            let json: Value = serde_json::from_slice(bytes).map_err(|e| failed(e.to_string()))?;
            lists(&json).map_err(failed)
        }
        _ => {
            let text = utf8(path, bytes)?;
            let mut ids = Vec::new();
            for (number, line) in text.lines().enumerate() {
                for word in line.split_whitespace() {
                    ids.push(word.parse().map_err(|_| {
                        let short: String = word.chars().take(20).flat_map(char::escape_debug).collect();
                        failed(format!("`{short}` in line {} is no token id", number + 1))
                    })?);
                }
            }
            Ok(vec![ids])
        }
    }
}

fn lists(json: &Value) -> Result<Vec<Vec<u32>>, String> {
    let Value::Array(items) = json else { return Err("it is no list".to_owned()) };
    let one = |items: &[Value]| {
        let id = |(index, item): (usize, &Value)| {
            let id = item.as_u64().and_then(|id| u32::try_from(id).ok());
            id.ok_or_else(|| format!("item {index} is no token id"))
        };
        items.iter().enumerate().map(id).collect::<Result<Vec<u32>, String>>()
    };
    if !items.iter().any(Value::is_array) {
        return Ok(vec![one(items)?]);
    }
    let list = |(number, item): (usize, &Value)| match item {
        Value::Array(items) => one(items).map_err(|e| format!("list {number}: {e}")),
        _ => Err(format!("item {number} is no list, and others are")),
    };
    items.iter().enumerate().map(list).collect()
}

/// An array of whole numbers with one axis, or with two: a text for each row.
fn array(bytes: &[u8]) -> Result<Vec<Vec<u32>>, String> {
    let malformed = || "it is no array of numpy".to_owned();
    let rest = bytes.strip_prefix(b"\x93NUMPY").ok_or_else(malformed)?;
    let (version, rest) = rest.split_first_chunk::<2>().ok_or_else(malformed)?;
    let (length, rest) = match version {
        [1, _] => {
            let (length, rest) = rest.split_first_chunk::<2>().ok_or_else(malformed)?;
            (usize::from(u16::from_le_bytes(*length)), rest)
        }
        [2 | 3, _] => {
            let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(malformed)?;
            (u32::from_le_bytes(*length) as usize, rest)
        }
        _ => return Err(malformed()),
    };
    let (header, data) =
        rest.split_at_checked(length).filter(|_| length <= MAX_HEADER).ok_or_else(malformed)?;
    let header = std::str::from_utf8(header).map_err(|_| malformed())?;
    let value = |key: &str| Some(header.split_once(&format!("'{key}':"))?.1.trim_start());
    if value("fortran_order").is_some_and(|v| v.starts_with("True")) {
        return Err("its axes are in Fortran's order".to_owned());
    }
    let kind = value("descr").and_then(|v| v.strip_prefix('\'')?.split('\'').next()).ok_or_else(malformed)?;
    let shape = value("shape").and_then(|v| v.strip_prefix('(')?.split(')').next()).ok_or_else(malformed)?;
    let shape: Result<Vec<usize>, _> =
        shape.split(',').map(str::trim).filter(|n| !n.is_empty()).map(str::parse).collect();
    let shape = shape.map_err(|_| malformed())?;
    let (rows, columns) = match shape.as_slice() {
        [columns] => (1, *columns),
        [rows, columns] => (*rows, *columns),
        _ => return Err(format!("it has {} axes, not 1 or 2", shape.len())),
    };
    let width = match kind {
        "|u1" => 1,
        "<u2" | "<i2" => 2,
        "<u4" | "<i4" => 4,
        "<u8" | "<i8" => 8,
        other => return Err(format!("its elements are `{other}`, not whole numbers")),
    };
    let count = rows.checked_mul(columns).filter(|n| n.checked_mul(width) == Some(data.len()));
    count.ok_or_else(|| format!("its {} bytes are not those of its shape", data.len()))?;
    let signed = kind.contains('i');
    let mut ids = Vec::with_capacity(data.len() / width);
    for (index, bytes) in data.chunks_exact(width).enumerate() {
        let number = bytes.iter().rev().fold(0u64, |n, byte| n << 8 | u64::from(*byte));
        let negative = signed && bytes.last().is_some_and(|high| *high >= 128);
        let id = u32::try_from(number).ok().filter(|_| !negative);
        ids.push(id.ok_or_else(|| format!("element {index} is no token id"))?);
    }
    Ok(if rows == 1 && shape.len() == 1 {
        vec![ids]
    } else {
        ids.chunks(columns.max(1)).map(<[u32]>::to_vec).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn npy(kind: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n");
        let length = u16::try_from(header.len()).unwrap().to_le_bytes();
        [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), data].concat()
    }

    fn said(path: &str, bytes: &[u8]) -> String {
        read(path, bytes).unwrap_err().message
    }

    #[test]
    fn ids_are_read_from_text_json_and_numpy() {
        assert_eq!(read("a.txt", b"3\n4 5\n").unwrap(), [[3, 4, 5]]);
        assert_eq!(read("a.json", b"[3, 4]").unwrap(), [[3, 4]]);
        assert_eq!(read("a.json", b"[[3, 4], [5]]").unwrap(), [vec![3, 4], vec![5]]);
        assert_eq!(read("a.npy", &npy("<u2", "(2,)", &[3, 0, 1, 2])).unwrap(), [[3, 513]]);
        assert_eq!(read("a.npy", &npy("<i4", "(2, 1)", &[3, 0, 0, 0, 4, 0, 0, 0])).unwrap(), [[3], [4]]);
    }

    #[test]
    fn what_is_no_id_is_named() {
        assert_eq!(said("a.txt", b"3\nthe cat"), "`the` in line 2 is no token id");
        assert_eq!(said("a.json", b"[3, -1]"), "item 1 is no token id");
        assert_eq!(said("a.json", b"[[3], 4]"), "item 1 is no list, and others are");
        assert_eq!(said("a.json", b"{}"), "it is no list");
        assert_eq!(said("a.npy", &npy("<i2", "(1,)", &[0, 255])), "element 0 is no token id");
        assert_eq!(said("a.npy", &npy("<f4", "(1,)", &[0; 4])), "its elements are `<f4`, not whole numbers");
        let huge = npy("<u8", "(4611686018427387904, 4)", &[0; 8]);
        assert_eq!(said("a.npy", &huge), "its 8 bytes are not those of its shape");
    }
}
