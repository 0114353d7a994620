//! The files of the repository, found from this package's folder.

use std::fs;
use std::path::{Path, PathBuf};

/// Top of the repository.
pub fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_path_buf()
}

/// Text of a file below the top.
///
/// # Errors
/// A sentence that names the file.
pub fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(root().join(path)).map_err(|e| format!("{path}: {e}"))
}

/// Files below a folder whose name ends in `.extension`, as paths from the top with `/`, sorted. A folder that does not
/// exist has none; `target` and hidden folders are passed over.
pub fn files(folder: &str, extension: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(folder) = open.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if name.starts_with('.') || name == "target" || name == "node_modules" {
                continue;
            }
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == extension)
                && let Ok(below) = path.strip_prefix(root())
            {
                let parts: Vec<_> = below.iter().map(|p| p.to_string_lossy()).collect();
                out.push(parts.join("/"));
            }
        }
    }
    out.sort();
    out
}
