//! With the feature `torch`, programs and tests find libtorch where `kernels/build.rs` found it, and keep its CUDA part.

fn main() {
    // It is the build script of `tests/`, too, beside which it does not lie.
    println!("cargo::rerun-if-env-changed=DEP_ICPC_TORCH_LIBTORCH_LIB");
    let Some(folder) = std::env::var_os("DEP_ICPC_TORCH_LIBTORCH_LIB") else { return };
    if std::env::var("CARGO_CFG_TARGET_FAMILY").as_deref() == Ok("unix") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{}", folder.display());
    }
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo::rustc-link-arg=-Wl,--no-as-needed,-ltorch,--as-needed");
    }
}
