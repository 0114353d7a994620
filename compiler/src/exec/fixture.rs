//! Checkpoints for tests, written byte by byte.

use std::path::{Path, PathBuf};

use icpc_kernels::DType;
use tempfile::TempDir;

use crate::base::checked_bytes;
use crate::checkpoint::{Schema, open};
use crate::exec::{RunError, RunOptions, Silent, run};
use crate::plan::ir::Plan;
use crate::report::RunReport;

/// A folder that is removed at the end, with a checkpoint in it.
pub(super) struct Fixture {
    pub(super) folder: TempDir,
    pub(super) checkpoint: PathBuf,
    pub(super) schema: Schema,
}

/// Numbers that look like weights: a normal-like sum of a fixed generator's values, seeded by name.
pub(super) fn weights(name: &str, elements: usize) -> Vec<f32> {
    let mut state = name.bytes().fold(0x9e37_79b9_7f4a_7c15u64, |state, byte| {
        (state ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    let mut uniform = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    (0..elements).map(|_| (0..4).map(|_| uniform()).sum::<f32>() * 0.1).collect()
}

/// Values as elements of a float type, or as small integers.
pub(super) fn bytes(dtype: DType, values: &[f32]) -> Vec<u8> {
    let mut out = Vec::new();
    for value in values {
        match dtype {
            DType::F32 => out.extend(value.to_le_bytes()),
            DType::F64 => out.extend(f64::from(*value).to_le_bytes()),
            DType::Bf16 => out.extend(((value.to_bits() >> 16) as u16).to_le_bytes()),
            DType::F16 => out.extend(half_bits(*value).to_le_bytes()),
            other => out.extend(std::iter::repeat_n(value.to_bits() as u8, other.width() as usize)),
        }
    }
    out
}

/// The f16 below in magnitude: enough for weights of a test.
fn half_bits(value: f32) -> u16 {
    let bits = value.to_bits();
    let exponent = (bits >> 23 & 0xff) as i32 - 127 + 15;
    let sign = (bits >> 16 & 0x8000) as u16;
    if exponent <= 0 { sign } else { sign | (exponent as u16) << 10 | (bits >> 13 & 0x3ff) as u16 }
}

/// A safetensors file of these tensors.
pub(super) fn safetensors(tensors: &[(String, DType, Vec<u64>, Vec<u8>)]) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    let mut data = Vec::new();
    for (name, dtype, shape, bytes) in tensors {
        assert_eq!(Some(bytes.len() as u64), checked_bytes(shape, *dtype), "{name}");
        let begin = data.len();
        data.extend_from_slice(bytes);
        let kind = match dtype {
            DType::F32 => "F32",
            DType::F64 => "F64",
            DType::Bf16 => "BF16",
            DType::F16 => "F16",
            DType::I64 => "I64",
            DType::U8 => "U8",
            other => panic!("{other} is not in any test"),
        };
        let entry = serde_json::json!({"dtype": kind, "shape": shape, "data_offsets": [begin, data.len()]});
        header.insert(name.clone(), entry);
    }
    let text = serde_json::to_vec(&header).unwrap();
    let mut file = (text.len() as u64).to_le_bytes().to_vec();
    file.extend(text);
    file.extend(data);
    file
}

impl Fixture {
    /// A checkpoint with these tensors.
    pub(super) fn new(tensors: &[(String, DType, Vec<u64>, Vec<u8>)]) -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("source");
        std::fs::create_dir(&inside).unwrap();
        let checkpoint = inside.join("model.safetensors");
        std::fs::write(&checkpoint, safetensors(tensors)).unwrap();
        let schema = open(&checkpoint).unwrap();
        Fixture { folder, checkpoint, schema }
    }

    /// A checkpoint of weights for every source tensor of `plan`.
    pub(super) fn of(plan: &Plan) -> Fixture {
        let mut tensors = std::collections::BTreeMap::new();
        for tensor in &plan.tensors {
            let names = match &tensor.source {
                crate::plan::ir::TensorSource::Tensor(name) => vec![name.clone()],
                crate::plan::ir::TensorSource::Kept { family, .. } => family.clone(),
            };
            for name in names {
                let elements = tensor.source_shape.iter().product::<u64>() as usize;
                let values = bytes(tensor.dtype, &weights(&name, elements));
                tensors.insert(name.clone(), (name, tensor.dtype, tensor.source_shape.clone(), values));
            }
        }
        Fixture::new(&tensors.into_values().collect::<Vec<_>>())
    }

    pub(super) fn output(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Options for an output in the fixture's folder, on one thread.
    pub(super) fn options(&self, name: &str) -> RunOptions {
        RunOptions { threads: Some(1), ..RunOptions::new(&self.checkpoint, self.output(name)) }
    }

    pub(super) fn run(&self, plan: &Plan, name: &str) -> Result<RunReport, RunError> {
        self.run_with(plan, &self.options(name))
    }

    /// A run of all tasks at once.
    pub(super) fn run_with(&self, plan: &Plan, options: &RunOptions) -> Result<RunReport, RunError> {
        Ok(run(plan, &self.schema, options, &Silent)?.report().unwrap())
    }

    /// Message of a failed run, without the folder's name.
    pub(super) fn shown(&self, error: &RunError) -> String {
        error.to_string().replace(&self.folder.path().display().to_string(), "DIR")
    }
}

/// Names in a folder, sorted.
pub(super) fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
