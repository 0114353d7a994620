//! The suite on a GPU, where there is one; where there is none, what a user is told.

#![cfg(feature = "cuda")]

use icpc_kernels::cuda::nvrtc::Nvrtc;
use icpc_kernels::{Backend, Cuda, conformance};

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

#[test]
fn an_absent_compiler_is_named_with_its_remedy() {
    // a process of its own would be needed to set the variable: where tests share one, others read it too
    if let Err(absent) = Nvrtc::load() {
        assert!(absent.remedy.contains("pip install nvidia-cuda-nvrtc-cu12"), "{absent}");
    }
}
