//! Where a program that loads the output converts element types, for recipes that say `casts auto`.
//!
//! No part of a plan's identity: they change no byte of the output, and nothing of how `icpc` runs it, which is in f32.

use std::collections::BTreeMap;

use super::collapse::collapse;
use super::ir::Casts;
use crate::base::DType;
use crate::graph::{Edge, Graph, Operand, Types, parameter};

/// Operation, types before and after, how often for each name.
type Facts = (&'static str, DType, DType, u64);

/// The edges of `types`, those that differ in numbers only as one.
pub fn casts(graph: &Graph, types: &Types) -> Vec<Casts> {
    let mut names: Vec<String> = Vec::new();
    let mut known: BTreeMap<(String, &'static str, DType, DType), (usize, u64)> = BTreeMap::new();
    let mut order = Vec::new();
    for edge in &types.edges {
        let Some((operation, operand)) = operand(graph, edge) else { continue };
        let key = (operand, operation, edge.from, edge.to);
        match known.get_mut(&key) {
            Some((_, times)) => *times += 1,
            None => {
                order.push((names.len(), operation, edge.from, edge.to));
                names.push(key.0.clone());
                known.insert(key, (names.len() - 1, 1));
            }
        }
    }
    let mut times: Vec<u64> = vec![1; names.len()];
    for (number, n) in known.values() {
        if let Some(slot) = times.get_mut(*number) {
            *slot = *n;
        }
    }
    let facts = order.into_iter().zip(times).filter_map(|((number, operation, from, to), times)| {
        Some((names.get(number)?.as_str(), (operation, from, to, times)))
    });
    let (rows, _) = collapse::<Facts>(facts, usize::MAX);
    let group = |row: super::collapse::Row<Facts>| {
        let (operation, from, to, times) = row.facts;
        let count = row.count.saturating_mul(times);
        Casts { operand: row.pattern, operation: operation.to_owned(), from, to, count }
    };
    rows.into_iter().map(group).collect()
}

/// Operation, and the weight or the activations that it reads.
fn operand(graph: &Graph, edge: &Edge) -> Option<(&'static str, String)> {
    let node = graph.nodes.get(edge.node)?;
    let operand = match node.inputs.get(edge.input)? {
        Operand::Weight(weight) => graph.weights.get(*weight)?.name.clone(),
        _ if node.scope.is_empty() => parameter(node, edge.input).to_owned(),
        _ => format!("{} in {}", parameter(node, edge.input), node.scope),
    };
    Some((node.op.name, operand))
}
