//! A graph as text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::extent::{Extent, shape_text};
use super::flow::{Edge, Types};
use super::ir::{Attribute, Graph, Node, Operand};
use crate::base::{DType, count, with_thousands};
use crate::checkpoint::Schema;

/// What a recipe makes of a graph's tensors.
#[derive(Clone, Debug, Default)]
pub struct Planned {
    /// Formats, by name.
    pub formats: BTreeMap<String, String>,
    /// Element types in a program that computes in those that are stored.
    pub types: Option<Types>,
}

impl Planned {
    /// The type of a node's result; none for counts, and without a recipe.
    pub(super) fn dtype(&self, node: usize) -> Option<DType> {
        Some((*self.types.as_ref()?.nodes.get(node)?)?.dtype)
    }

    /// The cast that input number `input` of a node needs.
    pub(super) fn cast(&self, node: usize, input: usize) -> Option<&Edge> {
        let edges = &self.types.as_ref()?.edges;
        edges.get(edges.binary_search_by_key(&(node, input), |e| (e.node, e.input)).ok()?)
    }
}

/// One node a line, in the order in which they are computed; of a recipe with the types and casts of a program that computes in
/// what is stored; then weights with the formats of a plan, and totals. Ends with
/// a newline.
pub fn print(graph: &Graph, schema: &Schema, planned: &Planned) -> String {
    let inputs: Vec<String> =
        graph.params.iter().map(|p| format!("{}: {}", p.name, shape_text(&p.shape))).collect();
    let mut out = format!("graph {}({})\n", graph.name, inputs.join(", "));
    let known: Vec<String> = graph.numbers.iter().map(|(name, n)| format!("{name} = {n}")).collect();
    let _ = writeln!(out, "with {}", known.join(", "));
    for (name, most) in &graph.bounds {
        let _ = writeln!(out, "{name} <= {most}");
    }
    let rows: Vec<(String, String)> = graph
        .nodes
        .iter()
        .enumerate()
        .map(|(n, node)| {
            let dtype = planned.dtype(n).map_or_else(String::new, |dtype| format!(" {dtype}"));
            (call(graph, n, node, planned), format!("{}{dtype}", shape(graph, &node.shape)))
        })
        .collect();
    let mut scope = "";
    for (node, (call, shape)) in graph.nodes.iter().zip(&rows) {
        if *node.scope != *scope {
            scope = &node.scope;
            let _ = writeln!(out, "{}", if scope.is_empty() { "the whole" } else { scope });
        }
        let _ = writeln!(out, "  {call} : {shape}");
    }
    let _ = writeln!(out, "result {}", operand(graph, graph.result));
    out.push_str("weights\n");
    let mut bytes: BTreeMap<usize, u64> = BTreeMap::new();
    for weight in &graph.weights {
        let info = weight.tensor.and_then(|n| schema.tensors.get(n));
        let stored = info.map_or("", |i| i.stored_as.as_deref().unwrap_or(i.dtype.name()));
        let own = info.map_or(0, |i| i.bytes);
        // Names of one storage count once.
        bytes.extend(weight.tensor.map(|n| (schema.kept(n), own)));
        let new =
            planned.formats.get(&weight.name).map_or_else(String::new, |format| format!(" -> {format}"));
        let (shape, own) = (shape(graph, &weight.shape), with_thousands(own));
        let _ = writeln!(out, "  {}  {stored}{new} {shape}  {own} B", weight.name);
    }
    let (nodes, weights) = (graph.nodes.len() as u64, graph.weights.len() as u64);
    let bytes = with_thousands(bytes.values().sum());
    let _ = writeln!(out, "{}, {}, {bytes} B", count(nodes, "node"), count(weights, "weight"));
    out
}

/// Extents with numbers, where they are known.
pub(super) fn numbers(graph: &Graph, shape: &[Extent]) -> Vec<String> {
    let number = |name: &str| graph.number(name);
    shape.iter().map(|e| e.value(&number).map_or_else(|| e.to_string(), |n| n.to_string())).collect()
}

fn shape(graph: &Graph, shape: &[Extent]) -> String {
    format!("[{}]", numbers(graph, shape).join(", "))
}

fn call(graph: &Graph, number: usize, node: &Node, planned: &Planned) -> String {
    let given = node.inputs.iter().enumerate().filter(|(_, i)| **i != Operand::Absent);
    let written = |(input, from): (usize, &Operand)| match planned.cast(number, input) {
        Some(edge) => format!("{} as {}", operand(graph, *from), edge.to),
        None => operand(graph, *from),
    };
    let mut args: Vec<String> = given.map(written).collect();
    args.extend(node.attributes.iter().map(|(name, value)| format!("{name}: {}", attribute(graph, value))));
    format!("%{number} = {}({})", node.op.name, args.join(", "))
}

/// `%3`, `tokens`, the name of a tensor.
pub(super) fn operand(graph: &Graph, operand: Operand) -> String {
    match operand {
        Operand::Node(n) => format!("%{n}"),
        Operand::Param(n) => graph.params.get(n).map(|p| p.name.clone()).unwrap_or_default(),
        Operand::Weight(n) => graph.weights.get(n).map(|w| w.name.clone()).unwrap_or_default(),
        Operand::Absent => "none".to_owned(),
    }
}

/// An attribute as it would be written.
pub(super) fn attribute(graph: &Graph, value: &Attribute) -> String {
    match value {
        Attribute::Size(extent) => numbers(graph, std::slice::from_ref(extent)).concat(),
        Attribute::Float(x) => format!("{x:?}"),
        Attribute::Word(word) | Attribute::Setting(word) => word.clone(),
        Attribute::Words(words) => format!("[{}]", words.join(", ")),
        Attribute::Flag(flag) => flag.to_string(),
        Attribute::Sizes(sizes) => shape(graph, sizes),
    }
}
