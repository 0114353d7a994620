//! The suite on a GPU, where there is one; where there is none, what a user is told.

#![cfg(feature = "cuda")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use icpc_kernels::cuda::nvrtc::{Nvrtc, OVERRIDE};
use icpc_kernels::{Backend, Cuda, conformance};
use std::process::Command;

#[test]
fn a_gpu_agrees_with_the_reference() {
    let cuda = match Cuda::new(&[]) {
        Ok(cuda) => cuda,
        Err(absent) => {
            assert!(std::env::var("ICPC_REQUIRE_CUDA").is_err(), "{absent}");
            eprintln!("skipped: {absent}");
            return;
        }
    };
    match conformance::run(&[&cuda as &dyn Backend]) {
        Ok(agreed) => println!("{cuda:?}: {agreed} comparisons agree"),
        Err(mismatch) => panic!("{mismatch}"),
    }
}

#[test]
fn an_absent_driver_is_named_with_its_remedy() {
    let Err(absent) = Cuda::new(&[0]) else { return };
    let text = absent.to_string();
    assert!(!absent.what.is_empty() && !absent.remedy.is_empty());
    assert!(!absent.what.ends_with('.') && !absent.remedy.ends_with('.'), "{text}");
    if text.contains("libcuda.so.1") {
        insta::assert_snapshot!(text, @"the CUDA driver (libcuda.so.1) is not installed: install NVIDIA's driver; a container needs `--gpus all` and NVIDIA's container toolkit");
    }
}

/// A folder that is not there.
const NOWHERE: &str = "nowhere/at/all";

#[test]
fn an_absent_compiler_is_named_with_its_remedy() {
    if std::env::var(OVERRIDE).as_deref() == Ok(NOWHERE) {
        let Err(absent) = Nvrtc::load() else { panic!("NVRTC is {NOWHERE}") };
        insta::assert_snapshot!(absent, @"no NVRTC can be loaded from nowhere/at/all, which ICPC_NVRTC names: `pip install nvidia-cuda-nvrtc-cu12` in the active Python environment, or set ICPC_NVRTC to its path");
        return;
    }
    // tests share a process, and others read the variable
    let mut own = Command::new(std::env::current_exe().unwrap());
    let own = own.args(["--exact", "an_absent_compiler_is_named_with_its_remedy"]).env(OVERRIDE, NOWHERE);
    let output = own.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
