//! An ordinary checkpoint from an output: every float tensor decoded to one element type.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use icpc_kernels::format::{Format, Int, Per, Role};
use icpc_kernels::{Backend, DType, Decoder, HostBuffer};

use super::buffer::sized;
use super::destination::Destination;
use super::error::{RunError, RunErrorKind};
use super::place::Place;
use super::progress::Progress;
use super::schedule::{Job, run_jobs};
use super::stop::Stop;
use super::stored::{StoredOutput, StoredPart, StoredTensor, nested_offset};
use crate::base::checked_bytes;
use crate::plan::Workspace;
use crate::plan::ir::{ArmRef, OutputContainer, Plan, SourceFacts, TensorPlan, TensorSource};
use crate::plan::layout::{OutputLayout, PlacedPart};

/// Elements between places where a chunk may begin, whatever the block: nested blocks of 256 blocks of up to 4096.
const UNIT: u64 = 1 << 20;

/// What to decode, and where to.
#[derive(Clone)]
pub struct DequantizeOptions {
    /// Folder of an output.
    pub output: PathBuf,
    /// Folder to write.
    pub new: PathBuf,
    /// `f32`, `bf16` or `f16`.
    pub to: DType,
    /// Whether an existing folder is replaced.
    pub force: bool,
    /// Worker threads; as many as the machine has if `None`.
    pub threads: Option<usize>,
    /// The kernels; the best variant that this processor has if `None`.
    pub backend: Option<Arc<dyn Backend>>,
    /// Ends it soon, with nothing left behind.
    pub stop: Stop,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dequantized {
    /// Tensors.
    pub tensors: u64,
    /// Bytes of the weight file.
    pub bytes: u64,
}

/// Writes `model.safetensors` with the original names, tensors that are not floats as they are, and without
/// `quantization_config` the `config.json` if there is one.
///
/// # Errors
/// An output that icpc did not write, a value that `to` cannot hold, files that cannot be read or written.
pub fn dequantize(options: &DequantizeOptions, progress: &dyn Progress) -> Result<Dequantized, RunError> {
    let path = options.output.as_path();
    if !matches!(options.to, DType::F32 | DType::Bf16 | DType::F16) {
        let message = format!("{} is none of f32, bf16 and f16", options.to);
        return Err(RunError::new(RunErrorKind::Plan, path, "decoding", message));
    }
    let backend = super::run::kernels(options.backend.as_ref(), path)?;
    let stored = StoredOutput::open(path)?;
    let plan = plan(&stored, options.to)?;
    let layout = OutputLayout::of(&plan).map_err(|refusals| {
        let first = refusals.first().map(ToString::to_string).unwrap_or_default();
        RunError::new(RunErrorKind::Stored, path, "laying out", first)
    })?;
    let place = Place::new(&options.new)?;
    place.check(&[path], options.force)?;
    let mut destination = Destination::fresh(&place)?;
    let threads = super::threads(options.threads);
    let workspace = Workspace::new(&plan, threads);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(workspace.threads)
        .build()
        .map_err(|error| RunError::internal(path, error.to_string()))?;
    let mut names = Vec::new();
    for (number, file) in layout.files.iter().enumerate() {
        destination.create(number, &file.name, file.bytes)?;
        destination.write(number, 0, &file.header)?;
        names.push(file.name.as_str());
    }
    let parts = layout.by_tensor();
    progress.begin("decoding", layout.stored_bytes);
    let result = run_jobs(&pool, stored.tensors.len(), path, &options.stop, |index| {
        let (Some(tensor), Some(place)) =
            (stored.tensors.get(index), parts.get(index).and_then(|parts| parts.first().copied()))
        else {
            return Err(RunError::internal(path, "no such tensor"));
        };
        let chunk = (workspace.chunk_elements / UNIT).max(1).saturating_mul(UNIT);
        let around = Around {
            stored: &stored,
            path,
            destination: &destination,
            backend: &*backend,
            progress,
            to: options.to,
            chunk,
        };
        DecodeJob::new(around, tensor, place)
    });
    progress.end();
    result.map_err(|error| match error.kind {
        RunErrorKind::Interrupted => error.remedy("nothing is left behind: the same command begins anew"),
        _ => error,
    })?;
    stored.reader.check_unchanged().map_err(|e| super::source::from_checkpoint(e, "reading"))?;
    if let Some(config) = plain_config(path)? {
        destination.write_whole("config.json", &config)?;
        names.push("config.json");
    }
    destination.commit(&names)?;
    Ok(Dequantized { tensors: plan.tensors.len() as u64, bytes: layout.file_bytes })
}

/// Element type of a decoded tensor.
fn decoded(tensor: &StoredTensor, to: DType) -> DType {
    if tensor.dtype.is_float() { to } else { tensor.dtype }
}

/// The new checkpoint as a plan that keeps everything: its layout is that of any output.
fn plan(stored: &StoredOutput, to: DType) -> Result<Plan, RunError> {
    let tensors = stored.tensors.iter().map(|tensor| TensorPlan {
        name: tensor.name.clone(),
        aliases: tensor.aliases.clone(),
        source: TensorSource::Tensor(tensor.name.clone()),
        dtype: decoded(tensor, to),
        source_shape: tensor.shape.clone(),
        shape: tensor.shape.clone(),
        cuts: Vec::new(),
        mask: None,
        format: Format::Keep,
        arm: ArmRef { number: 0, pattern: "".into() },
    });
    Ok(Plan {
        recipe: "dequantize".to_owned(),
        source: SourceFacts {
            header_hash: stored.schema.header_hash.clone(),
            tensors: stored.tensors.len() as u64,
            tensor_bytes: stored.schema.tensor_bytes(),
        },
        arch: None,
        container: OutputContainer::Safetensors,
        shard_bytes: None,
        selections: Vec::new(),
        tensors: tensors.collect(),
        dropped: Vec::new(),
        derive: None,
        tune: None,
        casts: Vec::new(),
        calibrating: None,
        evaluation: None,
        calibration: None,
    })
}

fn plain_config(output: &Path) -> Result<Option<Vec<u8>>, RunError> {
    let path = output.join("config.json");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(RunError::io(RunErrorKind::Stored, &path, "reading", &error)),
    };
    let bad = |error: serde_json::Error| {
        RunError::new(RunErrorKind::Stored, &path, "reading", format!("it is not JSON: {error}"))
    };
    let mut config: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).map_err(bad)?;
    config.shift_remove("quantization_config");
    let mut bytes = serde_json::to_vec_pretty(&config).map_err(bad)?;
    bytes.push(b'\n');
    Ok(Some(bytes))
}

#[derive(Clone, Copy)]
struct Around<'a> {
    stored: &'a StoredOutput,
    path: &'a Path,
    destination: &'a Destination,
    backend: &'a dyn Backend,
    progress: &'a dyn Progress,
    to: DType,
    chunk: u64,
}

struct DecodeJob<'a> {
    around: Around<'a>,
    tensor: &'a StoredTensor,
    file: usize,
    part: &'a PlacedPart,
    elements: u64,
    /// Arrays that every chunk needs whole; of those that go along with the elements a chunk reads its own part.
    whole: Vec<(Role, Vec<u8>)>,
}

impl<'a> DecodeJob<'a> {
    fn new(
        around: Around<'a>,
        tensor: &'a StoredTensor,
        (file, part): (usize, &'a PlacedPart),
    ) -> Result<DecodeJob<'a>, RunError> {
        let mut whole = Vec::new();
        for (stored, index) in &tensor.parts {
            let read = || around.stored.read_whole(*index, around.path);
            match stored {
                StoredPart::QuantState => {
                    let offset = nested_offset(&read()?).ok_or_else(|| {
                        let message = "its quant_state has no nested offset";
                        RunError::new(RunErrorKind::Stored, around.path, "reading", message)
                            .tensor(&tensor.name)
                    })?;
                    whole.push((Role::NestedOffset, offset.to_le_bytes().to_vec()));
                }
                StoredPart::RowMaxima => {
                    let maxima = read()?;
                    let scales = maxima.as_chunks::<4>().0.iter().map(|m| f32::from_le_bytes(*m) / 127.0);
                    whole.push((Role::Scales, scales.flat_map(f32::to_le_bytes).collect()));
                }
                StoredPart::Role(Role::QuantMap | Role::NestedQuantMap) => {}
                StoredPart::Role(role) if streams(&tensor.format, *role).is_some() => {}
                StoredPart::Role(role) => whole.push((*role, read()?)),
            }
        }
        let elements = crate::base::checked_len(&tensor.shape).unwrap_or(0);
        Ok(DecodeJob { around, tensor, file, part, elements, whole })
    }

    fn error(&self, message: &str) -> RunError {
        RunError::new(RunErrorKind::Stored, self.around.path, "decoding", message).tensor(&self.tensor.name)
    }

    /// The arrays that the elements `start..start + count` need.
    fn arrays(&self, start: u64, count: u64) -> Result<Vec<(Role, Vec<u8>)>, RunError> {
        let mut arrays = Vec::new();
        for (stored, index) in &self.tensor.parts {
            let StoredPart::Role(role) = stored else { continue };
            let Some(each) = streams(&self.tensor.format, *role) else { continue };
            let info = self.around.stored.info(*index, self.around.path)?;
            let (from, to) = (start / each, (start + count).div_ceil(each));
            let bytes = (to - from).saturating_mul(info.dtype.width());
            arrays.push((*role, self.around.stored.read(info, from, bytes, self.around.path)?));
        }
        Ok(arrays)
    }
}

/// Elements for each entry of an array that goes along with the flat elements; nothing for one that chunks need whole.
fn streams(format: &Format, role: Role) -> Option<u64> {
    match (format, role) {
        (Format::Code4(code4), Role::Absmax) => Some(u64::from(code4.block)),
        (Format::Code4(code4), Role::NestedAbsmax) => Some(u64::from(code4.block) * 256),
        (Format::Int(Int { per: Per::Block(block), .. }), Role::Scales | Role::ZeroPoints) => {
            // chunks must not cut a block
            UNIT.is_multiple_of(u64::from(*block)).then_some(u64::from(*block))
        }
        _ => None,
    }
}

impl Job for DecodeJob<'_> {
    type Buffers = (HostBuffer, HostBuffer);

    fn chunks(&self) -> u64 {
        self.elements.div_ceil(self.around.chunk)
    }

    fn run_chunk(&self, chunk: u64, (main, out): &mut Self::Buffers) -> Result<(), RunError> {
        let Around { stored, path, to, backend, .. } = self.around;
        let start = chunk * self.around.chunk;
        let count = self.around.chunk.min(self.elements - start);
        let to = decoded(self.tensor, to);
        let flat = matches!(self.tensor.format, Format::Code4(_))
            || self.tensor.parts.iter().any(|(part, _)| matches!(part, StoredPart::Role(role) if streams(&self.tensor.format, *role).is_some()));
        let streamed = if flat { self.arrays(start, count)? } else { Vec::new() };
        let find = |role: Role| {
            streamed
                .iter()
                .chain(&self.whole)
                .find(|(found, _)| *found == role)
                .map(|(_, bytes)| bytes.as_slice())
        };
        // A chunk of blocks is a tensor of its own.
        let (shape, at) = if flat { (vec![count], 0) } else { (self.tensor.shape.clone(), start) };
        let decoder = Decoder::new(&self.tensor.format, &shape, self.tensor.dtype, find)
            .map_err(|error| self.error(&error.to_string()))?;
        let info = stored.info(self.tensor.main, path)?;
        let range = decoder.main_range(start, count);
        let length =
            usize::try_from(range.end - range.start).map_err(|_| self.error("a chunk is too large"))?;
        let main = sized(backend, main, length).ok_or_else(|| self.error("a chunk is too large"))?;
        stored.read_into(info, range.start / info.dtype.width().max(1), main)?;
        let bytes = checked_bytes(&[count], to).and_then(|bytes| usize::try_from(bytes).ok());
        let out = bytes.and_then(|bytes| sized(backend, out, bytes));
        let out = out.ok_or_else(|| self.error("a chunk is too large"))?;
        let count = usize::try_from(count).map_err(|_| self.error("a chunk is too large"))?;
        decoder.decode(backend, at, count, main, to, out).map_err(|error| self.error(&error.to_string()))?;
        let offset = self.part.offset.checked_add(start.saturating_mul(to.width()));
        let offset = offset.ok_or_else(|| self.error("an offset overflows"))?;
        self.around.destination.write(self.file, offset, out)?;
        self.around.progress.advance(out.len() as u64);
        Ok(())
    }

    fn advance(&self) -> Result<bool, RunError> {
        Ok(false)
    }
}
