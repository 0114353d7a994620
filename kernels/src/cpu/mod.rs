//! The CPU backend: the best variant that this processor has, chosen once at run time.

use crate::backend::{Backend, Op, OpKind, Support};
use crate::reference::Reference;
use crate::{DType, KernelError};
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
    isa: Isa,
}

impl Cpu {
    /// The variant for `isa`; nothing when this processor lacks it.
    pub fn with(isa: Isa) -> Option<Cpu> {
        (isa == Isa::Scalar).then_some(Cpu { isa })
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
                return Ok(best.unwrap_or(Cpu { isa: Isa::Scalar }));
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

    /// The variant's instruction set.
    pub const fn isa(&self) -> Isa {
        self.isa
    }
}

impl Backend for Cpu {
    fn name(&self) -> &'static str {
        match self.isa {
            Isa::Scalar => "cpu-scalar",
            Isa::Avx2 => "cpu-avx2",
            Isa::Avx512 => "cpu-avx512",
        }
    }

    fn supports(&self, op: OpKind, source: DType) -> Support {
        Reference.supports(op, source)
    }

    fn run(&self, op: Op<'_>) -> Result<(), KernelError> {
        Reference.run(op)
    }
}
