//! Tensor infos of a GGUF header.

use super::super::bytes::Bytes;
use super::super::error::{CheckpointError, Result, Shown};
use super::super::names;
use super::super::schema::{Placement, TensorInfo};
use super::element::{self, GgmlType};
use crate::base::{DType, Shape, checked_len};

/// Most axes; ggml has four.
const MAX_RANK: u32 = 8;

/// Reads `count` infos and checks where they put their data.
pub(super) fn read(
    reader: &mut Bytes<'_>,
    count: u64,
    alignment: u64,
    file_bytes: u64,
    notes: &mut Vec<String>,
) -> Result<Vec<TensorInfo>> {
    let mut tensors = Vec::new();
    for line in 0..count {
        tensors.push(info(reader, line, alignment)?);
    }
    if let Some(repeated) = names::first_repeated(tensors.iter().map(|t| t.name.as_str())) {
        let name = tensors.get(repeated).map_or("", |t| t.name.as_str());
        return Err(CheckpointError::malformed("the header names it twice").tensor(name));
    }
    let start = (reader.position() as u64).next_multiple_of(alignment);
    for tensor in &mut tensors {
        let Some(place) = &mut tensor.place else { continue };
        let end = start.checked_add(place.offset).and_then(|o| o.checked_add(tensor.bytes));
        if end.is_none_or(|end| end > file_bytes) {
            let message = format!("its {} bytes reach beyond the {file_bytes} of the file", tensor.bytes);
            let error = CheckpointError::truncated(message).tensor(&tensor.name);
            // More header bytes would not help: this must not read as a header that goes on.
            return Err(CheckpointError { kind: super::ErrorKind::Malformed, ..error });
        }
        place.offset += start;
    }
    check_cover(&tensors, alignment, notes)?;
    Ok(tensors)
}

fn info(reader: &mut Bytes<'_>, line: u64, alignment: u64) -> Result<TensorInfo> {
    let name = reader.name()?.to_owned();
    let wrong = |message: String| CheckpointError::malformed(message).tensor(&name);
    let rank = reader.u32()?;
    if rank > MAX_RANK {
        return Err(wrong(format!("{rank} axes, at most {MAX_RANK} are read")));
    }
    let mut dims = Vec::new();
    for _ in 0..rank {
        dims.push(reader.u64()?);
    }
    let number = reader.u32()?;
    let kind = element::of_number(number).ok_or_else(|| {
        CheckpointError::unsupported(format!("ggml type {number} is not known")).tensor(&name)
    })?;
    let offset = reader.u64()?;
    if offset % alignment != 0 {
        return Err(wrong(format!("its offset {offset} is no multiple of {alignment}")));
    }
    let bytes = bytes(&dims, kind);
    // The file counts from the innermost axis.
    dims.reverse();
    let shape = Shape::from(dims);
    let bytes = bytes.ok_or_else(|| {
        wrong(format!(
            "{shape} does not divide into blocks of {} {} values, or has too many",
            kind.block, kind.name
        ))
    })?;
    Ok(TensorInfo {
        dtype: kind.dtype.unwrap_or(DType::U8),
        stored_as: kind.dtype.is_none().then(|| kind.name.into()),
        shape,
        bytes,
        place: Some(Placement { file: 0, offset, strides: None, storage: line }),
        tied_to: None,
        quantized: None,
        line: u32::try_from(line).map_err(|_| CheckpointError::limit("too many tensors"))?,
        name: name.into(),
    })
}

/// Bytes of a tensor whose rows, of `dims[0]` elements, are whole blocks.
fn bytes(dims: &[u64], kind: GgmlType) -> Option<u64> {
    let row = dims.first().copied().unwrap_or(1);
    if row % kind.block != 0 {
        return None;
    }
    (checked_len(dims)? / kind.block).checked_mul(kind.bytes)
}

/// No byte belongs to two tensors; bytes between them, beyond the padding, are worth a note.
fn check_cover(tensors: &[TensorInfo], alignment: u64, notes: &mut Vec<String>) -> Result<()> {
    let placed = tensors.iter().filter(|t| t.bytes > 0);
    let mut order: Vec<(u64, &TensorInfo)> =
        placed.filter_map(|t| Some((t.place.as_ref()?.offset, t))).collect();
    order.sort_by_key(|(offset, t)| (*offset, t.bytes));
    let mut gaps = 0u64;
    for (a, b) in order.iter().zip(order.iter().skip(1)) {
        let end = a.0 + a.1.bytes;
        if b.0 < end {
            let message = format!("its bytes overlap those of `{}`", Shown(&a.1.name));
            return Err(CheckpointError::malformed(message).tensor(&b.1.name));
        }
        gaps += (b.0 - end) / alignment;
    }
    if gaps > 0 {
        notes.push("there are bytes between the tensors that belong to none".to_owned());
    }
    Ok(())
}
