//! The names of a checkpoint by their segments, equal subtrees stored once.
//!
//! Layers and experts are alike: of 100,000 names there are a few hundred different subtrees. So this is a minimal
//! acyclic automaton instead of a trie: a node is what can follow a prefix, whatever prefix that is, and a name is known
//! by its place, the number of names before it (Lucchesi and Kowaltowski, "Applications of finite automata representing
//! large vocabularies", 1993).

use std::collections::BTreeMap;
use std::ops::Range;

use super::words::Words;
use crate::checkpoint::Schema;

/// A prefix of tensor names, such as `layers.3.mlp`; the empty one and whole names are prefixes, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    /// Names that come before those that have it, in the order of the index.
    place: u32,
    /// Segments that it has.
    depth: u32,
    /// What can follow it.
    node: u32,
    /// Its last segment, among the distinct ones.
    segment: u32,
}

/// The names of a checkpoint; built once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// Distinct segments, so that a glob is tried once on each.
    segments: Vec<String>,
    /// Their numbers in the order of their texts.
    by_text: Vec<u32>,
    /// Distinct subtrees; children have smaller numbers than their parents, the root has the largest.
    nodes: Vec<Node>,
    /// Edges of all nodes, those of one node one behind the other, in the order in which the file has their segments first.
    edges: Vec<Edge>,
    /// Tensor at each place: names that begin alike are neighbours, which in most files they are anyhow.
    order: Vec<u32>,
}

/// What can follow a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Node {
    /// Whether a name can end here; it comes before those that go on.
    ends: bool,
    /// Its edges.
    edges: Range<u32>,
    /// Number of names.
    names: u32,
}

/// A segment, and what can follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edge {
    /// Among the distinct ones.
    pub segment: u32,
    /// What follows.
    pub node: u32,
    /// Names of the node at which the edge begins that come before those of the edge.
    pub before: u32,
}

impl Index {
    /// Index of the names of `schema`.
    pub fn new(schema: &Schema) -> Index {
        Index::of_names(schema.tensors.iter().map(|t| t.name.as_str()))
    }

    /// Index of names, which are those of the tensors 0, 1, and so on.
    pub fn of_names<'n>(names: impl Iterator<Item = &'n str>) -> Index {
        let words = Words::new(names);
        // Segments are numbered as they appear: the order of the file, as far as names that begin alike can be together.
        let mut order: Vec<u32> = (0u32..).take(words.len()).collect();
        order.sort_by(|a, b| words.of(*a).cmp(words.of(*b)));
        let mut builder = Builder::default();
        builder.build(&words, &order);
        let segments: Vec<String> = words.distinct.iter().map(|s| (*s).to_owned()).collect();
        let mut by_text: Vec<u32> = (0u32..).take(segments.len()).collect();
        by_text.sort_by_key(|number| words.distinct.get(*number as usize));
        Index { segments, by_text, nodes: builder.nodes, edges: builder.edges, order }
    }

    /// Number of tensors.
    pub fn tensors(&self) -> u32 {
        u32::try_from(self.order.len()).unwrap_or(u32::MAX)
    }

    /// Number of distinct segments.
    pub fn distinct_segments(&self) -> usize {
        self.segments.len()
    }

    /// Number of distinct subtrees.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Number of ways from a subtree to a smaller one: what a walk takes at most for each of its states.
    pub fn ways(&self) -> usize {
        self.edges.len()
    }

    /// Whether there is no tensor.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The empty prefix.
    pub fn root(&self) -> Prefix {
        let node = u32::try_from(self.nodes.len().saturating_sub(1)).unwrap_or(u32::MAX);
        Prefix { place: 0, depth: 0, node, segment: u32::MAX }
    }

    /// Prefixes that are one segment longer, in order of first appearance.
    pub fn children(&self, prefix: Prefix) -> impl Iterator<Item = Prefix> + '_ {
        self.edges(prefix.node).iter().map(move |edge| prefix.child(edge))
    }

    /// Tensor whose whole name `prefix` is.
    pub fn tensor(&self, prefix: Prefix) -> Option<u32> {
        self.ends(prefix.node).then(|| self.order.get(prefix.place as usize).copied()).flatten()
    }

    /// The last segment of a prefix; empty for the empty one.
    pub fn segment(&self, prefix: Prefix) -> &str {
        self.text(prefix.segment)
    }

    /// Text of a prefix: `layers.0.ssm`. `schema` is the one that the index was made of.
    pub fn path<'s>(&self, prefix: Prefix, schema: &'s Schema) -> &'s str {
        let first = self.order.get(prefix.place as usize).and_then(|t| schema.tensors.get(*t as usize));
        let Some(name) = first.filter(|_| prefix.depth > 0).map(|t| t.name.as_str()) else { return "" };
        let end = name.match_indices('.').map(|(i, _)| i).nth(prefix.depth as usize - 1);
        name.get(..end.unwrap_or(name.len())).unwrap_or(name)
    }

    /// Tensors whose names begin with `prefix`, ascending.
    pub fn below(&self, prefix: Prefix) -> Vec<u32> {
        let mut found = self.at(self.places(prefix)).to_vec();
        found.sort_unstable();
        found
    }

    /// The first of these.
    pub fn first_below(&self, prefix: Prefix) -> Option<u32> {
        self.at(self.places(prefix)).iter().copied().min()
    }

    /// Places of the names that begin with `prefix`.
    pub(super) fn places(&self, prefix: Prefix) -> Range<u32> {
        prefix.place..prefix.place.saturating_add(self.names(prefix.node))
    }

    /// Tensors at some places.
    pub(super) fn at(&self, places: Range<u32>) -> &[u32] {
        self.order.get(places.start as usize..places.end as usize).unwrap_or_default()
    }

    /// A distinct segment.
    pub(super) fn text(&self, segment: u32) -> &str {
        self.segments.get(segment as usize).map_or("", String::as_str)
    }

    /// Number of a distinct segment; `None` if no name has it.
    pub(super) fn number(&self, text: &str) -> Option<u32> {
        let at = self.by_text.binary_search_by(|number| self.text(*number).cmp(text)).ok()?;
        self.by_text.get(at).copied()
    }

    /// What can follow prefixes of this node, ascending by segment.
    pub(super) fn edges(&self, node: u32) -> &[Edge] {
        let edges =
            self.nodes.get(node as usize).map_or(0..0, |n| n.edges.start as usize..n.edges.end as usize);
        self.edges.get(edges).unwrap_or_default()
    }

    /// Whether a name can end at this node.
    pub(super) fn ends(&self, node: u32) -> bool {
        self.nodes.get(node as usize).is_some_and(|n| n.ends)
    }

    fn names(&self, node: u32) -> u32 {
        self.nodes.get(node as usize).map_or(0, |n| n.names)
    }
}

impl Prefix {
    /// Number of the node that says what can follow it: equal for prefixes that are followed by the same names.
    pub(super) fn node(self) -> u32 {
        self.node
    }

    /// Number of its last segment among the distinct ones.
    pub(super) fn last(self) -> u32 {
        self.segment
    }

    pub(super) fn child(self, edge: &Edge) -> Prefix {
        Prefix {
            place: self.place.saturating_add(edge.before),
            depth: self.depth.saturating_add(1),
            node: edge.node,
            segment: edge.segment,
        }
    }
}

/// A prefix of the name at hand: what follows it, as far as it is known.
struct Open {
    /// Its last segment.
    segment: u32,
    /// Whether a name ends here.
    ends: bool,
    /// The first of its edges among those of all open prefixes.
    edges: usize,
}

#[derive(Default)]
struct Builder {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    /// Nodes by whether a name can end there, and by edges.
    known: BTreeMap<(bool, Vec<(u32, u32)>), u32>,
    /// By segment, the node to which it led the last time: mostly it does again.
    last: Vec<Option<u32>>,
    /// Prefixes of the name at hand, and their edges.
    open: Vec<Open>,
    found: Vec<(u32, u32)>,
}

impl Builder {
    /// Adds all names in `order`, in which those that begin alike are neighbours. The root becomes the last node.
    fn build(&mut self, words: &Words<'_>, order: &[u32]) {
        self.last = vec![None; words.distinct.len()];
        self.open.push(Open { segment: u32::MAX, ends: false, edges: 0 });
        let mut before: &[u32] = &[];
        for name in order {
            let name = words.of(*name);
            let same = before.iter().zip(name).take_while(|(a, b)| a == b).count();
            self.close(same);
            let edges = self.found.len();
            self.open.extend(name.iter().skip(same).map(|s| Open { segment: *s, ends: false, edges }));
            if let Some(whole) = self.open.last_mut() {
                whole.ends = true;
            }
            before = name;
        }
        self.close(0);
        let root = self.open.pop().is_some_and(|root| root.ends);
        self.add(root, 0);
    }

    /// Makes nodes of the open prefixes of more than `depth` segments.
    fn close(&mut self, depth: usize) {
        while self.open.len() > depth + 1
            && let Some(prefix) = self.open.pop()
        {
            let node = self.node(&prefix);
            if let Some(last) = self.last.get_mut(prefix.segment as usize) {
                *last = Some(node);
            }
            self.found.truncate(prefix.edges);
            self.found.push((prefix.segment, node));
        }
    }

    /// The node of a prefix of which all edges are known.
    fn node(&mut self, prefix: &Open) -> u32 {
        let found = self.found.get(prefix.edges..).unwrap_or_default();
        let likely = self.last.get(prefix.segment as usize).copied().flatten();
        if let Some(likely) = likely.filter(|n| self.is(*n, prefix.ends, found)) {
            return likely;
        }
        let key = (prefix.ends, found.to_vec());
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        let node = self.add(prefix.ends, prefix.edges);
        self.known.insert(key, node);
        node
    }

    fn is(&self, node: u32, ends: bool, found: &[(u32, u32)]) -> bool {
        self.nodes.get(node as usize).is_some_and(|node| {
            let edges =
                self.edges.get(node.edges.start as usize..node.edges.end as usize).unwrap_or_default();
            node.ends == ends
                && edges.len() == found.len()
                && edges
                    .iter()
                    .zip(found)
                    .all(|(e, (segment, node))| e.segment == *segment && e.node == *node)
        })
    }

    fn add(&mut self, ends: bool, first: usize) -> u32 {
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let mut names = u32::from(ends);
        let start = small(self.edges.len());
        for (segment, node) in self.found.get(first..).unwrap_or_default() {
            self.edges.push(Edge { segment: *segment, node: *node, before: names });
            let more = self.nodes.get(*node as usize).map_or(0, |n| n.names);
            names = names.saturating_add(more);
        }
        self.nodes.push(Node { ends, edges: start..small(self.edges.len()), names });
        small(self.nodes.len() - 1)
    }
}
