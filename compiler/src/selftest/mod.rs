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
    /// Dense products of models, by cuBLASLt and by icpc's own kernels; of a GPU only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub products: Vec<Product>,
}

/// A dense product that was computed twice.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Product {
    /// Type, shape and tokens.
    pub name: String,
    /// Whether cuBLASLt did it; else both times our own kernel.
    pub by_cublaslt: bool,
    /// How far apart both are, in units of 2⁻²⁴ of the sum of magnitudes; nothing for NaN.
    pub apart: Option<f64>,
    /// How far they may be.
    pub allowed: f64,
}

impl Product {
    /// Whether both are the same but for rounding.
    pub fn agrees(&self) -> bool {
        self.apart.is_some_and(|apart| apart <= self.allowed)
    }
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
            && self.products.iter().all(Product::agrees)
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
    let rates = rates(backend, threads)?;
    Ok(Tested { backend: backend.name().to_owned(), operations, rates, products: Vec::new() })
}

/// Dense products of models on the first GPU, by cuBLASLt and by icpc's own kernels.
///
/// # Errors
/// [`Unavailable`](icpc_kernels::Unavailable): no device, or one that failed.
#[cfg(feature = "cuda")]
pub fn products() -> Result<Vec<Product>, icpc_kernels::Unavailable> {
    let compared = crate::backend::devices::products()?;
    let product = |found: icpc_kernels::cuda::model::Compared| Product {
        name: found.name,
        by_cublaslt: found.by_library,
        apart: (!found.apart.is_nan()).then_some(found.apart),
        allowed: found.allowed,
    };
    Ok(compared.into_iter().map(product).collect())
}

/// Dense products of models: none, in a build without CUDA.
///
/// # Errors
/// Never.
#[cfg(not(feature = "cuda"))]
pub fn products() -> Result<Vec<Product>, icpc_kernels::Unavailable> {
    Ok(Vec::new())
}
