//! `icpc selftest`: every kernel of a backend against the reference, then how fast it is beside a copy. What a user runs in
//! the first minute of an allocation.

mod print;
mod throughput;

use icpc_kernels::backend::Support;
use icpc_kernels::{Backend, conformance};
use serde::Serialize;

pub use print::print;
pub use throughput::{Rate, Rates, rates};

/// What one backend did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tested {
    /// Name of the backend.
    pub backend: String,
    /// Operations in the order of the suite.
    pub operations: Vec<Operation>,
    /// Measured.
    pub rates: Rates,
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Operation {
    /// Its name.
    pub name: &'static str,
    /// Whether the backend has a kernel of its own for every element type, else the reference runs.
    pub own_kernel: bool,
    /// Comparisons that agreed bit by bit.
    pub agreed: u64,
    /// The first that did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mismatch: Option<String>,
}

impl Tested {
    /// Whether everything agrees.
    pub fn agrees(&self) -> bool {
        self.operations.iter().all(|operation| operation.mismatch.is_none())
    }
}

/// Run the suite on a backend, and measure it on so many threads.
///
/// # Errors
/// What an operation said when it was measured.
pub fn test(backend: &dyn Backend, threads: usize) -> Result<Tested, String> {
    let operations = conformance::table(backend)
        .into_iter()
        .map(|row| Operation {
            name: row.operation,
            own_kernel: row.support == Support::Native,
            agreed: row.agreed,
            mismatch: row.mismatch.map(|mismatch| mismatch.to_string()),
        })
        .collect();
    Ok(Tested { backend: backend.name().to_owned(), operations, rates: rates(backend, threads)? })
}
