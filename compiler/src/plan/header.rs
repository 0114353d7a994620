//! The text at the start of a safetensors file.

use icpc_kernels::DType;
use serde_json::{Map, Value};

/// The largest header that the safetensors library reads.
pub(super) const HEADER_LIMIT: u64 = 100_000_000;

/// Name of an element type in a safetensors header.
pub(super) const fn safetensors_dtype(dtype: DType) -> &'static str {
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
    let extents: Vec<String> = shape.iter().map(u64::to_string).collect();
    format!(
        r#"{}:{{"dtype":"{}","shape":[{}],"data_offsets":[{begin},{end}]}}"#,
        quoted(key),
        safetensors_dtype(dtype),
        extents.join(",")
    )
}

/// `text` as a JSON string.
pub(super) fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// Length prefix and header, padded with spaces so that the data begins at a multiple of 8.
pub(super) fn header(metadata: &Map<String, Value>, entries: &[String]) -> Vec<u8> {
    let mut text = format!(r#"{{"__metadata__":{}"#, Value::Object(metadata.clone()));
    for entry in entries {
        text.push(',');
        text.push_str(entry);
    }
    text.push('}');
    while !text.len().is_multiple_of(8) {
        text.push(' ');
    }
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(text.as_bytes());
    bytes
}
