//! `plan.json`: the plan and the exact output, one object a tensor. Field order is fixed; nothing depends on the machine.

use serde::{Deserialize, Serialize};

use super::hash::{hex_digest, plan_hash};
use super::ir::{
    ArmRef, AxisSlice, Casts, Mask, Norm, OutputContainer, Plan, Selection, TensorPlan, TensorSource, Voter,
};
use super::layout::{OutputLayout, PlacedPart};
use super::memory::PLANNED_THREADS;
use super::metadata::FormatRecord;
use super::tune::TuneRecord;

/// Version of this document's shape.
pub const PLAN_SCHEMA: u32 = 1;

/// A whole `plan.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanDocument {
    /// [`PLAN_SCHEMA`].
    pub schema: u32,
    /// [`plan_hash`] of the plan.
    pub plan_hash: String,
    /// The plan.
    pub plan: PlanRecord,
    /// Where a program that loads the output converts element types; no part of the hash.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub casts: Vec<CastsRecord>,
    /// The output.
    pub output: OutputRecord,
}

/// A plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct PlanRecord {
    pub recipe: String,
    pub source: SourceRecord,
    pub arch: Option<ArchRecord>,
    pub container: String,
    pub shard_bytes: Option<u64>,
    pub selections: Vec<SelectionRecord>,
    pub tensors: Vec<TensorPlanRecord>,
    pub dropped: Vec<DroppedRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub derive: Option<DeriveRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tune: Option<TuneRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<CalibrationRecord>,
}

/// A smaller shape: dims with their extents before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct DeriveRecord {
    pub name: String,
    pub header_hash: String,
    pub dims: Vec<(String, u64, u64)>,
}

/// What static scales of activations are measured on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct CalibrationRecord {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    pub statistics: bool,
}

/// What the source stores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct SourceRecord {
    pub header_hash: String,
    pub tensors: u64,
    pub tensor_bytes: u64,
}

/// The architecture and its dims.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct ArchRecord {
    pub name: String,
    pub dims: Vec<(String, u64)>,
}

/// A choice of indices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct SelectionRecord {
    pub dim: String,
    pub scope: String,
    pub of: u64,
    pub keep: u64,
    pub by: String,
    pub voters: Vec<VoterRecord>,
}

/// A tensor that is ranked: either with an axis, or as a member of a family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct VoterRecord {
    pub tensor: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice: Option<SliceRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
}

/// [`AxisSlice`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct SliceRecord {
    pub axis: usize,
    pub before: u64,
    pub outer: u64,
    pub inner: u64,
    pub after: u64,
}

/// What happens to a tensor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct TensorPlanRecord {
    pub name: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    pub source: TensorSourceRecord,
    pub dtype: String,
    pub source_shape: Vec<u64>,
    pub shape: Vec<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cuts: Vec<CutRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<MaskRecord>,
    pub format: FormatRecord,
    pub arm: ArmRecord,
}

/// Where elements come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum TensorSourceRecord {
    Tensor(String),
    Kept { selection: usize, position: u64, family: Vec<String> },
}

/// Removed indices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct CutRecord {
    pub selection: usize,
    pub slice: SliceRecord,
}

/// Values set to zero.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum MaskRecord {
    Magnitude { millionths: u32 },
    NOfM { keep: u32, of: u32 },
}

/// The arm that decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct ArmRecord {
    pub number: u32,
    pub pattern: String,
}

/// A tensor that is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct DroppedRecord {
    pub name: String,
    pub bytes: u64,
    pub arm: ArmRecord,
}

/// [`Casts`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct CastsRecord {
    pub operand: String,
    pub operation: String,
    pub from: String,
    pub to: String,
    pub count: u64,
}

/// The output, byte for byte.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutputRecord {
    /// Sum of all arrays.
    pub stored_bytes: u64,
    /// Sum of all weight files.
    pub file_bytes: u64,
    /// Source bytes for one stored byte.
    pub ratio: Option<f64>,
    /// Peak memory of a run with up to 16 threads, while it writes.
    pub peak_memory: u64,
    /// Peak memory of the training before it, an estimate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training_memory: Option<u64>,
    /// Peak memory of the calibration before it, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration_memory: Option<u64>,
    /// The same of the measurement at its end, if the recipe requires a perplexity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluation_memory: Option<u64>,
    /// Weight files.
    pub files: Vec<FileRecord>,
    /// Small files that the plan determines.
    pub sidecars: Vec<SidecarRecord>,
    /// For each tensor its arrays.
    pub tensors: Vec<StoredTensorRecord>,
}

/// A weight file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Name.
    pub name: String,
    /// Size.
    pub bytes: u64,
    /// Length of prefix and header.
    pub header_bytes: u64,
    /// SHA-256 (hex) of prefix and header.
    pub header_sha256: String,
}

/// A small file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SidecarRecord {
    /// Name.
    pub name: String,
    /// Size.
    pub bytes: u64,
    /// SHA-256 (hex).
    pub sha256: String,
}

/// The arrays of a tensor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredTensorRecord {
    /// Tensor in the output.
    pub name: String,
    /// Sum of the arrays.
    pub bytes: u64,
    /// The arrays.
    pub parts: Vec<PartRecord>,
}

/// One array.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartRecord {
    /// Key in the file.
    pub key: String,
    /// What it is.
    pub role: String,
    /// Element type.
    pub dtype: String,
    /// Extents.
    pub shape: Vec<u64>,
    /// Name of the file.
    pub file: String,
    /// First byte in that file.
    pub offset: u64,
    /// Bytes.
    pub bytes: u64,
}

impl PlanDocument {
    /// The document of a plan and its layout.
    pub fn of(plan: &Plan, layout: &OutputLayout) -> PlanDocument {
        PlanDocument {
            schema: PLAN_SCHEMA,
            plan_hash: plan_hash(plan),
            plan: PlanRecord::of(plan),
            casts: plan.casts.iter().map(casts_record).collect(),
            output: output_record(plan, layout),
        }
    }

    /// Pretty JSON with a final newline.
    pub fn to_json(&self) -> String {
        // Numbers, strings and lists only: there is nothing that could fail.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }
}

impl PlanRecord {
    /// The record of a plan; equal plans have equal records.
    pub fn of(plan: &Plan) -> PlanRecord {
        PlanRecord {
            recipe: plan.recipe.clone(),
            source: SourceRecord {
                header_hash: plan.source.header_hash.clone(),
                tensors: plan.source.tensors,
                tensor_bytes: plan.source.tensor_bytes,
            },
            arch: plan.arch.as_ref().map(|a| ArchRecord { name: a.name.clone(), dims: a.dims.clone() }),
            container: container_name(plan.container).to_owned(),
            shard_bytes: plan.shard_bytes,
            selections: plan.selections.iter().map(selection_record).collect(),
            tensors: plan.tensors.iter().map(tensor_record).collect(),
            dropped: plan
                .dropped
                .iter()
                .map(|d| DroppedRecord { name: d.name.clone(), bytes: d.bytes, arm: arm_record(&d.arm) })
                .collect(),
            derive: plan.derive.as_ref().map(|d| DeriveRecord {
                name: d.name.clone(),
                header_hash: d.header_hash.clone(),
                dims: d.dims.clone(),
            }),
            tune: plan.tune.as_ref().map(TuneRecord::of),
            calibration: plan.calibration.as_ref().map(|c| CalibrationRecord {
                samples: c.samples,
                max_length: c.max_length,
                seed: c.seed,
                statistics: c.statistics,
            }),
        }
    }
}

/// Name of a container as a recipe writes it.
pub const fn container_name(container: OutputContainer) -> &'static str {
    match container {
        OutputContainer::Safetensors => "safetensors",
        OutputContainer::Bitsandbytes => "bitsandbytes",
    }
}

/// Name of a norm as a recipe writes it.
pub const fn norm_name(norm: Norm) -> &'static str {
    match norm {
        Norm::L1 => "l1",
        Norm::L2 => "l2",
    }
}

fn slice_record(slice: &AxisSlice) -> SliceRecord {
    let AxisSlice { axis, before, outer, inner, after } = *slice;
    SliceRecord { axis, before, outer, inner, after }
}

fn arm_record(arm: &ArmRef) -> ArmRecord {
    ArmRecord { number: arm.number, pattern: arm.pattern.to_string() }
}

fn casts_record(casts: &Casts) -> CastsRecord {
    let Casts { operand, operation, from, to, count } = casts;
    let (from, to) = (from.name().to_owned(), to.name().to_owned());
    CastsRecord { operand: operand.clone(), operation: operation.clone(), from, to, count: *count }
}

fn selection_record(selection: &Selection) -> SelectionRecord {
    let voter = |voter: &Voter| match voter {
        Voter::Axis { tensor, slice } => {
            VoterRecord { tensor: tensor.clone(), slice: Some(slice_record(slice)), index: None }
        }
        Voter::Member { tensor, index } => {
            VoterRecord { tensor: tensor.clone(), slice: None, index: Some(*index) }
        }
    };
    SelectionRecord {
        dim: selection.dim.clone(),
        scope: selection.scope.clone(),
        of: selection.of,
        keep: selection.keep,
        by: norm_name(selection.by).to_owned(),
        voters: selection.voters.iter().map(voter).collect(),
    }
}

fn tensor_record(tensor: &TensorPlan) -> TensorPlanRecord {
    TensorPlanRecord {
        name: tensor.name.clone(),
        aliases: tensor.aliases.clone(),
        source: match &tensor.source {
            TensorSource::Tensor(name) => TensorSourceRecord::Tensor(name.clone()),
            TensorSource::Kept { selection, position, family } => TensorSourceRecord::Kept {
                selection: *selection,
                position: *position,
                family: family.clone(),
            },
        },
        dtype: tensor.dtype.name().to_owned(),
        source_shape: tensor.source_shape.clone(),
        shape: tensor.shape.clone(),
        cuts: tensor
            .cuts
            .iter()
            .map(|cut| CutRecord { selection: cut.selection, slice: slice_record(&cut.slice) })
            .collect(),
        mask: tensor.mask.map(|mask| match mask {
            Mask::Magnitude { millionths } => MaskRecord::Magnitude { millionths },
            Mask::NOfM { keep, of } => MaskRecord::NOfM { keep, of },
        }),
        format: FormatRecord::of(&tensor.format),
        arm: arm_record(&tensor.arm),
    }
}

fn output_record(plan: &Plan, layout: &OutputLayout) -> OutputRecord {
    let names: Vec<&str> = layout.files.iter().map(|file| file.name.as_str()).collect();
    let part = |(file, part): &(usize, &PlacedPart)| PartRecord {
        key: part.key.clone(),
        role: part.role.name().to_owned(),
        dtype: part.dtype.name().to_owned(),
        shape: part.shape.clone(),
        file: names.get(*file).map(|name| (*name).to_owned()).unwrap_or_default(),
        offset: part.offset,
        bytes: part.bytes,
    };
    let placed = layout.by_tensor();
    OutputRecord {
        stored_bytes: layout.stored_bytes,
        file_bytes: layout.file_bytes,
        ratio: layout.ratio(plan),
        peak_memory: super::memory::peak_memory(plan, layout),
        training_memory: plan.tune.as_ref().map(|tune| tune.memory),
        calibration_memory: super::memory::calibration_memory(plan, PLANNED_THREADS),
        evaluation_memory: super::memory::evaluation_memory(plan, layout, PLANNED_THREADS),
        files: layout
            .files
            .iter()
            .map(|file| FileRecord {
                name: file.name.clone(),
                bytes: file.bytes,
                header_bytes: file.header.len() as u64,
                header_sha256: hex_digest(&file.header),
            })
            .collect(),
        sidecars: layout
            .sidecars
            .iter()
            .map(|s| SidecarRecord {
                name: s.name.clone(),
                bytes: s.bytes.len() as u64,
                sha256: hex_digest(&s.bytes),
            })
            .collect(),
        tensors: plan
            .tensors
            .iter()
            .zip(&layout.tensor_bytes)
            .zip(&placed)
            .map(|((tensor, bytes), parts)| StoredTensorRecord {
                name: tensor.name.clone(),
                bytes: *bytes,
                parts: parts.iter().map(part).collect(),
            })
            .collect(),
    }
}
