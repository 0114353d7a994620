//! One style for every file: `icpc fmt`.
//!
//! The tree is written anew, row by row; comments are taken from the text and put beside the row that they stood
//! beside. Every choice depends on the tree, on comments and on blank lines, which come out as they went in: so a
//! formatted text stays as it is.

mod arch;
mod comments;
mod inline;
mod recipe;
mod rows;

use super::parse;
use super::tree::{Item, SyntaxError};
use crate::base::Span;
use comments::Comments;
use rows::{Row, layout};

/// Columns that a line should not exceed.
pub(crate) const WIDTH: usize = 100;

/// Formats a file; one with syntax errors is left alone.
///
/// # Errors
///
/// The syntax errors.
pub fn format(text: &str) -> Result<String, Vec<SyntaxError>> {
    let plain = text.strip_prefix('\u{feff}').unwrap_or(text);
    let unix = plain.replace("\r\n", "\n").replace('\r', "\n");
    let file = parse(&unix);
    if !file.errors.is_empty() {
        // In the places of the text that was given.
        return Err(parse(text).errors);
    }
    let mut formatter = Formatter { text: &unix, comments: Comments::new(&unix), rows: vec![], indent: 0 };
    formatter.items(&file.items);
    Ok(layout(&formatter.rows))
}

struct Formatter<'t> {
    text: &'t str,
    comments: Comments<'t>,
    rows: Vec<Row>,
    indent: usize,
}

impl<'t> Formatter<'t> {
    fn items(&mut self, items: &[Item]) {
        let mut after_block = false;
        for (i, item) in items.iter().enumerate() {
            let (span, is_block) = match item {
                Item::Use(u) => (u.span, false),
                Item::Const(c) => (c.span, false),
                Item::Recipe(r) => (r.span, true),
                Item::Arch(a) => (a.span, true),
                Item::Derive(d) => (d.span, true),
            };
            let next = items.get(i + 1).map_or(self.text.len(), |next| start_of(next).range().start);
            self.leading(span.range().start);
            let row = self.rows.len();
            match item {
                Item::Use(u) => self.use_item(u, next),
                Item::Const(c) => self.const_item(c, next),
                Item::Recipe(recipe) => self.recipe(recipe, next),
                Item::Arch(arch) => self.arch(arch, next),
                Item::Derive(derive) => self.derive(derive, next),
            }
            if is_block || after_block {
                self.part(row);
            }
            after_block = is_block;
        }
        self.leading(self.text.len());
    }

    /// An empty line above a row and the comments that stand directly above it.
    fn part(&mut self, row: usize) {
        let mut at = row;
        while at > 0
            && self.rows.get(at).is_some_and(|r| !r.blank)
            && self.rows.get(at - 1).is_some_and(|r| r.is_comment() && r.indent == self.indent)
        {
            at -= 1;
        }
        if let Some(row) = self.rows.get_mut(at).filter(|_| at > 0) {
            row.blank = true;
        }
    }

    fn slice(&self, span: Span) -> &'t str {
        self.text.get(span.range()).unwrap_or("")
    }

    /// Whether an empty line stands directly above `at`.
    fn blank_above(&self, at: usize) -> bool {
        let before = self.text.get(..at).unwrap_or("");
        let spaces = before.len() - before.trim_end().len();
        before.get(before.len() - spaces..).unwrap_or("").matches('\n').count() > 1
    }

    fn push(&mut self, row: Row) {
        let above = self.rows.last().map(|r| r.indent);
        let mut row = row;
        row.indent = self.indent;
        // No empty line at the start of a block or of the file.
        row.blank &= above.is_some_and(|above| above >= self.indent);
        self.rows.push(row);
    }

    /// Comments before `upto`, each on its own line.
    fn leading(&mut self, upto: usize) {
        while let Some(comment) = self.comments.before(upto) {
            let blank = self.blank_above(comment.start);
            self.push(Row::comment(comment.text).below_blank(blank));
        }
    }

    /// A row for what stands at `span`, with the comments inside it above and the one behind it beside it.
    fn row(&mut self, span: Span, next: usize, row: Row) {
        let blank = self.blank_above(span.range().start);
        let moved: Vec<String> =
            std::iter::from_fn(|| self.comments.before(span.range().end)).map(|c| demote(c.text)).collect();
        // Docs stay next to what they document.
        let docs = self.rows.iter().rev().take_while(|r| r.indent == self.indent && r.is_doc()).count();
        let at = self.rows.len() - docs;
        let is_first = moved.is_empty();
        self.push(row.below_blank(blank && (is_first || docs > 0)));
        let mut blank_here = match self.rows.get_mut(at).filter(|_| !is_first && docs > 0) {
            Some(doc) => std::mem::take(&mut doc.blank),
            None => blank,
        };
        for text in moved.into_iter().rev() {
            let mut row = Row::comment(&text);
            row.indent = self.indent;
            self.rows.insert(at, row);
        }
        if !is_first {
            let above = at.checked_sub(1).and_then(|i| self.rows.get(i)).map(|r| r.indent);
            blank_here &= above.is_some_and(|above| above >= self.indent);
            if let Some(row) = self.rows.get_mut(at) {
                row.blank = blank_here;
            }
        }
        self.behind(span.range().end, next);
    }

    /// Comments between the end of a row and its separator, and behind that.
    fn behind(&mut self, end: usize, next: usize) {
        self.trailing(end, next);
        let separator = self.find(end, next, [',', ';']);
        if separator >= next {
            return;
        }
        let rows = self.rows.len();
        while let Some(comment) = self.comments.before(separator) {
            self.push(Row::comment(&demote(comment.text)));
        }
        let is_free = self.rows.last().is_some_and(|row| row.trailing.is_none());
        if is_free && self.rows.len() == rows {
            self.trailing(separator + 1, next);
        }
    }

    /// The comment on the line where something ended at `end`, if it comes before `next`.
    fn trailing(&mut self, end: usize, next: usize) {
        if let Some(comment) = self.comments.on_line(self.text, end, next)
            && let Some(row) = self.rows.last_mut()
        {
            row.trailing = Some(comment.text.to_owned());
        }
    }

    /// `head {`, what `body` writes, and `}`; `head {}` if that is nothing. Comments of the head go inside.
    fn block(
        &mut self,
        head: String,
        start: usize,
        open: usize,
        close: usize,
        next: usize,
        body: impl FnOnce(&mut Self, usize),
    ) {
        let blank = self.blank_above(start);
        self.push(Row::cells([format!("{head} {{")]).below_blank(blank));
        self.fill(open, close, body);
        self.trailing(close + 1, next);
    }

    /// The inside of a block whose first row is the last one, and its `}`.
    fn fill(&mut self, open: usize, close: usize, body: impl FnOnce(&mut Self, usize)) {
        let header = self.rows.len() - 1;
        self.indent += 1;
        let moved: Vec<String> =
            std::iter::from_fn(|| self.comments.before(open)).map(|c| demote(c.text)).collect();
        self.trailing(open + 1, close);
        for text in moved {
            self.push(Row::comment(&text));
        }
        body(self, close);
        self.leading(close);
        self.indent -= 1;
        let empty = self.rows.len() == header + 1;
        match self.rows.last_mut() {
            Some(row) if empty && row.trailing.is_none() => row.append("}"),
            _ => self.push(Row::cells(["}".to_owned()])),
        }
    }

    /// The first of `wanted` in `from..upto` that stands in no comment; `upto` if there is none.
    fn find<const N: usize>(&self, from: usize, upto: usize, wanted: [char; N]) -> usize {
        let mut at = from;
        while let Some(rest) = self.text.get(at..upto) {
            let comment = rest.find("//").unwrap_or(rest.len());
            match rest.get(..comment).and_then(|code| code.find(wanted)) {
                Some(n) => return at + n,
                None if comment == rest.len() => break,
                None => {
                    let line = rest.get(comment..).and_then(|c| c.find('\n')).unwrap_or(rest.len() - comment);
                    at += comment + line;
                }
            }
        }
        upto
    }
}

fn start_of(item: &Item) -> Span {
    match item {
        Item::Use(u) => u.span,
        Item::Const(c) => c.span,
        Item::Recipe(r) => r.span,
        Item::Arch(a) => a.span,
        Item::Derive(d) => d.span,
    }
}

/// A comment that moves must not become the documentation of where it lands.
fn demote(text: &str) -> String {
    match text.strip_prefix("///").or_else(|| text.strip_prefix("//!")) {
        Some(rest) => {
            format!("// {}", rest.trim_start_matches(['/', '!']).trim_start()).trim_end().to_owned()
        }
        None => text.to_owned(),
    }
}
