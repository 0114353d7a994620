//! What a run needs in memory once its output is whole, if it measures a perplexity: the output and the checkpoint, both as
//! they are stored, and the windows that are run at once. An estimate from above, from the graph alone.

use std::collections::BTreeSet;

use super::ir::Evaluation;
use crate::check::impossible_windows::window_of;
use crate::check::{Asset, Context};
use crate::checkpoint::TokenizerKind;
use crate::graph::{Attribute, Extent, Graph, Node, Operand};
use crate::hir::value::ValueKind;
use crate::hir::{Metric, Settings};

/// Scores of a model that lie in memory at once, over all windows that are run together.
pub const SCORES: u64 = 1 << 26;

/// Vocabulary of models that look nothing up.
const VOCABULARY: u64 = 1 << 15;

/// Memory for each byte of a text that Hugging Face's library cuts: it keeps a string, numbers and places for each token, and a
/// place for each byte. 77 were measured with words of English.
const PIECES: u64 = 96;

/// The same for the other tokenizers: the text, and an id for each token.
const IDS: u64 = 8;

/// The program with a checked recipe, its graph and the tokenizer; 35 MB were measured of a build for tests.
const PROGRAM: u64 = 40 << 20;

/// Stack of a thread and what the allocator sets aside for it.
const THREAD: u64 = 1 << 20;

/// What the allocator keeps at most of what a thread has given back.
const LARGE: u64 = 32 << 20;

/// Bytes of a schema, a graph and loaded weights for each tensor, of two models.
const TENSOR_FACTS: u64 = 16 << 10;

/// Windows that are run at once, for `threads` threads: the scores of all of them lie in memory.
pub fn windows_at_once(batch: Option<u64>, threads: u64, window: u64, vocabulary: Option<u64>) -> u64 {
    let scores = window.saturating_mul(vocabulary.unwrap_or(VOCABULARY));
    let fits = SCORES.checked_div(scores).unwrap_or(1).max(1);
    batch.unwrap_or(threads).min(fits).max(1)
}

/// What a program has before it opens a model: itself, its threads, facts of so many tensors.
pub(super) fn start(tensors: u64, threads: u64) -> u64 {
    let (threads, facts) = (threads.saturating_mul(THREAD), tensors.saturating_mul(TENSOR_FACTS));
    PROGRAM.saturating_add(facts).saturating_add(threads)
}

impl Evaluation {
    /// Bytes at the peak with `threads` threads, beside an output with `stored` bytes in `tensors` tensors.
    pub fn peak(&self, (stored, tensors): (u64, u64), threads: u64) -> u64 {
        let at_once = windows_at_once(self.batch, threads, self.window, self.vocabulary);
        // What one thread has given back another one does not always take; what is large goes back to the system.
        let windows = self.each.saturating_add(self.each.min(LARGE)).saturating_mul(at_once);
        let parts = [self.source, stored, self.copies, self.text, windows];
        parts.iter().fold(start(tensors, threads), |sum, bytes| sum.saturating_add(*bytes))
    }
}

/// The evaluation at the end of a run; nothing for recipes that require no perplexity, or name no text.
pub fn evaluation(context: &Context<'_>, graph: &Graph) -> Option<Evaluation> {
    let settings = context.recipe.evaluate.as_ref().filter(|s| s.get("data").is_some())?;
    context.recipe.requirements.iter().find(|r| r.metric == Metric::Perplexity)?;
    let window = window_of(context)?;
    let seen = window.saturating_sub(number(settings, "shift").unwrap_or(1)).max(1);
    let sizes = Sizes { graph, seen };
    let scores = sizes.operand(graph.result);
    Some(Evaluation {
        window,
        batch: number(settings, "batch"),
        vocabulary: context.vocabulary,
        source: source(context, graph),
        // Of the checkpoint and of the output.
        copies: copies(context, graph).saturating_mul(2),
        // The scores of one model stay while the other is run, then both are compared.
        each: sizes.peak().max(scores).saturating_add(scores),
        text: text_bytes(context, settings),
    })
}

/// Bytes of the weights that a model reads, tied ones once.
pub(super) fn source(context: &Context<'_>, graph: &Graph) -> u64 {
    let storages: BTreeSet<usize> =
        graph.weights.iter().filter_map(|w| Some(context.schema.kept(w.tensor?))).collect();
    let source = storages.iter().filter_map(|t| context.schema.tensors.get(*t));
    source.fold(0, |sum, tensor| sum.saturating_add(tensor.bytes))
}

pub(super) fn number(settings: &Settings, field: &str) -> Option<u64> {
    match settings.get(field)?.kind {
        ValueKind::Int(n) => u64::try_from(n).ok(),
        _ => None,
    }
}

/// Bytes that the text and its tokens take, where its file was looked at.
pub(super) fn text_bytes(context: &Context<'_>, settings: &Settings) -> u64 {
    let asset = |field: &str| {
        let value = settings.get(field)?;
        let ValueKind::Text(path) = &value.kind else { return None };
        context.assets.get(&crate::hir::names::join(&value.loc.file, path))
    };
    let each = match asset("tokenizer") {
        Some(Asset::Tokenizer(vocabulary)) if vocabulary.kind == TokenizerKind::HuggingFace => PIECES,
        _ => IDS,
    };
    asset("data").and_then(Asset::bytes).unwrap_or(0).saturating_mul(each)
}

/// Bytes of the weights that are kept decoded in f32: vectors, filters, and matrices that are stored transposed. Matrices of
/// products, tables and experts are read as they are stored.
pub(super) fn copies(context: &Context<'_>, graph: &Graph) -> u64 {
    let mut copied = BTreeSet::new();
    for node in &graph.nodes {
        let transposed = node.attribute("transposed") == Some(&Attribute::Flag(true));
        for (input, operand) in node.inputs.iter().enumerate() {
            let streamed = match node.op.name {
                "linear" => input == 1 && !transposed,
                "embed" | "mixture" | "stacked_mixture" => true,
                "scan" => input == 3 || input == 4,
                _ => false,
            };
            if let (Operand::Weight(weight), false) = (operand, streamed) {
                copied.extend(graph.weights.get(*weight).and_then(|w| Some(context.schema.kept(w.tensor?))));
            }
        }
    }
    let tensors = copied.iter().filter_map(|t| context.schema.tensors.get(*t));
    tensors.fold(0, |sum, t| sum.saturating_add(t.shape.len().unwrap_or(u64::MAX).saturating_mul(4)))
}

/// Sizes of values in a run over `seen` tokens.
pub(super) struct Sizes<'a> {
    pub graph: &'a Graph,
    pub seen: u64,
}

impl Sizes<'_> {
    /// Bytes of a value in f32.
    fn bytes(&self, shape: &[Extent]) -> u64 {
        // One text at a time: of the names that the input brings in, all but the last stand for 1.
        let names =
            self.graph.params.first().and_then(|p| p.shape.last()).map(Extent::names).unwrap_or_default();
        let number = |name: &str| {
            let free = if names.contains(&name) { self.seen } else { 1 };
            Some(self.graph.number(name).unwrap_or(free))
        };
        let extents = shape.iter().map(|e| e.value(&number).unwrap_or(u64::MAX));
        extents.fold(4, u64::saturating_mul)
    }

    pub(super) fn operand(&self, operand: Operand) -> u64 {
        match operand {
            Operand::Node(n) => self.graph.nodes.get(n).map_or(0, |n| self.bytes(&n.shape)),
            _ => 0,
        }
    }

    /// What lies in memory at once at most: a value goes when the last node that reads it is through.
    pub(super) fn peak(&self) -> u64 {
        let nodes = &self.graph.nodes;
        let mut last: Vec<usize> = (0..nodes.len()).collect();
        for (number, node) in nodes.iter().enumerate() {
            for input in &node.inputs {
                if let Operand::Node(n) = input
                    && let Some(slot) = last.get_mut(*n)
                {
                    *slot = number;
                }
            }
        }
        let mut ends: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
        for (number, end) in last.iter().enumerate() {
            if let Some(list) = ends.get_mut(*end) {
                list.push(number);
            }
        }
        let (mut live, mut peak) = (0u64, 0u64);
        for (node, ended) in nodes.iter().zip(&ends) {
            live = live.saturating_add(self.bytes(&node.shape));
            peak = peak.max(live.saturating_add(self.scratch(node)));
            let gone = ended.iter().filter_map(|n| nodes.get(*n)).map(|n| self.bytes(&n.shape));
            live = live.saturating_sub(gone.fold(0, u64::saturating_add));
        }
        peak
    }

    /// What an operation takes beside its operands and its result.
    fn scratch(&self, node: &Node) -> u64 {
        let inputs = node.inputs.iter().fold(0u64, |sum, i| sum.saturating_add(self.operand(*i)));
        match node.op.name {
            // Tokens of an expert are gathered, and go through its width twice.
            "mixture" | "stacked_mixture" => {
                let matrix = node.inputs.get(2).and_then(|i| match i {
                    Operand::Weight(w) => self.graph.weights.get(*w),
                    _ => None,
                });
                let width = matrix.and_then(|w| w.shape.iter().rev().nth(1)).cloned();
                let rows =
                    self.bytes(&[Extent::number(self.seen), width.unwrap_or_else(|| Extent::number(1))]);
                let top_k = match node.attribute("top_k") {
                    Some(Attribute::Size(k)) => k.value(&|name| self.graph.number(name)).unwrap_or(1),
                    Some(Attribute::Setting(name)) => self.graph.number(name).unwrap_or(1),
                    _ => 1,
                };
                inputs.saturating_add(rows.saturating_mul(2)).saturating_mul(top_k.max(1))
            }
            // A copy of the operands at most, where other nodes read them, too.
            _ => inputs,
        }
    }
}
