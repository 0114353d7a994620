//! One page of text.

use std::fmt::Write;

use super::Tested;
use crate::base::with_thousands;

/// The page of one backend.
pub fn print(tested: &Tested) -> String {
    let mut out = format!("{}: comparisons with the reference, bit by bit\n", tested.backend);
    for operation in &tested.operations {
        let by = if operation.own_kernel { "" } else { ", some or all by the reference" };
        let agreed = with_thousands(operation.agreed);
        let _ = match &operation.mismatch {
            None => writeln!(out, "  {:<24}{agreed:>7} agree{by}", operation.name),
            Some(mismatch) => writeln!(out, "  {:<24}DIFFERS: {mismatch}", operation.name),
        };
    }
    let rates = &tested.rates;
    let _ = writeln!(
        out,
        "GB/s of input from memory to memory, {} threads; memory is copied at {:.1} GB/s",
        rates.threads, rates.copy
    );
    for rate in &rates.formats {
        let share = rate.rate / rates.copy.max(1e-9);
        let _ = writeln!(
            out,
            "  {:<56}from {:<6}{:>7.2}  {share:.2} of a copy",
            rate.format, rate.source, rate.rate
        );
    }
    out
}
