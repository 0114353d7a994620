//! The suite's outcome by operation, for a page and for a self-test.

use super::{Mismatch, cases, compare, operations};
use crate::backend::{Backend, Op, OpKind, Support};
use crate::{DType, HostBuffer, KernelError, Reference};
use std::sync::{Mutex, PoisonError};

/// One operation on one backend.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Name of the operation.
    pub operation: &'static str,
    /// The least that the backend says of it over all element types.
    pub support: Support,
    /// Comparisons that agreed.
    pub agreed: u64,
    /// The first that did not.
    pub mismatch: Option<Mismatch>,
}

/// Run all cases on a backend, to the end. Operations are in the order in which the suite meets them.
pub fn table(backend: &dyn Backend) -> Vec<Row> {
    let watched = Watched { backend, seen: Mutex::new(None) };
    let mut rows: Vec<Row> = Vec::new();
    for case in cases() {
        for (operation, work) in operations::operations(&case) {
            let expected = work(&Reference);
            let found = work(&watched);
            // a case that is over before the backend is asked says nothing of it
            let Some((kind, support)) = watched.take() else { continue };
            let index = rows.iter().position(|row| row.operation == kind.name()).unwrap_or_else(|| {
                rows.push(Row { operation: kind.name(), support, agreed: 0, mismatch: None });
                rows.len() - 1
            });
            let row = &mut rows[index];
            row.support = least(row.support, support);
            match compare(backend, &operation, &case, &expected, &found) {
                Ok(()) => row.agreed += 1,
                Err(mismatch) => {
                    row.mismatch.get_or_insert(*mismatch);
                }
            }
        }
    }
    rows
}

fn least(one: Support, other: Support) -> Support {
    match (one, other) {
        (Support::No, _) | (_, Support::No) => Support::No,
        (Support::Reference, _) | (_, Support::Reference) => Support::Reference,
        _ => Support::Native,
    }
}

/// A backend that notes what it was asked last.
struct Watched<'b> {
    backend: &'b dyn Backend,
    seen: Mutex<Option<(OpKind, DType)>>,
}

impl Watched<'_> {
    fn take(&self) -> Option<(OpKind, Support)> {
        let (kind, source) = self.seen.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some((kind, self.backend.supports(kind, source)))
    }
}

impl Backend for Watched<'_> {
    fn name(&self) -> &'static str {
        self.backend.name()
    }

    fn supports(&self, op: OpKind, source: DType) -> Support {
        self.backend.supports(op, source)
    }

    fn run(&self, op: Op<'_>) -> Result<(), KernelError> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some((op.kind(), op.source()));
        self.backend.run(op)
    }

    fn buffer(&self, bytes: usize) -> HostBuffer {
        self.backend.buffer(bytes)
    }
}
