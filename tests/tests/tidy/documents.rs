//! Documents that must keep up with the sources.

use std::collections::BTreeSet;

use icpc::diag::{self, lint};
use icpc_tests::repository;

/// Names in the `declare!`s of the sources.
fn declared() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in repository::files("compiler/src", "rs") {
        let text = repository::read(&file).unwrap();
        // The macro's own file shows how it is used.
        if file == "compiler/src/diag/mod.rs" {
            continue;
        }
        for (_, rest) in text.match_indices("declare!(").map(|(i, m)| (i, &text[i + m.len()..])) {
            let body = rest.split(");").next().unwrap_or("");
            let code: String = body.lines().map(|l| l.split("//").next().unwrap_or("")).collect();
            names.extend(code.split('"').nth(1).map(str::to_owned));
        }
    }
    names
}

#[test]
fn every_declaration_is_in_the_registry_and_has_a_page() {
    let registered: BTreeSet<String> = diag::ALL.iter().map(|d| d.name.to_owned()).collect();
    assert_eq!(declared(), registered, "`declare!`s and diag::ALL");
    let pages: BTreeSet<String> = repository::files("docs/diagnostics", "md")
        .iter()
        .filter_map(|f| f.strip_prefix("docs/diagnostics/")?.strip_suffix(".md").map(str::to_owned))
        .filter(|name| name != "README")
        .collect();
    assert_eq!(registered, pages, "diag::ALL and docs/diagnostics/");
}

#[test]
fn declarations_are_well_named_sorted_and_unique() {
    let problems: Vec<String> = diag::ALL.iter().flat_map(|d| lint::declaration(d)).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    let codes: Vec<&str> = diag::ALL.iter().map(|d| d.code).collect();
    assert!(codes.windows(2).all(|w| w[0] < w[1]), "codes are sorted and unique: {codes:?}");
    let names: BTreeSet<&str> = diag::ALL.iter().map(|d| d.name).collect();
    assert_eq!(names.len(), codes.len(), "names are unique");
}

#[test]
fn pages_begin_with_name_and_code() {
    for kind in diag::ALL {
        let title = format!("# {} ({})\n\n", kind.name, kind.code);
        assert!(kind.page.starts_with(&title), "docs/diagnostics/{}.md begins with {title:?}", kind.name);
    }
}

#[test]
fn the_changelog_knows_this_version() {
    let changelog = repository::read("CHANGELOG.md").unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert!(changelog.contains(&format!("## {version}")), "CHANGELOG.md has a section `## {version}`");
}

#[test]
fn the_repository_has_its_documents() {
    for file in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "LICENSE-MIT", "LICENSE-APACHE"] {
        assert!(repository::read(file).is_ok_and(|t| t.len() > 500), "{file}");
    }
}

#[test]
fn the_architecture_names_every_module() {
    let map = repository::read("ARCHITECTURE.md").unwrap();
    let mut missing = Vec::new();
    for file in repository::files("compiler/src", "rs") {
        let Some(below) = file.strip_prefix("compiler/src/") else { continue };
        let name = below.split(['/', '.']).next().unwrap_or("");
        if !matches!(name, "lib" | "main") && !map.contains(&format!("`{name}`")) {
            missing.push(name.to_owned());
        }
    }
    for file in repository::files("lsp/src", "rs") {
        let Some(below) = file.strip_prefix("lsp/src/") else { continue };
        let name = below.split(['/', '.']).next().unwrap_or("");
        if name != "lib" && !map.contains(&format!("`{name}`")) && !map.contains(&format!("`{name}/")) {
            missing.push(file.clone());
        }
    }
    missing.dedup();
    assert!(missing.is_empty(), "ARCHITECTURE.md does not name {missing:?}");
}
