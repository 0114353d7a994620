//! Recipes of the workspace's folders, open or not: what a search for symbols and references looks through.

use std::path::PathBuf;

/// Folders with more entries than this are someone's home, not a project: the rest is left out.
const MOST_ENTRIES: usize = 20_000;
/// Most files that are taken.
const MOST_FILES: usize = 2_000;
/// Folders that hold no sources.
const PASSED_OVER: [&str; 3] = ["target", "node_modules", "__pycache__"];

/// Paths of the `.icp` files below `folders`, sorted. Links to folders are not followed: they may form a circle.
pub fn recipes(folders: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let mut entries = 0;
    let mut pending: Vec<PathBuf> = folders.iter().map(PathBuf::from).collect();
    while let Some(folder) = pending.pop() {
        let Ok(inside) = std::fs::read_dir(&folder) else { continue };
        for entry in inside.flatten() {
            entries += 1;
            if entries > MOST_ENTRIES || found.len() >= MOST_FILES {
                found.sort();
                return found;
            }
            let name = entry.file_name().to_string_lossy().into_owned();
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() && !name.starts_with('.') && !PASSED_OVER.contains(&name.as_str()) {
                pending.push(entry.path());
            } else if !kind.is_dir() && name.ends_with(".icp") {
                found.push(entry.path().to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/"));
            }
        }
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipes_are_found_and_builds_are_not() {
        let folder = tempfile::tempdir().unwrap();
        for file in ["a.icp", "below/b.icp", "target/c.icp", ".git/d.icp", "below/e.txt"] {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let root = folder.path().to_string_lossy().into_owned();
        let found = recipes(&[root.clone(), "/nowhere".to_owned()]);
        assert_eq!(found, [format!("{root}/a.icp"), format!("{root}/below/b.icp")]);
    }
}
