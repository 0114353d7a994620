//! Full diagnostics for a terminal. The only file that names ariadne.
//!
//! Ariadne draws the frames, the underlines and the arrows. Four of its habits are worked around here: it capitalises
//! levels and prints custom ones in colour even when colour is off (so the header is ours); it takes the byte mode's
//! group header from a character offset (so it gets character offsets throughout); it ends lines at seven different
//! characters and prints control characters as they are (so it never sees one); and it draws nothing when no label has
//! a text to point into (so that frame is ours).

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};

use ariadne::{Cache, CharSet, Color, Config, IndexType, Label, Report, ReportKind, Source};

use super::data::{Diagnostic, Level};
use super::sources::{Position, Sources, Spot};
use crate::base::Span;

/// How to draw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// With ANSI colours.
    pub colour: bool,
    /// Frames of `|` and `-` for terminals without Unicode.
    pub ascii: bool,
}

/// Marks the name of a listing in ariadne's output, to take off the line and column behind it. No text that is drawn has
/// it: [`clean`] replaces control characters.
const MARK: char = '\u{1}';
/// Longest line of a listing that is drawn, in characters.
const WIDEST: usize = 160;
/// Longest line of a file that is drawn, in characters; of a longer one, line and column are said.
const LONGEST: usize = 2000;

/// All diagnostics, in the order given, a blank line between them. Spans must be absolute.
pub fn render(diagnostics: &[Diagnostic], sources: &Sources<'_>, style: Style) -> String {
    let mut texts = Texts::of(diagnostics, sources);
    let drawn: Vec<String> = diagnostics.iter().map(|d| one(d, sources, &mut texts, style)).collect();
    drawn.join("\n")
}

fn one(diagnostic: &Diagnostic, sources: &Sources<'_>, texts: &mut Texts, style: Style) -> String {
    let mut labels: Vec<(Id, std::ops::Range<usize>, Label<Place>)> = Vec::new();
    let mut notes: Vec<String> = Vec::new();
    let mut first: Option<Place> = None;
    let all = std::iter::once(&diagnostic.primary).chain(&diagnostic.secondary).enumerate();
    for (i, label) in all {
        let colour = if i == 0 { hue(diagnostic.level()) } else { Color::Cyan };
        match texts.place(&sources.find(&label.place)) {
            Some((id, range)) => {
                // Without a text ariadne would not underline anything.
                let text = if label.text.is_empty() { "here".to_owned() } else { clean(&label.text) };
                let drawn = Label::new((id.clone(), range.clone())).with_color(colour).with_message(text);
                first.get_or_insert_with(|| (id.clone(), range.clone()));
                labels.push((id, range, drawn));
            }
            None => {
                let (place, text) = whole(&sources.find(&label.place), &label.text);
                notes.push(if text.is_empty() { place } else { format!("{place}: {text}") });
            }
        }
    }
    notes.extend(diagnostic.provenance.iter().map(|p| clean(p)));
    let help = diagnostic.shown_help().map(clean);
    let header = header(diagnostic, style);
    let Some(first) = first else {
        let (place, text) = whole(&sources.find(&diagnostic.primary.place), &diagnostic.primary.text);
        let rest = notes.get(1..).unwrap_or_default();
        return header + &bare(&place, &text, rest, help.as_deref(), style);
    };

    // The primary label's file first, then top to bottom.
    labels.sort_by_key(|(id, range, _)| (*id != first.0, id.clone(), range.start, range.end));
    let config = Config::default()
        .with_color(style.colour)
        .with_index_type(IndexType::Char)
        .with_char_set(if style.ascii { CharSet::Ascii } else { CharSet::Unicode });
    let mut report = Report::build(ReportKind::Error, first).with_config(config);
    report.add_labels(labels.into_iter().map(|(_, _, label)| label));
    if let Some(help) = help {
        report.set_help(help);
    }
    if !notes.is_empty() {
        report.set_note(notes.join("\n"));
    }
    let mut bytes = Vec::new();
    // Writing into memory cannot fail.
    let _ = report.finish().write(texts, &mut bytes);
    let drawn = String::from_utf8_lossy(&bytes);
    let mut out = header;
    for line in drawn.lines().skip(1) {
        out.push_str(unmark(line).trim_end());
        out.push('\n');
    }
    out
}

fn hue(level: Level) -> Color {
    match level {
        Level::Error => Color::Red,
        Level::Warning => Color::Yellow,
        Level::Note => Color::Blue,
    }
}

fn header(diagnostic: &Diagnostic, style: Style) -> String {
    let (name, level) = (diagnostic.kind.name, diagnostic.level());
    let headline = clean(&diagnostic.headline);
    if !style.colour {
        return format!("[{name}] {}: {headline}\n", level.word());
    }
    let code = match level {
        Level::Error => 31,
        Level::Warning => 33,
        Level::Note => 34,
    };
    format!("\u{1b}[{code}m[{name}] {}:\u{1b}[0m {headline}\n", level.word())
}

/// The frame of a diagnostic none of whose places has a text.
fn bare(place: &str, text: &str, notes: &[String], help: Option<&str>, style: Style) -> String {
    let [top, bar, dash, bottom] =
        if style.ascii { [",-", "|", "---", "'"] } else { ["╭─", "│", "───", "╯"] };
    let text = Some(text).filter(|t| !t.is_empty()).map(str::to_owned);
    let help = help.map(|h| format!("Help: {h}"));
    let notes = notes.iter().map(|n| format!("Note: {n}"));
    let mut out = format!("   {top}[ {place} ]\n");
    for line in text.into_iter().chain(help).chain(notes) {
        out.push_str(&format!("   {bar}\n   {bar} {line}\n"));
    }
    out + dash + bottom + "\n"
}

fn whole(spot: &Spot<'_>, text: &str) -> (String, String) {
    let place = match spot {
        Spot::Whole { path, line: Some(line) } => format!("{path}:{line}"),
        Spot::Text { path, start, .. } => format!("{path}:{}:{}", start.line, start.column),
        Spot::Whole { path, .. } => (*path).to_owned(),
        Spot::Listing { name, .. } => (*name).to_owned(),
    };
    (clean(&place), clean(text))
}

/// Takes line and column off the name of a listing: its line numbers are in the margin.
fn unmark(line: &str) -> String {
    match line.split_once(MARK).and_then(|(before, rest)| Some((before, rest.split_once(MARK)?))) {
        Some((before, (name, rest))) => {
            let tail = rest.trim_start_matches(|c: char| c == ':' || c.is_ascii_digit());
            format!("{before}{name}{tail}")
        }
        None => line.to_owned(),
    }
}

/// Control characters replaced by one visible character each, so that no file can write to the terminal and character
/// offsets stay what they are. Newlines and tabs stay.
pub(crate) fn clean(text: &str) -> String {
    let safe = |c: char| match c {
        '\n' | '\t' => c,
        '\r' => ' ',
        '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.chars().map(safe).collect()
}

/// Name of a text. A file and a listing may be called the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Id {
    listing: bool,
    name: String,
}
type Place = (Id, std::ops::Range<usize>);

/// Texts as ariadne sees them, each prepared once for all diagnostics.
struct Texts {
    files: BTreeMap<Id, Source<String>>,
}

impl Texts {
    fn of(diagnostics: &[Diagnostic], sources: &Sources<'_>) -> Texts {
        let mut files: BTreeMap<Id, Source<String>> = BTreeMap::new();
        let mut listed: BTreeMap<u32, String> = BTreeMap::new();
        let mut listing = None;
        let labels = diagnostics.iter().flat_map(|d| std::iter::once(&d.primary).chain(&d.secondary));
        for label in labels {
            match sources.find(&label.place) {
                Spot::Text { path, text, .. } => {
                    let id = Id { listing: false, name: path.to_owned() };
                    files.entry(id).or_insert_with(|| Source::from(clean(text)));
                }
                Spot::Listing { name, line, .. } => {
                    listing = Some(Id { listing: true, name: name.to_owned() });
                    listed.insert(line.number, cut(&line.text));
                }
                Spot::Whole { .. } => {}
            }
        }
        if let Some(id) = listing {
            // Lines that nobody points at stay empty: only their number counts.
            let mut text = String::new();
            let mut next = 0;
            for (number, line) in listed {
                text.extend(std::iter::repeat_n('\n', number.saturating_sub(next) as usize));
                text.push_str(&line);
                next = number;
            }
            files.insert(id, Source::from(text));
        }
        Texts { files }
    }

    /// Character range of a spot in the text that ariadne sees.
    fn place(&self, spot: &Spot<'_>) -> Option<Place> {
        let characters = |text: &str, span: Span| {
            let count = |end: u32| text.get(..end as usize).map_or(0, |t| t.chars().count());
            (count(span.start), count(span.end))
        };
        let (id, (start, end)) = match spot {
            Spot::Text { path, start, end, .. } => {
                let id = Id { listing: false, name: (*path).to_owned() };
                let text = self.files.get(&id)?;
                let line = |at: &Position| text.line(at.line as usize - 1);
                if [start, end].iter().any(|at| line(at).is_some_and(|line| line.len() > LONGEST)) {
                    return None;
                }
                // Behind the last newline there is no line.
                let character = |at: &Position| {
                    line(at).map_or(text.len(), |line| line.offset() + at.column as usize - 1)
                };
                let places = (character(start), character(end));
                (id, places)
            }
            Spot::Listing { name, line, span } => {
                let id = Id { listing: true, name: (*name).to_owned() };
                let base = self.files.get(&id)?.line(line.number as usize)?.offset();
                let (start, end) = characters(&line.text, *span);
                (id, (base + start.min(WIDEST), base + end.min(WIDEST)))
            }
            Spot::Whole { .. } => return None,
        };
        let length = self.files.get(&id)?.len();
        let end = end.min(length);
        Some((id, start.min(end)..end))
    }
}

/// A listing's line without newlines, not longer than what can be read.
fn cut(line: &str) -> String {
    let line = clean(line).replace('\n', " ");
    if line.chars().count() <= WIDEST {
        return line;
    }
    line.chars().take(WIDEST - 1).chain(['…']).collect()
}

impl Cache<Id> for &mut Texts {
    type Storage = String;

    fn fetch(&mut self, id: &Id) -> Result<&Source<String>, impl Debug> {
        self.files.get(id).ok_or("unknown text")
    }

    fn display<'a>(&self, id: &'a Id) -> Option<impl Display + 'a> {
        let name = clean(&id.name).replace('\n', " ");
        Some(if id.listing { format!("{MARK}{name}{MARK}") } else { name })
    }
}

#[cfg(test)]
mod tests;
