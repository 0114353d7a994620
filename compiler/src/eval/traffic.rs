//! What the weights of a model take in memory, and how many of their bytes a token reads.

use std::sync::Arc;

use super::model::Model;
use super::runner::Runner;
use super::weights::Loaded;
use crate::graph::{Attribute, Node, Operand};

impl Model {
    /// Bytes of copies that runs have made and keep: in f32 of vectors, and of matrices that are stored transposed; on the
    /// reference in f64 of all that was used.
    pub fn copied_bytes(&self) -> u64 {
        let floats: u64 = self.storages().map(Loaded::copied_bytes).sum();
        match &self.runner {
            Runner::Reference(reference) => floats.saturating_add(reference.decoded_bytes()),
            _ => floats,
        }
    }

    /// Bytes of weights that a token by itself reads: of tables one row, of experts as many as are chosen, of everything
    /// else all, for each node that reads it. Of weights that a run keeps a copy of, the copy's.
    pub fn bytes_per_token(&self) -> u64 {
        self.graph.nodes.iter().map(|node| self.read_by(node)).sum()
    }

    fn read_by(&self, node: &Node) -> u64 {
        let weights = || {
            node.inputs.iter().filter_map(|input| match input {
                Operand::Weight(w) => self.native.weights.get(*w).map(Arc::as_ref),
                _ => None,
            })
        };
        // The reference reads what it has decoded.
        let is_wide = matches!(self.runner, Runner::Reference(_));
        let elements = |w: &Loaded| w.shape.iter().fold(8u64, |n, extent| n.saturating_mul(*extent as u64));
        let stored = |w: &Loaded| if is_wide { elements(w) } else { w.bytes() };
        let read = |w: &Loaded| if is_wide { elements(w) } else { w.read_bytes() };
        match node.op.name {
            "embed" if is_wide => weights().filter_map(|w| w.shape.last()).map(|n| *n as u64 * 8).sum(),
            "embed" => weights().map(|table| table.stored_rows(1)).sum(),
            "mixture" | "stacked_mixture" => {
                let experts =
                    weights().next().and_then(|router| router.shape.first()).map_or(1, |n| *n as u64);
                let chosen = match node.attribute("top_k") {
                    Some(Attribute::Size(extent)) => extent.value(&|name| self.graph.number(name)),
                    _ => None,
                };
                let all: u64 = weights().skip(1).map(stored).sum();
                let router: u64 = weights().take(1).map(stored).sum();
                let share = chosen.unwrap_or(experts).min(experts);
                router.saturating_add(all.saturating_mul(share).checked_div(experts).unwrap_or(0))
            }
            _ => weights().map(read).sum(),
        }
    }
}
