//! A model with some of its weights in other formats, encoded in memory by the kernels of a run.

use std::sync::Arc;

use icpc_kernels::format::{Format, Role};
use icpc_kernels::{Backend, DType, Encoder, Piece};
#[cfg(feature = "torch")]
use icpc_kernels::{Cpu, model::Weight};

use super::error::{EvalError, Failure};
use super::model::Model;
use super::weights::Loaded;

/// Elements of a chunk.
const CHUNK: u64 = 1 << 20;

/// A tensor of a model; tied ones are one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<u64>,
    /// Element type before any format.
    pub dtype: DType,
    /// Bytes as it is stored.
    pub bytes: u64,
    /// Whether it is stored as it was trained, in no format of ours.
    pub is_plain: bool,
    /// Roles that the architecture gives it, without `@`.
    pub roles: Vec<String>,
}

impl Model {
    /// The tensors that are computed with, tied ones once, in the order of the graph.
    pub fn tensors(&self) -> Vec<Storage> {
        let mut out: Vec<Storage> = Vec::new();
        for (number, weight) in self.native.weights.iter().enumerate() {
            if out.iter().any(|s| s.name == weight.name) {
                continue;
            }
            out.push(Storage {
                name: weight.name.clone(),
                shape: weight.extents().to_vec(),
                dtype: weight.dtype(),
                bytes: weight.bytes(),
                is_plain: *weight.format() == Format::Keep,
                roles: self.roles.get(number).map(|r| r.to_vec()).unwrap_or_default(),
            });
        }
        out
    }

    /// The same model with the named tensors in other formats; the others are shared, not copied.
    ///
    /// # Errors
    /// A tensor that is not there, that is in a format already, or that its format cannot hold.
    pub fn with_formats(&self, changes: &[(&str, Format)]) -> Result<Model, EvalError> {
        let mut model = self.share();
        for (name, format) in changes {
            if self.stop.is_asked() {
                return Err(EvalError::asked_to_end(self.path()));
            }
            let error = |message: String| EvalError::new(self.path(), "encoding", message).tensor(name);
            let mut stored: Option<Arc<Loaded>> = None;
            for weight in model.native.weights.iter_mut().filter(|w| w.name == *name) {
                let new = match &stored {
                    Some(known) => Arc::clone(known),
                    None => Arc::new(encoded(weight, format, self.cpu()).map_err(|f| error(f.message))?),
                };
                stored = Some(Arc::clone(&new));
                *weight = new;
            }
            if stored.is_none() {
                return Err(error("the model computes with no such tensor".to_owned()));
            }
        }
        model.runner = model.runner_at(self.place(), Some(self))?;
        model.place = self.place();
        Ok(model)
    }
}

/// What a format makes of the f32 values of a tensor: encoded as a run does it, and decoded.
///
/// # Errors
/// A value that the format cannot hold.
#[cfg(feature = "torch")]
pub(crate) fn image(
    format: &Format,
    shape: &[u64],
    values: &[f32],
    cpu: &Cpu,
) -> Result<Vec<f32>, EvalError> {
    let failed = |message: String| EvalError::new("", "encoding", message);
    let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
    let (main, parts) = parts(format, shape, DType::F32, &bytes, cpu).map_err(|f| failed(f.message))?;
    let part = |role: Role| match role {
        Role::Values | Role::Codes => Some(main.as_slice()),
        _ => parts.iter().find(|(r, _)| *r == role).map(|(_, bytes)| bytes.as_slice()),
    };
    let weight = Weight::new(format, shape, DType::F32, part).map_err(|e| failed(e.to_string()))?;
    let mut decoded = vec![0.0; values.len()];
    weight.decode(cpu, 0..weight.rows(), &mut decoded).map_err(|e| failed(e.to_string()))?;
    Ok(decoded)
}

fn encoded(weight: &Loaded, format: &Format, backend: &dyn Backend) -> Result<Loaded, Failure> {
    if *weight.format() != Format::Keep {
        let message =
            format!("it is stored as {} already: take the checkpoint it was made of", weight.format());
        return Err(Failure::new(message));
    }
    let (main, parts) = parts(format, weight.extents(), weight.dtype(), weight.main(), backend)?;
    weight.stored_again(*format, main, parts)
}

/// The array with the elements, and the others by their roles.
type Parts = (Vec<u8>, Vec<(Role, Vec<u8>)>);

fn parts(
    format: &Format,
    extents: &[u64],
    dtype: DType,
    bytes: &[u8],
    backend: &dyn Backend,
) -> Result<Parts, Failure> {
    let width = dtype.width();
    let new = Encoder::new(format, extents, dtype, CHUNK);
    let mut encoder = new.map_err(|e| Failure::new(e.to_string()))?;
    let chunk = |start: u64, elements: u64| {
        let range = (start * width) as usize..((start + elements) * width) as usize;
        bytes.get(range).ok_or_else(|| Failure::internal("a chunk beyond the tensor"))
    };
    while encoder.needs_scan() {
        let mut scan = encoder.new_scan();
        for (start, elements) in encoder.chunks() {
            encoder.scan(backend, start, chunk(start, elements)?, &mut scan)?;
        }
        encoder.absorb(scan)?;
    }
    // Maps of values are the same for all tensors: no output of ours holds them.
    let is_own = |role: Role| !matches!(role, Role::QuantMap | Role::NestedQuantMap);
    let parts = encoder.layout().parts.iter().filter(|p| is_own(p.role));
    let mut parts: Vec<(Role, Vec<u8>)> = parts.map(|p| (p.role, vec![0; p.bytes as usize])).collect();
    let (mut pieces, mut deferred): (Vec<Piece>, Vec<_>) = (Vec::new(), Vec::new());
    for (start, elements) in encoder.chunks() {
        let range = encoder.main_range(start, elements);
        let main = parts.first_mut().and_then(|(_, p)| p.get_mut(range.start as usize..range.end as usize));
        let main = main.ok_or_else(|| Failure::internal("a chunk beyond the codes"))?;
        let done = encoder.encode(backend, start, chunk(start, elements)?, main, false)?;
        pieces.extend(done.pieces);
        deferred.extend(done.deferred);
    }
    pieces.extend(encoder.finish(backend, &deferred)?);
    for piece in pieces.into_iter().filter(|p| is_own(p.role)) {
        let at = piece.offset as usize;
        let part = parts.iter_mut().find(|(role, _)| *role == piece.role);
        let place = part.and_then(|(_, p)| p.get_mut(at..at.saturating_add(piece.bytes.len())));
        place.ok_or_else(|| Failure::internal("a piece beyond its part"))?.copy_from_slice(&piece.bytes);
    }
    let main = if parts.is_empty() { Vec::new() } else { parts.remove(0).1 };
    Ok((main, parts))
}
