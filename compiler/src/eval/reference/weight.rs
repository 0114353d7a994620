//! A weight in f64, decoded when it is first needed and kept.

use std::sync::{Arc, OnceLock};

use icpc_kernels::Cpu;
use icpc_kernels::model::reference::wide;
use icpc_kernels::model::{Weight, int8_codes};

use crate::eval::error::Failure;
use crate::eval::weights::Loaded;

/// One tensor.
pub(super) struct Exact {
    loaded: Arc<Loaded>,
    /// What decodes: formats say what a code stands for in f32, so nothing is lost.
    scalar: Cpu,
    values: OnceLock<Vec<f64>>,
    transposed: OnceLock<Vec<f64>>,
    codes: OnceLock<Codes>,
    transposed_codes: OnceLock<Codes>,
}

/// An int8 matrix as it is stored.
pub(super) struct Codes {
    /// `[rows, columns]`.
    pub codes: Vec<f64>,
    /// Of each row.
    pub scales: Vec<f64>,
}

impl Exact {
    pub(super) fn new(loaded: Arc<Loaded>, scalar: Cpu) -> Exact {
        Exact {
            loaded,
            scalar,
            values: OnceLock::new(),
            transposed: OnceLock::new(),
            codes: OnceLock::new(),
            transposed_codes: OnceLock::new(),
        }
    }

    pub(super) fn is_of(&self, loaded: &Arc<Loaded>) -> bool {
        Arc::ptr_eq(&self.loaded, loaded)
    }

    pub(super) fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    pub(super) fn name(&self) -> &str {
        &self.loaded.name
    }

    pub(super) fn shape(&self) -> &[usize] {
        &self.loaded.shape
    }

    /// Length of the last axis.
    pub(super) fn columns(&self) -> usize {
        self.shape().last().copied().unwrap_or(1)
    }

    /// All elements, row-major.
    pub(super) fn values(&self) -> Result<&[f64], Failure> {
        made(&self.values, || {
            let weight = self.loaded.weight()?;
            let mut values = vec![0.0; weight.rows().saturating_mul(weight.columns())];
            weight.decode(&self.scalar, 0..weight.rows(), &mut values)?;
            Ok(wide(&values))
        })
        .map(Vec::as_slice)
    }

    /// The matrix with rows and columns exchanged.
    pub(super) fn transposed(&self) -> Result<&[f64], Failure> {
        made(&self.transposed, || {
            let (values, columns) = (self.values()?, self.columns());
            let column = |column: usize| values.iter().skip(column).step_by(columns.max(1));
            Ok((0..columns).flat_map(column).copied().collect())
        })
        .map(Vec::as_slice)
    }

    /// The codes of an int8 matrix.
    pub(super) fn codes(&self, is_transposed: bool) -> Result<&Codes, Failure> {
        let codes = |weight: Weight<'_>| {
            let (codes, scales) = int8_codes(&weight)?;
            Ok(Codes { codes: codes.iter().map(|c| f64::from(*c)).collect(), scales: wide(&scales) })
        };
        match is_transposed {
            false => made(&self.codes, || codes(self.loaded.weight()?)),
            true => made(&self.transposed_codes, || codes(self.loaded.transposed_codes()?)),
        }
    }

    /// Bytes of what was made.
    pub(super) fn decoded_bytes(&self) -> u64 {
        let values = [&self.values, &self.transposed];
        let values = values.into_iter().filter_map(OnceLock::get).map(Vec::len);
        let codes = [&self.codes, &self.transposed_codes];
        let codes = codes.into_iter().filter_map(OnceLock::get).map(|c| c.codes.len() + c.scales.len());
        values.chain(codes).map(|len| len as u64 * 8).sum()
    }
}

/// What is there, or is made now. Of two threads that make it, one's stays: both are the same.
fn made<T>(place: &OnceLock<T>, make: impl FnOnce() -> Result<T, Failure>) -> Result<&T, Failure> {
    if let Some(known) = place.get() {
        return Ok(known);
    }
    let new = make()?;
    Ok(place.get_or_init(|| new))
}
