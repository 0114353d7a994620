//! `model.safetensors.index.json`: which tensor is in which file.

use std::collections::BTreeMap;

use super::error::{CheckpointError, Place, Result, Shown};
use super::json::{self, Scalar};
use super::names;
use super::schema::{Entry, TensorInfo};

/// Longest index that is read, in bytes.
pub(super) const MAX_BYTES: u64 = 256 << 20;

/// A parsed index.
#[derive(Debug)]
pub struct Index {
    /// Tensors and the file of each, sorted by name.
    pub weight_map: BTreeMap<String, String>,
    /// `metadata.total_size` and whatever else stands there.
    pub entries: Vec<Entry>,
}

impl Index {
    /// Names of the files, sorted, each once.
    pub fn shards(&self) -> Vec<&str> {
        let mut shards: Vec<&str> = self.weight_map.values().map(String::as_str).collect();
        shards.sort_unstable();
        shards.dedup();
        shards
    }
}

/// Parses an index and checks that its files are plain names.
pub fn parse_index(text: &str) -> Result<Index> {
    let mut pairs = Vec::new();
    let mut entries = Vec::new();
    let mut wrong = None;
    json::walk(text, &mut |path, value| match path {
        [top, tensor] if top.key() == "weight_map" => match value {
            Scalar::Text(file) => pairs.push((tensor.key().to_owned(), file.into_owned())),
            _ => drop(wrong.get_or_insert_with(|| tensor.key().to_owned())),
        },
        [top, key] if top.key() == "metadata" => {
            let value = match value {
                Scalar::Null => "none".to_owned(),
                Scalar::Bool(b) => b.to_string(),
                Scalar::Int(n) => n.to_string(),
                Scalar::Float(x) => format!("{x:?}"),
                Scalar::Text(text) => text.into_owned(),
            };
            entries.push(Entry { path: format!("metadata.{}", key.key()), value });
        }
        _ => {}
    })?;
    if let Some(name) = wrong {
        return Err(CheckpointError::malformed("the index names no file for it").tensor(&name));
    }
    if pairs.is_empty() {
        return Err(CheckpointError::unsupported("JSON without a `weight_map` is no index of a checkpoint"));
    }
    if let Some(repeated) = names::first_repeated(pairs.iter().map(|(name, _)| name.as_str())) {
        let name = pairs.get(repeated).map_or("", |(name, _)| name.as_str());
        return Err(CheckpointError::malformed("the index names it twice").tensor(name));
    }
    for (name, file) in &pairs {
        // Another folder's file is none of this checkpoint, and `..` could reach anywhere.
        if file.is_empty() || file.starts_with('.') || file.contains(['/', '\\', ':', '\0']) {
            let error = CheckpointError::malformed(format!(
                "the index puts it in `{}`, no plain file name",
                Shown(file)
            ));
            return Err(error.tensor(name));
        }
    }
    Ok(Index { weight_map: pairs.into_iter().collect(), entries })
}

/// Checks the tensors of all shards against the index. `file_of` gives the shard of a tensor.
pub(super) fn check(index: &Index, tensors: &[TensorInfo], shards: &[&str]) -> Result<()> {
    if let Some(repeated) = names::first_repeated(tensors.iter().map(|t| t.name.as_str())) {
        let tensor = tensors.get(repeated);
        let name = tensor.map_or("", |t| t.name.as_str());
        let both: Vec<&str> =
            tensors.iter().filter(|t| t.name == name).filter_map(|t| shard(t, shards)).collect();
        let both = both.join("` and in `");
        return Err(CheckpointError::malformed(format!("it is in `{both}`")).tensor(name));
    }
    for tensor in tensors {
        let found = shard(tensor, shards).unwrap_or("");
        match index.weight_map.get(tensor.name.as_str()) {
            Some(file) if file == found => {}
            Some(file) => {
                let message = format!("the index puts it in `{}`, it is in `{}`", Shown(file), Shown(found));
                return Err(CheckpointError::malformed(message).tensor(&tensor.name));
            }
            None => {
                let message = format!("it is in `{}`, the index does not name it", Shown(found));
                return Err(CheckpointError::malformed(message).tensor(&tensor.name));
            }
        }
    }
    if index.weight_map.len() == tensors.len() {
        return Ok(());
    }
    let mut present: Vec<&str> = tensors.iter().map(|t| t.name.as_str()).collect();
    present.sort_unstable();
    let absent = index.weight_map.iter().find(|(name, _)| present.binary_search(&name.as_str()).is_err());
    match absent {
        None => Ok(()),
        Some((name, file)) => {
            let message = format!("the index puts it in `{}`, which lacks it", Shown(file));
            Err(CheckpointError::malformed(message).at(Place::Tensor(name.clone())))
        }
    }
}

fn shard<'s>(tensor: &TensorInfo, shards: &[&'s str]) -> Option<&'s str> {
    shards.get(tensor.place.as_ref()?.file as usize).copied()
}
