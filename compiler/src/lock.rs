//! What a recipe was checked with, by hashes: `RECIPE.lock`, which a run can be held to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::checkpoint::Schema;
use crate::manifest::LANGUAGE;
use crate::plan::hash::hex_digest;
use crate::session::Session;
use crate::stdlib;
use crate::syntax::tree;

/// Version of the lock's own form.
const FORM: u32 = 1;

/// Everything that decides what a recipe does, but for the weights themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// Version of this form.
    lock: u32,
    /// Version of icpc.
    icpc: String,
    /// Version of the language.
    language: u32,
    /// SHA-256 of the library that comes with icpc.
    std: String,
    /// Parameters of the command line, by name.
    set: BTreeMap<String, String>,
    /// SHA-256 of the recipe's file and of all that it imports, by path from the folder of the recipe.
    files: BTreeMap<String, String>,
    /// Checkpoints by the name of the recipe; none for one that names none.
    checkpoints: BTreeMap<String, Option<Header>>,
}

/// Header of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// As the recipe or the command line names it, joined with the recipe's folder.
    path: String,
    /// SHA-256 of the header's bytes.
    sha256: String,
    /// SHA-256 of what its configuration says, such as the number of heads.
    config: String,
}

impl Header {
    fn of(path: String, schema: &Schema) -> Header {
        let facts = schema.config.iter().map(|f| format!("{} = {:?}\n", f.key, f.value)).collect::<Vec<_>>();
        Header { path, sha256: schema.header_hash.clone(), config: hex_digest(facts.concat().as_bytes()) }
    }
}

impl Lock {
    /// The lock of recipes of `file` as they are now in a session that has read what they name.
    ///
    /// # Errors
    /// A sentence: a file or checkpoint that was not read.
    pub fn of(
        session: &Session,
        file: &str,
        recipes: &[String],
        sets: &[(String, String)],
    ) -> Result<Lock, String> {
        let mut files = BTreeMap::new();
        for path in imported(session, file) {
            let Some(text) = session.text(&path) else {
                return Err(format!("`{path}` cannot be read: a lock needs all that is imported"));
            };
            files.insert(relative(file, &path), hex_digest(text.as_bytes()));
        }
        let mut checkpoints = BTreeMap::new();
        for name in recipes {
            let header = match session.checkpoint_path(file, name) {
                None => None,
                Some(path) => {
                    let Some(schema) = session.schema(&path) else {
                        return Err(format!("`{path}` cannot be read: a lock needs the checkpoint's header"));
                    };
                    Some(Header::of(relative(file, &path), &schema))
                }
            };
            checkpoints.insert(name.clone(), header);
        }
        Ok(Lock {
            lock: FORM,
            icpc: env!("CARGO_PKG_VERSION").to_owned(),
            language: LANGUAGE,
            std: hash_of_std(),
            set: sets.iter().cloned().collect(),
            files,
            checkpoints,
        })
    }

    /// Parameters as behind `--set`.
    pub fn parameters(&self) -> Vec<String> {
        self.set.iter().map(|(name, value)| format!("{name}={value}")).collect()
    }

    /// Reads a lock.
    ///
    /// # Errors
    /// A sentence without the path.
    pub fn parse(text: &str) -> Result<Lock, String> {
        let lock: Lock = serde_json::from_str(text).map_err(|e| e.to_string())?;
        if lock.lock != FORM {
            return Err(format!(
                "form {} of a lock is not known to this icpc, which writes {FORM}",
                lock.lock
            ));
        }
        Ok(lock)
    }

    /// As it is written: JSON, sorted.
    ///
    /// # Errors
    /// A bug of ours.
    pub fn text(&self) -> Result<String, String> {
        let text = serde_json::to_string_pretty(self).map_err(|e| format!("internal error: {e}"))?;
        Ok(text + "\n")
    }

    /// What is not as `self` has it, one sentence each. A lock of more recipes than `now` has is no difference.
    pub fn differences(&self, now: &Lock) -> Vec<String> {
        let mut out = Vec::new();
        let mut versions = |what: &str, locked: &str, is: &str| {
            if locked != is {
                out.push(format!("{what} {locked} is locked, this is {is}"));
            }
        };
        versions("icpc", &self.icpc, &now.icpc);
        versions("version of the language", &self.language.to_string(), &now.language.to_string());
        if self.std != now.std {
            out.push(format!("the library inside of icpc is another one{}", hashes(&self.std, &now.std)));
        }
        for (path, locked, is) in both(&self.files, &now.files) {
            out.extend(match (locked, is) {
                (Some(locked), Some(is)) if locked != is => {
                    Some(format!("`{path}` has changed{}", hashes(locked, is)))
                }
                (None, Some(_)) => Some(format!("`{path}` is imported now, and was not")),
                (Some(_), None) => Some(format!("`{path}` was imported, and is not now")),
                _ => None,
            });
        }
        for (name, locked, is) in both(&self.set, &now.set) {
            out.extend(match (locked, is) {
                (Some(locked), Some(is)) if locked != is => {
                    Some(format!("`--set {name}={is}`: `{locked}` is locked"))
                }
                (None, Some(is)) => Some(format!("`--set {name}={is}` is not in the lock")),
                (Some(locked), None) => {
                    Some(format!("`--set {name}={locked}` is locked, and is not set now"))
                }
                _ => None,
            });
        }
        for (recipe, is) in &now.checkpoints {
            let shown = |header: &Header| format!("`{}`", header.path);
            out.extend(match (self.checkpoints.get(recipe), is) {
                (None, _) => Some(format!("the recipe `{recipe}` is not in the lock")),
                (Some(None), Some(is)) => {
                    Some(format!("`{recipe}` was locked without a checkpoint, and has {} now", shown(is)))
                }
                (Some(Some(locked)), None) => {
                    Some(format!("`{recipe}` was locked with {}, and has no checkpoint now", shown(locked)))
                }
                // The same header elsewhere is the same checkpoint, moved.
                (Some(Some(locked)), Some(is)) if locked.sha256 != is.sha256 => Some(format!(
                    "the header of the checkpoint of `{recipe}` has changed{}",
                    match locked.path == is.path {
                        true => format!(": {}{}", shown(is), hashes(&locked.sha256, &is.sha256)),
                        false => format!(": {} is locked, this is {}", shown(locked), shown(is)),
                    }
                )),
                (Some(Some(locked)), Some(is)) if locked.config != is.config => Some(format!(
                    "the configuration of the checkpoint of `{recipe}` has changed: {}{}",
                    shown(is),
                    hashes(&locked.config, &is.config)
                )),
                _ => None,
            });
        }
        out
    }
}

/// Path of the lock of a recipe file.
pub fn path_of(file: &str) -> String {
    format!("{}.lock", file.strip_suffix(".icp").unwrap_or(file))
}

/// The beginnings of two hashes.
fn hashes(locked: &str, is: &str) -> String {
    let short = |hash: &str| hash.chars().take(12).collect::<String>();
    format!(": sha256 {} is locked, this is {}", short(locked), short(is))
}

/// Entries of both maps by name.
fn both<'a>(
    locked: &'a BTreeMap<String, String>,
    now: &'a BTreeMap<String, String>,
) -> Vec<(&'a String, Option<&'a String>, Option<&'a String>)> {
    let names: BTreeSet<&String> = locked.keys().chain(now.keys()).collect();
    names.into_iter().map(|name| (name, locked.get(name), now.get(name))).collect()
}

/// A file and all that it imports, directly or not, without the library inside of icpc.
fn imported(session: &Session, file: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut pending = vec![file.to_owned()];
    while let Some(path) = pending.pop() {
        let Some(module) = session.module(&path).filter(|_| stdlib::text(&path).is_none()) else {
            if stdlib::text(&path).is_none() {
                found.insert(path);
            }
            continue;
        };
        if found.insert(path.clone()) {
            let uses = module.items.iter().filter_map(|item| match &item.tree {
                tree::Item::Use(u) => Some(session.import_path(&path, &u.from)),
                _ => None,
            });
            pending.extend(uses);
        }
    }
    found
}

fn hash_of_std() -> String {
    let all: Vec<String> =
        stdlib::files().map(|(path, text)| format!("{path}\n{}\n", hex_digest(text.as_bytes()))).collect();
    hex_digest(all.concat().as_bytes())
}

/// `path` from the folder of `file`, with `/`: a lock means the same wherever it is looked at from.
fn relative(file: &str, path: &str) -> String {
    let (from, to) = (parts(file), parts(path));
    let from = from.split_last().map_or(&[][..], |(_, folder)| folder);
    let same = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = vec!["..".to_owned(); from.len().saturating_sub(same)];
    up.into_iter().chain(to.into_iter().skip(same)).collect::<Vec<_>>().join("/")
}

/// Parts of a path from the top, without `.` and `..`.
fn parts(path: &str) -> Vec<String> {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path));
    let mut out = Vec::new();
    for part in Path::new(&absolute).components() {
        match part {
            Component::ParentDir => drop(out.pop()),
            Component::CurDir => {}
            part => out.push(part.as_os_str().to_string_lossy().into_owned()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECIPE: &str = "use \"../common/t.icp\"::{table};\nuse std::arch::llama;\n\n\
                          recipe r { checkpoint \"a\"; assign { _ => table } }\n";

    fn session(recipe: &str, table: &str, listing: &str) -> Session {
        let mut session = Session::new();
        session.set_file("lib/r.icp", recipe);
        session.set_file("common/t.icp", table);
        session.set_checkpoint_listing("lib/a", listing);
        session
    }

    fn lock(recipe: &str, table: &str, listing: &str, sets: &[(&str, &str)]) -> Lock {
        let sets: Vec<(String, String)> = sets.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect();
        Lock::of(&session(recipe, table, listing), "lib/r.icp", &["r".to_owned()], &sets).unwrap()
    }

    #[test]
    fn what_differs_is_named() {
        let (table, listing) = ("const table = fp16;\n", "w f32 [4]\n");
        let locked = lock(RECIPE, table, listing, &[("clip", "99%")]);
        assert_eq!(Lock::parse(&locked.text().unwrap()).unwrap(), locked);
        assert_eq!(locked.files.keys().collect::<Vec<_>>(), ["../common/t.icp", "r.icp"]);
        assert!(locked.differences(&locked).is_empty());
        let said = |now: &Lock| locked.differences(now).join("\n");
        insta::assert_snapshot!(said(&lock(&RECIPE.replace("_ =>", "w =>"), table, listing, &[("clip", "99%")])), @"`r.icp` has changed: sha256 5f5ae9917559 is locked, this is 4f45b8cc0d9e");
        insta::assert_snapshot!(said(&lock(RECIPE, "const table = bf16;\n", listing, &[])), @"
        `../common/t.icp` has changed: sha256 62c640d43677 is locked, this is 37ec8fe5c54e
        `--set clip=99%` is locked, and is not set now
        ");
        insta::assert_snapshot!(said(&lock(RECIPE, table, "w f32 [8]\n", &[("clip", "9%"), ("x", "1")])), @"
        `--set clip=9%`: `99%` is locked
        `--set x=1` is not in the lock
        the header of the checkpoint of `r` has changed: `a`: sha256 07bde0e6a076 is locked, this is 2757e8d9457c
        ");
        let mut other = locked.clone();
        (other.icpc, other.language, other.std) = ("9.0.0".into(), 7, "ab".repeat(32));
        other.files.remove("../common/t.icp");
        other.files.insert("new.icp".into(), "cd".repeat(32));
        other.checkpoints.insert("s".into(), None);
        insta::assert_snapshot!(said(&other).replace(&locked.icpc, "0.0.0").replace(&locked.std[..12], "(hash)"), @"
        icpc 0.0.0 is locked, this is 9.0.0
        version of the language 1 is locked, this is 7
        the library inside of icpc is another one: sha256 (hash) is locked, this is abababababab
        `../common/t.icp` was imported, and is not now
        `new.icp` is imported now, and was not
        the recipe `s` is not in the lock
        ");
    }

    #[test]
    fn locks_that_are_none() {
        let said = |text: &str| Lock::parse(text).unwrap_err();
        assert!(said("{}").contains("missing field"));
        let text = lock(RECIPE, "", "w f32 [4]\n", &[]).text().unwrap();
        insta::assert_snapshot!(said(&text.replace("\"lock\": 1", "\"lock\": 2")), @"form 2 of a lock is not known to this icpc, which writes 1");
    }
}
