//! NVRTC compiles every kernel for the architectures that it has to run on. No GPU is needed.

#![cfg(feature = "cuda")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use icpc_kernels::DType;
use icpc_kernels::cuda::cache::Cache;
use icpc_kernels::cuda::nvrtc::Nvrtc;
use icpc_kernels::cuda::sources::{FAMILIES, MODEL_FAMILIES};

/// NVRTC, where it is; `kernels/cuda/nvrtc.sh` installs it.
fn nvrtc() -> Option<Nvrtc> {
    match Nvrtc::load() {
        Ok(nvrtc) => Some(nvrtc),
        Err(absent) => {
            assert!(std::env::var("ICPC_REQUIRE_NVRTC").is_err(), "{absent}");
            eprintln!("skipped: {absent}");
            None
        }
    }
}

#[test]
fn every_kernel_compiles() {
    let Some(nvrtc) = nvrtc() else { return };
    let known = nvrtc.architectures().unwrap();
    assert!(known.contains(&80) && known.contains(&90), "{known:?}");
    // widths of a source, and both architectures; the test on the processor compiles all types
    let sources =
        [(DType::F32, "sm_80"), (DType::F64, "sm_80"), (DType::Bf16, "sm_90"), (DType::F8E4M3, "sm_90")];
    let plan = FAMILIES
        .iter()
        .flat_map(|(family, _)| sources.map(|(source, architecture)| (*family, source, architecture)));
    let model = MODEL_FAMILIES
        .iter()
        .flat_map(|(family, _)| ["sm_80", "sm_90"].map(|architecture| (*family, DType::F32, architecture)));
    let units: Vec<_> = plan.chain(model).collect();
    let compile = |units: &[_]| {
        for &(family, source, architecture) in units {
            let image = nvrtc.compile(family, source, architecture);
            let image = image.unwrap_or_else(|error| {
                panic!("{}.cu of {source} for {architecture}: {error}", family.name())
            });
            assert_eq!(&image[..4], b"\x7fELF");
        }
    };
    let (one, other) = units.split_at(units.len() / 2);
    std::thread::scope(|scope| {
        scope.spawn(|| compile(one));
        compile(other);
    });
    println!("NVRTC {:?}: {} files compile", nvrtc.version(), units.len());
}

#[test]
fn a_cache_compiles_once() {
    let Some(nvrtc) = nvrtc() else { return };
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path());
    let (family, _) = FAMILIES[0];
    let get = || cache.get(&nvrtc, family, DType::F32, "sm_80").unwrap();
    let image = get();
    let files =
        || std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path()).collect::<Vec<_>>();
    let [file] = &files()[..] else { panic!("{:?}", files()) };
    let written = std::fs::metadata(file).unwrap().modified().unwrap();
    assert_eq!(get(), image);
    assert_eq!(std::fs::metadata(file).unwrap().modified().unwrap(), written);
    std::fs::write(file, b"damaged").unwrap();
    assert_eq!(get(), image);
    assert!(std::fs::metadata(file).unwrap().len() > 1000, "what is damaged is written again");
    assert_eq!(files().len(), 1, "no temporary file is left");
}

#[test]
fn what_the_compiler_says_is_passed_on() {
    let Some(nvrtc) = nvrtc() else { return };
    let error = nvrtc.compile(FAMILIES[0].0, DType::F32, "sm_1").unwrap_err();
    assert!(error.contains("gpu-architecture"), "{error}");
}
