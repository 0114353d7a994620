//! `icpc inspect`.

use std::collections::BTreeMap;

use super::{Exit, complain, print};
use crate::arch;
use crate::base::{Shape, count, human_bytes, with_thousands};
use crate::checkpoint::{Attribute, Schema, TensorInfo, write_listing};
use crate::db::CheckpointState;
use crate::plan::collapse::collapse;
use crate::session::Session;
use crate::system;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Checkpoint: a file, or a folder as Hugging Face has it
    #[arg(value_name = "CHECKPOINT")]
    checkpoint: String,
    /// Prints the header as a text listing, which every command takes in the checkpoint's place
    #[arg(long)]
    listing: bool,
    /// Prints one tensor a line instead of one line for tensors that differ in numbers only
    #[arg(long)]
    all: bool,
}

pub(crate) fn main(args: &Args) -> Exit {
    let found = system::read_checkpoint(&args.checkpoint);
    let schema = match found.current() {
        Ok(schema) => schema,
        Err(reason) => {
            complain(&format!("error: {reason}"));
            return Exit::Files;
        }
    };
    if args.listing {
        print(&write_listing(schema));
        return Exit::Success;
    }
    let model = fitting(schema);
    let mut out = summary(schema);
    match &model {
        Some(model) => out.push_str(&format!("\n{}", arch::print(model, schema))),
        None => out.push_str("\nno known architecture fits\n"),
    }
    out.push_str("\ntensors\n");
    out.push_str(&tensors(schema, model.as_deref(), args.all));
    if !schema.config.is_empty() {
        out.push_str("\nconfig\n");
        for fact in &schema.config {
            let value = match &fact.value {
                Attribute::Bool(b) => b.to_string(),
                Attribute::Int(n) => n.to_string(),
                Attribute::Float(f) => f.to_string(),
                Attribute::Text(t) => format!("{t:?}"),
            };
            out.push_str(&format!("  {} = {value}  ({})\n", fact.key, fact.origin));
        }
    }
    if !schema.entries.is_empty() {
        out.push_str("\nother entries\n");
        for entry in &schema.entries {
            out.push_str(&format!("  {} = {}\n", entry.path, entry.value));
        }
    }
    for note in &schema.notes {
        out.push_str(&format!("\nremark: {note}\n"));
    }
    print(&out);
    Exit::Success
}

/// The library's architecture that fits, found by the queries that check recipes.
fn fitting(schema: &std::sync::Arc<Schema>) -> Option<std::sync::Arc<arch::ArchModel>> {
    let loaded = CheckpointState::Loaded(std::sync::Arc::clone(schema));
    let (session, file, recipe) = Session::of_checkpoint(loaded);
    session.analysis(&file, &recipe)?.model.clone()
}

fn summary(schema: &Schema) -> String {
    let stored: Vec<&TensorInfo> = schema.tensors.iter().filter(|t| t.tied_to.is_none()).collect();
    let mut by_dtype: BTreeMap<&str, u64> = BTreeMap::new();
    for tensor in &stored {
        *by_dtype.entry(tensor.stored_as.as_deref().unwrap_or(tensor.dtype.name())).or_default() +=
            tensor.bytes;
    }
    let shares: Vec<String> =
        by_dtype.iter().map(|(d, bytes)| format!("{d} {}", human_bytes(*bytes))).collect();
    let params: u64 = stored.iter().filter_map(|t| t.shape.len()).sum();
    let mut out = format!("{}: {}\n", schema.source, schema.container.name());
    for file in &schema.files {
        out.push_str(&format!("  {}  {} B\n", file.name, with_thousands(file.bytes)));
    }
    out.push_str(&format!(
        "{}, {} elements, {} B ({})\n",
        count(schema.tensors.len() as u64, "tensor"),
        with_thousands(params),
        with_thousands(schema.tensor_bytes()),
        shares.join(", ")
    ));
    for tie in &schema.ties() {
        out.push_str(&format!("tied: {}\n", tie.names.join(" = ")));
    }
    out
}

fn tensors(schema: &Schema, model: Option<&arch::ArchModel>, all: bool) -> String {
    let facts: Vec<String> = schema
        .tensors
        .iter()
        .enumerate()
        .map(|(n, t)| describe(schema, t, model.and_then(|m| m.tensors.get(n)).and_then(Option::as_ref)))
        .collect();
    let names = schema.tensors.iter().map(|t| &*t.name).zip(facts.iter().map(String::as_str));
    let rows: Vec<(String, String)> = match all {
        true => names.map(|(name, facts)| (name.to_owned(), facts.to_owned())).collect(),
        false => {
            let (rows, _) = collapse(names, usize::MAX);
            let times = |n: u64| if n > 1 { format!("  ×{n}") } else { String::new() };
            rows.into_iter().map(|r| (r.pattern, format!("{}{}", r.facts, times(r.count)))).collect()
        }
    };
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).min(72);
    rows.iter().map(|(name, facts)| format!("  {name:<width$}  {facts}\n")).collect()
}

fn describe(schema: &Schema, tensor: &TensorInfo, facts: Option<&arch::model::TensorFacts>) -> String {
    let dtype = tensor.stored_as.as_deref().unwrap_or(tensor.dtype.name());
    let mut text =
        format!("{dtype:<5} {:<14} {:>8}", Shape::to_string(&tensor.shape), human_bytes(tensor.bytes));
    if let Some(facts) = facts {
        for role in facts.roles.iter() {
            text.push_str(&format!("  @{role}"));
        }
    }
    if let Some(quantized) = &tensor.quantized {
        text.push_str(&format!("  {}", quantized.scheme));
    }
    if let Some(kept) = tensor.tied_to.and_then(|kept| schema.tensors.get(kept as usize)) {
        text.push_str(&format!("  = {}", kept.name));
    }
    text
}
