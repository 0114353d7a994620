//! `icpc doctor`: what this machine can do, what a recipe needs of it, and what would fix what is missing.
//!
//! ```text
//!  machine (processor, memory) ─┐
//!  devices (GPUs, libraries) ───┼─ Doctor ─┬─ print (text)
//!  cluster (Slurm), disk ───────┘          └─ JSON
//!  needs (of a recipe) ─────────┘
//! ```
//!
//! What is absent is a value with a remedy, as what is there is a value with its figures.

mod cluster;
mod devices;
mod disk;
mod machine;
mod needs;
mod print;

use icpc_kernels::Unavailable;
use serde::Serialize;

pub use cluster::Slurm;
pub use devices::{Cublaslt, Cuda, Libtorch, Nvrtc};
pub use disk::{Disk, free_space};
pub use machine::{Bandwidth, Machine};
pub use needs::{Need, Needs, needs};
pub use print::print;

/// Version of the JSON.
pub const SCHEMA: u32 = 1;

/// Something that is there, or is not.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Found<T> {
    /// Its figures.
    Here(T),
    /// What is missing and what to do about it.
    Absent {
        /// One sentence.
        absent: String,
        /// One action.
        remedy: String,
    },
}

impl<T> From<Result<T, Unavailable>> for Found<T> {
    fn from(found: Result<T, Unavailable>) -> Found<T> {
        match found {
            Ok(here) => Found::Here(here),
            Err(missing) => Found::Absent { absent: missing.what, remedy: missing.remedy },
        }
    }
}

/// Everything found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Doctor {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Version of icpc.
    pub version: &'static str,
    /// Processor and memory.
    pub machine: Machine,
    /// Driver and GPUs.
    pub cuda: Found<Cuda>,
    /// The compiler of the CUDA kernels.
    pub nvrtc: Found<Nvrtc>,
    /// The library of products; without it icpc's own kernels compute them.
    pub cublaslt: Found<Cublaslt>,
    /// libtorch.
    pub libtorch: Found<Libtorch>,
    /// Slurm.
    pub slurm: Found<Slurm>,
    /// The file system of the output, or of the folder that one is in.
    pub disk: Found<Disk>,
    /// What a recipe needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipe: Option<Needs>,
}

impl Doctor {
    /// Look at this machine; `folder` is where an output would be.
    pub fn examine(folder: &std::path::Path) -> Doctor {
        Doctor {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION"),
            machine: Machine::examine(),
            cuda: devices::cuda().into(),
            nvrtc: devices::nvrtc().into(),
            cublaslt: devices::cublaslt().into(),
            libtorch: devices::libtorch().into(),
            slurm: cluster::slurm().into(),
            disk: free_space(folder).into(),
            recipe: None,
        }
    }

    /// Whether a recipe was asked about and something that it needs is missing.
    pub fn lacks_something(&self) -> bool {
        self.recipe.as_ref().is_some_and(|needs| needs.needs.iter().any(|need| need.remedy.is_some()))
    }
}
