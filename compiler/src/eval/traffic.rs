//! What the weights of a model take in memory, and how many of their bytes a token reads.

use std::sync::Arc;

use super::model::Model;
use super::weights::Loaded;
use crate::graph::{Attribute, Node, Operand};

impl Model {
    /// Bytes of copies in f32 that runs have made and keep: vectors, and matrices that are stored transposed.
    pub fn copied_bytes(&self) -> u64 {
        self.storages().map(Loaded::copied_bytes).sum()
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
        match node.op.name {
            "embed" => weights().map(|table| table.stored_rows(1)).sum(),
            "mixture" | "stacked_mixture" => {
                let experts =
                    weights().next().and_then(|router| router.shape.first()).map_or(1, |n| *n as u64);
                let chosen = match node.attribute("top_k") {
                    Some(Attribute::Size(extent)) => extent.value(&|name| self.graph.number(name)),
                    _ => None,
                };
                let all: u64 = weights().skip(1).map(|w| w.bytes()).sum();
                let router: u64 = weights().take(1).map(|w| w.bytes()).sum();
                let share = chosen.unwrap_or(experts).min(experts);
                router.saturating_add(all.saturating_mul(share).checked_div(experts).unwrap_or(0))
            }
            _ => weights().map(|w| w.read_bytes()).sum(),
        }
    }
}
