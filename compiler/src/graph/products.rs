//! Which tensors are matrices of products, and on which of their sides.

use std::collections::BTreeMap;

use super::ir::{Attribute, Graph, Node, Operand};
use crate::checkpoint::Schema;

/// How a tensor is multiplied with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    /// `[.., outputs, inputs]`: a row is an output.
    ByRows,
    /// `[inputs, outputs]`: it is stored transposed.
    ByColumns,
    /// Once as the one and once as the other.
    Both,
}

/// Matrices of the graph that inputs are multiplied with: numbers of weights, and whether they are stored transposed.
pub fn matrices(node: &Node) -> impl Iterator<Item = (usize, bool)> {
    let transposed = node.attribute("transposed") == Some(&Attribute::Flag(true));
    let operands = match node.op.name {
        "linear" => node.inputs.get(1..2),
        "mixture" | "stacked_mixture" => node.inputs.get(1..),
        _ => None,
    };
    operands.unwrap_or_default().iter().filter_map(move |operand| match operand {
        Operand::Weight(number) => Some((*number, transposed)),
        _ => None,
    })
}

/// The tensors of `schema` that something is multiplied with, by number; tied ones by the number of the kept one.
pub fn products(graph: &Graph, schema: &Schema) -> BTreeMap<usize, Product> {
    let mut found = BTreeMap::new();
    for (weight, transposed) in graph.nodes.iter().flat_map(matrices) {
        let Some(tensor) = graph.weights.get(weight).and_then(|w| w.tensor) else { continue };
        let product = if transposed { Product::ByColumns } else { Product::ByRows };
        let known = found.entry(schema.kept(tensor)).or_insert(product);
        if *known != product {
            *known = Product::Both;
        }
    }
    found
}
