//! A trie over the segments of all tensor names.

use std::collections::BTreeMap;

use crate::checkpoint::Schema;

/// A node of the trie: a prefix of tensor names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u32);

/// The trie; built once a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    nodes: Vec<Node>,
    /// Distinct segments, so that a glob is tried once on each.
    segments: Vec<String>,
    tensors: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Node {
    parent: u32,
    segment: u32,
    /// In order of first appearance.
    children: Vec<u32>,
    /// Tensor whose whole name this is.
    tensor: Option<u32>,
    /// Tensors at it or below.
    below: u32,
}

impl Index {
    /// The root: the empty prefix.
    pub const ROOT: NodeId = NodeId(0);

    /// Index of the names of `schema`.
    pub fn new(schema: &Schema) -> Index {
        Index::of_names(schema.tensors.iter().map(|t| t.name.as_str()))
    }

    /// Index of names, which are those of the tensors 0, 1, and so on.
    pub fn of_names<'n>(names: impl IntoIterator<Item = &'n str>) -> Index {
        let mut ids: BTreeMap<&str, u32> = BTreeMap::new();
        let mut nodes =
            vec![Node { parent: 0, segment: u32::MAX, children: Vec::new(), tensor: None, below: 0 }];
        let mut segments: Vec<String> = Vec::new();
        let mut edges: BTreeMap<(u32, u32), u32> = BTreeMap::new();
        // Names come in file order, so most share a long prefix with the one before: keep its path.
        let mut path: Vec<(&str, u32)> = Vec::new();
        let mut tensors = 0;
        for (number, name) in (0u32..).zip(names) {
            tensors = number + 1;
            let mut shared = 0;
            let mut node = 0;
            for segment in name.split('.') {
                if let Some((same, at)) = path.get(shared)
                    && *same == segment
                {
                    node = *at;
                    shared += 1;
                    continue;
                }
                path.truncate(shared);
                let fresh = u32::try_from(segments.len()).unwrap_or(u32::MAX);
                let id = *ids.entry(segment).or_insert_with(|| {
                    segments.push(segment.to_owned());
                    fresh
                });
                let next = u32::try_from(nodes.len()).unwrap_or(u32::MAX);
                let child = *edges.entry((node, id)).or_insert(next);
                if child == next {
                    nodes.push(Node {
                        parent: node,
                        segment: id,
                        children: Vec::new(),
                        tensor: None,
                        below: 0,
                    });
                    if let Some(parent) = nodes.get_mut(node as usize) {
                        parent.children.push(child);
                    }
                }
                path.push((segment, child));
                shared += 1;
                node = child;
            }
            path.truncate(shared);
            if let Some(node) = nodes.get_mut(node as usize) {
                node.tensor = Some(number);
            }
        }
        // A node stands behind its parent.
        for at in (0..nodes.len()).rev() {
            let Some(node) = nodes.get_mut(at) else { continue };
            node.below += u32::from(node.tensor.is_some());
            let (below, parent) = (node.below, node.parent as usize);
            if let Some(parent) = nodes.get_mut(parent).filter(|_| at > 0) {
                parent.below += below;
            }
        }
        Index { nodes, segments, tensors }
    }

    /// Number of tensors.
    pub fn tensors(&self) -> u32 {
        self.tensors
    }

    /// Number of distinct segments.
    pub fn distinct_segments(&self) -> usize {
        self.segments.len()
    }

    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is no tensor.
    pub fn is_empty(&self) -> bool {
        self.tensors == 0
    }

    /// Children of a node, in order of first appearance.
    pub fn children(&self, node: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes.get(node.0 as usize).into_iter().flat_map(|n| n.children.iter().copied().map(NodeId))
    }

    /// Tensor whose name ends at `node`.
    pub fn tensor(&self, node: NodeId) -> Option<u32> {
        self.nodes.get(node.0 as usize).and_then(|n| n.tensor)
    }

    /// Number of the node's own segment among the distinct ones.
    pub fn segment_id(&self, node: NodeId) -> usize {
        self.nodes.get(node.0 as usize).map_or(usize::MAX, |n| n.segment as usize)
    }

    /// The node's own segment; empty for the root.
    pub fn segment(&self, node: NodeId) -> &str {
        self.segments.get(self.segment_id(node)).map_or("", String::as_str)
    }

    /// The node as a number below [`Index::len`], for sets of nodes.
    pub fn number(&self, node: NodeId) -> usize {
        node.0 as usize
    }

    /// Node with the given number.
    pub fn node(&self, number: usize) -> Option<NodeId> {
        (number < self.nodes.len()).then(|| NodeId(u32::try_from(number).unwrap_or(u32::MAX)))
    }

    /// Full prefix of a node: `layers.0.ssm`.
    pub fn path(&self, node: NodeId) -> String {
        let mut parts = Vec::new();
        let mut at = node;
        while at != Index::ROOT {
            parts.push(self.segment(at));
            let Some(n) = self.nodes.get(at.0 as usize) else { break };
            at = NodeId(n.parent);
        }
        parts.reverse();
        parts.join(".")
    }

    /// The node above; that of the root is the root.
    pub fn parent(&self, node: NodeId) -> NodeId {
        NodeId(self.nodes.get(node.0 as usize).map_or(0, |n| n.parent))
    }

    /// Number of tensors at or below `node`.
    pub fn count_below(&self, node: NodeId) -> u32 {
        self.nodes.get(node.0 as usize).map_or(0, |n| n.below)
    }

    /// Tensors at or below `node`, ascending.
    pub fn below(&self, node: NodeId) -> Vec<u32> {
        let mut found = Vec::new();
        let mut stack = vec![node];
        while let Some(node) = stack.pop() {
            found.extend(self.tensor(node));
            stack.extend(self.children(node));
        }
        found.sort_unstable();
        found
    }
}
