//! Every variant that this processor has answers as the reference does, and as the page says.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

#[path = "support/page.rs"]
mod page;

use icpc_kernels::cpu::Isa;
use icpc_kernels::{Cpu, conformance};

fn variant(isa: Isa) {
    match Cpu::with(isa) {
        Some(cpu) => page::check(&isa.to_string(), &conformance::table(&cpu)),
        None => eprintln!("{isa} is passed over: this processor does not have it"),
    }
}

#[test]
fn avx2_agrees_with_the_reference() {
    variant(Isa::Avx2);
}

#[test]
fn avx512_agrees_with_the_reference() {
    variant(Isa::Avx512);
}
