//! Where every byte of the output will be, before a weight is read.
//!
//! Tensors go to files in the order of the plan; in a file the arrays are sorted by element width (wide first), then
//! by the natural order of tensor names, so that each array begins at a multiple of its element width and none leaves
//! a gap, which safetensors demands.

use std::collections::BTreeMap;

use icpc_kernels::DType;
use icpc_kernels::format::Format;
use serde_json::{Map, Value};

use super::container::Refusal;
use super::header::{self, HEADER_LIMIT};
use super::ir::{AxisSlice, Mask, OutputContainer, Plan, TensorPlan};
use super::metadata::FormatRecord;
use super::natural_order::natural_ranks;
use super::parts::{StoredPart, StoredRole, stored_parts};

/// One array in a file of the output.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PlacedPart {
    /// Index into [`Plan::tensors`].
    pub tensor: usize,
    /// What it is.
    pub role: StoredRole,
    /// Its key.
    pub key: String,
    /// Element type.
    pub dtype: DType,
    /// Extents.
    pub shape: Vec<u64>,
    /// First byte, counted from the start of the file.
    pub offset: u64,
    /// Its bytes.
    pub bytes: u64,
}

/// A file with weights.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OutputFile {
    /// Name in the output folder.
    pub name: String,
    /// The length prefix and the header, padded.
    pub header: Vec<u8>,
    /// Size of the file.
    pub bytes: u64,
    /// Its arrays in the order of their offsets, without gaps.
    pub parts: Vec<PlacedPart>,
}

/// A small file that the plan alone determines.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sidecar {
    /// Name in the output folder.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// Everything that a run writes, byte for byte where the weights do not decide.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct OutputLayout {
    /// Files with weights.
    pub files: Vec<OutputFile>,
    /// The index of several files.
    pub sidecars: Vec<Sidecar>,
    /// Bytes that each tensor of the plan takes, headers not counted.
    pub tensor_bytes: Vec<u64>,
    /// Sum of [`OutputLayout::tensor_bytes`].
    pub stored_bytes: u64,
    /// Size of all [`OutputLayout::files`].
    pub file_bytes: u64,
}

/// A tensor that the plan's container cannot hold.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LayoutRefusal {
    /// Index into [`Plan::tensors`].
    pub tensor: usize,
    /// Its name.
    pub name: String,
    /// Why.
    pub reason: Refusal,
}

impl std::fmt::Display for LayoutRefusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}`: {}", self.name, self.reason)
    }
}

impl std::error::Error for LayoutRefusal {}

impl OutputLayout {
    /// The layout of `plan`.
    ///
    /// # Errors
    /// Every tensor that cannot be held, each with its first reason, in plan order.
    pub fn of(plan: &Plan) -> Result<OutputLayout, Vec<LayoutRefusal>> {
        let mut refusals = Vec::new();
        let mut refuse = |tensor: usize, reason| {
            let name = plan.tensors.get(tensor).map(|t| t.name.clone()).unwrap_or_default();
            refusals.push(LayoutRefusal { tensor, name, reason });
        };
        let mut parts = Vec::with_capacity(plan.tensors.len());
        for (index, tensor) in plan.tensors.iter().enumerate() {
            let stored = check_shape(plan, tensor)
                .and_then(|()| check_mask(tensor))
                .and_then(|()| stored_parts(plan.container, tensor));
            parts.push(stored.unwrap_or_else(|reason| {
                refuse(index, reason);
                Vec::new()
            }));
        }
        for (index, reason) in key_conflicts(plan, &parts) {
            refuse(index, reason);
        }
        let layout = if refusals.is_empty() {
            assemble(plan, parts).map_err(|(tensor, reason)| {
                let name = plan.tensors.get(tensor).map(|t| t.name.clone()).unwrap_or_default();
                vec![LayoutRefusal { tensor, name, reason }]
            })
        } else {
            Err(Vec::new())
        };
        layout.map_err(|more| {
            refusals.extend(more);
            refusals.sort_by_key(|refusal| refusal.tensor);
            refusals.dedup_by_key(|refusal| refusal.tensor);
            refusals
        })
    }

    /// Bytes of the source's tensors for one byte of stored tensors; nothing when nothing is stored.
    pub fn ratio(&self, plan: &Plan) -> Option<f64> {
        (self.stored_bytes > 0).then(|| plan.source.tensor_bytes as f64 / self.stored_bytes as f64)
    }

    /// For each tensor the file and the array of each of its parts, in file order.
    pub fn by_tensor(&self) -> Vec<Vec<(usize, &PlacedPart)>> {
        let mut lists = vec![Vec::new(); self.tensor_bytes.len()];
        for (file, part) in
            self.files.iter().enumerate().flat_map(|(i, f)| f.parts.iter().map(move |p| (i, p)))
        {
            if let Some(list) = lists.get_mut(part.tensor) {
                list.push((file, part));
            }
        }
        lists
    }
}

/// Extents of `axis` under `slice` before and after keeping `keep` of `of` indices.
fn cut_extent(slice: &AxisSlice, indices: u64) -> Option<u64> {
    let rows = slice.outer.checked_mul(indices)?.checked_mul(slice.inner)?;
    slice.before.checked_add(rows)?.checked_add(slice.after)
}

fn check_shape(plan: &Plan, tensor: &TensorPlan) -> Result<(), Refusal> {
    let mut found = tensor.source_shape.clone();
    let mut cut_axes = Vec::new();
    for cut in &tensor.cuts {
        let extents =
            plan.selections.get(cut.selection).filter(|_| !cut_axes.contains(&cut.slice.axis)).and_then(
                |selection| {
                    Some((cut_extent(&cut.slice, selection.of)?, cut_extent(&cut.slice, selection.keep)?))
                },
            );
        match (extents, found.get_mut(cut.slice.axis)) {
            (Some((before, after)), Some(extent)) if *extent == before => *extent = after,
            _ => return Err(Refusal::ShapeMismatch { found, planned: tensor.shape.clone() }),
        }
        cut_axes.push(cut.slice.axis);
    }
    if found == tensor.shape {
        Ok(())
    } else {
        Err(Refusal::ShapeMismatch { found, planned: tensor.shape.clone() })
    }
}

fn check_mask(tensor: &TensorPlan) -> Result<(), Refusal> {
    let Some(mask) = tensor.mask else { return Ok(()) };
    if !tensor.dtype.is_float() {
        return Err(Refusal::MaskNotFloat { dtype: tensor.dtype });
    }
    if let Mask::NOfM { of, .. } = mask {
        let (of, length) = (u64::from(of), tensor.shape.last().copied().unwrap_or(1));
        if of == 0 || !length.is_multiple_of(of) {
            return Err(Refusal::MaskDoesNotDivide { of, length });
        }
    }
    Ok(())
}

/// Keys that occur twice, keys that the foreign loader would misread, widths that it cannot mix.
fn key_conflicts(plan: &Plan, parts: &[Vec<StoredPart>]) -> Vec<(usize, Refusal)> {
    let mut conflicts = Vec::new();
    let mut owners: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, (tensor, stored)) in plan.tensors.iter().zip(parts).enumerate() {
        // Aliases are names that a reader gives back, so that no array may have one.
        for key in
            stored.iter().map(|part| part.key.as_str()).chain(tensor.aliases.iter().map(String::as_str))
        {
            if let Some(owner) = owners.insert(key, index) {
                let by = plan.tensors.get(owner).map(|t| format!("`{}`", t.name)).unwrap_or_default();
                conflicts.push((index, Refusal::KeyTaken { key: key.to_owned(), by }));
            }
        }
    }
    if plan.container != OutputContainer::Bitsandbytes {
        return conflicts;
    }
    for tensor in plan.tensors.iter().filter(|t| matches!(t.format, Format::Code4(_))) {
        let prefix = format!("{}.", tensor.name);
        for (key, owner) in owners.range(prefix.as_str()..).take_while(|(key, _)| key.starts_with(&prefix)) {
            if plan.tensors.get(*owner).is_some_and(|other| other.name != tensor.name) {
                let refusal = Refusal::KeyMisread { key: (*key).to_owned(), owner: tensor.name.clone() };
                conflicts.push((*owner, refusal));
            }
        }
    }
    let four = plan.tensors.iter().find(|t| matches!(t.format, Format::Code4(_)));
    let kind = |t: &TensorPlan| match &t.format {
        Format::Code4(code4) => Some(code4.kind),
        _ => None,
    };
    if let Some(four) = four
        && let Some(other) = plan.tensors.iter().position(|t| kind(t).is_some_and(|k| Some(k) != kind(four)))
    {
        conflicts.push((other, Refusal::MixedKinds { other: four.name.clone() }));
    }
    let eight = plan.tensors.iter().position(|t| matches!(t.format, Format::Int(_)));
    if let (Some(four), Some(eight)) = (four, eight) {
        conflicts.push((eight, Refusal::MixedWidths { other: four.name.clone() }));
    }
    conflicts
}

type Failure = (usize, Refusal);

fn assemble(plan: &Plan, parts: Vec<Vec<StoredPart>>) -> Result<OutputLayout, Failure> {
    let mut tensor_bytes = Vec::with_capacity(parts.len());
    for (index, stored) in parts.iter().enumerate() {
        let sum = stored.iter().try_fold(0u64, |sum, part| sum.checked_add(part.bytes));
        tensor_bytes.push(sum.ok_or((index, Refusal::Overflow))?);
    }
    let ranks = natural_ranks(plan.tensors.iter().map(|t| t.name.as_str()));
    let shards = shards(plan, &parts, &tensor_bytes)?;
    let mut files = Vec::with_capacity(shards.len());
    let count = shards.len();
    let mut parts: Vec<Option<Vec<StoredPart>>> = parts.into_iter().map(Some).collect();
    for (number, shard) in (1..).zip(&shards) {
        let name = match count {
            1 => "model.safetensors".to_owned(),
            _ => format!("model-{number:05}-of-{count:05}.safetensors"),
        };
        let mut members = Vec::new();
        for index in shard.clone() {
            let stored = parts.get_mut(index).and_then(Option::take).unwrap_or_default();
            members.extend(stored.into_iter().map(|part| (index, part)));
        }
        members.sort_by_key(|(index, part)| {
            (std::cmp::Reverse(part.dtype.width()), ranks.get(*index).copied(), part.role)
        });
        files.push(place(plan, name, shard.clone(), members)?);
    }
    let stored_bytes = total(tensor_bytes.iter().copied())?;
    let file_bytes = total(files.iter().map(|file| file.bytes))?;
    let sidecars = if count > 1 { vec![index_json(&files, stored_bytes)] } else { Vec::new() };
    Ok(OutputLayout { files, sidecars, tensor_bytes, stored_bytes, file_bytes })
}

fn total(mut values: impl Iterator<Item = u64>) -> Result<u64, Failure> {
    values.try_fold(0, u64::checked_add).ok_or((0, Refusal::Overflow))
}

/// Ranges of tensors that share a file. The share of a header is bounded by its longest possible text.
fn shards(
    plan: &Plan,
    parts: &[Vec<StoredPart>],
    tensor_bytes: &[u64],
) -> Result<Vec<std::ops::Range<usize>>, Failure> {
    let Some(limit) = plan.shard_bytes else { return Ok(std::iter::once(0..parts.len()).collect()) };
    let fixed = header::header(&metadata(plan, 0..0), &[]).len() as u64 + 16;
    let (mut shards, mut start, mut used) = (Vec::new(), 0, fixed);
    for (index, (stored, bytes)) in parts.iter().zip(tensor_bytes).enumerate() {
        let entry = |part: &StoredPart| {
            header::entry(&part.key, part.dtype, &part.shape, u64::MAX, u64::MAX).len() + 1
        };
        let described = header::text(&metadata(plan, index..index + 1)).len();
        let text = stored.iter().map(entry).sum::<usize>().saturating_add(described) as u64;
        let need = bytes.checked_add(text).ok_or((index, Refusal::Overflow))?;
        if need.saturating_add(fixed) > limit {
            let bytes = need.saturating_add(fixed);
            return Err((index, Refusal::LargerThanShard { bytes, shard: limit }));
        }
        if used.saturating_add(need) > limit {
            shards.push(start..index);
            (start, used) = (index, fixed);
        }
        used = used.saturating_add(need);
    }
    shards.push(start..parts.len());
    Ok(shards)
}

/// The static texts of a file: its tensors' formats and what they were, and the other names of its tensors.
fn metadata(plan: &Plan, tensors: std::ops::Range<usize>) -> Map<String, Value> {
    let (mut records, mut aliases) = (String::from("{"), String::from("{"));
    let mut formats: BTreeMap<Format, String> = BTreeMap::new();
    for tensor in plan.tensors.iter().take(tensors.end).skip(tensors.start) {
        if tensor.format != Format::Keep {
            // A model has thousands of tensors in a handful of formats.
            let format = formats.entry(tensor.format).or_insert_with(|| {
                serde_json::to_string(&FormatRecord::of(&tensor.format)).unwrap_or_default()
            });
            header::next(&mut records);
            header::push_quoted(&mut records, &tensor.name);
            records.push_str(":{\"format\":");
            records.push_str(format);
            records.push_str(",\"dtype\":\"");
            records.push_str(tensor.dtype.name());
            records.push_str("\",\"shape\":");
            header::push_list(&mut records, &tensor.shape);
            records.push('}');
        }
        for alias in &tensor.aliases {
            header::next(&mut aliases);
            header::push_quoted(&mut aliases, alias);
            aliases.push(':');
            header::push_quoted(&mut aliases, &tensor.name);
        }
    }
    records.push('}');
    aliases.push('}');
    let mut metadata = Map::new();
    metadata.insert("format".to_owned(), Value::from("pt"));
    metadata.insert("icpc.version".to_owned(), Value::from(env!("CARGO_PKG_VERSION")));
    metadata.insert("icpc.tensors".to_owned(), Value::from(records));
    metadata.insert("icpc.aliases".to_owned(), Value::from(aliases));
    metadata
}

fn place(
    plan: &Plan,
    name: String,
    tensors: std::ops::Range<usize>,
    members: Vec<(usize, StoredPart)>,
) -> Result<OutputFile, Failure> {
    let mut end = 0u64;
    let mut entries = Vec::with_capacity(members.len());
    let mut placed = Vec::with_capacity(members.len());
    for (index, part) in members {
        let begin = end;
        end = begin.checked_add(part.bytes).ok_or((index, Refusal::Overflow))?;
        entries.push(header::entry(&part.key, part.dtype, &part.shape, begin, end));
        let StoredPart { key, role, dtype, shape, bytes } = part;
        placed.push(PlacedPart { tensor: index, role, key, dtype, shape, offset: begin, bytes });
    }
    let header = header::header(&metadata(plan, tensors.clone()), &entries);
    let start = header.len() as u64;
    if start > HEADER_LIMIT {
        return Err((tensors.start, Refusal::HeaderTooLarge { bytes: start, limit: HEADER_LIMIT }));
    }
    let bytes = start.checked_add(end).ok_or((tensors.start, Refusal::Overflow))?;
    for part in &mut placed {
        // cannot overflow: below `bytes`
        part.offset = part.offset.saturating_add(start);
    }
    Ok(OutputFile { name, header, bytes, parts: placed })
}

/// The index that Hugging Face's loaders read: which file has which key.
fn index_json(files: &[OutputFile], stored_bytes: u64) -> Sidecar {
    let keys: BTreeMap<&str, &str> =
        files.iter().flat_map(|f| f.parts.iter().map(|p| (p.key.as_str(), f.name.as_str()))).collect();
    let index = serde_json::json!({ "metadata": { "total_size": stored_bytes }, "weight_map": keys });
    let mut bytes = serde_json::to_vec_pretty(&index).unwrap_or_default();
    bytes.push(b'\n');
    Sidecar { name: "model.safetensors.index.json".to_owned(), bytes }
}

#[cfg(test)]
mod tests;
