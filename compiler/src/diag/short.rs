//! One line a diagnostic: `mixed.icp:4:22: error[E0301] unmatched-pattern: headline (help)`.

use super::data::{Diagnostic, Level};
use super::render::clean;
use super::sources::{Sources, Spot};
use crate::base::count;

/// One line each, ending in a newline.
pub fn short(diagnostics: &[Diagnostic], sources: &Sources<'_>) -> String {
    diagnostics.iter().map(|d| line(d, sources)).collect()
}

fn line(diagnostic: &Diagnostic, sources: &Sources<'_>) -> String {
    let place = match sources.find(&diagnostic.primary.place) {
        Spot::Text { path, start, .. } => format!("{path}:{}:{}", start.line, start.column),
        Spot::Listing { name, line, .. } => format!("{name}:{}", line.number.saturating_add(1)),
        Spot::Whole { path, line: Some(line) } => format!("{path}:{line}"),
        Spot::Whole { path, line: None } => path.to_owned(),
    };
    let kind = diagnostic.kind;
    let help = diagnostic.shown_help().map(|h| format!(" ({h})")).unwrap_or_default();
    let (level, headline) = (kind.level.word(), &diagnostic.headline);
    let line = format!("{place}: {level}[{}] {}: {headline}{help}", kind.code, kind.name);
    // A newline in a name of the checkpoint must not break the line in two.
    format!("{}\n", clean(&line.replace('\n', " ")))
}

/// `1 error, 2 warnings`; empty if there is nothing.
pub fn summary(diagnostics: &[Diagnostic]) -> String {
    let of = |level: Level| {
        let n = diagnostics.iter().filter(|d| d.level() == level).count();
        (n > 0).then(|| count(n as u64, level.word()))
    };
    let parts: Vec<String> = [Level::Error, Level::Warning, Level::Note].into_iter().filter_map(of).collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::samples::{self, RECIPE, Tiny};

    #[test]
    fn one_line_each() {
        let all = [samples::unmatched(), samples::clip(), samples::length(), samples::tokenizer()];
        let sources = Sources::new().file("mixed.icp", RECIPE).listing(&Tiny);
        insta::assert_snapshot!(short(&all, &sources), @r#"
        mixed.icp:4:22: error[E0301] unmatched-pattern: `layers.*.moe.moe.experts.**` matches no tensor (did you mean `layers.*.moe.layer.experts.**`? it matches 24 tensors)
        mixed.icp:5:76: warning[E0501] clip-without-effect: percentile 99.99 cuts nothing in rows of 128 values
        mixed.icp:9:21: error[E0401] length-beyond-positions: `max_length` 512 is larger than the 128-row position table (lower `max_length` to 128)
        data/tokenizer.json:7: error[E0401] length-beyond-positions: `tokenizer.json` is not JSON: `NaN` is no value (write `null`)
        "#);
        assert_eq!(summary(&all), "3 errors, 1 warning");
        assert_eq!(summary(&[]), "");
    }

    #[test]
    fn control_characters_of_a_name_stay_harmless() {
        let mut d = samples::length();
        d.headline = "`a\nb\u{1b}[31m` matches no tensor".to_owned();
        let line = short(&[d], &Sources::new());
        assert!(line.contains("`a b\u{fffd}[31m`") && line.lines().count() == 1, "{line}");
    }
}
