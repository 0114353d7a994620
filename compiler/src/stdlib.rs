//! The library that comes with the compiler: files of `stdlib/`, embedded.

macro_rules! files {
    ($folder:literal: $($name:literal)*) => {
        &[$((
            concat!("std/", $folder, "/", $name, ".icp"),
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../stdlib/", $folder, "/", $name, ".icp")),
        )),*]
    };
}

/// Architectures: path as an import resolves it (`std/arch/itera_lite.icp`), and text; sorted by path.
pub static ARCHITECTURES: &[(&str, &str)] =
    files!("arch": "bert" "gpt2" "itera_lite" "llama" "mamba" "mixtral" "transformer_baseline");

/// Recipes to extend, in the same form.
pub static PRESETS: &[(&str, &str)] =
    files!("presets": "bert" "deepseek_v3" "gpt2" "itera_lite" "llama" "mamba" "mixtral");

/// All files, sorted by path.
pub fn files() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    ARCHITECTURES.iter().chain(PRESETS)
}

/// Text of a library file.
pub fn text(path: &str) -> Option<&'static str> {
    files().find(|(p, _)| *p == path).map(|(_, text)| *text)
}
