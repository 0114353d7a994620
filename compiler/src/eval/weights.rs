//! Weights in memory, as they are stored.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use icpc_kernels::format::{Format, Int, IntBits, Per, Role};
use icpc_kernels::model::{ActivationScale, Weight, first_not_finite};
use icpc_kernels::{Cpu, DType, memory};
use rayon::prelude::*;

use super::error::{EvalError, Failure};
use super::integer::activation_scale;
use super::logical::Source;
use super::tensor::zeros;
use crate::base::checked_len;
use crate::checkpoint::TensorInfo;
use crate::exec::content::Content;
use crate::exec::stored::{StoredPart, StoredTensor, nested_offset};
use crate::graph::Graph;

/// Elements that are decoded at a time to look for NaN.
const PIECE: usize = 1 << 16;

/// One tensor.
pub(super) struct Loaded {
    pub name: String,
    pub shape: Vec<usize>,
    format: Format,
    extents: Vec<u64>,
    dtype: DType,
    main: Vec<u8>,
    parts: Vec<(Role, Vec<u8>)>,
    dense: OnceLock<Vec<f32>>,
    transposed: OnceLock<Vec<f32>>,
    transposed_codes: OnceLock<Vec<u8>>,
    activations: Option<ActivationScale>,
    /// Whether PyTorch packed the linear layer.
    packed: bool,
}

impl Loaded {
    /// How inputs of products with it are rounded; `None`: not at all.
    pub(super) fn activations(&self) -> Option<ActivationScale> {
        self.activations
    }

    /// Whether it is of a linear layer that PyTorch packed, which rounds its inputs.
    pub(super) fn is_packed(&self) -> bool {
        self.packed
    }

    /// An int8 matrix with rows and columns exchanged, its scales those of the new rows; made once and kept.
    pub(super) fn transposed_codes(&self) -> Result<Weight<'_>, Failure> {
        let (Format::Int(int), [rows, columns]) = (self.format, self.shape.as_slice()) else {
            return Err(Failure::internal("no int8 matrix"));
        };
        let codes = self.transposed_codes.get_or_init(|| {
            let all = self.main.as_slice();
            (0..*columns)
                .flat_map(|column| all.iter().skip(column).step_by((*columns).max(1)))
                .copied()
                .collect()
        });
        let per = match int.per {
            Per::Channel { axis: 1 } => Per::Channel { axis: 0 },
            Per::Channel { axis: 0 } => Per::Channel { axis: 1 },
            per => per,
        };
        let format = Format::Int(Int { per, ..int });
        let extents = [*columns as u64, *rows as u64];
        let part = |role: Role| match role {
            Role::Codes => Some(codes.as_slice()),
            _ => self.part(role),
        };
        let made = Weight::new(&format, &extents, self.dtype, part);
        made.map_err(|e| Failure { message: e.to_string(), tensor: Some(self.name.clone()) })
    }

    /// The matrix as it is stored; of a tensor with more axes, all but the last are rows.
    pub(super) fn weight(&self) -> Result<Weight<'_>, Failure> {
        let made = Weight::new(&self.format, &self.extents, self.dtype, |role| self.part(role));
        made.map_err(|e| Failure { message: e.to_string(), tensor: Some(self.name.clone()) })
    }

    /// The array with that role.
    pub(super) fn part(&self, role: Role) -> Option<&[u8]> {
        match role {
            Role::Values | Role::Codes => Some(self.main.as_slice()),
            _ => self.parts.iter().find(|(r, _)| *r == role).map(|(_, bytes)| bytes.as_slice()),
        }
    }

    /// All elements in f32; decoded once and kept.
    pub(super) fn dense(&self, cpu: &Cpu) -> Result<&[f32], Failure> {
        if let Some(known) = self.dense.get() {
            return Ok(known);
        }
        let weight = self.weight()?;
        let mut values = zeros(&[weight.rows(), weight.columns()])?;
        weight.decode(cpu, 0..weight.rows(), &mut values)?;
        Ok(self.dense.get_or_init(|| values))
    }

    /// The matrix with rows and columns exchanged, in f32; made once and kept.
    pub(super) fn transposed(&self, cpu: &Cpu) -> Result<Weight<'_>, Failure> {
        let weight = self.weight()?;
        let (rows, columns) = (weight.rows(), weight.columns());
        if self.transposed.get().is_none() {
            let mut values = zeros(&[rows, columns])?;
            let mut row = vec![0.0; columns];
            for number in 0..rows {
                weight.decode(cpu, number..number + 1, &mut row)?;
                for (place, value) in values.iter_mut().skip(number).step_by(rows.max(1)).zip(&row) {
                    *place = *value;
                }
            }
            let _ = self.transposed.set(values);
        }
        let values = self.transposed.get().ok_or_else(|| Failure::internal("no transposed weight"))?;
        Ok(Weight::dense(values, columns, rows)?)
    }

    /// The same tensor in another format.
    pub(super) fn stored_again(
        &self,
        format: Format,
        main: Vec<u8>,
        parts: Vec<(Role, Vec<u8>)>,
    ) -> Result<Loaded, Failure> {
        let made = loaded("", &self.name, format, &self.extents, self.dtype, main, parts);
        made.map_err(|e| Failure::new(e.message))
    }

    /// How it is stored.
    pub(super) fn format(&self) -> &Format {
        &self.format
    }

    /// Its shape.
    pub(super) fn extents(&self) -> &[u64] {
        &self.extents
    }

    /// Element type before the format.
    pub(super) fn dtype(&self) -> DType {
        self.dtype
    }

    /// The array with its elements.
    pub(super) fn main(&self) -> &[u8] {
        &self.main
    }

    /// Bytes that it takes in memory.
    pub(super) fn bytes(&self) -> u64 {
        self.main.len() as u64 + self.parts.iter().map(|(_, bytes)| bytes.len() as u64).sum::<u64>()
    }

    /// Bytes of the copies in f32 that were kept.
    pub(super) fn copied_bytes(&self) -> u64 {
        let copies = [&self.dense, &self.transposed];
        let floats: u64 = copies.iter().filter_map(|c| c.get()).map(|c| c.len() as u64 * 4).sum();
        floats + self.transposed_codes.get().map_or(0, |codes| codes.len() as u64)
    }

    /// Bytes that a product with it reads: of the copy, if one was kept.
    pub(super) fn read_bytes(&self) -> u64 {
        match self.copied_bytes() {
            0 => self.bytes(),
            copied => copied,
        }
    }

    /// Bytes of so many rows, about.
    pub(super) fn stored_rows(&self, rows: u64) -> u64 {
        let all = self.shape.split_last().map_or(1, |(_, front)| front.iter().map(|n| *n as u64).product());
        self.bytes().saturating_mul(rows).checked_div(all).unwrap_or(0)
    }

    /// A line with its name and the content hashes of its arrays.
    pub(super) fn content(&self) -> String {
        let hash = |bytes: &[u8]| {
            let content = Content::new(bytes.len() as u64);
            content.add(0, bytes);
            content.finish().unwrap_or_default()
        };
        let parts = self.parts.iter().map(|(role, bytes)| format!(" {role:?} {}", hash(bytes)));
        format!("{} {}{}\n", self.name, hash(&self.main), parts.collect::<String>())
    }

    /// The first element that is NaN or infinite.
    fn first_not_finite(&self, cpu: &Cpu) -> Result<Option<usize>, Failure> {
        let weight = self.weight()?;
        let (rows, columns) = (weight.rows(), weight.columns());
        let step = (PIECE / columns.max(1)).max(1);
        let mut values = Vec::new();
        for first in (0..rows).step_by(step) {
            let end = rows.min(first.saturating_add(step));
            values.resize((end - first).saturating_mul(columns), 0.0);
            weight.decode(cpu, first..end, &mut values)?;
            if let Some(index) = first_not_finite(&values) {
                return Ok(Some(first * columns + index));
            }
        }
        Ok(None)
    }
}

/// Reads the weights of `graph` and looks for NaN and infinity in them; names of one storage share it.
pub(super) fn load(
    path: &str,
    graph: &Graph,
    source: &Source,
    cpu: &Cpu,
) -> Result<Vec<Arc<Loaded>>, EvalError> {
    let mut kept: BTreeMap<usize, Arc<Loaded>> = BTreeMap::new();
    let mut all = Vec::with_capacity(graph.weights.len());
    for weight in &graph.weights {
        let number = weight.tensor.ok_or_else(|| lost(path))?;
        let storage = source.storage(number).ok_or_else(|| lost(path))?;
        let loaded = match kept.get(&storage) {
            Some(loaded) => Arc::clone(loaded),
            None => Arc::new(one(path, storage, source)?),
        };
        kept.insert(storage, Arc::clone(&loaded));
        all.push(loaded);
    }
    kept.par_iter().try_for_each(|(_, weight)| {
        let error = |message: String| EvalError::new(path, "reading", message).tensor(&weight.name);
        match weight.first_not_finite(cpu).map_err(|f| error(f.message))? {
            None => Ok(()),
            Some(index) => Err(error(format!("element {index} is NaN or infinite"))
                .remedy("the checkpoint is damaged: a model with it gives no numbers")),
        }
    })?;
    Ok(all)
}

/// The lines [`Loaded::content`] of the weights of `graph`, with one tensor in memory at a time.
pub(super) fn contents(path: &str, graph: &Graph, source: &Source) -> Result<Vec<String>, EvalError> {
    let mut kept: BTreeMap<usize, String> = BTreeMap::new();
    let mut all = Vec::with_capacity(graph.weights.len());
    for weight in &graph.weights {
        let number = weight.tensor.ok_or_else(|| lost(path))?;
        let storage = source.storage(number).ok_or_else(|| lost(path))?;
        if let Some(line) = kept.get(&storage) {
            all.push(line.clone());
            continue;
        }
        let line = one(path, storage, source)?.content();
        kept.insert(storage, line.clone());
        all.push(line);
    }
    Ok(all)
}

fn lost(path: &str) -> EvalError {
    EvalError::new(path, "reading", "internal error: a weight of the graph is nowhere")
}

/// Reads what is stored at number `storage` of the source.
fn one(path: &str, storage: usize, source: &Source) -> Result<Loaded, EvalError> {
    match source {
        Source::Plain(schema, reader, packed) => {
            let info = schema.tensors.get(storage).ok_or_else(|| lost(path))?;
            let mut bytes = buffer(path, info)?;
            reader
                .read_at(info, 0, &mut bytes)
                .map_err(|e| EvalError::new(path, "reading", e.to_string()))?;
            let loaded = plain(path, info, bytes)?;
            Ok(Loaded { packed: packed.contains(&*info.name), ..loaded })
        }
        Source::Output(stored, _) => {
            let tensor = stored.tensors.get(storage).ok_or_else(|| lost(path))?;
            let read = |array: usize| {
                let bytes = stored.read_whole(array, Path::new(path));
                bytes.map_err(|e| EvalError::new(path, "reading", e.to_string()).tensor(&tensor.name))
            };
            of_output(path, tensor, &read)
        }
    }
}

fn buffer(path: &str, info: &TensorInfo) -> Result<Vec<u8>, EvalError> {
    let error = |message: String| EvalError::new(path, "reading", message).tensor(&info.name);
    if let Some(kind) = &info.stored_as {
        return Err(error(format!("elements stored as {kind} cannot be read"))
            .remedy("take the checkpoint that it was made of"));
    }
    let bytes = usize::try_from(info.bytes).map_err(|_| error("it does not fit in memory".to_owned()))?;
    memory::zeroed(bytes).map_err(|_| error(format!("there is no memory for its {bytes} bytes")))
}

fn plain(path: &str, info: &TensorInfo, bytes: Vec<u8>) -> Result<Loaded, EvalError> {
    let shape = info.shape.0.to_vec();
    let Some(quantized) = &info.quantized else {
        return loaded(path, &info.name, Format::Keep, &shape, info.dtype, bytes, Vec::new());
    };
    if let (DType::I8, None, [scale], [0]) =
        (info.dtype, quantized.axis, quantized.scales.as_slice(), quantized.zero_points.as_slice())
    {
        // Exactly our own int8 of a whole tensor.
        let scales = vec![(Role::Scales, (*scale as f32).to_le_bytes().to_vec())];
        let format = Format::Int(Int::new(IntBits::Eight));
        return loaded(path, &info.name, format, &shape, DType::F32, bytes, scales);
    }
    // Other schemes are rare: their values are kept in f32.
    let error = |message: &str| EvalError::new(path, "reading", message).tensor(&info.name);
    let inner = match quantized.axis {
        None => checked_len(&shape).unwrap_or(0),
        Some(axis) => shape.get(axis as usize + 1..).and_then(checked_len).unwrap_or(0),
    };
    let inner = usize::try_from(inner).unwrap_or(usize::MAX).max(1);
    let groups = quantized.scales.len();
    if groups == 0 || quantized.zero_points.len() != groups || !matches!(info.dtype, DType::I8 | DType::U8) {
        return Err(error("its scales do not fit its elements"));
    }
    let mut values = Vec::with_capacity(bytes.len().saturating_mul(4));
    for (index, code) in bytes.iter().enumerate() {
        let group = index / inner % groups;
        let (scale, zero) = match (quantized.scales.get(group), quantized.zero_points.get(group)) {
            (Some(scale), Some(zero)) => (*scale, *zero),
            _ => return Err(error("its scales do not fit its elements")),
        };
        let code = if info.dtype == DType::I8 { i64::from(code.cast_signed()) } else { i64::from(*code) };
        values.extend(((code.saturating_sub(zero) as f64 * scale) as f32).to_le_bytes());
    }
    loaded(path, &info.name, Format::Keep, &shape, DType::F32, values, Vec::new())
}

fn of_output(
    path: &str,
    tensor: &StoredTensor,
    read: &dyn Fn(usize) -> Result<Vec<u8>, EvalError>,
) -> Result<Loaded, EvalError> {
    let mut parts = Vec::new();
    for (part, array) in &tensor.parts {
        let bytes = read(*array)?;
        parts.push(match part {
            StoredPart::Role(role) => (*role, bytes),
            StoredPart::RowMaxima => {
                let scales = bytes.as_chunks::<4>().0.iter().map(|m| f32::from_le_bytes(*m) / 127.0);
                (Role::Scales, scales.flat_map(f32::to_le_bytes).collect())
            }
            StoredPart::QuantState => {
                let offset = nested_offset(&bytes).ok_or_else(|| {
                    EvalError::new(path, "reading", "its quant_state has no nested offset")
                        .tensor(&tensor.name)
                })?;
                (Role::NestedOffset, offset.to_le_bytes().to_vec())
            }
        });
    }
    let main = read(tensor.main)?;
    loaded(path, &tensor.name, tensor.format, &tensor.shape, tensor.dtype, main, parts)
}

fn loaded(
    path: &str,
    name: &str,
    format: Format,
    extents: &[u64],
    dtype: DType,
    main: Vec<u8>,
    parts: Vec<(Role, Vec<u8>)>,
) -> Result<Loaded, EvalError> {
    let error = |message: String| EvalError::new(path, "reading", message).tensor(name);
    let shape: Result<Vec<usize>, _> = extents.iter().map(|n| usize::try_from(*n)).collect();
    let shape = shape.map_err(|_| error("it does not fit in memory".to_owned()))?;
    let stored = |role: Role| parts.iter().find(|(r, _)| *r == role).map(|(_, bytes)| bytes.as_slice());
    let activations = activation_scale(&format, stored).map_err(error)?;
    let loaded = Loaded {
        name: name.to_owned(),
        shape,
        format,
        extents: extents.to_vec(),
        dtype,
        main,
        parts,
        dense: OnceLock::new(),
        transposed: OnceLock::new(),
        transposed_codes: OnceLock::new(),
        activations,
        packed: false,
    };
    // Sizes are those of the format, or there is no weight.
    loaded.weight().map_err(|f| error(f.message))?;
    Ok(loaded)
}
