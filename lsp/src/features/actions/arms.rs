//! Arms as text: adding some at the end of a recipe, taking some out.

use icpc::base::Span;
use icpc::syntax::tree::{Arm, Recipe, RecipeItem};

use crate::edits::Edits;

/// What stands behind an arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tail {
    /// The byte behind its comma, if it has one.
    pub(super) comma: Option<usize>,
    /// Whether nothing but a comment follows on the line.
    pub(super) ends_line: bool,
    /// End of the line if so, else behind the comma or the arm.
    pub(super) end: usize,
}

/// What stands behind the arm that ends at byte `end`.
pub(super) fn tail(text: &str, end: usize) -> Tail {
    let next = skip(text, end);
    let comma = text.get(next..).is_some_and(|t| t.starts_with(',')).then_some(next + 1);
    let behind = comma.unwrap_or(end);
    match rest_of_line(text, behind) {
        Some(line_end) => Tail { comma, ends_line: true, end: line_end },
        None => Tail { comma, ends_line: false, end: behind },
    }
}

/// End of the line if nothing but blanks and a comment follow on it.
pub(super) fn rest_of_line(text: &str, from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    let line = rest.split(['\n', '\r']).next().unwrap_or("");
    let blank = line.trim_start();
    (blank.is_empty() || blank.starts_with("//")).then_some(from + line.len())
}

/// The next byte that is neither blank nor comment.
pub(super) fn skip(text: &str, from: usize) -> usize {
    let mut at = from;
    loop {
        let rest = text.get(at..).unwrap_or("");
        let blank = rest.len() - rest.trim_start().len();
        at += blank;
        match text.get(at..).filter(|t| t.starts_with("//")) {
            Some(comment) => at += comment.find('\n').unwrap_or(comment.len()),
            None => return at,
        }
    }
}

/// Start of the line of a byte, if only blanks stand before it there.
pub(super) fn line_start(text: &str, at: usize) -> Option<usize> {
    let before = text.get(..at)?;
    let start = before.rfind('\n').map_or(0, |i| i + 1);
    before.get(start..)?.trim().is_empty().then_some(start)
}

/// How the text ends its lines.
pub(super) fn newline(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

/// The `assign` blocks of a recipe: all of each, and its arms.
pub(super) fn blocks(recipe: &Recipe) -> impl DoubleEndedIterator<Item = (Span, &[Arm])> {
    recipe.items.iter().filter_map(|item| match item {
        RecipeItem::Assign { arms, span, .. } => Some((*span, arms.as_slice())),
        _ => None,
    })
}

/// Edits that make `arms` the last ones of a recipe; `comment` follows the last of them.
pub(super) fn append(text: &str, recipe: &Recipe, arms: &[String], comment: &str) -> Option<Edits> {
    let newline = newline(text);
    let lines = |indent: &str| -> String {
        let lines: Vec<String> = arms.iter().map(|arm| format!("{newline}{indent}{arm},")).collect();
        format!("{}{comment}", lines.concat())
    };
    let at = |n: usize| Span::new(n, n);
    let last = blocks(recipe).filter_map(|(_, arms)| arms.last()).next_back();
    if let Some(last) = last {
        let (start, end) = (last.span.start as usize, last.span.end as usize);
        let tail = tail(text, end);
        if let (Some(line), true) = (line_start(text, start), tail.ends_line) {
            let new = lines(text.get(line..start)?);
            return Some(match tail.comma {
                Some(_) => vec![(at(tail.end), new)],
                None if tail.end == end => vec![(at(end), format!(",{new}"))],
                None => vec![(at(end), ",".to_owned()), (at(tail.end), new)],
            });
        }
        return Some(match tail.comma {
            Some(comma) => vec![(at(comma), format!(" {},", arms.join(", ")))],
            None => vec![(at(end), format!(", {}", arms.join(", ")))],
        });
    }
    let block = blocks(recipe).next_back().map(|(span, _)| span);
    let close = (block.unwrap_or(recipe.span).end as usize).checked_sub(1)?;
    if text.get(close..=close) != Some("}") {
        return None;
    }
    let new = match (line_start(text, close), block) {
        (Some(line), Some(_)) => {
            let indent = format!("{}    ", text.get(line..close)?);
            let new = format!("{}{newline}", lines(&indent).trim_start_matches(newline));
            return Some(vec![(at(line), new)]);
        }
        (Some(line), None) => {
            let indent = format!("{}    ", text.get(line..close)?);
            let inner = lines(&format!("{indent}    "));
            return Some(vec![(at(line), format!("{indent}assign {{{inner}{newline}{indent}}}{newline}"))]);
        }
        (None, Some(_)) => format!(" {} ", arms.join(", ")),
        (None, None) => format!(" assign {{ {} }} ", arms.join(", ")),
    };
    Some(vec![(at(close), new)])
}

/// The edit that puts `arms` above another one and the comments that belong to it; `comment` follows the last of them.
pub(super) fn above(text: &str, arm: &Arm, arms: &[String], comment: &str) -> Option<(Span, String)> {
    let start = arm.span.start as usize;
    let Some(mut line) = line_start(text, start) else {
        return Some((Span::new(start, start), format!("{}, ", arms.join(", "))));
    };
    let (indent, newline) = (text.get(line..start)?, newline(text));
    let line_before = |line: usize| {
        let before = text.get(..line.checked_sub(1)?)?;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        before.get(start..)?.trim_start().starts_with("//").then_some(start)
    };
    while let Some(before) = line_before(line) {
        line = before;
    }
    let lines: Vec<String> = arms.iter().map(|arm| format!("{indent}{arm},")).collect();
    let new = format!("{}{comment}{newline}", lines.join(newline));
    Some((Span::new(line, line), new))
}

/// The edit that takes one arm out with what stands behind it on its line, and that comment.
pub(super) fn take(text: &str, arm: &Arm) -> Option<((Span, String), String)> {
    let tail = tail(text, arm.span.end as usize);
    let behind = tail.comma.unwrap_or(arm.span.end as usize);
    match (line_start(text, arm.span.start as usize), tail.ends_line) {
        (Some(line), true) => {
            let comment = text.get(behind..tail.end)?.trim_end().to_owned();
            let end = tail.end + newline(text).len();
            Some(((Span::new(line, end.min(text.len())), String::new()), comment))
        }
        _ => {
            let blanks = text.get(behind..)?.len() - text.get(behind..)?.trim_start_matches(' ').len();
            Some(((Span::new(arm.span.start as usize, behind + blanks), String::new()), String::new()))
        }
    }
}
