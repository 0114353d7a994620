//! `icpc new --library`: a library whose tests pass.

use std::path::Path;

use super::{Exit, complain};
use crate::library::{State, World, outcomes};
use crate::manifest::{self, FILE, LANGUAGE};
use crate::system;

/// Files of a new library by path; `NAME` stands for its name.
const FILES: [(&str, &str); 6] = [
    (".gitignore", "# What `icpc doc` and runs write.\n/doc/\n/out/\n"),
    (
        "README.md",
        "# NAME\n\nRecipes for `icpc`. `icpc test` checks them on the listings of `listings/`, without weights.\n\
         A listing is what `icpc inspect CHECKPOINT --listing` prints.\n\nAnother library names this one in its \
         `icp.toml`:\n\n```toml\n[dependencies]\nNAME = { path = \"../NAME\" }\n```\n\nand imports from it: \
         `use NAME::first::{first};`.\n",
    ),
    (
        "first.icp",
        "//! A first recipe: it names no checkpoint, so `icpc run first.icp --checkpoint PATH --out FOLDER` gives one.\n\n\
         recipe first {\n    assign {\n        ** where rank >= 2 => int8(per: channel),\n        \
         _                  => keep,\n    }\n}\n",
    ),
    (
        "listings/tiny.txt",
        "embedding.weight          f32 [512, 64]\nlayers.{0..=3}.w.weight    f32 [64, 64]\n\
         layers.{0..=3}.norm.weight f32 [64]\n",
    ),
    (
        "tests/first.md",
        "# The first recipe\n\n## its import\n\n```listing\nembedding.weight  f32 [512, 64]\n```\n\n```icp\n\
         use NAME::first::{first};\n\nrecipe mine extends first {\n    checkpoint \"tiny.pt\";\n}\n```\n\n\
         ```expect\nno error\ncompression >= 3.5x\n```\n",
    ),
    (
        ".github/workflows/recipes.yml",
        "# Tests the recipes on every push; needs no weights, and icpc on the PATH of the runner.\non: [push, pull_request]\njobs:\n  test:\n    \
         runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v4\n      - run: icpc test --ci --junit \
         recipes.xml\n",
    ),
];

pub(super) fn main(name: &str) -> Exit {
    let text = format!(
        "name = \"{name}\"\nversion = \"0.1.0\"\nlanguage = {LANGUAGE}\n\n[dependencies]\n\n[[test]]\n\
         recipe = \"first.icp\"\nlistings = [\"listings/*.txt\"]\nexpect = [\"no error\"]\n"
    );
    if let Err(reason) = manifest::parse(FILE, &text) {
        complain(&format!("error: no library can be called so: {reason}"));
        return Exit::Usage;
    }
    let top = Path::new(name);
    if top.exists() {
        complain(&format!("error: `{name}` exists: remove it first, or choose another name"));
        return Exit::Files;
    }
    match write(top, name, &text) {
        Ok(()) => {
            complain(&format!("wrote the library `{name}`: `icpc test {name}` tests it"));
            Exit::Success
        }
        Err(reason) => {
            complain(&format!("error: {reason}"));
            Exit::Files
        }
    }
}

fn write(top: &Path, name: &str, manifest: &str) -> Result<(), String> {
    put(&top.join(FILE), manifest)?;
    for (path, text) in FILES {
        put(&top.join(path), &text.replace("NAME", name))?;
    }
    for outcome in outcomes(&World::read(top)?)? {
        match (outcome.state, &outcome.proposed) {
            (State::New, Some((file, text))) => put(file, text)?,
            (State::Failed, _) => {
                return Err(format!(
                    "internal error: `{}` fails: {}",
                    outcome.name,
                    outcome.problems.join(", ")
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

fn put(file: &Path, text: &str) -> Result<(), String> {
    let wrong = |e: std::io::Error| format!("cannot write `{}`: {}", file.display(), system::plain(&e));
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(wrong)?;
    }
    std::fs::write(file, text).map_err(wrong)
}
