//! The library that comes with the compiler: files of `stdlib/`, embedded.

/// Path as an import resolves it (`std/arch/itera_lite.icp`), and text; sorted by path.
pub static FILES: &[(&str, &str)] = &[];

/// Text of a library file.
pub fn text(path: &str) -> Option<&'static str> {
    FILES.iter().find(|(p, _)| *p == path).map(|(_, text)| *text)
}
