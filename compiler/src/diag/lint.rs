//! The wording rules, so that a test can hold every diagnostic to them.

use super::data::{Declaration, Diagnostic};

/// Longest headline, in characters.
pub const HEADLINE: usize = 72;

/// Words that blame or plead.
const BLAME: [&str; 6] = ["you", "your", "please", "illegal", "oops", "sorry"];

/// What is wrong with the wording, one sentence each; empty if nothing is.
pub fn lint(diagnostic: &Diagnostic) -> Vec<String> {
    let mut out = declaration(diagnostic.kind);
    let headline = diagnostic.headline.as_str();
    let length = headline.chars().count();
    if length > HEADLINE {
        out.push(format!("the headline has {length} characters, more than {HEADLINE}: {headline}"));
    }
    if length == 0 {
        out.push("the headline is empty".to_owned());
    }
    let labels = std::iter::once(&diagnostic.primary).chain(&diagnostic.secondary).map(|l| l.text.as_str());
    let rest =
        labels.chain(diagnostic.provenance.iter().map(String::as_str)).chain(diagnostic.help.as_deref());
    for text in std::iter::once(headline).chain(rest) {
        clause(text, &mut out);
    }
    if diagnostic.secondary.len() > 2 {
        out.push(format!("{} secondary labels are more than two", diagnostic.secondary.len()));
    }
    if !diagnostic.primary.text.is_empty() && diagnostic.primary.text == headline {
        out.push(format!("the primary label repeats the headline: {headline}"));
    }
    out
}

/// What is wrong with a declaration: a name that is not kebab-case, a code that has no band.
pub fn declaration(kind: &Declaration) -> Vec<String> {
    let (name, code) = (kind.name, kind.code);
    let mut out = Vec::new();
    let part = |p: &str| !p.is_empty() && p.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if !name.split('-').all(part) {
        out.push(format!("the name {name} is not kebab-case"));
    }
    let digits = code.strip_prefix('E').unwrap_or("");
    let number = digits.len() == 4 && digits.chars().all(|c| c.is_ascii_digit());
    if !number || !("0101".."1000").contains(&digits) {
        out.push(format!("the code {code} is not of a band E01 to E09"));
    }
    out
}

fn clause(text: &str, out: &mut Vec<String>) {
    if text.chars().next().is_some_and(char::is_uppercase) {
        out.push(format!("starts with a capital: {text}"));
    }
    if text.ends_with('.') && !text.ends_with("..") || text.ends_with('!') {
        out.push(format!("ends with a period: {text}"));
    }
    if text.matches('`').count() % 2 == 1 {
        out.push(format!("has an odd number of backticks: {text}"));
    }
    let did_you_mean = text.starts_with("did you mean ");
    // What stands in backticks is quoted, so every second part is free.
    let prose = text.split('`').step_by(2).collect::<Vec<_>>().join(" ").to_lowercase();
    for word in prose.split(|c: char| !c.is_alphanumeric()) {
        if BLAME.contains(&word) && !(did_you_mean && word == "you") {
            out.push(format!("says `{word}`: {text}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::samples;

    #[test]
    fn good_wording_passes() {
        for d in [samples::length(), samples::unmatched(), samples::clip(), samples::tokenizer()] {
            assert_eq!(lint(&d), Vec::<String>::new());
        }
    }

    #[test]
    fn each_rule_is_held() {
        let headline = |text: &str| Diagnostic { headline: text.to_owned(), ..samples::length() };
        let cases = [
            (headline(""), "is empty"),
            (headline(&"x".repeat(73)), "73 characters"),
            (headline("Bad things"), "capital"),
            (headline("bad things."), "period"),
            (headline("`a is bad"), "backticks"),
            (headline("you did it"), "says `you`"),
            (headline("positions from 128 up have no row"), "repeats"),
            (samples::length().tensor(0, None, "a").tensor(0, None, "b"), "more than two"),
        ];
        for (d, expected) in cases {
            let found = lint(&d);
            assert!(found.len() == 1 && found[0].contains(expected), "{expected}: {found:?}");
        }
        assert!(lint(&headline("`please` is no format")).is_empty(), "a quoted word is the file's");
        for (name, code, faults) in [("a-b2", "E0101", 0), ("Bad_Name", "E1234", 2), ("a--b", "W0301", 2)] {
            let found = declaration(&Declaration { name, code, ..samples::LENGTH });
            assert_eq!(found.len(), faults, "{found:?}");
        }
    }
}
