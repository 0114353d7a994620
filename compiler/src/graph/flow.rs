//! Element types along the edges of a graph, as a program meets them that loads the stored tensors and computes in their types.
//!
//! Our own interpreter decodes every weight to f32 and needs none of this; plain PyTorch refuses `f16 x f32`.

use icpc_kernels::format::Format;

use super::ir::{Graph, Node, Operand};
use super::op::{ParamKind, TypeRule};
use crate::base::DType;
use crate::checkpoint::TensorInfo;

/// What the elements of a stored tensor are to a program that loads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Elements {
    /// Numbers of this type.
    Float(DType),
    /// Codes that are decoded to the type of what they meet; a table has nothing to meet and is decoded to this one.
    Codes(DType),
    /// Floats without arithmetic, which are converted to `wide` where they meet nothing.
    Narrow {
        /// As stored.
        stored: DType,
        /// Where nothing else says.
        wide: DType,
    },
    /// No floats.
    Other,
}

impl Elements {
    /// Of a tensor of element type `source` that is stored in `format`.
    pub fn stored(format: &Format, source: DType) -> Elements {
        match format {
            Format::Keep => Elements::plain(source, DType::F32),
            Format::Cast(cast) => Elements::plain(cast.to(), computed(source)),
            Format::Int(_) | Format::Code4(_) => Elements::Codes(computed(source)),
            Format::Drop => Elements::Other,
        }
    }

    /// Of a tensor of a checkpoint.
    pub fn of(info: &TensorInfo) -> Elements {
        match info.quantized.is_some() || info.stored_as.is_some() {
            true => Elements::Codes(computed(info.dtype)),
            false => Elements::plain(info.dtype, DType::F32),
        }
    }

    fn plain(dtype: DType, wide: DType) -> Elements {
        match dtype {
            DType::F8E4M3 | DType::F8E5M2 => Elements::Narrow { stored: dtype, wide },
            dtype if dtype.is_float() => Elements::Float(dtype),
            _ => Elements::Other,
        }
    }

    /// The type in which it goes on from where nothing else is met.
    fn alone(self) -> Option<DType> {
        match self {
            Elements::Float(dtype) | Elements::Codes(dtype) | Elements::Narrow { wide: dtype, .. } => {
                Some(dtype)
            }
            Elements::Other => None,
        }
    }
}

/// The type to compute in for elements of `dtype`.
fn computed(dtype: DType) -> DType {
    match dtype {
        DType::F16 | DType::Bf16 | DType::F64 => dtype,
        _ => DType::F32,
    }
}

/// The narrowest type that holds the values of both.
fn wider(a: DType, b: DType) -> DType {
    match (a, b) {
        _ if a == b => a,
        (DType::F64, _) | (_, DType::F64) => DType::F64,
        _ => DType::F32,
    }
}

/// An operand that a program must convert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Who reads it: index into [`Graph::nodes`].
    pub node: usize,
    /// Which one: index into [`Node::inputs`].
    pub input: usize,
    /// Its type.
    pub from: DType,
    /// The type in which the node computes.
    pub to: DType,
    /// The weight that it has its type from: itself, or one that was met on the way.
    pub by: usize,
    /// The weight that the other type is from; `by` itself for fp8 that meets nothing.
    pub meets: usize,
    /// Another one that made that type, where f16 and bf16 have become f32.
    pub with: usize,
    /// That other type: `to`, but where f16 and bf16 meet.
    pub beside: DType,
}

/// A float type, and the weight that it is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// The type.
    pub dtype: DType,
    /// Index into [`Graph::weights`].
    pub by: usize,
    /// The same of the other one, where f16 and bf16 have become f32; else `by`.
    pub with: usize,
}

/// Types of all values of a graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Types {
    /// By node; none for counts.
    pub nodes: Vec<Option<Flow>>,
    /// In order of node and input.
    pub edges: Vec<Edge>,
}

/// An operand that has a type.
struct Typed {
    input: usize,
    flow: Flow,
    /// What it becomes where it meets no other type.
    wide: Option<DType>,
}

/// Types of a graph whose weights become `stored` and were `source` in the checkpoint. Where two types of the checkpoint meet
/// already, its own programs know what to do: that is no edge, and the result has the type of the first operand.
pub fn flow(graph: &Graph, stored: &[Elements], source: &[Elements]) -> Types {
    let mut types = Types::default();
    let mut before: Vec<Option<Flow>> = Vec::with_capacity(graph.nodes.len());
    for (number, node) in graph.nodes.iter().enumerate() {
        if node.op.types == TypeRule::Counts {
            types.nodes.push(None);
            before.push(None);
            continue;
        }
        let was = operands(node, source, &before);
        let is = operands(node, stored, &types.nodes);
        let mixed = was.iter().any(|o| was.first().is_some_and(|first| first.flow.dtype != o.flow.dtype));
        before.push(was.first().map(first));
        if mixed {
            types.nodes.push(is.first().map(first));
            continue;
        }
        let result = meeting(&is);
        if let Some(result) = result {
            let edge = |o: &Typed| {
                let Flow { dtype, by, .. } = o.flow;
                let others = || is.iter().map(|other| other.flow).filter(|other| other.dtype != dtype);
                let asks = others().find(|other| other.dtype == result.dtype).or_else(|| others().next());
                let Flow { dtype: beside, by: meets, with } = asks.unwrap_or(o.flow);
                Edge { node: number, input: o.input, from: dtype, to: result.dtype, by, meets, with, beside }
            };
            types.edges.extend(is.iter().filter(|o| o.flow.dtype != result.dtype).map(edge));
        }
        types.nodes.push(result);
    }
    types
}

/// What goes on from an operand alone.
fn first(operand: &Typed) -> Flow {
    Flow { dtype: operand.wide.unwrap_or(operand.flow.dtype), ..operand.flow }
}

/// The type in which a node computes, with the weight that asks for it.
fn meeting(operands: &[Typed]) -> Option<Flow> {
    let plain = || operands.iter().filter(|o| o.wide.is_none()).map(|o| o.flow);
    let Some(start) = plain().next() else { return operands.first().map(first) };
    let dtype = plain().fold(start.dtype, |dtype, o| wider(dtype, o.dtype));
    Some(plain().find(|o| o.dtype == dtype).unwrap_or_else(|| {
        let other = plain().find(|o| o.dtype != start.dtype).unwrap_or(start);
        Flow { dtype, by: start.by, with: other.by }
    }))
}

/// Operands of a node that have a type of their own.
fn operands(node: &Node, weights: &[Elements], nodes: &[Option<Flow>]) -> Vec<Typed> {
    let typed = |(input, operand): (usize, &Operand)| {
        let (by, elements) = match operand {
            Operand::Node(n) => {
                let flow = (*nodes.get(*n)?)?;
                return Some(Typed { input, flow, wide: None });
            }
            Operand::Weight(w) => (*w, *weights.get(*w)?),
            Operand::Param(_) | Operand::Absent => return None,
        };
        let (dtype, wide) = match elements {
            Elements::Float(dtype) => (dtype, None),
            Elements::Narrow { stored, wide } => (stored, Some(wide)),
            Elements::Codes(_) if node.op.types == TypeRule::Table => (elements.alone()?, None),
            Elements::Codes(_) | Elements::Other => return None,
        };
        Some(Typed { input, flow: Flow { dtype, by, with: by }, wide })
    };
    node.inputs.iter().enumerate().filter_map(typed).collect()
}

/// What an input of a node is called: the name of its parameter.
pub(crate) fn parameter(node: &Node, input: usize) -> &'static str {
    let operand = |kind: ParamKind| {
        matches!(kind, ParamKind::Value | ParamKind::Ids | ParamKind::Any | ParamKind::Weight)
    };
    node.op.params.iter().filter(|p| operand(p.kind)).nth(input).map_or("experts", |p| p.name)
}
