//! The conformance suite: one set of generated cases that every backend must answer as the reference does, bit by
//! bit, errors and error statistics included. Tests run it on every variant; a self-test on a user's machine can too.

mod cases;
mod operations;
mod pruning;
mod table;

use crate::backend::Backend;
use crate::reference::Reference;
use crate::{ErrorStats, KernelError};
pub use cases::{Case, LENGTHS, PATTERNS, SOURCES, cases, elements};
use std::fmt;
pub use table::{Row, table};

/// What one operation gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) error: Option<KernelError>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) stats: ErrorStats,
}

/// A difference between a backend and the reference.
#[derive(Clone, Debug, PartialEq)]
pub struct Mismatch {
    /// The backend.
    pub backend: &'static str,
    /// The operation and its arguments.
    pub operation: String,
    /// The input.
    pub case: String,
    /// What differs.
    pub difference: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mismatch { backend, operation, case, difference } = self;
        write!(f, "{backend} differs from the reference in {operation} on {case}: {difference}")
    }
}

impl std::error::Error for Mismatch {}

/// Run all cases on every backend. Returns how many comparisons agreed.
///
/// # Errors
/// The first [`Mismatch`].
pub fn run(backends: &[&dyn Backend]) -> Result<u64, Box<Mismatch>> {
    let mut agreed = 0;
    for case in cases() {
        for (operation, work) in operations::operations(&case) {
            let expected = work(&Reference);
            for backend in backends {
                compare(*backend, &operation, &case, &expected, &work(*backend))?;
                agreed += 1;
            }
        }
    }
    Ok(agreed)
}

fn compare(
    backend: &dyn Backend,
    operation: &str,
    case: &Case,
    expected: &Outcome,
    found: &Outcome,
) -> Result<(), Box<Mismatch>> {
    match difference(expected, found) {
        None => Ok(()),
        Some(difference) => Err(Box::new(Mismatch {
            backend: backend.name(),
            operation: operation.to_owned(),
            case: case.to_string(),
            difference,
        })),
    }
}

fn difference(expected: &Outcome, found: &Outcome) -> Option<String> {
    // by their text: an error may hold a NaN, which equals nothing
    if format!("{:?}", expected.error) != format!("{:?}", found.error) {
        return Some(format!("error {:?} instead of {:?}", found.error, expected.error));
    }
    if expected.error.is_some() {
        return None;
    }
    if expected.bytes != found.bytes {
        let at = expected.bytes.iter().zip(&found.bytes).position(|(a, b)| a != b);
        return Some(format!("output byte {at:?} of {}", expected.bytes.len()));
    }
    if expected.stats != found.stats {
        let figures =
            |stats: &ErrorStats| (stats.elements, stats.clipped, stats.error(), stats.largest_error);
        return Some(format!(
            "statistics {:?} instead of {:?}",
            figures(&found.stats),
            figures(&expected.stats)
        ));
    }
    None
}
