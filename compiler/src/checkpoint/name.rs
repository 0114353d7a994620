//! Names of tensors, as parts of the text that they were read from.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::{Deref, Range};
use std::sync::Arc;

/// The full name of a tensor. A header of 100,000 tensors is one text, and its names are ranges of it: none is copied.
#[derive(Clone)]
pub struct Name {
    text: Arc<String>,
    start: u32,
    end: u32,
}

impl Name {
    /// The part `range` of `text`; a copy of its own where the range is too far behind to be counted in 32 bits. Empty
    /// where `text` has no such part.
    pub fn part(text: &Arc<String>, range: Range<usize>) -> Name {
        match (u32::try_from(range.start), u32::try_from(range.end)) {
            (Ok(start), Ok(end)) => Name { text: Arc::clone(text), start, end },
            _ => Name::from(text.get(range).unwrap_or_default()),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        self.text.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

impl From<String> for Name {
    fn from(name: String) -> Name {
        let end = u32::try_from(name.len()).unwrap_or(u32::MAX);
        Name { text: Arc::new(name), start: 0, end }
    }
}

impl From<&str> for Name {
    fn from(name: &str) -> Name {
        Name::from(name.to_owned())
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Name) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Name {}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialEq<String> for Name {
    fn eq(&self, other: &String) -> bool {
        self.as_str() == other
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Name) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Name) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_its_text() {
        let text = Arc::new("{\"a.b\":1,\"ü\":2}".to_owned());
        let name = Name::part(&text, 2..5);
        assert_eq!(name, "a.b");
        assert_eq!(name, Name::from("a.b"));
        assert_eq!(format!("{name} {name:?} {:<5}|", name), "a.b \"a.b\" a.b  |");
        assert_eq!(name.split('.').count(), 2);
        assert_eq!(Name::part(&text, 2..99), "", "no such part");
        assert_eq!(std::mem::size_of::<Name>(), 16);
    }
}
