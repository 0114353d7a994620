//! The names that a declaration accepts, as a trie over their segments: a checkpoint's name is walked once, whatever
//! the number of declarations.

use super::decl::{ArchDecl, PathStep};

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

    /// A node by its number.
    pub(super) fn node(&self, node: u32) -> Option<&Node> {
        self.nodes.get(node as usize)
    }

    /// The node at which `name` ends, if a declaration does too; indices passed are put into `passed`.
    pub(super) fn walk(&self, name: &str, passed: &mut Vec<Passed>) -> Option<u32> {
        passed.clear();
        let mut at = 0u32;
        let mut start = 0usize;
        for segment in name.split('.') {
            let end = start + segment.len();
            let node = self.nodes.get(at as usize)?;
            at = match node.names.binary_search_by(|(n, _)| n.as_str().cmp(segment)) {
                Ok(i) => node.names.get(i)?.1,
                Err(_) => {
                    let (family, next) = node.index?;
                    let index = index(segment)?;
                    let ends = (u32::try_from(start.saturating_sub(1)).ok()?, u32::try_from(end).ok()?);
                    passed.push(Passed { family, index, ends });
                    next
                }
            };
            start = end + 1;
        }
        self.nodes.get(at as usize).is_some_and(|n| !n.leaves.is_empty()).then_some(at)
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
fn index(segment: &str) -> Option<u64> {
    let canonical = segment == "0" || !segment.starts_with('0');
    let digits = !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_digit());
    if canonical && digits { segment.parse().ok() } else { None }
}
