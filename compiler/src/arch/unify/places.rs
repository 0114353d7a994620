//! A map from a choice and the instance in which it is made.

use std::cell::Cell;
use std::collections::BTreeMap;

/// A switch or an either, and an instance.
pub(super) type Place = (usize, u32);

/// Values by place. Neighbours in a file stand in the same place mostly, so the last one is looked at first.
pub(super) struct ByPlace<T> {
    values: Vec<(Place, T)>,
    positions: BTreeMap<Place, usize>,
    recent: Cell<usize>,
}

impl<T> Default for ByPlace<T> {
    fn default() -> ByPlace<T> {
        ByPlace { values: Vec::new(), positions: BTreeMap::new(), recent: Cell::new(0) }
    }
}

impl<T> ByPlace<T> {
    /// The value of `place`.
    pub(super) fn get(&self, place: Place) -> Option<&T> {
        self.position(place).and_then(|i| self.values.get(i)).map(|(_, value)| value)
    }

    /// The value of `place`, made if there is none.
    pub(super) fn get_or(&mut self, place: Place, make: impl FnOnce() -> T) -> Option<&mut T> {
        let position = self.position(place).unwrap_or_else(|| {
            self.positions.insert(place, self.values.len());
            self.values.push((place, make()));
            self.values.len() - 1
        });
        self.values.get_mut(position).map(|(_, value)| value)
    }

    /// All places in the order in which they came up.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Place, &T)> {
        self.values.iter().map(|(place, value)| (*place, value))
    }

    fn position(&self, place: Place) -> Option<usize> {
        let recent = self.recent.get();
        if self.values.get(recent).is_some_and(|(p, _)| *p == place) {
            return Some(recent);
        }
        let found = self.positions.get(&place).copied()?;
        self.recent.set(found);
        Some(found)
    }
}
