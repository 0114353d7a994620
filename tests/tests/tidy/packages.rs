//! Dependencies: pinned, with a reason, and none where it must not be.

use std::process::Command;

use icpc_tests::repository;

/// Lines of `[workspace.dependencies]`, each with the comment that heads its group.
fn dependencies() -> Vec<(String, String)> {
    let text = repository::read("Cargo.toml").unwrap();
    let (_, section) = text.split_once("[workspace.dependencies]\n").unwrap();
    let lines = section.lines().take_while(|l| !l.starts_with('['));
    lines
        .filter_map(|l| l.split_once(" = "))
        .map(|(n, rest)| (n.trim().to_owned(), rest.to_owned()))
        .collect()
}

#[test]
fn dependencies_are_pinned_and_say_why() {
    let mut problems = Vec::new();
    for (name, rest) in dependencies() {
        if rest.contains("path = ") {
            continue;
        }
        if !rest.contains("\"=") {
            problems.push(format!("{name} is not pinned with `=`"));
        }
        let reason = rest.split_once('#').map_or("", |(_, r)| r.trim());
        if reason.len() < 5 {
            problems.push(format!("{name} has no comment that says why it is there"));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn packages_take_versions_from_the_workspace() {
    for package in ["kernels", "compiler", "lsp", "tests"] {
        let text = repository::read(&format!("{package}/Cargo.toml")).unwrap();
        let mut inside = false;
        for line in text.lines() {
            if line.starts_with('[') {
                inside = line.contains("dependencies");
            } else if inside && line.contains('=') && !line.starts_with('#') {
                assert!(line.contains("workspace = true"), "{package}/Cargo.toml: {line}");
            }
        }
    }
}

#[test]
fn the_language_server_needs_only_what_checks() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let tree = Command::new(cargo)
        .args(["tree", "--offline", "--package", "icpc-lsp", "--edges", "normal,build", "--prefix", "none"])
        .current_dir(repository::root())
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8_lossy(&tree.stdout);
    let crates: Vec<&str> = tree.lines().filter_map(|l| l.split(' ').next()).collect();
    assert!(crates.contains(&"icpc"), "{tree}");
    // Backends, and what only runs and the command line need.
    for other in
        ["tch", "torch-sys", "cudarc", "clap", "indicatif", "pulldown-cmark", "tokenizers", "xxhash-rust"]
    {
        assert!(!crates.contains(&other), "{other} is in the tree:\n{tree}");
    }
}
