//! From the text of an `icp.toml` to a [`Manifest`].

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::{Dependency, LANGUAGE, Manifest, Test};
use crate::base::LineIndex;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: Spanned<String>,
    version: Spanned<String>,
    language: Spanned<u32>,
    #[serde(default)]
    dependencies: BTreeMap<Spanned<String>, WrittenDependency>,
    #[serde(default)]
    test: Vec<WrittenTest>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenDependency {
    path: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTest {
    recipe: Spanned<String>,
    #[serde(default)]
    only: Vec<String>,
    listings: Vec<String>,
    #[serde(default)]
    set: Vec<String>,
    #[serde(default)]
    expect: Vec<Spanned<String>>,
}

/// Reads the manifest `text`; `path` is what an error names.
///
/// # Errors
/// A sentence with path, line and what to do.
pub fn parse(path: &str, text: &str) -> Result<Manifest, String> {
    let lines = LineIndex::new(text);
    let line = |offset: usize| lines.line_column(u32::try_from(offset).unwrap_or(u32::MAX)).0 as usize + 1;
    let wrong = |offset: usize, what: String| format!("`{path}:{}`: {what}", line(offset));
    let written: Written = toml::from_str(text).map_err(|e| {
        let said = e.message().replace('\n', ", ");
        wrong(e.span().map_or(0, |s| s.start), said)
    })?;
    if !is_name(written.name.get_ref()) {
        let name = written.name.get_ref();
        return Err(wrong(
            written.name.span().start,
            format!("`{name}` cannot stand in a `use`: write letters, digits and `_`, a letter first"),
        ));
    }
    if written.name.get_ref() == "std" {
        let start = written.name.span().start;
        return Err(wrong(start, "`std` is inside of icpc: choose another name".to_owned()));
    }
    if !is_version(written.version.get_ref()) {
        let version = written.version.get_ref();
        return Err(wrong(
            written.version.span().start,
            format!("`{version}` is no version: write three numbers such as `0.1.0`"),
        ));
    }
    let language = *written.language.get_ref();
    if language == 0 || language > LANGUAGE {
        return Err(wrong(
            written.language.span().start,
            format!(
                "version {language} of the language is not known to this icpc, which speaks {LANGUAGE}: \
                 install a newer icpc, or write `language = {LANGUAGE}`"
            ),
        ));
    }
    let mut dependencies = BTreeMap::new();
    for (name, dependency) in written.dependencies {
        let start = name.span().start;
        let name = name.into_inner();
        if name == "std" {
            return Err(wrong(start, "`std` is inside of icpc: remove it from `[dependencies]`".to_owned()));
        }
        if name == *written.name.get_ref() {
            return Err(wrong(start, format!("`{name}` depends on itself: remove the line")));
        }
        dependencies.insert(name, Dependency { path: dependency.path, line: line(start) });
    }
    let test = |t: WrittenTest| Test {
        line: line(t.recipe.span().start),
        recipe: t.recipe.into_inner(),
        only: t.only,
        listings: t.listings,
        set: t.set,
        expect: t.expect.into_iter().map(|e| (line(e.span().start), e.into_inner())).collect(),
    };
    Ok(Manifest {
        name: written.name.into_inner(),
        version: written.version.into_inner(),
        language,
        dependencies,
        tests: written.test.into_iter().map(test).collect(),
    })
}

/// Whether a `use` can name it.
fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn is_version(version: &str) -> bool {
    let parts: Vec<&str> = version.split('.').collect();
    parts.len() == 3 && parts.iter().all(|p| p.parse::<u32>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        match parse("icp.toml", text) {
            Ok(manifest) => format!("{manifest:?}"),
            Err(error) => error,
        }
    }

    #[test]
    fn manifests() {
        let head = "name = \"mine\"\nversion = \"0.1.0\"\nlanguage = 1\n";
        insta::assert_snapshot!(said(&format!("{head}[dependencies]\ncommon = {{ path = \"../c\" }}\n")), @r#"Manifest { name: "mine", version: "0.1.0", language: 1, dependencies: {"common": Dependency { path: "../c", line: 5 }}, tests: [] }"#);
        insta::assert_snapshot!(said(&head.replace("= 1\n", "= 2\n")), @"`icp.toml:3`: version 2 of the language is not known to this icpc, which speaks 1: install a newer icpc, or write `language = 1`");
        insta::assert_snapshot!(said(&head.replace("mine", "my-own")), @"`icp.toml:1`: `my-own` cannot stand in a `use`: write letters, digits and `_`, a letter first");
        insta::assert_snapshot!(said(&head.replace("0.1.0", "1")), @"`icp.toml:2`: `1` is no version: write three numbers such as `0.1.0`");
        insta::assert_snapshot!(said(&format!("{head}[dependencies]\nmine = {{ path = \".\" }}\n")), @"`icp.toml:5`: `mine` depends on itself: remove the line");
        assert!(said(&head.replace("mine", "std")).contains("`std` is inside of icpc"));
        assert!(said("name = \"mine\"\n").contains("missing field"));
        assert!(
            said(&format!("{head}licence = \"MIT\"\n")).starts_with("`icp.toml:4`: unknown field `licence`")
        );
    }
}
