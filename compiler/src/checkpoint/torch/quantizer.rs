//! Scales and zero points of PyTorch's quantised tensors: the only numbers that a header reads from storages.

use super::super::error::{CheckpointError, Result, Shown};
use super::super::schema::{Quantized, TensorInfo};
use super::super::source::ReadAt;
use super::pickle::{Heap, Id, Node};
use super::storages::Storages;
use super::tensor;
use crate::base::DType;

/// Most bytes that all scales and zero points of a file may take.
pub(super) const MAX_BYTES: u64 = 64 << 20;

/// Reads `(scheme, scale, zero point)` or `(scheme, scales, zero points, axis)` of `tensor`.
pub(super) fn read(
    file: &dyn ReadAt,
    heap: &Heap<'_>,
    parameters: Id,
    tensor: &TensorInfo,
    storages: &mut Storages<'_>,
    budget: &mut u64,
) -> Result<Quantized> {
    let wrong = || CheckpointError::malformed("the parameters of its quantiser are not understood");
    let [scheme, scales, zero_points, rest @ ..] = heap.tuple(parameters).ok_or_else(wrong)? else {
        return Err(wrong());
    };
    let scheme = heap.global(*scheme).and_then(|s| s.strip_prefix("torch.")).ok_or_else(wrong)?.to_owned();
    let mut numbers = |id: Id| numbers(file, heap, id, storages, budget);
    let (scales, zero_points) = (numbers(*scales)?, numbers(*zero_points)?);
    let (axis, groups) = match scheme.as_str() {
        "per_tensor_affine" => (None, Some(1)),
        "per_channel_affine" | "per_channel_affine_float_qparams" => {
            let axis = rest.first().and_then(|id| heap.count(*id)).ok_or_else(wrong)?;
            let axis = u32::try_from(axis).map_err(|_| wrong())?;
            (Some(axis), tensor.shape.dim(axis as usize))
        }
        other => {
            return Err(CheckpointError::unsupported(format!(
                "quantisation scheme `{}` is not read",
                Shown(other)
            )));
        }
    };
    let fits = |n: usize| groups == Some(n as u64);
    if !fits(scales.len()) || !fits(zero_points.len()) {
        let (scales, zeros) = (scales.len(), zero_points.len());
        let message =
            format!("{scales} scales and {zeros} zero points do not fit {} `{scheme}`", tensor.shape);
        return Err(CheckpointError::malformed(message));
    }
    let whole = |x: &f64| (x.fract() == 0.0 && x.abs() < 9e15).then_some(*x as i64);
    let zero_points = zero_points.iter().map(whole).collect::<Option<Vec<i64>>>().ok_or_else(|| {
        CheckpointError::unsupported("its zero points are fractions, which is not read").tensor(&tensor.name)
    })?;
    Ok(Quantized { scheme, scales, zero_points, axis })
}

/// One number, a list of them, or the elements of a small tensor.
fn numbers(
    file: &dyn ReadAt,
    heap: &Heap<'_>,
    id: Id,
    storages: &mut Storages<'_>,
    budget: &mut u64,
) -> Result<Vec<f64>> {
    let wrong = || CheckpointError::malformed("the parameters of its quantiser are no numbers");
    let scalar = |id: Id| match heap.get(id) {
        Node::Float(x) => Some(*x),
        Node::Int(n) => Some(*n as f64),
        _ => None,
    };
    if let Some(x) = scalar(id) {
        return Ok(vec![x]);
    }
    if let Some(items) = heap.sequence(id) {
        return items.iter().map(|i| scalar(*i)).collect::<Option<_>>().ok_or_else(wrong);
    }
    if !tensor::is_tensor(heap, id) {
        return Err(wrong());
    }
    let record = tensor::record(heap, id)?;
    let storage = storages.find(record.key, record.storage_bytes)?;
    let info = tensor::place(&record, "", storage)?;
    let Some(place) = info.place.as_ref().filter(|p| p.strides.is_none() && info.stored_as.is_none()) else {
        return Err(wrong());
    };
    *budget = budget.checked_sub(info.bytes).ok_or_else(|| {
        CheckpointError::limit(format!("its scales and zero points take more than {MAX_BYTES} bytes"))
    })?;
    let mut bytes = vec![0; usize::try_from(info.bytes).map_err(|_| wrong())?];
    let read = file.read_exact_at(&mut bytes, place.offset);
    read.map_err(|e| CheckpointError::io("reading its scales", &e))?;
    match info.dtype {
        DType::F64 => Ok(bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect()),
        DType::F32 => Ok(bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b).into()).collect()),
        DType::I64 => Ok(bytes.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b) as f64).collect()),
        DType::I32 => Ok(bytes.as_chunks().0.iter().map(|b| i32::from_le_bytes(*b).into()).collect()),
        _ => Err(wrong()),
    }
}
