//! The names that a declaration accepts, as a trie over their segments: a checkpoint's name is walked once, whatever
//! the number of declarations.

use super::decl::{ArchDecl, PathStep};
use crate::base::common_prefix;

/// Children up to which all are looked at.
const FEW: usize = 16;

/// A walk over names one after the other. Neighbours in a file begin alike, so a name is walked from where it differs.
pub(super) struct Walker<'t> {
    trie: &'t Trie,
    previous: &'t [u8],
    /// Segments of the previous name that are in the trie: where each ends, its node, indices passed up to it.
    path: Vec<(usize, u32, usize)>,
    /// Indices passed on the way to the last name.
    pub passed: Vec<Passed>,
}

impl<'t> Walker<'t> {
    pub(super) fn new(trie: &'t Trie) -> Walker<'t> {
        Walker { trie, previous: &[], path: Vec::new(), passed: Vec::new() }
    }

    /// The node at which `name` ends, if a declaration does too.
    pub(super) fn walk(&mut self, name: &'t str) -> Option<&'t Node> {
        let name = name.as_bytes();
        let same = common_prefix(name, self.previous);
        self.previous = name;
        let kept = |end: usize| end <= same && name.get(end).is_none_or(|b| *b == b'.');
        while self.path.last().is_some_and(|(end, ..)| !kept(*end)) {
            self.path.pop();
        }
        let (mut at, mut start) = match self.path.last() {
            Some((end, node, passed)) => {
                self.passed.truncate(*passed);
                (*node, end + 1)
            }
            None => {
                self.passed.clear();
                (0, 0)
            }
        };
        while let Some(rest) = name.get(start..) {
            let segment = rest.get(..rest.iter().position(|b| *b == b'.').unwrap_or(rest.len()))?;
            let end = start + segment.len();
            let node = self.trie.nodes.get(at as usize)?;
            at = match node.named(segment) {
                Some(next) => next,
                None => {
                    let (family, next) = node.index?;
                    let index = index(segment)?;
                    let ends = (u32::try_from(start.saturating_sub(1)).ok()?, u32::try_from(end).ok()?);
                    self.passed.push(Passed { family, index, ends });
                    next
                }
            };
            self.path.push((end, at, self.passed.len()));
            start = end + 1;
        }
        self.trie.nodes.get(at as usize).filter(|n| !n.leaves.is_empty())
    }
}

/// A segment trie; node 0 is the root.
pub(super) struct Trie {
    nodes: Vec<Node>,
}

/// A node; its leaves are the declarations whose names end here.
#[derive(Default)]
pub(super) struct Node {
    /// Sorted by name.
    names: Vec<(String, u32)>,
    /// Family and node behind its index.
    index: Option<(u32, u32)>,
    /// Declarations.
    pub leaves: Vec<Leaf>,
    /// Exactly one leaf, which depends on no choice.
    pub plain: bool,
}

/// One spelling of one declared tensor.
pub(super) struct Leaf {
    /// Index into [`ArchDecl::tensors`].
    pub tensor: usize,
    /// Optional segments of this spelling: switch, and whether the segment is there.
    pub switches: Vec<(usize, bool)>,
}

/// An index that was passed on the way down.
#[derive(Clone, Copy)]
pub(super) struct Passed {
    pub family: u32,
    pub index: u64,
    /// Where the family's name ends in the tensor's name, and where the index does (bytes).
    pub ends: (u32, u32),
}

impl Node {
    /// The child of that name. Nodes have a few children, mostly of different lengths, so looking at each is the fastest.
    fn named(&self, segment: &[u8]) -> Option<u32> {
        if self.names.len() > FEW {
            let found = self.names.binary_search_by(|(n, _)| n.as_bytes().cmp(segment)).ok()?;
            return self.names.get(found).map(|(_, node)| *node);
        }
        let last = segment.last();
        let same = |name: &[u8]| name.len() == segment.len() && name.last() == last && name == segment;
        self.names.iter().find(|(n, _)| same(n.as_bytes())).map(|(_, node)| *node)
    }
}

impl Trie {
    pub(super) fn new(decl: &ArchDecl) -> Trie {
        let mut trie = Trie { nodes: vec![Node::default()] };
        for (number, tensor) in decl.tensors.iter().enumerate() {
            let mut ways: Vec<(u32, Vec<(usize, bool)>)> = vec![(0, Vec::new())];
            for step in &tensor.path {
                let mut next = Vec::with_capacity(ways.len());
                for (node, mut switches) in ways {
                    match step {
                        PathStep::Name(name) => next.push((trie.child(node, name), switches)),
                        PathStep::Index { family } => next.push((trie.member(node, *family), switches)),
                        PathStep::Optional { switch, name } => {
                            let mut without = switches.clone();
                            without.push((*switch, false));
                            next.push((node, without));
                            switches.push((*switch, true));
                            next.push((trie.child(node, name), switches));
                        }
                    }
                }
                ways = next;
            }
            for (node, switches) in ways {
                if let Some(node) = trie.nodes.get_mut(node as usize) {
                    node.leaves.push(Leaf { tensor: number, switches });
                }
            }
        }
        for node in &mut trie.nodes {
            node.plain = matches!(node.leaves.as_slice(), [leaf] if leaf.switches.is_empty()
                && decl.tensors.get(leaf.tensor).is_some_and(|t| t.inside.is_empty()));
        }
        trie
    }

    fn child(&mut self, node: u32, name: &str) -> u32 {
        let next = self.next();
        let Some(node) = self.nodes.get_mut(node as usize) else { return 0 };
        match node.names.binary_search_by(|(n, _)| n.as_str().cmp(name)) {
            Ok(i) => node.names.get(i).map_or(0, |(_, n)| *n),
            Err(i) => {
                node.names.insert(i, (name.to_owned(), next));
                self.nodes.push(Node::default());
                next
            }
        }
    }

    fn member(&mut self, node: u32, family: usize) -> u32 {
        let next = self.next();
        let Some(node) = self.nodes.get_mut(node as usize) else { return 0 };
        if let Some((_, known)) = node.index {
            return known;
        }
        // A declaration has at most a few thousand families.
        node.index = Some((u32::try_from(family).unwrap_or(u32::MAX), next));
        self.nodes.push(Node::default());
        next
    }

    fn next(&self) -> u32 {
        u32::try_from(self.nodes.len()).unwrap_or(u32::MAX)
    }
}

/// A member's number as frameworks write it: decimal, no sign, no leading zero.
fn index(segment: &[u8]) -> Option<u64> {
    let canonical = segment == b"0" || !segment.starts_with(b"0");
    if segment.is_empty() || !canonical {
        return None;
    }
    segment.iter().try_fold(0u64, |n, b| {
        let digit = b.is_ascii_digit().then(|| u64::from(b - b'0'))?;
        n.checked_mul(10)?.checked_add(digit)
    })
}
