//! A forward as a list of nodes, each made once.

use std::sync::Arc;

use super::extent::Extent;
use super::op::OpDecl;
use crate::base::{DType, Span};

/// A computation: inputs, weights of one checkpoint, nodes in an order in which they can be computed.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    /// Architecture.
    pub name: String,
    /// Inputs of the forward, in order.
    pub params: Vec<Input>,
    /// Tensors of the checkpoint, each once.
    pub weights: Vec<Weight>,
    /// Later ones use earlier ones.
    pub nodes: Vec<Node>,
    /// What the forward yields.
    pub result: Operand,
    /// Numbers of dims and of defaults that are whole numbers.
    pub numbers: Vec<(Arc<str>, u64)>,
    /// Bounds on lengths: name of the free extent's role (`sequence`) and its largest value.
    pub bounds: Vec<(String, u64)>,
}

/// An input of the forward: ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// `tokens`.
    pub name: String,
    /// Its extents, free names as a rule.
    pub shape: Vec<Extent>,
}

/// A tensor of the checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weight {
    /// Full name; a pattern in a graph without a checkpoint.
    pub name: String,
    /// Index into the schema's tensors: where its elements are; `None` without a checkpoint.
    pub tensor: Option<usize>,
    /// Index into the declaration's tensors.
    pub decl: usize,
    /// As declared.
    pub shape: Vec<Extent>,
    /// Element type in the checkpoint.
    pub dtype: Option<DType>,
}

/// One operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What is done.
    pub op: &'static OpDecl,
    /// Operands, in the order of the operation's parameters; those of experts stand at the end.
    pub inputs: Vec<Operand>,
    /// Arguments that are no operands.
    pub attributes: Vec<(&'static str, Attribute)>,
    /// Shape of the result.
    pub shape: Vec<Extent>,
    /// What its elements are.
    pub element: Element,
    /// Member of the loop in which it stands: `layers.3`.
    pub scope: Arc<str>,
    /// The call.
    pub span: Span,
}

/// What a node reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operand {
    /// Index into [`Graph::params`].
    Param(usize),
    /// Index into [`Graph::weights`].
    Weight(usize),
    /// Index into [`Graph::nodes`].
    Node(usize),
    /// An optional argument that is not there.
    Absent,
}

/// What the elements of a value are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// Numbers of token or position.
    Index,
    /// Activations: f32 on the native backend.
    Float,
}

/// An argument that is no operand.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    /// A whole number, perhaps a dim.
    Size(Extent),
    /// A number as written.
    Float(f64),
    /// A word: `gelu`.
    Word(String),
    /// Words.
    Words(Vec<String>),
    /// Yes or no.
    Flag(bool),
    /// Extents.
    Sizes(Vec<Extent>),
    /// A default whose value only a checkpoint tells.
    Setting(String),
}

impl Graph {
    /// The number behind a name.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.numbers.iter().find(|(n, _)| n.as_ref() == name).map(|(_, value)| *value)
    }
}

impl Node {
    /// Its attribute `name`.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|(n, _)| *n == name).map(|(_, value)| value)
    }

    /// A word among its attributes.
    pub fn word(&self, name: &str) -> Option<&str> {
        match self.attribute(name) {
            Some(Attribute::Word(word)) => Some(word),
            _ => None,
        }
    }

    /// A number among its attributes.
    pub fn float(&self, name: &str) -> Option<f64> {
        match self.attribute(name) {
            Some(Attribute::Float(value)) => Some(*value),
            _ => None,
        }
    }

    /// Yes or no among its attributes.
    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.attribute(name) {
            Some(Attribute::Flag(flag)) => Some(*flag),
            _ => None,
        }
    }
}
