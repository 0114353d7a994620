//! Brackets that are open at the cursor, and what was written in each since the last separator. Broken text recovers as
//! it does in the grammar: by what can only start the next item.

use super::token::{Inside, Token, Tokens, is_word};
use crate::syntax::keywords::{Place as Keywords, keywords};

/// What an open bracket holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind<'t> {
    /// No bracket: the file.
    File,
    Recipe,
    Arms,
    /// `prune`, `calibrate`, `evaluate`, `tune`.
    Fields(&'t str),
    Requirements,
    Params,
    /// Arguments of what is named.
    Args(&'t str),
    /// Arguments of a recipe that is extended.
    Extends(&'t str),
    List,
    /// Braces in a pattern's segment.
    Choice,
    /// Parentheses in a condition.
    Group,
    UseNames,
    Arch,
    Shape,
    Index,
    Forward,
    Unknown,
}

impl Kind<'_> {
    fn is_brace(self) -> bool {
        use Kind::*;
        matches!(
            self,
            Recipe | Arms | Fields(_) | Requirements | Choice | UseNames | Arch | Unknown | Forward
        )
    }
}

/// An open bracket.
#[derive(Clone, Debug)]
pub(super) struct Frame<'t> {
    pub(super) kind: Kind<'t>,
    /// Tokens since the last separator.
    pub(super) tokens: Vec<Token<'t>>,
    /// Names of the elements before, as far as they have one.
    pub(super) done: Vec<&'t str>,
    /// How many elements stand before.
    pub(super) elements: usize,
}

impl<'t> Frame<'t> {
    fn new(kind: Kind<'t>) -> Frame<'t> {
        Frame { kind, tokens: Vec::new(), done: Vec::new(), elements: 0 }
    }

    pub(super) fn word(&self, at: usize) -> &'t str {
        self.tokens.get(at).map_or("", |t| t.text)
    }

    fn last(&self) -> &'t str {
        self.tokens.last().map_or("", |t| t.text)
    }

    pub(super) fn has(&self, sign: &str) -> bool {
        self.tokens.iter().any(|t| t.text == sign)
    }

    /// Ends an element.
    fn finish(&mut self, text: &'t str) {
        if let (Some(first), Some(last)) = (self.tokens.first(), self.tokens.last()) {
            match self.kind {
                Kind::Choice => self.done.extend(text.get(first.start..last.end())),
                _ if matches!(self.word(1), ":" | "=") => self.done.push(first.text),
                Kind::UseNames => self.done.push(first.text),
                _ => {}
            }
        }
        self.elements += 1;
        self.tokens.clear();
    }

    /// Whether what stands here ends with its line, so that `next`, on the line `line`, starts something new. Where the
    /// language would let it go on below, but nobody writes it so, what stands here is unfinished rather.
    fn ends_before(&self, next: &str, line: &str) -> bool {
        let last = match self.tokens.last() {
            Some(last) => last.text,
            None => return false,
        };
        let word = next.is_empty() || next.starts_with(is_word);
        if self.kind == Kind::Requirements {
            return word && next != "of";
        }
        if matches!(last, "of" | "as" | "(" | "[" | "{") || matches!(next, "of" | "(" | "[") {
            return false;
        }
        match self.kind {
            Kind::Arms if self.has("=>") => last != "=>" || line.contains("=>"),
            Kind::Arms => {
                let path = word || next.starts_with(['*', '{', '@', '"']);
                let joins = |w: &str| keywords(Keywords::Pattern).any(|k| k.word == w);
                path && !joins(next)
                    && !joins(last)
                    && !matches!(last, "|" | "=" | "==" | "!=" | "<" | "<=" | ">" | ">=")
            }
            Kind::Fields(_) => match self.tokens.len() {
                2 => split_word(line).is_some_and(|(_, rest)| rest.trim_start().starts_with([':', '='])),
                _ => true,
            },
            Kind::Recipe => match self.word(0) {
                "checkpoint" | "target" | "casts" | "set" => true,
                "emit" => next != "as",
                _ => keywords(Keywords::Recipe).any(|k| k.word == next),
            },
            Kind::File => match self.word(0) {
                "use" => self.tokens.len() >= 2 && last != "::" && next != "::",
                "const" => self.has("=") && last != "=",
                _ => false,
            },
            Kind::Arch => {
                let whole = self.tokens.last().is_some_and(|t| t.is_word() || t.is_group());
                (whole && word && next != "from" && last != "from")
                    || keywords(Keywords::Arch).any(|k| k.word == next)
            }
            _ => false,
        }
    }
}

/// What is open at the cursor.
pub(super) struct Scan<'t> {
    text: &'t str,
    /// From the file inwards; never empty.
    pub(super) frames: Vec<Frame<'t>>,
    pub(super) inside: Option<Inside>,
    /// Whether anything blank stands between the last token and the word at the cursor.
    pub(super) spaced: bool,
}

/// Reads `text` up to byte `word`, where the word at the cursor starts.
pub(super) fn scan<'t>(text: &'t str, word: usize, typed: &str) -> Scan<'t> {
    let from = item_before(text, word);
    let mut scan = Scan { text, frames: vec![Frame::new(Kind::File)], inside: None, spaced: true };
    let mut tokens = Tokens::new(text, from, word);
    for token in tokens.by_ref() {
        scan.token(token);
    }
    let (line, spaced) = tokens.gap();
    (scan.inside, scan.spaced) = (tokens.inside, spaced);
    if line && scan.inside.is_none() {
        scan.new_line(word, typed);
    }
    scan
}

/// Start of the last line before `at` on which only an item of a file can begin: what stands above has no say.
fn item_before(text: &str, at: usize) -> usize {
    let before = text.get(..at).unwrap_or("");
    let mut end = before.len();
    while let Some(start) = before.get(..end).and_then(|b| b.rfind('\n')) {
        if starts_item(text.get(start + 1..).unwrap_or("")) && start + 1 < at {
            return start + 1;
        }
        end = start;
    }
    0
}

/// The grammar's `top_ahead`.
fn starts_item(text: &str) -> bool {
    let Some((keyword, rest)) = split_word(text) else { return false };
    if !rest.starts_with([' ', '\t']) {
        return false;
    }
    let rest = rest.trim_start_matches([' ', '\t']);
    if keyword == "use" {
        return rest.starts_with("std::") || rest.starts_with('"');
    }
    let Some((_, rest)) = split_word(rest) else { return false };
    let rest = rest.trim_start();
    match keyword {
        "recipe" => {
            rest.starts_with(['{', '('])
                || split_word(rest).is_some_and(|(w, _)| matches!(w, "for" | "extends"))
        }
        "arch" => rest.starts_with('{'),
        "const" => rest.starts_with(':') || (rest.starts_with('=') && !rest.starts_with("=>")),
        _ => false,
    }
}

/// The grammar's `block_ahead`.
fn starts_block(text: &str) -> bool {
    let Some((keyword, rest)) = split_word(text) else { return false };
    let next = rest.trim_start_matches([' ', '\t']);
    let spaced = next.len() < rest.len();
    match keyword {
        "assign" | "calibrate" | "evaluate" | "tune" | "require" => next.starts_with('{'),
        "checkpoint" | "emit" => next.starts_with('"'),
        "target" | "casts" => {
            spaced && split_word(next).is_some_and(|(_, r)| r.trim_start().starts_with(';'))
        }
        "prune" => spaced && next.starts_with(|c: char| is_word(c) || c == '*' || c == '@'),
        _ => false,
    }
}

fn split_word(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c| !is_word(c)).unwrap_or(text.len());
    text.split_at_checked(end).filter(|(word, _)| !word.is_empty())
}

impl<'t> Scan<'t> {
    /// The innermost bracket.
    fn top(&mut self) -> Option<&mut Frame<'t>> {
        self.frames.last_mut()
    }

    fn kind(&self) -> Kind<'t> {
        self.frames.last().map_or(Kind::File, |f| f.kind)
    }

    fn push(&mut self, token: Token<'t>) {
        if let Some(top) = self.top() {
            top.tokens.push(token);
        }
    }

    fn clear(&mut self) {
        if let Some(top) = self.top() {
            top.tokens.clear();
        }
    }

    /// Closes brackets until `keep` of them are open.
    fn cut(&mut self, keep: usize) {
        self.frames.truncate(keep.max(1));
    }

    /// Something stands at byte `at`, on a line of its own.
    fn new_line(&mut self, at: usize, next: &str) {
        let line = self.text.get(at..).unwrap_or("").lines().next().unwrap_or("");
        let arms = self.frames.iter().rposition(|f| f.kind == Kind::Arms);
        if let Some(arms) = arms
            && arms + 1 < self.frames.len()
            && line.contains("=>")
        {
            self.cut(arms + 1);
            self.clear();
        }
        if self.frames.last().is_some_and(|f| f.ends_before(next, line)) {
            let text = self.text;
            if let Some(top) = self.top() {
                top.finish(text);
            }
        }
    }

    fn token(&mut self, token: Token<'t>) {
        let rest = self.text.get(token.start..).unwrap_or("");
        if token.is_word() && starts_item(rest) {
            self.cut(1);
            self.clear();
        } else if token.line {
            let recipe = self.frames.iter().position(|f| f.kind == Kind::Recipe);
            if let Some(recipe) = recipe
                && recipe + 1 < self.frames.len()
                && starts_block(rest)
            {
                self.cut(recipe + 1);
                self.clear();
            }
            self.new_line(token.start, token.text);
        }
        match token.text {
            "(" | "[" | "{" => {
                let kind = self.opens(token);
                // A closed one stands for all that is in it; see `close`.
                self.push(token);
                self.frames.push(Frame::new(kind));
            }
            ")" => self
                .close(token, |k| matches!(k, Kind::Params | Kind::Args(_) | Kind::Extends(_) | Kind::Group)),
            "]" => self.close(token, |k| matches!(k, Kind::List | Kind::Shape | Kind::Index)),
            "}" => self.close_brace(token),
            "," => self.comma(),
            ";" => {
                let keep = self.frames.iter().rposition(|f| f.kind.is_brace() && f.kind != Kind::Choice);
                self.cut(keep.map_or(1, |k| k + 1));
                let text = self.text;
                if let Some(top) = self.top() {
                    top.finish(text);
                }
            }
            "=>" if matches!(self.kind(), Kind::Choice | Kind::Group) => {
                if let Some(arms) = self.frames.iter().rposition(|f| f.kind == Kind::Arms) {
                    self.cut(arms + 1);
                }
                self.push(token);
            }
            _ => self.push(token),
        }
    }

    fn comma(&mut self) {
        let text = self.text;
        match self.kind() {
            Kind::File => {}
            // `dim a, b`: the names belong together.
            Kind::Arch | Kind::Forward if self.frames.last().is_some_and(|f| !f.tokens.is_empty()) => {}
            _ => {
                if let Some(top) = self.top() {
                    top.finish(text);
                }
            }
        }
    }

    /// What the bracket `token` opens.
    fn opens(&self, token: Token<'t>) -> Kind<'t> {
        let Some(top) = self.frames.last() else { return Kind::Unknown };
        let before = top.tokens.last();
        let first = top.word(0);
        match (top.kind, token.text) {
            (Kind::Forward, _) => Kind::Forward,
            (Kind::File, "(") if first == "recipe" && top.tokens.len() == 2 => Kind::Params,
            (Kind::File, "(") if first == "recipe" => Kind::Extends(top.last()),
            (Kind::File, "{") => match first {
                "recipe" => Kind::Recipe,
                "arch" => Kind::Arch,
                "use" => Kind::UseNames,
                _ => Kind::Unknown,
            },
            (Kind::Recipe, "{") => match first {
                "assign" => Kind::Arms,
                "calibrate" | "evaluate" | "tune" => Kind::Fields(first),
                "require" => Kind::Requirements,
                // `prune a.{b,c} { ... }`: braces of a segment touch it, or come first.
                "prune" if !token.spaced || matches!(top.last(), "prune" | "in" | "|") => Kind::Choice,
                "prune" => Kind::Fields(first),
                _ => Kind::Unknown,
            },
            (Kind::Arms, "{") if !top.has("=>") => Kind::Choice,
            (Kind::Choice, "{") => Kind::Choice,
            (Kind::Arms, "(") if !top.has("=>") => Kind::Group,
            (Kind::Group, "(") => Kind::Group,
            (Kind::Recipe, "(") if first == "prune" => Kind::Group,
            (Kind::Arch, "{") if before.is_some_and(|b| b.text == "." && !token.spaced) => Kind::Choice,
            (Kind::Arch, "(") if first == "forward" => Kind::Forward,
            (Kind::Arch, "{") if first == "forward" => Kind::Forward,
            (Kind::Arch, "{") => Kind::Arch,
            (Kind::Arch, "[") if top.has(":") => Kind::Shape,
            (Kind::Arch, "[") => Kind::Index,
            (_, "[") => Kind::List,
            (_, "(") => match before {
                Some(callee) if callee.is_word() => Kind::Args(callee.text),
                _ => Kind::Unknown,
            },
            _ => Kind::Unknown,
        }
    }

    /// Closes the innermost bracket of its kind, if none in braces is nearer.
    fn close(&mut self, token: Token<'t>, kind: impl Fn(Kind<'t>) -> bool) {
        let kind = |k: Kind<'t>| kind(k) || matches!(k, Kind::Forward | Kind::Unknown);
        for open in (1..self.frames.len()).rev() {
            let Some(frame) = self.frames.get(open) else { return };
            if kind(frame.kind) {
                self.cut(open);
                return self.replace_opening(token.end());
            }
            if frame.kind.is_brace() {
                return;
            }
        }
    }

    fn close_brace(&mut self, token: Token<'t>) {
        let Some(open) = self.frames.iter().rposition(|f| f.kind.is_brace()) else {
            return self.clear();
        };
        let kind = self.frames.get(open).map(|f| f.kind);
        self.cut(open);
        match kind {
            Some(Kind::Choice | Kind::UseNames) => self.replace_opening(token.end()),
            // `either { ... } or { ... }` goes on, and says nothing to what follows.
            _ => self.clear(),
        }
    }

    /// The bracket that has just closed, up to `end`, becomes one token.
    fn replace_opening(&mut self, end: usize) {
        let text = self.text;
        if let Some(opening) = self.top().and_then(|top| top.tokens.last_mut())
            && let Some(whole) = text.get(opening.start..end)
        {
            opening.text = whole;
        }
    }
}
