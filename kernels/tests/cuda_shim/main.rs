//! The CUDA kernels and all code above the driver, run on the processor: every case of the suite as the reference has it.

#![cfg(feature = "cuda")]
#![allow(clippy::unwrap_used, reason = "tests")]

#[allow(missing_docs, unreachable_pub)]
mod library;
#[allow(missing_docs, unreachable_pub)]
mod processor;

use icpc_kernels::cuda::Engine;
use icpc_kernels::{Backend, conformance};
use library::Libraries;
use processor::Processor;
use std::sync::Arc;

/// Engines with the memory of a device, and where every piece is as short as it can be.
fn engines() -> Option<[Engine<Processor>; 2]> {
    let libraries = Arc::new(Libraries::build()?);
    let processor = |memory| Processor { libraries: Arc::clone(&libraries), memory };
    Some([Engine::new(processor(u64::MAX)), Engine::new(processor(u64::MAX)).with_piece(1)])
}

#[test]
fn kernels_agree_with_the_reference() {
    let Some(engines) = engines() else { return };
    let backends: Vec<&dyn Backend> = engines.iter().map(|engine| engine as &dyn Backend).collect();
    match conformance::run(&backends) {
        Ok(agreed) => println!("{agreed} comparisons agree"),
        Err(mismatch) => panic!("{mismatch}"),
    }
}
