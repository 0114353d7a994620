//! From the record of a rebuild call to a tensor: storage, offset, shape, strides, all checked.

use super::super::error::{CheckpointError, Result, Shown};
use super::super::schema::{Placement, TensorInfo};
use super::element::{self, Element};
use super::pickle::{Heap, Id, Node};
use crate::base::{Shape, checked_len};

/// Most axes of a tensor; PyTorch's own limit.
const MAX_RANK: usize = 64;

/// Where a storage lies in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Storage {
    /// Offset of its first byte.
    pub(super) offset: u64,
    /// Its bytes.
    pub(super) bytes: u64,
    /// Its identity within the file.
    pub(super) number: u64,
}

/// What a pickle says about one tensor.
#[derive(Debug)]
pub(super) struct Record<'h> {
    /// Key of the storage.
    pub(super) key: &'h str,
    /// Bytes that the pickle gives the storage.
    pub(super) storage_bytes: u64,
    element: Element,
    /// In elements.
    offset: u64,
    size: Vec<u64>,
    stride: Vec<u64>,
    /// Parameters of the quantiser, of quantised tensors.
    pub(super) quantizer: Option<Id>,
}

/// Whether `id` records a call that rebuilds a tensor, readable or not.
pub(super) fn is_tensor(heap: &Heap<'_>, id: Id) -> bool {
    let Node::Object(object) = heap.get(id) else { return false };
    heap.global(object.class).is_some_and(|class| {
        class.starts_with("torch._utils._rebuild_") || class == "torch._tensor._rebuild_from_type_v2"
    })
}

/// Reads the record of tensor `id`.
pub(super) fn record<'h>(heap: &'h Heap<'_>, id: Id) -> Result<Record<'h>> {
    let (mut class, mut args) = call(heap, id)?;
    // A parameter wraps a tensor, which a subclass may wrap again.
    for _ in 0..16 {
        match class {
            "torch._utils._rebuild_parameter"
            | "torch._utils._rebuild_parameter_with_state"
            | "torch._utils._rebuild_device_tensor_from_cpu_tensor" => {
                let inner = args.first().copied().ok_or_else(|| short(class))?;
                (class, args) = call(heap, inner)?;
            }
            "torch._tensor._rebuild_from_type_v2" => {
                let [function, _, inner, ..] = args else { return Err(short(class)) };
                class = heap.global(*function).ok_or_else(|| short(class))?;
                args = heap.tuple(*inner).ok_or_else(|| short(class))?;
            }
            "torch._utils._rebuild_tensor" | "torch._utils._rebuild_tensor_v2" => {
                check_lazy(heap, args.get(6))?;
                return strided(heap, args, None, None);
            }
            "torch._utils._rebuild_tensor_v3" => {
                check_lazy(heap, args.get(7))?;
                let dtype = args.get(6).copied().ok_or_else(|| short(class))?;
                return strided(heap, args, Some(dtype), None);
            }
            "torch._utils._rebuild_qtensor" => {
                let quantizer = args.get(4).copied().ok_or_else(|| short(class))?;
                return strided(heap, args, None, Some(quantizer));
            }
            "torch._utils._rebuild_meta_tensor_no_storage" => {
                return Err(CheckpointError::unsupported("it was saved from the meta device, without data"));
            }
            other => {
                let message = format!("it is rebuilt by `{}`, which is not read", Shown(other));
                return Err(CheckpointError::unsupported(message)
                    .remedy("save it as an ordinary strided tensor, or leave it out"));
            }
        }
    }
    Err(CheckpointError::malformed("parameters are wrapped in each other too often"))
}

/// Refuses views whose values are not their bytes: PyTorch marks conjugated and negated ones and works later.
fn check_lazy(heap: &Heap<'_>, metadata: Option<&Id>) -> Result<()> {
    let marks = metadata.and_then(|id| heap.items(*id)).unwrap_or_default();
    let set = marks.iter().find(|(_, value)| matches!(heap.get(*value), Node::Bool(true)));
    match set.and_then(|(key, _)| heap.text(*key)) {
        None => Ok(()),
        Some(mark) => {
            let message = format!("it is a lazy view (`{}`), whose values are not its bytes", Shown(mark));
            Err(CheckpointError::unsupported(message)
                .remedy("save it after `resolve_conj()` and `resolve_neg()`"))
        }
    }
}

fn short(class: &str) -> CheckpointError {
    CheckpointError::malformed(format!("the arguments of `{}` are not those it takes", Shown(class)))
}

/// Name and arguments of a recorded call.
fn call<'h>(heap: &'h Heap<'_>, id: Id) -> Result<(&'h str, &'h [Id])> {
    let wrong = || CheckpointError::malformed("what should be a tensor is none");
    let Node::Object(object) = heap.get(id) else { return Err(wrong()) };
    let class = heap.global(object.class).ok_or_else(wrong)?;
    Ok((class, heap.tuple(object.args).ok_or_else(wrong)?))
}

/// Reads `(storage, offset, size, stride, ...)`.
fn strided<'h>(
    heap: &'h Heap<'_>,
    args: &[Id],
    dtype: Option<Id>,
    quantizer: Option<Id>,
) -> Result<Record<'h>> {
    let wrong = |what: &str| CheckpointError::malformed(what.to_owned());
    let [storage, offset, size, stride, ..] = args else {
        return Err(wrong("it has no storage, offset, shape and strides"));
    };
    let (key, typed, count, window) = storage_id(heap, *storage)?;
    let storage_bytes = count.checked_mul(typed.map_or(1, |e| e.width));
    let storage_bytes =
        storage_bytes.ok_or_else(|| wrong("its storage has more bytes than 64 bits count"))?;
    let element = match dtype {
        None => typed.ok_or_else(|| wrong("its storage has no dtype, and it names none"))?,
        Some(dtype) => {
            let name = heap.global(dtype).and_then(|d| d.strip_prefix("torch."));
            let name = name.ok_or_else(|| wrong("its dtype is none of PyTorch's"))?;
            element::of_dtype(name).ok_or_else(|| {
                CheckpointError::unsupported(format!("dtype `torch.{}` is not read", Shown(name)))
            })?
        }
    };
    let offset = heap.count(*offset).and_then(|offset| offset.checked_add(window));
    let offset = offset.ok_or_else(|| wrong("its offset is no integer from 0 up"))?;
    let counts = |id: Id, what: &str| {
        counts(heap, id)
            .ok_or_else(|| wrong(&format!("its {what} are no list of at most {MAX_RANK} integers from 0 up")))
    };
    let (size, stride) = (counts(*size, "extents")?, counts(*stride, "strides")?);
    if size.len() != stride.len() {
        return Err(wrong(&format!("it has {} extents and {} strides", size.len(), stride.len())));
    }
    Ok(Record { key, storage_bytes, element, offset, size, stride, quantizer })
}

/// Key, element type, number of elements and first element of `('storage', class, key, location, count, window)`.
fn storage_id<'h>(heap: &'h Heap<'_>, id: Id) -> Result<(&'h str, Option<Element>, u64, u64)> {
    let wrong = || CheckpointError::malformed("what should be its storage is none");
    let Node::Persistent(id) = heap.get(id) else { return Err(wrong()) };
    let Some([tag, class, key, _location, count, window @ ..]) = heap.tuple(*id) else { return Err(wrong()) };
    let class = heap.global(*class).filter(|_| heap.text(*tag) == Some("storage")).ok_or_else(wrong)?;
    let element = element::of_storage(class).ok_or_else(|| {
        CheckpointError::unsupported(format!("storages of class `{}` are not read", Shown(class)))
    })?;
    let key =
        heap.text(*key).ok_or_else(|| CheckpointError::malformed("the key of its storage is no text"))?;
    let count = heap.count(*count);
    let count =
        count.ok_or_else(|| CheckpointError::malformed("the size of its storage is no integer from 0 up"))?;
    // Before version 1.0 a storage could be a window of another one: (key, offset, count).
    let first = match window.first().map(|window| heap.get(*window)) {
        None | Some(Node::None) => 0,
        Some(Node::Tuple(parts)) => parts.get(1).and_then(|offset| heap.count(*offset)).ok_or_else(wrong)?,
        Some(_) => return Err(wrong()),
    };
    Ok((key, element, count, first))
}

/// A tuple or `torch.Size` of extents.
fn counts(heap: &Heap<'_>, id: Id) -> Option<Vec<u64>> {
    let items = match heap.get(id) {
        Node::Object(object) if heap.global(object.class) == Some("torch.Size") => {
            heap.sequence(*heap.tuple(object.args)?.first()?)?
        }
        _ => heap.sequence(id)?,
    };
    (items.len() <= MAX_RANK).then(|| items.iter().map(|i| heap.count(*i)).collect())?
}

/// Checks `record` against its storage and makes the tensor of it, in file 0.
pub(super) fn place(record: &Record<'_>, name: &str, storage: Storage) -> Result<TensorInfo> {
    let Element { dtype, width, stored_as } = record.element;
    let shape = Shape::from(record.size.clone());
    let overflow = || CheckpointError::malformed(format!("{shape} has more elements than 64 bits count"));
    let count = checked_len(&record.size).ok_or_else(overflow)?;
    let bytes = count.checked_mul(width).ok_or_else(overflow)?;
    let last = match count {
        0 => Some(record.offset),
        // Index of the last element, which has the largest offset since strides are not negative.
        _ => record.size.iter().zip(&record.stride).try_fold(record.offset, |at, (size, stride)| {
            (size - 1).checked_mul(*stride).and_then(|step| at.checked_add(step))
        }),
    };
    let end = last.and_then(|last| last.checked_add(u64::from(count > 0))).and_then(|n| n.checked_mul(width));
    if end.is_none_or(|end| end > storage.bytes) {
        let end = end.map_or("2^64".to_owned(), |end| end.to_string());
        let message = format!("it reaches to byte {end} of a storage of {} bytes", storage.bytes);
        return Err(CheckpointError::malformed(message));
    }
    let start =
        record.offset.checked_mul(width).and_then(|o| storage.offset.checked_add(o)).ok_or_else(overflow)?;
    // The stride of an axis with one element says nothing and may be anything.
    let stride =
        record.size.iter().zip(&record.stride).map(|(size, stride)| if *size == 1 { 0 } else { *stride });
    let strides = (count > 0 && !row_major(&record.size, &record.stride)).then(|| stride.collect());
    Ok(TensorInfo {
        name: name.into(),
        dtype,
        shape,
        bytes,
        place: Some(Placement { file: 0, offset: start, strides, storage: storage.number }),
        tied_to: None,
        quantized: None,
        stored_as: stored_as.map(Box::from),
        line: 0,
    })
}

/// Whether the elements lie one behind the other.
fn row_major(size: &[u64], stride: &[u64]) -> bool {
    let mut expected = 1u64;
    for (size, stride) in size.iter().zip(stride).rev() {
        if *size != 1 && *stride != expected {
            return false;
        }
        expected = expected.saturating_mul(*size);
    }
    true
}
