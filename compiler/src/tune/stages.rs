//! The plans of the stages.

use icpc_kernels::DType;
use icpc_kernels::format::{Cast, Format};

use crate::checkpoint::Schema;
use crate::plan::ir::{OutputContainer, Plan, SourceFacts, TensorPlan, TensorSource};

/// What cuts and masks leave, in f32 where it is trained and as it is elsewhere.
pub(super) fn pruned(plan: &Plan) -> Plan {
    let trained = |name: &str| plan.tune.as_ref().is_some_and(|t| t.tensors.iter().any(|n| n == name));
    let tensors = plan.tensors.iter().map(|tensor| {
        let wide = trained(&tensor.name) && tensor.dtype != DType::F32;
        let cast = Cast::new(DType::F32, false).filter(|_| wide);
        TensorPlan { format: cast.map_or(Format::Keep, Format::Cast), ..tensor.clone() }
    });
    Plan {
        container: OutputContainer::Safetensors,
        shard_bytes: None,
        tensors: tensors.collect(),
        dropped: Vec::new(),
        casts: Vec::new(),
        calibrating: None,
        evaluation: None,
        calibration: None,
        derive: None,
        tune: None,
        ..plan.clone()
    }
}

/// What each tensor is stored as, whatever it was before it was trained.
pub(super) fn format(tensor: &TensorPlan, now: DType) -> Format {
    match tensor.format {
        // kept in its own type
        Format::Keep if now != tensor.dtype => {
            Cast::new(tensor.dtype, false).map_or(Format::Keep, Format::Cast)
        }
        format => format,
    }
}

/// The formats of `plan` for weights that were cut, masked and trained already, whose header is `between`.
pub(super) fn stored(plan: &Plan, between: &Schema) -> Plan {
    let types = between.by_name();
    let tensors = plan.tensors.iter().map(|tensor| {
        let found = types.get(tensor.name.as_str()).and_then(|n| between.tensors.get(*n));
        let dtype = found.map_or(tensor.dtype, |t| t.dtype);
        TensorPlan {
            source: TensorSource::Tensor(tensor.name.clone()),
            dtype,
            source_shape: tensor.shape.clone(),
            cuts: Vec::new(),
            mask: None,
            format: format(tensor, dtype),
            ..tensor.clone()
        }
    });
    Plan {
        source: SourceFacts {
            header_hash: between.header_hash.clone(),
            tensors: between.tensors.len() as u64,
            tensor_bytes: between.tensor_bytes(),
        },
        selections: Vec::new(),
        tensors: tensors.collect(),
        derive: None,
        tune: None,
        ..plan.clone()
    }
}
