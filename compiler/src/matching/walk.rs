//! Paths of patterns along the names of a checkpoint.
//!
//! A prefix of a name can stand at several positions of a path, because of `**`. The sets of positions that come up are
//! the states of a machine, made when they are first needed; what it finds below one prefix is known for all prefixes
//! that are followed by the same names.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::glob::{accepts, texts};
use super::index::{Edge, Index, Prefix};
use crate::syntax::tree::{GlobPart, Segment, SegmentKind};

/// What a path matches.
#[derive(Debug)]
pub struct Walk {
    /// Places of the names that match, each once.
    places: Vec<Range<u32>>,
    /// Number of the segment at which the last matches were lost.
    pub furthest: usize,
    /// Prefixes at which that segment could not go on: if nothing matches, one of those that are followed by the same
    /// names.
    pub stuck: Vec<Prefix>,
}

impl Walk {
    /// Whether no name matches.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Number of names that match.
    pub fn len(&self) -> usize {
        self.places.iter().map(ExactSizeIterator::len).sum()
    }

    /// Tensors whose names match, in the order of the index.
    pub fn tensors<'a>(&'a self, index: &'a Index) -> impl Iterator<Item = u32> + 'a {
        self.places.iter().flat_map(|p| index.at(p.clone())).copied()
    }
}

/// The names that `segments` match.
pub fn walk(segments: &[Segment], index: &Index) -> Walk {
    let mut walk = Walk { places: Vec::new(), furthest: 0, stuck: Vec::new() };
    Machine::new(segments, index).run(&mut |state, prefix| {
        if state.furthest > walk.furthest {
            walk.furthest = state.furthest;
            walk.stuck.clear();
        }
        if state.furthest == walk.furthest {
            walk.stuck.push(prefix);
        }
        let places = index.places(prefix);
        if state.takes_all && !places.is_empty() {
            walk.places.push(places);
            return Found::All;
        }
        if state.ends && index.tensor(prefix).is_some() {
            walk.places.push(places.start..places.start.saturating_add(1));
            return Found::One;
        }
        Found::Nothing
    });
    walk
}

/// Prefixes that `segments` match, whole names among them: what `prune` calls blocks and families.
pub fn prefixes(segments: &[Segment], index: &Index) -> Vec<Prefix> {
    let mut found = Vec::new();
    Machine::new(segments, index).run(&mut |state, prefix| {
        if state.ends {
            found.push(prefix);
            return Found::One;
        }
        Found::Nothing
    });
    found
}

/// What a prefix has to do with what is looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    /// Longer ones may have more.
    Nothing,
    /// It is found itself; longer ones may be, too.
    One,
    /// It and all longer ones are found.
    All,
}

struct Machine<'a> {
    steps: Vec<Step<'a>>,
    /// Segments of the path.
    segments: usize,
    index: &'a Index,
    states: Vec<State>,
    known: BTreeMap<Vec<usize>, usize>,
}

/// One segment of the path; several `**` that follow each other are one.
pub(super) struct Step<'a> {
    /// Its number in the path.
    pub number: usize,
    /// What it accepts.
    pub takes: Takes<'a>,
}

/// Which segments of names a step accepts.
pub(super) enum Takes<'a> {
    /// Any number of any.
    AnyDepth,
    /// These, ascending.
    These(Vec<u32>),
    /// Any one.
    Any,
    /// Those that the glob accepts.
    Glob(&'a SegmentKind),
}

/// The steps of a path.
pub(super) fn steps<'a>(segments: &'a [Segment], index: &Index) -> Vec<Step<'a>> {
    let mut steps: Vec<Step<'a>> = Vec::new();
    for (number, segment) in segments.iter().enumerate() {
        let takes = match &segment.kind {
            SegmentKind::AnyDepth if matches!(steps.last(), Some(Step { takes: Takes::AnyDepth, .. })) => {
                continue;
            }
            SegmentKind::AnyDepth => Takes::AnyDepth,
            SegmentKind::Glob(parts) if *parts == [GlobPart::Star] => Takes::Any,
            kind => match texts(kind) {
                Some(texts) => {
                    let mut these: Vec<u32> = texts.iter().filter_map(|t| index.number(t)).collect();
                    these.sort_unstable();
                    these.dedup();
                    Takes::These(these)
                }
                None => Takes::Glob(kind),
            },
        };
        steps.push(Step { number, takes });
    }
    steps
}

/// A set of positions; position i is before step i. Those before a `**` at which another one stands are left out: what
/// they accept, it accepts, too.
struct State {
    /// Ascending, not empty.
    positions: Vec<usize>,
    /// Number of the last position's segment.
    furthest: usize,
    /// The whole path is behind.
    ends: bool,
    /// Nothing but `**` is to come.
    takes_all: bool,
    /// The only segments of names that go on, ascending; `None` if any may.
    only: Option<Vec<u32>>,
    /// Whether it is the same state behind any segment.
    any: bool,
    /// By segment of names (of any, by 0): the state behind it, where it was asked for.
    next: BTreeMap<u32, Option<usize>>,
    /// Nodes of the index below which nothing is found.
    barren: BTreeSet<u32>,
}

/// A prefix whose longer ones are being looked at.
struct Frame {
    prefix: Prefix,
    state: usize,
    /// Edges that were followed, or segments that were looked for.
    edges: usize,
    found: bool,
}

impl<'a> Machine<'a> {
    fn new(segments: &'a [Segment], index: &'a Index) -> Machine<'a> {
        let steps = steps(segments, index);
        let (states, known) = (Vec::new(), BTreeMap::new());
        let mut machine = Machine { steps, segments: segments.len(), index, states, known };
        let mut first = Vec::new();
        machine.reach(0, &mut first);
        machine.state(first);
        machine
    }

    fn any_depth(&self, position: usize) -> bool {
        self.steps.get(position).is_some_and(|s| matches!(s.takes, Takes::AnyDepth))
    }

    /// Adds a position, and the one behind `**` that stands there, because it may take no segment.
    fn reach(&self, position: usize, positions: &mut Vec<usize>) {
        positions.push(position);
        if self.any_depth(position) {
            positions.push(position + 1);
        }
    }

    /// The state of these positions.
    fn state(&mut self, mut positions: Vec<usize>) -> usize {
        positions.sort_unstable();
        positions.dedup();
        if let Some(last) = positions.iter().rposition(|p| self.any_depth(*p)) {
            positions.drain(..last);
        }
        if let Some(known) = self.known.get(&positions) {
            return *known;
        }
        let end = self.steps.len();
        let furthest = positions.last().copied().unwrap_or(0);
        let (mut only, mut any) = (Some(Vec::new()), true);
        for position in &positions {
            match (self.steps.get(*position).map(|s| &s.takes), &mut only) {
                (Some(Takes::These(these)), Some(only)) => only.extend(these),
                (Some(_), _) => only = None,
                (None, _) => {}
            }
            any &= matches!(
                self.steps.get(*position).map(|s| &s.takes),
                None | Some(Takes::Any | Takes::AnyDepth)
            );
        }
        if let Some(only) = &mut only {
            only.sort_unstable();
            only.dedup();
        }
        self.states.push(State {
            furthest: self.steps.get(furthest).map_or(self.segments, |s| s.number),
            ends: furthest == end,
            takes_all: positions.iter().any(|p| p + 1 == end && self.any_depth(*p)),
            only,
            any,
            next: BTreeMap::new(),
            barren: BTreeSet::new(),
            positions: positions.clone(),
        });
        self.known.insert(positions, self.states.len() - 1);
        self.states.len() - 1
    }

    /// The state behind a segment of a name.
    fn next(&mut self, state: usize, segment: u32) -> Option<usize> {
        let from = self.states.get(state)?;
        let key = if from.any { 0 } else { segment };
        if let Some(known) = from.next.get(&key) {
            return *known;
        }
        let mut positions = Vec::new();
        for position in &from.positions {
            match self.steps.get(*position).map(|s| &s.takes) {
                Some(Takes::AnyDepth) => self.reach(*position, &mut positions),
                Some(Takes::Any) => self.reach(position + 1, &mut positions),
                Some(Takes::These(these)) if these.binary_search(&segment).is_ok() => {
                    self.reach(position + 1, &mut positions);
                }
                Some(Takes::Glob(glob)) if accepts(glob, self.index.text(segment)) => {
                    self.reach(position + 1, &mut positions);
                }
                _ => {}
            }
        }
        let found = if positions.is_empty() { None } else { Some(self.state(positions)) };
        if let Some(from) = self.states.get_mut(state) {
            from.next.insert(key, found);
        }
        found
    }

    /// The next edge of a frame that may go on.
    fn edge(&self, frame: &mut Frame) -> Option<&'a Edge> {
        let edges = self.index.edges(frame.prefix.node());
        let only = self.states.get(frame.state).and_then(|s| s.only.as_ref());
        // A few segments are looked up among many edges; else each edge is tried.
        match only.filter(|only| only.len() < edges.len()) {
            Some(only) => {
                while let Some(segment) = only.get(frame.edges) {
                    frame.edges += 1;
                    if let Ok(at) = edges.binary_search_by_key(segment, |e| e.segment) {
                        return edges.get(at);
                    }
                }
                None
            }
            None => {
                let edge = edges.get(frame.edges);
                frame.edges += 1;
                edge
            }
        }
    }

    /// Shows `look` all prefixes that the path can reach, shorter ones first, but for those below which it is known to
    /// find nothing.
    fn run(&mut self, look: &mut dyn FnMut(&State, Prefix) -> Found) {
        // By hand instead of a recursion: a name can have as many segments as a header has bytes.
        let mut frames = Vec::new();
        self.enter(0, self.index.root(), look, &mut frames);
        while let Some(frame) = frames.last_mut() {
            let (prefix, state) = (frame.prefix, frame.state);
            if let Some(edge) = self.edge(frame) {
                if let Some(next) = self.next(state, edge.segment) {
                    self.enter(next, prefix.child(edge), look, &mut frames);
                }
                continue;
            }
            let found = frames.pop().is_some_and(|f| f.found);
            if let Some(around) = frames.last_mut() {
                around.found |= found;
            }
            if let Some(state) = self.states.get_mut(state).filter(|_| !found) {
                state.barren.insert(prefix.node());
            }
        }
    }

    fn enter(
        &self,
        state: usize,
        prefix: Prefix,
        look: &mut dyn FnMut(&State, Prefix) -> Found,
        frames: &mut Vec<Frame>,
    ) {
        let Some(here) = self.states.get(state) else { return };
        if here.barren.contains(&prefix.node()) {
            return;
        }
        let found = look(here, prefix);
        if found == Found::All {
            if let Some(around) = frames.last_mut() {
                around.found = true;
            }
            return;
        }
        frames.push(Frame { prefix, state, edges: 0, found: found == Found::One });
    }
}

#[cfg(test)]
mod tests;
