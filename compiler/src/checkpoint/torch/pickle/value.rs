//! Values of a pickle, in an arena: no recursion to build them, none to drop them, cycles cost nothing.

use std::borrow::Cow;

use super::super::super::error::{CheckpointError, Result};
use super::MAX_VALUES;

/// A value in a [`Heap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) struct Id(u32);

impl Id {
    /// Position in the heap.
    pub(in super::super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// One value. Text and bytes are borrowed from the pickle where its encoding allows.
#[derive(Debug)]
pub(in super::super) enum Node<'a> {
    None,
    Bool(bool),
    Int(i64),
    /// An integer beyond 64 bits, as text to show.
    Wide(String),
    Float(f64),
    Text(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Set(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// `module.name`, never looked up.
    Global(String),
    /// What a persistent id says, usually a tuple that names a storage.
    Persistent(Id),
    Object(Box<Object>),
}

/// The record of a call or of an instance; it is never made.
#[derive(Debug)]
pub(in super::super) struct Object {
    /// What would be called, usually a [`Node::Global`].
    pub(in super::super) class: Id,
    /// Its arguments, a tuple.
    pub(in super::super) args: Id,
    /// What `__setstate__` would get.
    pub(in super::super) state: Option<Id>,
    /// Items that would be set, in order.
    pub(in super::super) items: Vec<(Id, Id)>,
    /// Items that would be appended.
    pub(in super::super) list: Vec<Id>,
}

/// All values of a pickle.
#[derive(Debug)]
pub(in super::super) struct Heap<'a> {
    nodes: Vec<Node<'a>>,
}

impl<'a> Heap<'a> {
    pub(super) const NONE: Id = Id(0);
    pub(super) const TRUE: Id = Id(1);
    pub(super) const FALSE: Id = Id(2);
    pub(super) const EMPTY_TUPLE: Id = Id(3);

    /// A heap with only the values that every pickle shares.
    pub(in super::super) fn new() -> Heap<'a> {
        Heap { nodes: vec![Node::None, Node::Bool(true), Node::Bool(false), Node::Tuple(Vec::new())] }
    }

    /// Number of values.
    pub(in super::super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// All values, in the order in which they were made.
    pub(in super::super) fn nodes(&self) -> &[Node<'a>] {
        &self.nodes
    }

    /// Keeps `node`.
    pub(super) fn add(&mut self, node: Node<'a>) -> Result<Id> {
        let id = u32::try_from(self.nodes.len()).ok().filter(|_| self.nodes.len() < MAX_VALUES);
        let id =
            id.ok_or_else(|| CheckpointError::limit(format!("a pickle of more than {MAX_VALUES} values")))?;
        self.nodes.push(node);
        Ok(Id(id))
    }

    /// The value.
    pub(in super::super) fn get(&self, id: Id) -> &Node<'a> {
        self.nodes.get(id.index()).unwrap_or(&Node::None)
    }

    /// The value, to be changed.
    pub(super) fn get_mut(&mut self, id: Id) -> Option<&mut Node<'a>> {
        self.nodes.get_mut(id.index())
    }

    /// Name of a class or function: of a global, also of one that an older PyTorch wrapped with its source text.
    pub(in super::super) fn global(&self, id: Id) -> Option<&str> {
        match self.get(id) {
            Node::Global(name) => Some(name),
            Node::Persistent(inner) => match self.tuple(*inner)? {
                [tag, class, ..] if self.text(*tag) == Some("module") => match self.get(*class) {
                    Node::Global(name) => Some(name),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        }
    }

    /// Text of a string.
    pub(in super::super) fn text(&self, id: Id) -> Option<&str> {
        match self.get(id) {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Items of a tuple.
    pub(in super::super) fn tuple(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Node::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// Items of a tuple or list.
    pub(in super::super) fn sequence(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Node::Tuple(items) | Node::List(items) => Some(items),
            _ => None,
        }
    }

    /// An integer that is not negative.
    pub(in super::super) fn count(&self, id: Id) -> Option<u64> {
        match self.get(id) {
            Node::Int(n) => u64::try_from(*n).ok(),
            _ => None,
        }
    }

    /// Items of a dict or of an ordered or subclassed dict.
    pub(in super::super) fn items(&self, id: Id) -> Option<Cow<'_, [(Id, Id)]>> {
        match self.get(id) {
            Node::Dict(items) => Some(Cow::Borrowed(items)),
            Node::Object(object) => {
                let dict = matches!(
                    self.global(object.class),
                    Some("collections.OrderedDict" | "collections.defaultdict" | "builtins.dict")
                );
                match (object.items.is_empty(), dict) {
                    (false, _) => Some(Cow::Borrowed(&object.items)),
                    (true, true) => Some(Cow::Owned(self.pairs_of_args(object.args))),
                    (true, false) => None,
                }
            }
            _ => None,
        }
    }

    /// Items that protocol 0 and 1 hand to `OrderedDict` as one list of pairs.
    fn pairs_of_args(&self, args: Id) -> Vec<(Id, Id)> {
        let lists = self.tuple(args).unwrap_or_default().iter().filter_map(|a| self.sequence(*a));
        let pairs = lists.flatten().filter_map(|pair| match self.sequence(*pair)? {
            [key, value] => Some((*key, *value)),
            _ => None,
        });
        pairs.collect()
    }

    /// Attributes of an instance: its state when that is a dict, or the dicts of a pair of dict and slots.
    pub(in super::super) fn attributes(&self, id: Id) -> Option<Vec<(Id, Id)>> {
        let Node::Object(object) = self.get(id) else { return None };
        let state = object.state?;
        if let Some(items) = self.items(state) {
            return Some(items.into_owned());
        }
        let parts = self.tuple(state)?.iter().filter_map(|part| self.items(*part));
        let all: Vec<(Id, Id)> = parts.flat_map(|items| items.into_owned()).collect();
        (!all.is_empty()).then_some(all)
    }
}
