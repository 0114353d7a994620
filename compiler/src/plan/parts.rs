//! The arrays that a container stores for one tensor: keys, element types, shapes, bytes.

use icpc_kernels::DType;
use icpc_kernels::format::{Format, Role};

use super::bitsandbytes;
use super::container::{Refusal, supports};
use super::ir::{OutputContainer, TensorPlan};
use crate::base::checked_bytes;

/// What a stored array is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StoredRole {
    /// What the format makes.
    Format(Role),
    /// bitsandbytes: JSON text that describes the quantisation.
    QuantState,
    /// bitsandbytes: largest magnitude of each row, 127 scales.
    RowMaxima,
    /// bitsandbytes: a zero that says that rows are stored as they are.
    WeightFormat,
}

impl StoredRole {
    /// Name in `plan.json` and reports.
    pub const fn name(self) -> &'static str {
        match self {
            StoredRole::Format(role) => role.name(),
            StoredRole::QuantState => "quant_state",
            StoredRole::RowMaxima => "row_maxima",
            StoredRole::WeightFormat => "weight_format",
        }
    }

    /// Inverse of [`StoredRole::name`].
    pub fn from_name(name: &str) -> Option<StoredRole> {
        let own = [StoredRole::QuantState, StoredRole::RowMaxima, StoredRole::WeightFormat];
        own.into_iter().chain(Role::ALL.map(StoredRole::Format)).find(|role| role.name() == name)
    }
}

/// One array of an output tensor, not yet placed in a file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StoredPart {
    /// Key in the file.
    pub key: String,
    /// What it is.
    pub role: StoredRole,
    /// Element type.
    pub dtype: DType,
    /// Extents.
    pub shape: Vec<u64>,
    /// Elements times width.
    pub bytes: u64,
}

/// The arrays that `container` stores for `tensor`, the one with the elements first.
///
/// # Errors
/// What [`supports`] refuses.
pub fn stored_parts(container: OutputContainer, tensor: &TensorPlan) -> Result<Vec<StoredPart>, Refusal> {
    supports(container, &tensor.format, &tensor.shape, tensor.dtype, &tensor.name)?;
    let layout = tensor.format.layout(&tensor.shape, tensor.dtype).map_err(Refusal::Format)?;
    let mut parts = Vec::new();
    for part in layout.parts {
        let Some((suffix, role)) = suffix(container, &tensor.format, part.role) else { continue };
        let key = match suffix {
            Suffix::After(suffix) => format!("{}{suffix}", tensor.name),
            Suffix::Instead(last) => {
                format!("{}.{last}", tensor.name.strip_suffix(".weight").unwrap_or(&tensor.name))
            }
        };
        parts.push(StoredPart { key, role, dtype: part.dtype, shape: part.shape, bytes: part.bytes });
    }
    if container == OutputContainer::Bitsandbytes {
        parts.extend(bitsandbytes::extra_parts(tensor));
    }
    for part in &parts {
        // The bytes drive every offset, so that they are never taken on trust.
        if checked_bytes(&part.shape, part.dtype) != Some(part.bytes) {
            return Err(Refusal::Overflow);
        }
    }
    Ok(parts)
}

/// Whether our own files store a part of a format: codebooks are constants, and are not.
pub(super) fn is_stored(format: &Format, role: Role) -> bool {
    suffix(OutputContainer::Safetensors, format, role).is_some()
}

enum Suffix {
    After(&'static str),
    Instead(&'static str),
}

/// How the key of a part ends; nothing when the container does not store it.
fn suffix(container: OutputContainer, format: &Format, role: Role) -> Option<(Suffix, StoredRole)> {
    let bitsandbytes = container == OutputContainer::Bitsandbytes;
    let after = |suffix| Some((Suffix::After(suffix), StoredRole::Format(role)));
    match role {
        Role::Values | Role::Codes => after(""),
        Role::Scales if bitsandbytes && matches!(format, Format::Int(_)) => {
            Some((Suffix::Instead("SCB"), StoredRole::RowMaxima))
        }
        Role::Scales => after(".scale"),
        Role::ZeroPoints => after(".zero_point"),
        Role::Absmax => after(".absmax"),
        Role::NestedAbsmax => after(".nested_absmax"),
        // Codebooks are constants of the format; only the foreign loader wants a copy for each tensor.
        Role::QuantMap if bitsandbytes => after(".quant_map"),
        Role::NestedQuantMap if bitsandbytes => after(".nested_quant_map"),
        Role::QuantMap | Role::NestedQuantMap => None,
        // bitsandbytes has it as a number in the JSON text.
        Role::NestedOffset if bitsandbytes => None,
        Role::NestedOffset => after(".nested_offset"),
        Role::ActivationScale => after(".activation_scale"),
    }
}
