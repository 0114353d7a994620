//! The CUDA kernels and all code above the driver, run on the processor: every case of the suite as the reference has
//! it, and as the page says.

#![cfg(feature = "cuda")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[allow(missing_docs, unreachable_pub)]
mod library;
#[path = "../support/page.rs"]
mod page;
#[allow(missing_docs, unreachable_pub)]
mod pieces;
#[allow(missing_docs, unreachable_pub)]
mod processor;
#[allow(missing_docs, unreachable_pub, dead_code)]
#[path = "../support/mod.rs"]
mod support;

use icpc_kernels::conformance;
use icpc_kernels::cuda::Engine;
use library::Libraries;
use processor::Processor;

/// An engine whose pieces have about so many elements, and whose lanes have so much memory.
fn engine(piece: usize, memory: u64) -> Option<Engine<Processor>> {
    Some(Engine::new(Processor::new(Libraries::build()?, memory)).with_piece(piece))
}

#[test]
fn kernels_agree_with_the_reference() {
    let Some(engine) = engine(1 << 24, u64::MAX) else { return };
    page::check("cuda", &conformance::table(&engine));
}
