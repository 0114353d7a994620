//! Every variant that this processor has answers as the reference does.

use icpc_kernels::{Cpu, conformance};

#[test]
fn variants_agree_with_the_reference() {
    for cpu in Cpu::variants() {
        match conformance::run(&cpu) {
            Ok(agreed) => println!("{}: {agreed} comparisons agree", icpc_kernels::Backend::name(&cpu)),
            Err(mismatch) => panic!("{mismatch}"),
        }
    }
}
