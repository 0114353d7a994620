//! The library that comes with the compiler: files of `stdlib/`, embedded.

macro_rules! arch {
    ($name:literal) => {
        (
            concat!("std/arch/", $name, ".icp"),
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../stdlib/arch/", $name, ".icp")),
        )
    };
}

/// Path as an import resolves it (`std/arch/itera_lite.icp`), and text; sorted by path.
pub static FILES: &[(&str, &str)] = &[
    arch!("bert"),
    arch!("gpt2"),
    arch!("itera_lite"),
    arch!("llama"),
    arch!("mamba"),
    arch!("mixtral"),
    arch!("transformer_baseline"),
];

/// Text of a library file.
pub fn text(path: &str) -> Option<&'static str> {
    FILES.iter().find(|(p, _)| *p == path).map(|(_, text)| *text)
}
