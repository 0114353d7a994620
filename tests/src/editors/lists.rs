//! The lists, from the compiler's tables.

use icpc::hir::value::Kind;
use icpc::hir::{filter, format, items, tune};
use icpc::syntax::keywords::{Place, UNITS, keywords};
use icpc_kernels::DType;

/// Words that editors colour alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// As markers name it.
    pub name: &'static str,
    /// In the order of the compiler's table, each once.
    pub words: Vec<&'static str>,
}

/// All lists. Roles are none: an architecture may give any, so a grammar takes whatever stands behind `@`.
pub fn lists() -> Vec<List> {
    let place = |place| keywords(place).map(|k| k.word).collect::<Vec<_>>();
    let values = || keywords(Place::Value).map(|k| k.word);
    let is_constant = |word: &&str| matches!(*word, "true" | "false");
    let firsts = |table: &[(&'static str, u64)]| table.iter().map(|(word, _)| *word).collect::<Vec<_>>();
    let mut found = vec![
        ("declarations", [place(Place::File), place(Place::Head)].concat()),
        ("operations", place(Place::Recipe)),
        ("pattern-words", place(Place::Pattern)),
        ("value-words", values().filter(|w| !is_constant(w)).collect()),
        ("constants", values().filter(is_constant).collect()),
        ("arch-words", place(Place::Arch)),
        ("forward-words", place(Place::Forward)),
        ("formats", format::FORMATS.iter().map(|(name, _)| *name).collect()),
        ("arguments", format::FORMATS.iter().flat_map(|(_, arguments)| arguments.iter().copied()).collect()),
        ("fields", [items::CALIBRATE, items::EVALUATE, tune::FIELDS, items::PRUNE, items::EMIT].concat()),
        ("choices", choices()),
        ("properties", filter::SUBJECTS.to_vec()),
        ("metrics", items::METRICS.iter().map(|(name, _)| *name).collect()),
        ("containers", items::CONTAINERS.iter().map(|(name, _)| *name).collect()),
        // `cuda:0` is a name and a number.
        ("targets", items::targets().filter(|t| !t.contains(':')).collect()),
        ("kinds", Kind::ALL.map(Kind::name).to_vec()),
        ("dtypes", DType::ALL.map(DType::name).to_vec()),
        ("units", firsts(UNITS)),
    ];
    for (_, words) in &mut found {
        unique(words);
    }
    found.into_iter().map(|(name, words)| List { name, words }).collect()
}

/// Words that arguments and fields take.
fn choices() -> Vec<&'static str> {
    let mut words = [format::PER, format::CLIPS].concat();
    // `fp32` is a format, too
    words.extend(format::ACTIVATIONS.iter().filter(|word| **word != "fp32"));
    words.extend(format::STATISTICS);
    words.extend(format::PACKS.iter().map(|(word, _)| *word));
    words.extend(items::NORMS.iter().map(|(word, _)| *word));
    words.push(items::BASELINE);
    words
}

fn unique(words: &mut Vec<&'static str>) {
    let mut seen = Vec::new();
    words.retain(|word| {
        let new = !seen.contains(word);
        seen.push(*word);
        new
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_words_each_once() {
        for List { name, words } in lists() {
            assert!(!words.is_empty(), "{name}");
            for (i, word) in words.iter().enumerate() {
                assert!(word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'), "{name}: {word}");
                assert!(!words[..i].contains(word), "{name}: {word} twice");
            }
        }
        let formats = lists().into_iter().find(|l| l.name == "formats").unwrap();
        assert!(formats.words.starts_with(&["keep", "drop"]) && formats.words.contains(&"nf4"));
    }
}
