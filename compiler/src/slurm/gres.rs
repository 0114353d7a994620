//! Generic resources: `gpu:a30:2`.

use std::fmt;

/// So many of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gres {
    /// `gpu`.
    pub name: String,
    /// `a30`, exactly as the cluster spells it.
    pub kind: Option<String>,
    /// How many.
    pub count: u64,
}

impl Gres {
    /// A resource.
    pub fn new(name: &str, kind: Option<&str>, count: u64) -> Gres {
        Gres { name: name.to_owned(), kind: kind.map(str::to_owned), count }
    }

    /// Whether these of a node serve a job that asks for `wanted` of whatever type.
    pub fn serves(&self, wanted: &Gres) -> bool {
        self.name == wanted.name && (wanted.kind.is_none() || wanted.kind == self.kind)
    }

    /// Compute capability times ten, where the type's name tells: 80 for `a30`, `A100` and `nvidia_a100_80gb`.
    pub fn capability(&self) -> Option<u32> {
        let kind = self.kind.as_ref()?.to_ascii_lowercase();
        let words: Vec<&str> = kind.split(|c: char| !c.is_ascii_alphanumeric()).collect();
        let known = crate::hir::items::GPUS.iter().find(|(name, _)| words.contains(name));
        known.map(|(_, capability)| *capability)
    }
}

impl fmt::Display for Gres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Some(kind) => write!(f, "{}:{kind}:{}", self.name, self.count),
            None => write!(f, "{}:{}", self.name, self.count),
        }
    }
}

/// Reads a list such as `gpu:a30:2(S:0-1),tmpdisk:100G`.
pub fn parse(text: &str) -> Vec<Gres> {
    let mut depth = 0u32;
    // What stands in parentheses says where a resource is, with commas of its own.
    let outside: String = text
        .chars()
        .filter(|c| {
            match c {
                '(' => depth += 1,
                ')' => {
                    depth = depth.saturating_sub(1);
                    return false;
                }
                _ => {}
            }
            depth == 0
        })
        .collect();
    outside.split(',').filter_map(one).collect()
}

fn one(text: &str) -> Option<Gres> {
    let mut parts: Vec<&str> = text.trim().trim_start_matches("gres:").split([':', '=']).collect();
    let counted = parts.last().filter(|_| parts.len() > 1).and_then(|last| count(last));
    if counted.is_some() {
        parts.pop();
    }
    let name = parts.first().filter(|name| !name.is_empty())?;
    let kind = parts.get(1).filter(|kind| !kind.is_empty() && **kind != "no_consume");
    Some(Gres::new(name, kind.copied(), counted.unwrap_or(1)))
}

fn count(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(['K', 'M', 'G', 'T', 'k', 'm', 'g', 't']);
    let factor = match text.get(digits.len()..)?.to_ascii_uppercase().as_str() {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        "T" => 1u64 << 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::{Gres, parse};

    #[test]
    fn lists_are_read() {
        let shown = |text: &str| parse(text).iter().map(Gres::to_string).collect::<Vec<_>>().join(" ");
        assert_eq!(
            shown("gpu:a30:2(S:0-1),gpu:A100:4(IDX:0,1),tmpdisk:1K"),
            "gpu:a30:2 gpu:A100:4 tmpdisk:1024"
        );
        assert_eq!(shown("gpu"), "gpu:1");
        assert_eq!(shown("gpu:8"), "gpu:8");
        assert_eq!(shown("gpu:h100"), "gpu:h100:1");
        assert_eq!(shown(""), "");
    }

    #[test]
    fn capabilities_are_known_by_name() {
        for (kind, expected) in [
            ("a30", Some(80)),
            ("A30", Some(80)),
            ("nvidia_h100_80gb", Some(90)),
            ("v100-32", Some(70)),
            ("a3000", None),
        ] {
            assert_eq!(Gres::new("gpu", Some(kind), 1).capability(), expected, "{kind}");
        }
    }
}
