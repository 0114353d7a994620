//! Paths of patterns along the names of a checkpoint.
//!
//! A prefix of a name can stand at several positions of a path, because of `**`. The sets of positions that come up are
//! the states of a machine, made when they are first needed; what it finds below one prefix is known for all prefixes
//! that are followed by the same names.

use std::collections::BTreeMap;
use std::ops::Range;

use super::glob::accepts;
use super::index::{Index, Prefix};
use crate::syntax::tree::{Segment, SegmentKind};

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
        if state.furthest() > walk.furthest {
            walk.furthest = state.furthest();
            walk.stuck.clear();
        }
        if state.furthest() == walk.furthest {
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
    segments: &'a [Segment],
    index: &'a Index,
    states: Vec<State>,
    known: BTreeMap<Vec<usize>, usize>,
}

/// A set of positions; position i is before segment i.
struct State {
    /// Ascending, not empty.
    positions: Vec<usize>,
    /// The whole path is behind.
    ends: bool,
    /// Nothing but `**` is to come.
    takes_all: bool,
    /// By segment of names: the state behind it, if it is known and there is one.
    next: Vec<Option<Option<usize>>>,
    /// By node of the index: whether nothing is found below.
    barren: Vec<bool>,
}

impl State {
    fn furthest(&self) -> usize {
        self.positions.last().copied().unwrap_or(0)
    }
}

/// A prefix whose longer ones are being looked at.
struct Frame {
    prefix: Prefix,
    state: usize,
    /// Edges that were followed.
    edges: usize,
    found: bool,
}

impl<'a> Machine<'a> {
    fn new(segments: &'a [Segment], index: &'a Index) -> Machine<'a> {
        let mut machine = Machine { segments, index, states: Vec::new(), known: BTreeMap::new() };
        let mut first = Vec::new();
        machine.reach(0, &mut first);
        machine.state(first);
        machine
    }

    /// Adds a position, and those behind `**` that stands there, because it may take no segment.
    fn reach(&self, position: usize, positions: &mut Vec<usize>) {
        positions.push(position);
        let any_depth = |s: &&Segment| s.kind == SegmentKind::AnyDepth;
        let more = self.segments.iter().skip(position).take_while(any_depth).count();
        positions.extend((1..=more).map(|n| position + n));
    }

    /// The state of these positions.
    fn state(&mut self, mut positions: Vec<usize>) -> usize {
        positions.sort_unstable();
        positions.dedup();
        if let Some(known) = self.known.get(&positions) {
            return *known;
        }
        let end = self.segments.len();
        let tail = self.segments.iter().rev().take_while(|s| s.kind == SegmentKind::AnyDepth).count();
        self.states.push(State {
            ends: positions.last() == Some(&end),
            takes_all: positions.iter().any(|p| (end - tail..end).contains(p)),
            next: vec![None; self.index.distinct_segments()],
            barren: vec![false; self.index.len()],
            positions: positions.clone(),
        });
        self.known.insert(positions, self.states.len() - 1);
        self.states.len() - 1
    }

    /// The state behind a segment of a name.
    fn next(&mut self, state: usize, segment: u32) -> Option<usize> {
        let from = self.states.get(state)?;
        if let Some(Some(known)) = from.next.get(segment as usize) {
            return *known;
        }
        let text = self.index.text(segment);
        let mut positions = Vec::new();
        for position in &from.positions {
            match self.segments.get(*position) {
                Some(s) if s.kind == SegmentKind::AnyDepth => self.reach(*position, &mut positions),
                Some(s) if accepts(&s.kind, text) => self.reach(position + 1, &mut positions),
                _ => {}
            }
        }
        let found = if positions.is_empty() { None } else { Some(self.state(positions)) };
        if let Some(next) = self.states.get_mut(state).and_then(|s| s.next.get_mut(segment as usize)) {
            *next = Some(found);
        }
        found
    }

    /// Shows `look` all prefixes that the path can reach, shorter ones first, but for those below which it is known to
    /// find nothing.
    fn run(&mut self, look: &mut dyn FnMut(&State, Prefix) -> Found) {
        // By hand instead of a recursion: a name can have as many segments as a header has bytes.
        let mut frames = Vec::new();
        self.enter(0, self.index.root(), look, &mut frames);
        while let Some(frame) = frames.last_mut() {
            let (prefix, state) = (frame.prefix, frame.state);
            if let Some(edge) = self.index.edges(prefix.node()).get(frame.edges) {
                frame.edges += 1;
                if let Some(next) = self.next(state, edge.segment) {
                    self.enter(next, prefix.child(edge), look, &mut frames);
                }
                continue;
            }
            let found = frames.pop().is_some_and(|f| f.found);
            if let Some(around) = frames.last_mut() {
                around.found |= found;
            }
            let barren = self.states.get_mut(state).and_then(|s| s.barren.get_mut(prefix.node() as usize));
            if let Some(barren) = barren {
                *barren = !found;
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
        if here.barren.get(prefix.node() as usize) == Some(&true) {
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
