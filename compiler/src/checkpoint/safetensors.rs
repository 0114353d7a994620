//! The header of a `.safetensors` file: eight bytes of length, JSON, then tensors without gaps.
//!
//! Source: <https://huggingface.co/docs/safetensors>, with its rules held strictly: no duplicate name, no overlap,
//! no gap, no byte beyond the last tensor.

use std::sync::Arc;

use super::error::{CheckpointError, ErrorKind, Place, Result, Shown};
use super::name::Name;
use super::safetensors_json::{RawHeader, RawTensor};
use super::schema::{Entry, Placement, TensorInfo};
use super::source::ReadAt;
use super::{hash, names, safetensors_json};
use crate::base::{DType, checked_bytes, checked_len};

/// Longest JSON that is read, in bytes: the limit of the format's own reader.
pub const MAX_HEADER: u64 = 100_000_000;

/// What one file says.
#[derive(Debug)]
pub struct Header {
    /// Tensors in the order of the JSON.
    pub tensors: Vec<TensorInfo>,
    /// `__metadata__`, values unshortened.
    pub entries: Vec<Entry>,
    /// Sentences about what was passed over.
    pub notes: Vec<String>,
    /// SHA-256 of the JSON, hex.
    pub hash: String,
}

/// Reads the header of `file`; its tensors are placed in file number `number` of the schema.
pub fn read(file: &dyn ReadAt, number: u32) -> Result<Header> {
    let mut length = [0u8; 8];
    file.read_exact_at(&mut length, 0).map_err(|e| CheckpointError::io("reading the header", &e))?;
    let length = json_length(length, file.size())?;
    let mut json = vec![0u8; length];
    file.read_exact_at(&mut json, 8).map_err(|e| CheckpointError::io("reading the header", &e))?;
    parse(json, file.size(), number)
}

/// Length of the JSON in bytes, checked against the file's size and [`MAX_HEADER`].
pub fn json_length(first: [u8; 8], file_bytes: u64) -> Result<usize> {
    let length = u64::from_le_bytes(first);
    let room = file_bytes.saturating_sub(8);
    if length > room {
        let error = CheckpointError::truncated(format!(
            "the header says {length} bytes of JSON, the file has {room} bytes behind the length"
        ));
        return Err(error.at(Place::Byte(0)));
    }
    if length > MAX_HEADER {
        let error = CheckpointError::limit(format!(
            "the header says {length} bytes of JSON, the limit is {MAX_HEADER}"
        ));
        return Err(error.at(Place::Byte(0)));
    }
    usize::try_from(length).map_err(|_| CheckpointError::limit("the header does not fit in memory"))
}

/// Parses the JSON of a file that is `file_bytes` long in all.
pub fn parse(json: Vec<u8>, file_bytes: u64, number: u32) -> Result<Header> {
    let data_start = json.len() as u64 + 8;
    let data_bytes = file_bytes.checked_sub(data_start).ok_or_else(|| {
        CheckpointError::truncated(format!("a header of {data_start} bytes in a file of {file_bytes}"))
    })?;
    let json = String::from_utf8(json).map_err(|e| {
        let offset = 8 + e.utf8_error().valid_up_to() as u64;
        CheckpointError::malformed("the header is not UTF-8").at(Place::Byte(offset))
    })?;
    // Names are parts of the text, which lives as long as they do.
    let json = Arc::new(json);
    let raw = safetensors_json::parse(&json)?;
    if let Some(repeated) = names::first_repeated(raw.tensors.iter().map(|t| t.name.as_ref())) {
        let name = raw.tensors.get(repeated).map_or("", |t| t.name.as_ref());
        return Err(CheckpointError::malformed("the header names it twice").tensor(name));
    }
    check_cover(&raw.tensors, data_bytes)?;
    let RawHeader { tensors, metadata, notes } = raw;
    let mut out = Vec::with_capacity(tensors.len());
    for (i, tensor) in tensors.into_iter().enumerate() {
        let name = tensor.name(&json);
        out.push(tensor_info(tensor, name, i, data_start, number)?);
    }
    let entries =
        metadata.into_iter().map(|(k, value)| Entry { path: format!("__metadata__.{k}"), value }).collect();
    Ok(Header { tensors: out, entries, notes, hash: hash::hex(json.as_bytes()) })
}

/// Every byte of the data belongs to exactly one tensor.
fn check_cover(tensors: &[RawTensor<'_>], data_bytes: u64) -> Result<()> {
    let mut order: Vec<&RawTensor<'_>> = tensors.iter().collect();
    order.sort_by_key(|t| (t.begin, t.end));
    let mut covered = 0;
    let mut before = "";
    for t in order {
        if t.end < t.begin {
            let (begin, end) = (t.begin, t.end);
            let error =
                CheckpointError::malformed(format!("its data ends at {end}, before it begins at {begin}"));
            return Err(error.tensor(&t.name));
        }
        if t.end > data_bytes {
            let error = CheckpointError::truncated(format!(
                "its data ends at byte {} of the data, which has {data_bytes} bytes",
                t.end
            ));
            return Err(error.tensor(&t.name).remedy("the file was cut off or its header is wrong"));
        }
        if t.begin < covered {
            let error = CheckpointError::malformed(format!("its bytes overlap those of `{}`", Shown(before)));
            return Err(error.tensor(&t.name));
        }
        if t.begin > covered {
            let error = CheckpointError::malformed(format!(
                "{} bytes before it belong to no tensor",
                t.begin - covered
            ));
            return Err(error.tensor(&t.name));
        }
        covered = t.end;
        before = &t.name;
    }
    match data_bytes - covered {
        0 => Ok(()),
        more => {
            Err(CheckpointError::malformed(format!("{more} bytes behind the last tensor belong to none")))
        }
    }
}

/// Checks one tensor's dtype, shape and bytes against each other.
fn tensor_info(
    raw: RawTensor<'_>,
    name: Name,
    index: usize,
    data_start: u64,
    file: u32,
) -> Result<TensorInfo> {
    let bytes = raw.end - raw.begin;
    let (dtype, stored_as) = match dtype_of(&raw.dtype) {
        Some(dtype) => (dtype, None),
        None => (DType::U8, Some(raw.dtype.to_ascii_lowercase().into())),
    };
    let expected = match &stored_as {
        None => checked_bytes(&raw.shape.0, dtype),
        Some(_) => {
            let Some(bits) = odd_bits(&raw.dtype) else {
                let error =
                    CheckpointError::unsupported(format!("dtype `{}` is not known", Shown(&raw.dtype)));
                return Err(error.tensor(&name));
            };
            // A byte that is shared with no other element: the format wants whole bytes.
            checked_len(&raw.shape.0).and_then(|n| n.checked_mul(bits)).filter(|b| b % 8 == 0).map(|b| b / 8)
        }
    };
    if expected != Some(bytes) {
        let wanted = match expected {
            Some(n) => format!("{n} bytes"),
            None if stored_as.is_some() => "no whole number of bytes".to_owned(),
            None => "no number of bytes below 2^64".to_owned(),
        };
        let error = CheckpointError::malformed(format!(
            "{} {} takes {wanted}, the header gives it {bytes}",
            raw.dtype.to_ascii_lowercase(),
            raw.shape
        ));
        return Err(error.tensor(&name));
    }
    let offset = data_start.checked_add(raw.begin);
    let offset = offset.ok_or_else(|| CheckpointError::malformed("its offset overflows").tensor(&name))?;
    Ok(TensorInfo {
        name,
        dtype,
        shape: raw.shape,
        bytes,
        place: Some(Placement { file, offset, strides: None, storage: index as u64 }),
        tied_to: None,
        quantized: None,
        stored_as,
        line: u32::try_from(index).map_err(|_| CheckpointError::new(ErrorKind::Limit, "too many tensors"))?,
    })
}

/// Element type of a dtype as the format writes it.
pub fn dtype_of(tag: &str) -> Option<DType> {
    Some(match tag {
        "BOOL" => DType::Bool,
        "U8" => DType::U8,
        "I8" => DType::I8,
        "U16" => DType::U16,
        "I16" => DType::I16,
        "U32" => DType::U32,
        "I32" => DType::I32,
        "U64" => DType::U64,
        "I64" => DType::I64,
        "F16" => DType::F16,
        "BF16" => DType::Bf16,
        "F32" => DType::F32,
        "F64" => DType::F64,
        "F8_E4M3" => DType::F8E4M3,
        "F8_E5M2" => DType::F8E5M2,
        "C64" => DType::C64,
        _ => return None,
    })
}

/// Bits of the dtypes that the format has and [`DType`] has not.
fn odd_bits(tag: &str) -> Option<u64> {
    match tag {
        "F4" => Some(4),
        "F6_E2M3" | "F6_E3M2" => Some(6),
        "F8_E8M0" | "F8_E4M3FNUZ" | "F8_E5M2FNUZ" => Some(8),
        _ => None,
    }
}
