//! One JSON object a line, for programs. Fields and their order are stable; new ones are only ever added.

use serde::Serialize;

use super::data::{Certainty, Diagnostic, Fix, Label};
use super::sources::{Sources, Spot};

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    place: Place<'a>,
    code: &'a str,
    name: &'a str,
    level: &'a str,
    headline: &'a str,
    /// The primary label first.
    labels: Vec<Text<'a>>,
    provenance: &'a [String],
    help: Option<&'a str>,
    fixes: Vec<Change<'a>>,
}

/// Bytes are from 0 and half-open; lines and columns from 1, columns in characters. In a checkpoint's listing the bytes
/// are those of the line. What is unknown is `null`.
#[derive(Serialize)]
struct Place<'a> {
    file: &'a str,
    start: Option<u32>,
    end: Option<u32>,
    line: Option<u32>,
    column: Option<u32>,
}

#[derive(Serialize)]
struct Text<'a> {
    #[serde(flatten)]
    place: Place<'a>,
    text: &'a str,
}

#[derive(Serialize)]
struct Change<'a> {
    title: &'a str,
    certainty: &'a str,
    edits: Vec<Edit<'a>>,
}

#[derive(Serialize)]
struct Edit<'a> {
    file: &'a str,
    start: u32,
    end: u32,
    text: &'a str,
}

/// One object a line.
pub fn json(diagnostics: &[Diagnostic], sources: &Sources<'_>) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics {
        let labels = std::iter::once(&diagnostic.primary).chain(&diagnostic.secondary);
        let line = Line {
            place: place(&diagnostic.primary, sources),
            code: diagnostic.kind.code,
            name: diagnostic.kind.name,
            level: diagnostic.level().word(),
            headline: &diagnostic.headline,
            labels: labels.map(|l| Text { place: place(l, sources), text: &l.text }).collect(),
            provenance: &diagnostic.provenance,
            help: diagnostic.help.as_deref(),
            fixes: diagnostic.fixes.iter().map(change).collect(),
        };
        // Strings and numbers only: serialising them cannot fail.
        out.push_str(&serde_json::to_string(&line).unwrap_or_default());
        out.push('\n');
    }
    out
}

fn place<'a>(label: &'a Label, sources: &'a Sources<'_>) -> Place<'a> {
    match sources.find(&label.place) {
        Spot::Text { path, span, start, .. } => Place {
            file: path,
            start: Some(span.start),
            end: Some(span.end),
            line: Some(start.line),
            column: Some(start.column),
        },
        Spot::Listing { name, line, span } => {
            let before = line.text.get(..span.start as usize).map_or(0, |t| t.chars().count());
            Place {
                file: name,
                start: Some(span.start),
                end: Some(span.end),
                line: Some(line.number.saturating_add(1)),
                column: u32::try_from(before).ok().map(|c| c.saturating_add(1)),
            }
        }
        Spot::Whole { path, line } => Place { file: path, start: None, end: None, line, column: None },
    }
}

fn change(fix: &Fix) -> Change<'_> {
    let edits = fix.edits.iter().map(|e| Edit {
        file: &e.at.file,
        start: e.at.span.start,
        end: e.at.span.end,
        text: &e.text,
    });
    let certainty = match fix.certainty {
        Certainty::Safe => "safe",
        Certainty::Unsafe => "unsafe",
        Certainty::ShownOnly => "shown_only",
    };
    Change { title: &fix.title, certainty, edits: edits.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::samples::{self, RECIPE, Tiny};

    #[test]
    fn one_object_a_line() {
        let all = [samples::length(), samples::clip(), samples::tokenizer()];
        let sources = Sources::new().file("mixed.icp", RECIPE).listing(&Tiny);
        insta::assert_snapshot!(json(&all, &sources), @r#"
        {"file":"mixed.icp","start":312,"end":315,"line":9,"column":21,"code":"E0401","name":"length-beyond-positions","level":"error","headline":"`max_length` 512 is larger than the 128-row position table","labels":[{"file":"mixed.icp","start":312,"end":315,"line":9,"column":21,"text":"positions from 128 up have no row"},{"file":"itera_lite_tiny_best.pt","start":40,"end":43,"line":2,"column":41,"text":"128 rows, so positions 0..=127"}],"provenance":[],"help":"lower `max_length` to 128","fixes":[{"title":"lower `max_length` to 128","certainty":"unsafe","edits":[{"file":"mixed.icp","start":312,"end":315,"text":"128"}]}]}
        {"file":"mixed.icp","start":215,"end":221,"line":5,"column":76,"code":"E0501","name":"clip-without-effect","level":"warning","headline":"percentile 99.99 cuts nothing in rows of 128 values","labels":[{"file":"mixed.icp","start":215,"end":221,"line":5,"column":76,"text":""},{"file":"mixed.icp","start":184,"end":196,"line":5,"column":45,"text":"one scale a row of 128"}],"provenance":["10,000 values = 1 / (1 - 0.9999) are needed to cut one"],"help":null,"fixes":[]}
        {"file":"data/tokenizer.json","start":null,"end":null,"line":7,"column":null,"code":"E0401","name":"length-beyond-positions","level":"error","headline":"`tokenizer.json` is not JSON: `NaN` is no value","labels":[{"file":"data/tokenizer.json","start":null,"end":null,"line":7,"column":null,"text":"at column 12"}],"provenance":[],"help":"write `null`","fixes":[]}
        "#);
    }
}
