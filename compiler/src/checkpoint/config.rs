//! A `config.json` beside a checkpoint: limits and flags, each with the line that says it.

use std::collections::BTreeMap;

use super::error::{CheckpointError, Place, Result};
use super::json::{self, Scalar, Step};
use super::schema::{Attribute, ConfigFact};
use crate::base::LineIndex;

/// Longest file that is read, in bytes.
pub(super) const MAX_BYTES: u64 = 16 << 20;

/// Items of a list that become facts (`architectures.0`).
const MAX_LIST: u64 = 32;

/// Facts of the JSON `text`, in order: nested keys joined with `.`, list items by number, nulls left out. `file` is
/// the name in their origins. Sentences about what is not a fact go to `notes`.
pub fn parse_config(file: &str, text: &str, notes: &mut Vec<String>) -> Result<Vec<ConfigFact>> {
    let index = LineIndex::new(text);
    let mut facts: Vec<ConfigFact> = Vec::new();
    let mut by_key: BTreeMap<String, usize> = BTreeMap::new();
    let mut long = None;
    json::walk(text, &mut |path, value| {
        let key = key(path);
        let origin = match json::line_of(&index, path) {
            Some(line) => format!("{file}:{line}"),
            None => file.to_owned(),
        };
        if path.iter().any(|step| matches!(step, Step::Item(i) if *i >= MAX_LIST)) {
            long.get_or_insert(origin);
            return;
        }
        let value = match value {
            Scalar::Null => return,
            Scalar::Bool(b) => Attribute::Bool(b),
            Scalar::Int(n) => match i64::try_from(n) {
                Ok(n) => Attribute::Int(n),
                Err(_) => Attribute::Float(n as f64),
            },
            Scalar::Float(x) => Attribute::Float(x),
            Scalar::Text(text) => Attribute::Text(text.into_owned()),
        };
        let fact = ConfigFact { key: key.clone(), value, origin };
        // Python's reader takes the last of equal keys, so programs that wrote both mean that one.
        match by_key.insert(key, facts.len()).and_then(|before| facts.get_mut(before)) {
            Some(before) => {
                notes.push(format!("{}: `{}` stands twice, the last one counts", fact.origin, fact.key));
                by_key.remove(&fact.key);
                *before = fact;
            }
            None => facts.push(fact),
        }
    })?;
    if !text.trim_start().starts_with('{') {
        return Err(CheckpointError::malformed("a JSON object was expected").at(Place::LineColumn(1, 1)));
    }
    if let Some(origin) = long {
        notes.push(format!("{origin}: items of lists beyond the first {MAX_LIST} are not read"));
    }
    Ok(facts)
}

fn key(path: &[Step<'_>]) -> String {
    let mut out = String::new();
    for step in path {
        if !out.is_empty() {
            out.push('.');
        }
        match step {
            Step::Key(key, _) => out.push_str(key),
            Step::Item(i) => out.push_str(&i.to_string()),
        }
    }
    out
}
