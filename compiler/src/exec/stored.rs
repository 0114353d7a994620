//! The tensors of an output, found again by the metadata of its files: which arrays belong to which tensor.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use icpc_kernels::format::{Format, Role};
use icpc_kernels::{DType, memory};
use serde_json::Value;

use super::error::{RunError, RunErrorKind};
use super::source::from_checkpoint;
use crate::checkpoint::safetensors;
use crate::checkpoint::source::DiskFile;
use crate::checkpoint::{Schema, TensorInfo, TensorReader, open};
use crate::plan::metadata::TensorRecord;

/// An output that is open for reading.
#[derive(Debug)]
pub(crate) struct StoredOutput {
    pub(crate) schema: Schema,
    pub(crate) reader: TensorReader,
    /// In the order of the files.
    pub(crate) tensors: Vec<StoredTensor>,
}

/// One tensor of an output.
#[derive(Clone, Debug)]
pub(crate) struct StoredTensor {
    pub(crate) name: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) format: Format,
    /// Element type before.
    pub(crate) dtype: DType,
    pub(crate) shape: Vec<u64>,
    /// Position in the schema of the array with the elements.
    pub(crate) main: usize,
    /// Positions of the other arrays.
    pub(crate) parts: Vec<(StoredPart, usize)>,
}

/// An array beside the elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoredPart {
    Role(Role),
    /// Largest magnitudes of rows: 127 scales.
    RowMaxima,
    /// JSON with the nested offset.
    QuantState,
}

impl StoredOutput {
    /// Opens the output in folder `path`.
    pub(crate) fn open(path: &Path) -> Result<StoredOutput, RunError> {
        let schema = open(path).map_err(|e| from_checkpoint(e, "opening"))?;
        let reader = TensorReader::open(path, &schema).map_err(|e| from_checkpoint(e, "opening"))?;
        let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
        let mut records: BTreeMap<String, TensorRecord> = BTreeMap::new();
        let mut aliases: BTreeMap<String, String> = BTreeMap::new();
        for (number, file) in (0..).zip(&schema.files) {
            let path = folder.join(&file.name);
            let disk = DiskFile::open(&path)
                .map_err(|error| RunError::io(RunErrorKind::Stored, &path, "opening", &error))?;
            let header = safetensors::read(&disk, number)
                .map_err(|e| from_checkpoint(e.in_file(path.display().to_string()), "reading"))?;
            let text = |key: &str| header.entries.iter().find(|e| e.path == format!("__metadata__.{key}"));
            let (Some(tensors), Some(names)) = (text("icpc.tensors"), text("icpc.aliases")) else {
                let message = "its metadata does not say how its tensors are stored";
                return Err(RunError::new(RunErrorKind::Stored, &path, "reading", message)
                    .remedy("only outputs of icpc are read back"));
            };
            let bad = |error: serde_json::Error| {
                let message = format!("its metadata is not what icpc writes: {error}");
                RunError::new(RunErrorKind::Stored, &path, "reading", message)
            };
            records.extend(serde_json::from_str::<BTreeMap<_, _>>(&tensors.value).map_err(bad)?);
            aliases.extend(serde_json::from_str::<BTreeMap<_, _>>(&names.value).map_err(bad)?);
        }
        let tensors = collect(path, &schema, &records, &aliases)?;
        Ok(StoredOutput { schema, reader, tensors })
    }

    /// All bytes of an array.
    pub(crate) fn read_whole(&self, index: usize, path: &Path) -> Result<Vec<u8>, RunError> {
        let info = self.info(index, path)?;
        self.read(info, 0, info.bytes, path)
    }

    /// `count` elements of an array from element `first` on.
    pub(crate) fn read(
        &self,
        info: &TensorInfo,
        first: u64,
        bytes: u64,
        path: &Path,
    ) -> Result<Vec<u8>, RunError> {
        let length = usize::try_from(bytes)
            .map_err(|_| RunError::internal(path, "an array does not fit in memory").tensor(&info.name))?;
        let mut buffer = memory::zeroed(length).map_err(|_| {
            let message = format!("there is no memory for {length} bytes of an array");
            RunError::new(RunErrorKind::Environment, path, "reading", message).tensor(&info.name)
        })?;
        self.read_into(info, first, &mut buffer)?;
        Ok(buffer)
    }

    /// Fills `buffer` with elements of an array from element `first` on.
    pub(crate) fn read_into(&self, info: &TensorInfo, first: u64, buffer: &mut [u8]) -> Result<(), RunError> {
        self.reader.read_at(info, first, buffer).map_err(|e| from_checkpoint(e, "reading"))
    }

    /// What the schema says of an array.
    pub(crate) fn info(&self, index: usize, path: &Path) -> Result<&TensorInfo, RunError> {
        self.schema.tensors.get(index).ok_or_else(|| RunError::internal(path, "no such array"))
    }
}

fn collect(
    path: &Path,
    schema: &Schema,
    records: &BTreeMap<String, TensorRecord>,
    aliases: &BTreeMap<String, String>,
) -> Result<Vec<StoredTensor>, RunError> {
    let by_name = schema.by_name();
    let mut tensors = Vec::new();
    let mut claimed = BTreeSet::new();
    let aliases_of = |name: &str| -> Vec<String> {
        aliases.iter().filter(|(_, kept)| kept.as_str() == name).map(|(alias, _)| alias.clone()).collect()
    };
    for (name, record) in records {
        let bad = |message: &str| RunError::new(RunErrorKind::Stored, path, "reading", message).tensor(name);
        let format = record.format.format().ok_or_else(|| bad("its format is not known"))?;
        let dtype = DType::from_name(&record.dtype).ok_or_else(|| bad("its dtype is not known"))?;
        let layout = format.layout(&record.shape, dtype).map_err(|error| bad(&error.to_string()))?;
        let main = *by_name.get(name.as_str()).ok_or_else(|| bad("its elements are missing"))?;
        claimed.insert(main);
        let mut parts = Vec::new();
        for part in layout.parts.iter().skip(1) {
            if part.role == Role::ActivationScale {
                let key = format!("{name}.activation_scale");
                let info = by_name.get(key.as_str()).and_then(|index| schema.tensors.get(*index));
                match info {
                    Some(info) if info.dtype == part.dtype && info.shape.rank() == 0 => {}
                    Some(info) => {
                        let found = format!("{} {}", info.dtype, info.shape);
                        return Err(bad(&format!("its scale of activations is {found}, not one f32")));
                    }
                    None => return Err(bad("its scale of activations is missing")),
                }
            }
            for (stored, key) in keys(name, &format, part.role) {
                if let Some(index) = by_name.get(key.as_str()) {
                    claimed.insert(*index);
                    parts.push((stored, *index));
                }
            }
        }
        for key in extra_keys(name, &format) {
            claimed.extend(by_name.get(key.as_str()).copied());
        }
        let expected = layout.parts.first().map(|part| part.bytes);
        if schema.tensors.get(main).map(|info| info.bytes) != expected {
            return Err(bad("its elements do not have the size that its format has"));
        }
        let aliases = aliases_of(name);
        tensors.push(StoredTensor {
            name: name.clone(),
            aliases,
            format,
            dtype,
            shape: record.shape.clone(),
            main,
            parts,
        });
    }
    // What no record names is stored as it was.
    for (index, info) in schema.tensors.iter().enumerate().filter(|(index, _)| !claimed.contains(index)) {
        tensors.push(StoredTensor {
            name: info.name.to_string(),
            aliases: aliases_of(&info.name),
            format: Format::Keep,
            dtype: info.dtype,
            shape: info.shape.0.to_vec(),
            main: index,
            parts: Vec::new(),
        });
    }
    tensors.sort_by_key(|tensor| tensor.main);
    Ok(tensors)
}

/// Keys under which an array may be stored, natively or for bitsandbytes.
fn keys(name: &str, format: &Format, role: Role) -> Vec<(StoredPart, String)> {
    let module = name.strip_suffix(".weight").unwrap_or(name);
    let plain = |suffix: &str| (StoredPart::Role(role), format!("{name}.{suffix}"));
    match role {
        Role::Values | Role::Codes => Vec::new(),
        Role::Scales => vec![plain("scale"), (StoredPart::RowMaxima, format!("{module}.SCB"))],
        Role::ZeroPoints => vec![plain("zero_point")],
        Role::Absmax => vec![plain("absmax")],
        Role::QuantMap => vec![plain("quant_map")],
        Role::NestedAbsmax => vec![plain("nested_absmax")],
        Role::ActivationScale => vec![plain("activation_scale")],
        Role::NestedQuantMap => vec![plain("nested_quant_map")],
        Role::NestedOffset => vec![
            plain("nested_offset"),
            (StoredPart::QuantState, format!("{name}.quant_state.bitsandbytes__{}", format.name())),
        ],
    }
}

/// Keys that belong to a tensor and hold nothing that its numbers need.
fn extra_keys(name: &str, format: &Format) -> Vec<String> {
    let module = name.strip_suffix(".weight").unwrap_or(name);
    vec![format!("{module}.weight_format"), format!("{name}.quant_state.bitsandbytes__{}", format.name())]
}

/// The nested offset in a `quant_state` text.
pub(crate) fn nested_offset(text: &[u8]) -> Option<f32> {
    let state: Value = serde_json::from_slice(text).ok()?;
    state.get("nested_offset")?.as_f64().map(|offset| offset as f32)
}
