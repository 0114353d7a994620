//! Where NVIDIA's libraries lie.

use std::path::{Path, PathBuf};

/// What the environment variable `named` says, and files to try: what it names and nothing else; without it by `names` from the
/// system's folders, from `package` of NVIDIA in an active Python environment or among the user's, or from a CUDA toolkit.
pub(super) fn candidates(named: &str, names: &[&str], package: &str) -> (Option<PathBuf>, Vec<PathBuf>) {
    let named = std::env::var_os(named).map(PathBuf::from);
    let files = match &named {
        Some(path) if path.is_dir() => in_folder(path, names),
        Some(path) => vec![path.clone()],
        None => {
            let found = folders(package).into_iter().flat_map(|folder| in_folder(&folder, names));
            names.iter().map(PathBuf::from).chain(found).collect()
        }
    };
    (named, files)
}

fn in_folder(folder: &Path, names: &[&str]) -> Vec<PathBuf> {
    names.iter().map(|name| folder.join(name)).filter(|path| path.is_file()).collect()
}

/// Folders that may have the library and that the system does not look into.
fn folders(package: &str) -> Vec<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    // the prefix of the Python that would start comes after one that is active
    let python = variable("PATH").and_then(|path| {
        let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
        let folder = folders.into_iter().find(|folder| folder.join("python3").is_file())?;
        folder.parent().map(Path::to_path_buf)
    });
    let user = variable("HOME").map(|home| home.join(".local"));
    let environments =
        [variable("VIRTUAL_ENV"), variable("CONDA_PREFIX"), python, user].into_iter().flatten();
    let mut found = Vec::new();
    for prefix in environments {
        let mut packages = vec![prefix.join("Lib/site-packages")];
        for entry in std::fs::read_dir(prefix.join("lib")).into_iter().flatten().flatten() {
            packages.push(entry.path().join("site-packages"));
        }
        packages.sort();
        for packages in packages {
            found.extend([package, "cu13"].map(|name| packages.join("nvidia").join(name).join("lib")));
            found.push(packages.join("nvidia").join(package).join("bin"));
        }
    }
    let toolkits = [variable("CUDA_PATH"), variable("CUDA_HOME"), Some(PathBuf::from("/usr/local/cuda"))];
    for toolkit in toolkits.into_iter().flatten() {
        found.extend(["lib64", "lib", "bin"].map(|name| toolkit.join(name)));
    }
    found
}
