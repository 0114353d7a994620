//! The text at the start of a safetensors file.

use icpc_kernels::DType;
use serde_json::{Map, Value};

/// The largest header that the safetensors library reads.
pub(super) const HEADER_LIMIT: u64 = 100_000_000;

/// Name of an element type in a safetensors header.
pub(crate) const fn safetensors_dtype(dtype: DType) -> &'static str {
    match dtype {
        DType::Bool => "BOOL",
        DType::U8 => "U8",
        DType::I8 => "I8",
        DType::U16 => "U16",
        DType::I16 => "I16",
        DType::U32 => "U32",
        DType::I32 => "I32",
        DType::U64 => "U64",
        DType::I64 => "I64",
        DType::F8E4M3 => "F8_E4M3",
        DType::F8E5M2 => "F8_E5M2",
        DType::F16 => "F16",
        DType::Bf16 => "BF16",
        DType::F32 => "F32",
        DType::F64 => "F64",
        DType::C64 => "C64",
    }
}

/// One entry, without a comma.
pub(super) fn entry(key: &str, dtype: DType, shape: &[u64], begin: u64, end: u64) -> String {
    let mut out = String::with_capacity(key.len() + 80);
    push_quoted(&mut out, key);
    out.push_str(":{\"dtype\":\"");
    out.push_str(safetensors_dtype(dtype));
    out.push_str("\",\"shape\":");
    push_list(&mut out, shape);
    out.push_str(",\"data_offsets\":");
    push_list(&mut out, &[begin, end]);
    out.push('}');
    out
}

/// Appends `text` as a JSON string.
pub(super) fn push_quoted(out: &mut String, text: &str) {
    // Nearly all names are plain; what is not, the library escapes.
    if text.bytes().all(|b| b >= b' ' && b != b'"' && b != b'\\') {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&serde_json::to_string(text).unwrap_or_default());
    }
}

/// Appends `[1,2]`.
pub(super) fn push_list(out: &mut String, numbers: &[u64]) {
    out.push('[');
    for (i, number) in numbers.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        out.push_str(&number.to_string());
    }
    out.push(']');
}

/// Begins the next member of an object that is open in `out`.
pub(super) fn next(out: &mut String) {
    if out.len() > 1 {
        out.push(',');
    }
}

/// A JSON object as text.
pub(super) fn text(object: &Map<String, Value>) -> String {
    serde_json::to_string(object).unwrap_or_default()
}

/// Length prefix and header, padded with spaces so that the data begins at a multiple of 8.
pub(super) fn header(metadata: &Map<String, Value>, entries: &[String]) -> Vec<u8> {
    let mut out = String::from("{\"__metadata__\":");
    out.push_str(&text(metadata));
    for entry in entries {
        out.push(',');
        out.push_str(entry);
    }
    out.push('}');
    while !out.len().is_multiple_of(8) {
        out.push(' ');
    }
    let mut bytes = (out.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(out.as_bytes());
    bytes
}
