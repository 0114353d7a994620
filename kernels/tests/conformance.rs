//! Every variant that this processor has answers as the reference does.

use icpc_kernels::{Backend, Cpu, conformance};

#[test]
fn variants_agree_with_the_reference() {
    let variants: Vec<Cpu> = Cpu::variants().into_iter().skip(1).collect();
    let names: Vec<&str> = variants.iter().map(Backend::name).collect();
    let backends: Vec<&dyn Backend> = variants.iter().map(|cpu| cpu as &dyn Backend).collect();
    match conformance::run(&backends) {
        Ok(agreed) => println!("{names:?}: {agreed} comparisons agree"),
        Err(mismatch) => panic!("{mismatch}"),
    }
}
