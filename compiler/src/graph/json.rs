//! A graph as JSON. Field order is fixed; nothing depends on the machine.

use serde::Serialize;

use super::flow::Edge;
use super::ir::{Element, Graph};
use super::print::{Planned, attribute, numbers, operand};
use crate::checkpoint::Schema;

/// Version of this document's shape.
pub const GRAPH_SCHEMA: u32 = 1;

/// A whole document.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct GraphDocument {
    pub schema: u32,
    pub arch: String,
    pub inputs: Vec<ValueRecord>,
    pub numbers: Vec<(String, u64)>,
    pub bounds: Vec<(String, u64)>,
    pub weights: Vec<WeightRecord>,
    pub nodes: Vec<NodeRecord>,
    pub result: String,
}

/// An input. Extents are numbers where they are known, else names.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct ValueRecord {
    pub name: String,
    pub shape: Vec<String>,
}

/// A tensor of the checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct WeightRecord {
    pub name: String,
    pub shape: Vec<String>,
    /// Element type or block type in the file.
    pub stored: String,
    /// The format that the recipe gives it, where there is a plan.
    pub planned: Option<String>,
    /// Bytes in the file.
    pub bytes: u64,
}

/// An operation.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct NodeRecord {
    pub id: String,
    pub op: String,
    /// Names of values; `none` for an optional one that is not there.
    pub inputs: Vec<String>,
    pub attributes: Vec<(String, String)>,
    pub shape: Vec<String>,
    /// `f32` or `index`.
    pub element: String,
    /// Of a recipe, the type in a program that computes in what is stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dtype: Option<String>,
    /// Inputs that such a program converts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub casts: Vec<CastRecord>,
    /// Member of the loop in which it stands.
    pub scope: String,
}

/// A converted input.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct CastRecord {
    /// Its number among the inputs, from 0.
    pub input: usize,
    pub from: String,
    pub to: String,
}

/// The document of `graph`, with the formats that a plan gives to its weights.
pub fn document(graph: &Graph, schema: &Schema, planned: &Planned) -> GraphDocument {
    let weights = graph.weights.iter().map(|w| {
        let info = w.tensor.and_then(|n| schema.tensors.get(n));
        WeightRecord {
            name: w.name.clone(),
            shape: numbers(graph, &w.shape),
            stored: info
                .map_or_else(String::new, |i| i.stored_as.as_deref().unwrap_or(i.dtype.name()).to_owned()),
            planned: planned.formats.get(&w.name).cloned(),
            bytes: info.map_or(0, |i| i.bytes),
        }
    });
    let nodes = graph.nodes.iter().enumerate().map(|(n, node)| NodeRecord {
        id: format!("%{n}"),
        op: node.op.name.to_owned(),
        inputs: node.inputs.iter().map(|i| operand(graph, *i)).collect(),
        attributes: node
            .attributes
            .iter()
            .map(|(name, a)| ((*name).to_owned(), attribute(graph, a)))
            .collect(),
        shape: numbers(graph, &node.shape),
        element: if node.element == Element::Index { "index".to_owned() } else { "f32".to_owned() },
        dtype: planned.dtype(n).map(|dtype| dtype.name().to_owned()),
        casts: (0..node.inputs.len()).filter_map(|input| planned.cast(n, input)).map(cast).collect(),
        scope: node.scope.to_string(),
    });
    fn cast(edge: &Edge) -> CastRecord {
        CastRecord { input: edge.input, from: edge.from.name().to_owned(), to: edge.to.name().to_owned() }
    }
    GraphDocument {
        schema: GRAPH_SCHEMA,
        arch: graph.name.clone(),
        inputs: graph
            .params
            .iter()
            .map(|p| ValueRecord { name: p.name.clone(), shape: numbers(graph, &p.shape) })
            .collect(),
        numbers: graph.numbers.iter().map(|(name, n)| (name.to_string(), *n)).collect(),
        bounds: graph.bounds.clone(),
        weights: weights.collect(),
        nodes: nodes.collect(),
        result: operand(graph, graph.result),
    }
}
