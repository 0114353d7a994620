//! What a run needs in memory while it calibrates, before the first weight is stored: the checkpoint, the samples that are run at
//! once, and the statistics of what goes into each matrix. An estimate from above, from the graph alone.

use std::collections::BTreeSet;

use super::evaluation::{Sizes, copies, number, source, start, text_bytes};
use super::ir::Calibrating;
use crate::check::Context;
use crate::check::length_beyond_positions::longest;
use crate::graph::{Graph, matrices};
use crate::hir::Settings;

/// Tokens of a sample where nobody says how many.
const LENGTH: u64 = 1024;

/// Bytes of statistics for each column of a matrix's input: the largest magnitude, a sum, a sum of squares.
const COLUMN: u64 = 4 + 8 + 8;

/// Bytes of the counts of magnitudes for a matrix: 2048 of eight bytes for each power of two that occurs. Inputs of a matrix
/// spread over 25 to 45 of them.
const MAGNITUDES: u64 = 48 * 2048 * 8;

impl Calibrating {
    /// Bytes at the peak with `threads` threads, for a plan with so many tensors.
    pub fn peak(&self, tensors: u64, threads: u64) -> u64 {
        let at_once = self.batch.unwrap_or(threads).min(threads).max(1);
        let samples = self.each.saturating_add(self.statistics).saturating_mul(at_once);
        // A sample that is through keeps its statistics until those before it are.
        let waiting = self.batch.unwrap_or(threads).saturating_sub(at_once).saturating_mul(self.statistics);
        let parts = [self.source, self.copies, self.text, samples, waiting, self.statistics];
        parts.iter().fold(start(tensors, threads), |sum, bytes| sum.saturating_add(*bytes))
    }
}

/// The calibration of a recipe that has static scales; nothing where its statistics are read from a file.
pub fn calibrating(context: &Context<'_>, settings: &Settings, graph: &Graph) -> Option<Calibrating> {
    settings.get("data").filter(|_| settings.get("statistics").is_none())?;
    let bound = context.model.and_then(|m| m.bounds.iter().find(|b| b.name == "sequence")).map(|b| b.at_most);
    let bound = bound.or_else(|| Some(longest(context.schema)?.0));
    let length = number(settings, "max_length").or(bound).unwrap_or(LENGTH);
    let sizes = Sizes { graph, seen: length.max(1) };
    let mut seen = BTreeSet::new();
    let mut statistics = 0u64;
    for (weight, transposed) in graph.nodes.iter().flat_map(matrices) {
        let Some(weight) = graph.weights.get(weight).filter(|w| seen.insert(w.name.as_str())) else {
            continue;
        };
        let shape = weight.shape.as_slice();
        let inputs = if transposed { shape.first() } else { shape.last() };
        let inputs = inputs.and_then(|extent| extent.value(&|name| graph.number(name))).unwrap_or(0);
        statistics = statistics.saturating_add(inputs.saturating_mul(COLUMN)).saturating_add(MAGNITUDES);
    }
    Some(Calibrating {
        batch: number(settings, "batch"),
        source: source(context, graph),
        copies: copies(context, graph),
        each: sizes.peak().max(sizes.operand(graph.result)),
        statistics,
        text: text_bytes(context, settings),
    })
}
