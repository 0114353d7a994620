//! The CPU backend: the best variant that this processor has, chosen once at run time.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod cast;
mod code4;
mod compare;
mod dequantize;
mod digits;
#[cfg(test)]
mod emulated;
mod extents;
mod grid;
mod int;
pub(crate) mod lanes;
mod mask;
mod norms;
mod stored;
mod tile;

use crate::backend::{Backend, Op, OpKind, Support};
use crate::reference::{Reference, check};
use crate::{DType, KernelError};
#[cfg(feature = "cuda")]
pub(crate) use code4::{FP4_BINS, NF4_EVEN, NF4_SHIFT, NF4_SLOPE};
use lanes::Kernel;
use std::fmt;
use std::sync::OnceLock;

/// Instruction sets with a variant of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isa {
    /// No vectors: the reference.
    Scalar,
    /// x86-64 with AVX2 and F16C.
    Avx2,
    /// x86-64 with AVX-512 F, BW, DQ and VL.
    Avx512,
}

/// The environment variable that overrides the choice: `scalar`, `avx2` or `avx512`.
pub const OVERRIDE: &str = "ICPC_CPU";

/// Why there is no CPU backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CpuError {
    /// The override names no variant.
    UnknownVariant(String),
    /// This processor lacks the variant.
    Unavailable(Isa),
}

impl fmt::Display for CpuError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CpuError::UnknownVariant(name) => {
                write!(f, "{OVERRIDE} is `{name}`, which is none of scalar, avx2, avx512")
            }
            CpuError::Unavailable(isa) => {
                write!(f, "{OVERRIDE} asks for {isa}, which this processor does not have")
            }
        }
    }
}

impl std::error::Error for CpuError {}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Isa::Scalar => "scalar",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
        })
    }
}

/// The CPU backend with its variant.
#[derive(Clone, Copy, Debug)]
pub struct Cpu {
    variant: Variant,
}

/// A variant's value is the proof that the processor has it.
#[derive(Clone, Copy, Debug)]
enum Variant {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2(avx2::Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(avx512::Avx512),
    /// Lanes without vectors.
    #[cfg(test)]
    Emulated8,
    #[cfg(test)]
    Emulated16,
}

impl Cpu {
    /// The variant for `isa`; nothing when this processor lacks it.
    pub fn with(isa: Isa) -> Option<Cpu> {
        let variant = match isa {
            Isa::Scalar => Variant::Scalar,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => Variant::Avx2(avx2::Avx2::new()?),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => Variant::Avx512(avx512::Avx512::new()?),
            #[cfg(not(target_arch = "x86_64"))]
            Isa::Avx2 | Isa::Avx512 => return None,
        };
        Some(Cpu { variant })
    }

    /// The best variant, or the one that [`OVERRIDE`] names; chosen on the first call.
    ///
    /// # Errors
    /// [`CpuError`] when the override cannot be met.
    pub fn detect() -> Result<&'static Cpu, CpuError> {
        static CHOICE: OnceLock<Result<Cpu, CpuError>> = OnceLock::new();
        CHOICE
            .get_or_init(|| Cpu::choose(std::env::var(OVERRIDE).ok().as_deref()))
            .as_ref()
            .map_err(Clone::clone)
    }

    /// The best variant, or the one named.
    ///
    /// # Errors
    /// [`CpuError`] when the name cannot be met.
    pub fn choose(name: Option<&str>) -> Result<Cpu, CpuError> {
        let isa = match name {
            None | Some("") => {
                let best = [Isa::Avx512, Isa::Avx2].into_iter().find_map(Cpu::with);
                return Ok(best.unwrap_or(Cpu { variant: Variant::Scalar }));
            }
            Some("scalar") => Isa::Scalar,
            Some("avx2") => Isa::Avx2,
            Some("avx512") => Isa::Avx512,
            Some(other) => return Err(CpuError::UnknownVariant(other.to_owned())),
        };
        Cpu::with(isa).ok_or(CpuError::Unavailable(isa))
    }

    /// Every variant that this processor has, scalar first.
    pub fn variants() -> Vec<Cpu> {
        [Isa::Scalar, Isa::Avx2, Isa::Avx512].into_iter().filter_map(Cpu::with).collect()
    }

    /// The emulated variants beside the processor's own.
    #[cfg(test)]
    pub(crate) fn emulated() -> [Cpu; 2] {
        [Cpu { variant: Variant::Emulated8 }, Cpu { variant: Variant::Emulated16 }]
    }

    /// Run a kernel with the variant's lanes; nothing on the scalar one.
    pub(crate) fn vector<K: Kernel>(&self, kernel: K) -> Option<K::Output> {
        match self.variant {
            Variant::Scalar => None,
            #[cfg(target_arch = "x86_64")]
            Variant::Avx2(proof) => Some(proof.run(kernel)),
            #[cfg(target_arch = "x86_64")]
            Variant::Avx512(proof) => Some(proof.run(kernel)),
            #[cfg(test)]
            Variant::Emulated8 => Some(kernel.with(emulated::Emulated::<8>)),
            #[cfg(test)]
            Variant::Emulated16 => Some(kernel.with(emulated::Emulated::<16>)),
        }
    }

    /// Run a kernel compiled for the processor's own vectors; given back where there are none.
    #[cfg(feature = "model")]
    pub(crate) fn native<K: Kernel>(&self, kernel: K) -> Result<K::Output, K> {
        match self.variant {
            #[cfg(target_arch = "x86_64")]
            Variant::Avx2(proof) => Ok(proof.run(kernel)),
            #[cfg(target_arch = "x86_64")]
            Variant::Avx512(proof) => Ok(proof.run(kernel)),
            _ => Err(kernel),
        }
    }

    /// The instruction set; nothing of emulated lanes.
    pub fn isa(&self) -> Option<Isa> {
        match self.variant {
            Variant::Scalar => Some(Isa::Scalar),
            #[cfg(target_arch = "x86_64")]
            Variant::Avx2(_) => Some(Isa::Avx2),
            #[cfg(target_arch = "x86_64")]
            Variant::Avx512(_) => Some(Isa::Avx512),
            #[cfg(test)]
            Variant::Emulated8 | Variant::Emulated16 => None,
        }
    }

    /// Whether it has lanes.
    pub(crate) fn is_vector(&self) -> bool {
        !matches!(self.variant, Variant::Scalar)
    }
}

/// Whether operations on this source have vector kernels. An f64 is rounded to f32 where the format says so, but not on
/// the way to another float.
fn has_kernel(op: OpKind, source: DType) -> bool {
    match op {
        OpKind::Cast { .. } | OpKind::Compare => source != DType::F64,
        // patterns of 2 and 4; others are the reference's
        OpKind::CountTies | OpKind::ZeroBelow | OpKind::KeepNOfM => mask::has(source),
        OpKind::NestedEncode | OpKind::NestedDecode | OpKind::Gather => false,
        _ => true,
    }
}

impl Backend for Cpu {
    fn name(&self) -> &'static str {
        match self.variant {
            Variant::Scalar => "cpu-scalar",
            #[cfg(target_arch = "x86_64")]
            Variant::Avx2(_) => "cpu-avx2",
            #[cfg(target_arch = "x86_64")]
            Variant::Avx512(_) => "cpu-avx512",
            #[cfg(test)]
            Variant::Emulated8 => "cpu-emulated8",
            #[cfg(test)]
            Variant::Emulated16 => "cpu-emulated16",
        }
    }

    fn supports(&self, op: OpKind, source: DType) -> Support {
        match Reference.supports(op, source) {
            Support::Reference if self.is_vector() && has_kernel(op, source) => Support::Native,
            support => support,
        }
    }

    fn run(&self, op: Op<'_>) -> Result<(), KernelError> {
        if !self.is_vector() {
            return Reference.run(op);
        }
        let done = match op {
            Op::Cast(op) if op.source.dtype() != DType::F64 => {
                check::cast(&op)?;
                self.vector(cast::Cast(op))
            }
            Op::Extents(op) => {
                check::extents(&op)?;
                self.vector(extents::Extents(op))
            }
            Op::Percentiles(op) => {
                check::percentiles(&op)?;
                if op.length == 0 {
                    return Ok(());
                }
                self.vector(extents::Percentiles(op))
            }
            Op::GridErrors(op) => {
                check::grid_errors(&op)?;
                self.vector(grid::GridErrors(op))
            }
            Op::QuantizeInt(op) => {
                check::quantize_int(&op)?;
                self.vector(int::Quantize(op))
            }
            Op::QuantizeCode4(op) => {
                check::quantize_code4(&op)?;
                self.vector(code4::Quantize(op))
            }
            Op::DequantizeInt(op) => {
                check::dequantize_int(&op)?;
                self.vector(dequantize::DequantizeInt(op))
            }
            Op::DequantizeCode4(op) => {
                check::dequantize_code4(&op)?;
                self.vector(dequantize::DequantizeCode4(op))
            }
            Op::Compare(op) if op.source.dtype() != DType::F64 && op.decoded.dtype() != DType::F64 => {
                check::compare(&op)?;
                self.vector(compare::Compare(op)).map(Ok)
            }
            Op::CountDigits(op) => {
                check::count_digits(&op)?;
                self.vector(digits::CountDigits(op))
            }
            Op::CountTies(op) if mask::has(op.source.dtype()) => self.vector(mask::CountTies(op)).map(Ok),
            Op::ZeroBelow(op) if mask::has(op.dtype) => {
                check::zero_below(&op)?;
                self.vector(mask::ZeroBelow(op))
            }
            Op::KeepNOfM(op) if mask::has(op.dtype) && mask::has_pattern(op.m) => {
                check::keep_n_of_m(&op)?;
                self.vector(mask::KeepNOfM(op))
            }
            Op::Norms(op) => {
                check::norms(&op)?;
                self.vector(norms::Norms(op))
            }
            other => return Reference.run(other),
        };
        done.unwrap_or(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::Cpu;
    use crate::conformance;

    #[test]
    fn emulated_lanes_agree_with_the_reference() {
        let [narrow, wide] = Cpu::emulated();
        if let Err(mismatch) = conformance::run(&[&narrow, &wide]) {
            panic!("{mismatch}");
        }
    }
}
