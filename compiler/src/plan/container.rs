//! What a container can hold. The checker turns a [`Refusal`] into a diagnostic; nothing is stored another way instead.

use std::fmt;

use icpc_kernels::DType;
use icpc_kernels::format::{Activations, Format, Int, IntBits, LayoutError, Per, ScaleDType};

use super::ir::OutputContainer;

/// Why a container cannot hold a tensor in a format. Each carries what a diagnostic shows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// The format itself cannot hold the tensor.
    Format(LayoutError),
    /// The loader of this container knows no such format.
    FormatNotLoadable {
        /// The format as a recipe spells it.
        format: String,
        /// What the loader knows, in words.
        loads: &'static str,
    },
    /// The loader takes matrices only in this format.
    NotMatrix {
        /// Name of the format.
        format: &'static str,
        /// Axes of the tensor.
        rank: usize,
    },
    /// The loader finds quantised tensors by a key that ends in `.weight`.
    KeyNotWeight {
        /// The tensor.
        key: String,
    },
    /// The loader cannot restore this element type.
    SourceDType {
        /// Element type of the source.
        dtype: DType,
        /// What the loader restores, in words.
        restores: &'static str,
    },
    /// An argument that the container cannot write down.
    Argument {
        /// The format as a recipe spells it.
        format: String,
        /// What is needed, in words.
        needs: &'static str,
    },
    /// Two of the stored arrays would have the same key.
    KeyTaken {
        /// The key.
        key: String,
        /// The tensor that has it already.
        by: String,
    },
    /// A tensor whose key the loader would take for an array of another tensor.
    KeyMisread {
        /// The key.
        key: String,
        /// The tensor that it would be added to.
        owner: String,
    },
    /// 4-bit and 8-bit tensors do not load from one output.
    MixedWidths {
        /// A tensor of the other width.
        other: String,
    },
    /// Loaders read one kind of 4-bit codes from the configuration.
    MixedKinds {
        /// A tensor of the other kind.
        other: String,
    },
    /// A tensor that does not fit in one output file.
    LargerThanShard {
        /// Its bytes with their share of the header.
        bytes: u64,
        /// Largest size of an output file.
        shard: u64,
    },
    /// The header of an output file would be larger than readers accept.
    HeaderTooLarge {
        /// Its bytes.
        bytes: u64,
        /// The largest that readers accept.
        limit: u64,
    },
    /// A mask that needs real numbers, on another element type.
    MaskNotFloat {
        /// Element type of the source.
        dtype: DType,
    },
    /// The runs of an N:M mask do not divide the last axis.
    MaskDoesNotDivide {
        /// Length of a run.
        of: u64,
        /// Length of the last axis.
        length: u64,
    },
    /// The shape after the cuts is not the one that the plan says.
    ShapeMismatch {
        /// What the cuts leave.
        found: Vec<u64>,
        /// What the plan says.
        planned: Vec<u64>,
    },
    /// A size that does not fit in 64 bits.
    Overflow,
}

/// Whether `container` can hold a tensor `key` of `shape` and element type `dtype` in `format`.
///
/// # Errors
/// The first [`Refusal`].
pub fn supports(
    container: OutputContainer,
    format: &Format,
    shape: &[u64],
    dtype: DType,
    key: &str,
) -> Result<(), Refusal> {
    format.layout(shape, dtype).map_err(Refusal::Format)?;
    if key == "__metadata__" {
        return Err(Refusal::KeyTaken { key: key.to_owned(), by: "the file's metadata".to_owned() });
    }
    match container {
        OutputContainer::Safetensors => Ok(()),
        OutputContainer::Bitsandbytes => bitsandbytes(format, shape, dtype, key),
    }
}

fn bitsandbytes(format: &Format, shape: &[u64], dtype: DType, key: &str) -> Result<(), Refusal> {
    let loads = "nf4, fp4, row-wise int8, fp32, fp16, bf16 and keep";
    let unknown = || Refusal::FormatNotLoadable { format: format.to_string(), loads };
    match format {
        Format::Keep | Format::Drop => Ok(()),
        Format::Cast(cast) if matches!(cast.to(), DType::F32 | DType::F16 | DType::Bf16) => Ok(()),
        Format::Cast(_) => Err(unknown()),
        Format::Int(int) if int.bits == IntBits::Four => Err(unknown()),
        Format::Int(int) => {
            quantised_matrix(format, shape, dtype, key)?;
            let needs = match int.activations {
                Activations::Float => "`per: channel` along axis 0, symmetric, with fp32 scales",
                _ => "activations in fp32, since its loader chooses their format itself",
            };
            if is_row_wise(int) {
                Ok(())
            } else {
                Err(Refusal::Argument { format: format.to_string(), needs })
            }
        }
        Format::Code4(_) => quantised_matrix(format, shape, dtype, key),
    }
}

/// The integers that `X.SCB` can describe: one f32 maximum a row, code ±127 for it.
fn is_row_wise(int: &Int) -> bool {
    int.per == Per::Channel { axis: 0 }
        && int.symmetric
        && int.scale == ScaleDType::F32
        && int.activations == Activations::Float
}

fn quantised_matrix(format: &Format, shape: &[u64], dtype: DType, key: &str) -> Result<(), Refusal> {
    if shape.len() != 2 {
        return Err(Refusal::NotMatrix { format: format.name(), rank: shape.len() });
    }
    if !key.ends_with(".weight") {
        return Err(Refusal::KeyNotWeight { key: key.to_owned() });
    }
    if !matches!(dtype, DType::F32 | DType::F16 | DType::Bf16) {
        return Err(Refusal::SourceDType { dtype, restores: "f32, f16 and bf16" });
    }
    Ok(())
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Format(error) => error.fmt(f),
            Refusal::FormatNotLoadable { format, loads } => {
                write!(f, "bitsandbytes cannot load {format}; it loads {loads}")
            }
            Refusal::NotMatrix { format, rank } => {
                write!(f, "bitsandbytes holds matrices in {format}, and the tensor has {rank} axes")
            }
            Refusal::KeyNotWeight { key } => {
                write!(
                    f,
                    "bitsandbytes finds quantised tensors by names that end in `.weight`, and `{key}` does not"
                )
            }
            Refusal::SourceDType { dtype, restores } => {
                write!(f, "bitsandbytes restores {restores}, not {dtype}")
            }
            Refusal::Argument { format, needs } => {
                write!(f, "bitsandbytes cannot describe {format}: it needs {needs}")
            }
            Refusal::KeyTaken { key, by } => write!(f, "the key `{key}` already belongs to {by}"),
            Refusal::KeyMisread { key, owner } => {
                write!(f, "bitsandbytes would take `{key}` for a part of `{owner}` and refuse to load")
            }
            Refusal::MixedWidths { other } => {
                write!(
                    f,
                    "bitsandbytes loads 4-bit or 8-bit tensors, not both, and `{other}` has the other width"
                )
            }
            Refusal::MixedKinds { other } => {
                write!(f, "`config.json` names one kind of 4-bit codes for all, and `{other}` has the other")
            }
            Refusal::LargerThanShard { bytes, shard } => {
                write!(f, "the tensor needs {bytes} bytes of a file, and a file may have {shard}")
            }
            Refusal::HeaderTooLarge { bytes, limit } => {
                write!(f, "the header would have {bytes} bytes, and readers accept {limit}")
            }
            Refusal::MaskNotFloat { dtype } => {
                write!(f, "values are set to zero by magnitude, and {dtype} has none")
            }
            Refusal::MaskDoesNotDivide { of, length } => {
                write!(f, "runs of {of} do not divide the last axis of {length}")
            }
            Refusal::ShapeMismatch { found, planned } => {
                write!(f, "the cuts leave the shape {found:?}, and the plan says {planned:?}")
            }
            Refusal::Overflow => f.write_str("the size does not fit in 64 bits"),
        }
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;
    use icpc_kernels::format::{Cast, Clip, Code4, Code4Kind};

    fn bnb(format: Format, shape: &[u64], dtype: DType, key: &str) -> String {
        match supports(OutputContainer::Bitsandbytes, &format, shape, dtype, key) {
            Ok(()) => "ok".to_owned(),
            Err(refusal) => refusal.to_string(),
        }
    }

    #[test]
    fn bitsandbytes_refuses_what_it_cannot_load() {
        let nf4 = Format::Code4(Code4::new(Code4Kind::Nf4));
        let rows = Format::Int(Int { per: Per::Channel { axis: 0 }, ..Int::new(IntBits::Eight) });
        let dynamic = Format::Int(Int {
            per: Per::Channel { axis: 0 },
            activations: Activations::Dynamic,
            ..Int::new(IntBits::Eight)
        });
        let columns =
            Format::Int(Int { per: Per::Channel { axis: 1 }, clip: Clip::Mse, ..Int::new(IntBits::Eight) });
        let fp8 = Format::Cast(Cast::new(DType::F8E4M3, false).unwrap());
        let said = [
            bnb(nf4, &[4, 64], DType::Bf16, "a.weight"),
            bnb(rows, &[4, 64], DType::F32, "a.weight"),
            bnb(Format::Keep, &[7], DType::I64, "a.ids"),
            bnb(nf4, &[4, 4, 64], DType::Bf16, "a.weight"),
            bnb(nf4, &[4, 64], DType::Bf16, "a.A_log"),
            bnb(nf4, &[4, 64], DType::F64, "a.weight"),
            bnb(fp8, &[4, 64], DType::F32, "a.weight"),
            bnb(columns, &[4, 64], DType::F32, "a.weight"),
            bnb(Format::Int(Int::new(IntBits::Four)), &[4, 64], DType::F32, "a.weight"),
            bnb(dynamic, &[4, 64], DType::F32, "a.weight"),
            bnb(nf4, &[4, 64], DType::I32, "a.weight"),
            bnb(Format::Keep, &[1], DType::F32, "__metadata__"),
        ];
        insta::assert_snapshot!(said.join("\n"), @r"
        ok
        ok
        ok
        bitsandbytes holds matrices in nf4, and the tensor has 3 axes
        bitsandbytes finds quantised tensors by names that end in `.weight`, and `a.A_log` does not
        bitsandbytes restores f32, f16 and bf16, not f64
        bitsandbytes cannot load fp8_e4m3; it loads nf4, fp4, row-wise int8, fp32, fp16, bf16 and keep
        bitsandbytes cannot describe int8(per: channel, axis: 1, clip: mse): it needs `per: channel` along axis 0, symmetric, with fp32 scales
        bitsandbytes cannot load int4(per: tensor); it loads nf4, fp4, row-wise int8, fp32, fp16, bf16 and keep
        bitsandbytes cannot describe int8(per: channel, axis: 0, activations: dynamic): it needs activations in fp32, since its loader chooses their format itself
        nf4 holds floats, and the tensor stores i32
        the key `__metadata__` already belongs to the file's metadata
        ");
    }
}
