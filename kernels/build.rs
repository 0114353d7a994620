//! With the feature `torch`: where libtorch is and which version it has. Without it: nothing.

use std::path::Path;

/// The version that the pinned tch is made for, for a libtorch without headers beside it.
const EXPECTED: &str = "2.13.0";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // torch-sys found it by LIBTORCH, LIBTORCH_USE_PYTORCH, ...
    let Some(folder) = std::env::var_os("DEP_TCH_LIBTORCH_LIB") else { return };
    let folder = Path::new(&folder);
    let header = folder.join("../include/torch/headeronly/version.h");
    println!("cargo::rerun-if-changed={}", header.display());
    let version = std::fs::read_to_string(header).ok().and_then(|text| version(&text));
    println!("cargo::rustc-env=ICPC_TORCH_VERSION={}", version.as_deref().unwrap_or(EXPECTED));
    // tests and programs of packages above link libtorch too, and are told where it is
    println!("cargo::metadata=libtorch_lib={}", folder.display());
    link(folder);
}

/// `2.13.0` of the header's three definitions.
fn version(text: &str) -> Option<String> {
    let part = |name: &str| {
        let line =
            text.lines().find_map(|line| line.strip_prefix("#define TORCH_VERSION_")?.strip_prefix(name));
        line?.trim().parse::<u32>().ok()
    };
    Some(format!("{}.{}.{}", part("MAJOR")?, part("MINOR")?, part("PATCH")?))
}

/// Programs find the libraries without LD_LIBRARY_PATH. `libtorch.so` names `libtorch_cuda.so` where that exists; no symbol
/// of it is used, so a linker that drops what is unused would leave CUDA out.
fn link(folder: &Path) {
    if std::env::var("CARGO_CFG_TARGET_FAMILY").as_deref() == Ok("unix") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{}", folder.display());
    }
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo::rustc-link-arg=-Wl,--no-as-needed,-ltorch,--as-needed");
    }
}
