//! The checkpoint of a smaller shape: elements of the larger one that stay.

use std::path::PathBuf;
use std::sync::Arc;

use super::whole;
use super::{Header, Request, Work, unread};
use crate::arch::derive::{Shape, Source as Origin};
use crate::checkpoint::{Array, Schema, TensorReader, open, small_safetensors};
use crate::exec::{RunError, RunErrorKind};
use crate::plan::hash::hex_digest;
use crate::plan::header::safetensors_dtype;

/// What is pruned.
pub(super) struct Source<'a> {
    pub(super) path: PathBuf,
    pub(super) schema: std::borrow::Cow<'a, Schema>,
}

/// The checkpoint, or what is made of it.
pub(super) fn make<'a>(request: &Request<'a>, work: &Work) -> Result<Source<'a>, RunError> {
    let Some(shape) = request.shape else {
        let schema = std::borrow::Cow::Borrowed(request.schema);
        return Ok(Source { path: request.options.checkpoint.clone(), schema });
    };
    let folder = work.at("derived");
    let of = identity(request.checkpoint, shape);
    let known = open(&folder).ok().filter(|schema| is_of(schema, &of));
    let schema: Header = match known {
        Some(schema) => Arc::new(schema),
        None => {
            let bytes = bytes(request, shape, &of)?;
            whole::write(&folder.join("model.safetensors"), &bytes)?;
            Arc::new(open(&folder).map_err(|e| unread(&folder, &e))?)
        }
    };
    let schema = std::borrow::Cow::Owned(Schema::clone(&schema));
    Ok(Source { path: folder, schema })
}

/// What the file is of: the shape, and the files that it was made of as far as a change of them is noticed.
fn identity(checkpoint: &Schema, shape: &Shape) -> String {
    let stamps = checkpoint.files.iter().map(|f| format!("{} {} {:?}", f.name, f.bytes, f.modified));
    let of = format!("{} {}", shape.schema.header_hash, stamps.collect::<Vec<_>>().join(" "));
    // short: what `open` shows of an entry may be cut
    hex_digest(of.as_bytes()).chars().take(32).collect()
}

fn is_of(schema: &Schema, of: &str) -> bool {
    schema.entries.iter().any(|entry| entry.path == "__metadata__.of" && entry.value.contains(of))
}

fn bytes(request: &Request<'_>, shape: &Shape, of: &str) -> Result<Vec<u8>, RunError> {
    let path = &request.options.checkpoint;
    let reader = TensorReader::open(path, request.checkpoint).map_err(|e| unread(path, &e))?;
    let mut arrays = Vec::new();
    for (tensor, origin) in shape.schema.tensors.iter().zip(&shape.sources) {
        if tensor.tied_to.is_some() {
            continue;
        }
        let internal = || {
            RunError::new(RunErrorKind::Internal, path, "deriving", "a tensor is not there")
                .tensor(&tensor.name)
        };
        let from = request.checkpoint.tensors.get(origin.tensor).ok_or_else(internal)?;
        let mut whole = vec![0u8; usize::try_from(from.bytes).map_err(|_| internal())?];
        reader.read_at(from, 0, &mut whole).map_err(|e| unread(path, &e))?;
        arrays.push(Array {
            name: &tensor.name,
            dtype: safetensors_dtype(tensor.dtype),
            shape: tensor.shape.0.to_vec(),
            bytes: sliced(&whole, &from.shape.0, from.dtype.width(), origin),
        });
    }
    reader.check_unchanged().map_err(|e| unread(path, &e))?;
    Ok(small_safetensors(serde_json::json!({ "of": of }), &arrays))
}

/// The elements of a row-major tensor whose indices stay in every axis.
fn sliced(bytes: &[u8], shape: &[u64], width: u64, origin: &Origin) -> Vec<u8> {
    let mut places: Vec<u64> = vec![0];
    for (axis, extent) in shape.iter().enumerate() {
        let all: Vec<u64>;
        let kept = match origin.axes.get(axis).and_then(Option::as_ref) {
            Some(kept) => kept,
            None => {
                all = (0..*extent).collect();
                &all
            }
        };
        places =
            places.iter().flat_map(|outer| kept.iter().map(move |index| outer * extent + index)).collect();
    }
    let element = |place: u64| {
        let start = usize::try_from(place.saturating_mul(width)).unwrap_or(usize::MAX);
        let end = start.saturating_add(usize::try_from(width).unwrap_or(usize::MAX));
        bytes.get(start..end).unwrap_or_default()
    };
    places.into_iter().flat_map(element).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::{Origin, sliced};

    #[test]
    fn elements_stay_whose_indices_do() {
        let bytes: Vec<u8> = (0..24).collect();
        let origin = Origin { tensor: 0, axes: vec![Some(vec![0, 2]), None] };
        assert_eq!(sliced(&bytes, &[3, 4], 2, &origin), [&bytes[..8], &bytes[16..]].concat());
        let origin = Origin { tensor: 0, axes: vec![Some(vec![1]), Some(vec![0, 3])] };
        assert_eq!(sliced(&bytes, &[3, 4], 2, &origin), [8, 9, 14, 15]);
        assert_eq!(sliced(&[7, 8], &[], 2, &Origin { tensor: 0, axes: vec![] }), [7, 8]);
    }
}
