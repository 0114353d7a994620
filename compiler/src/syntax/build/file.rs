//! Items of a file.

use super::sequence::{Element, Style};
use super::{Builder, is_junk};
use crate::base::Span;
use crate::syntax::error::quote;
use crate::syntax::grammar::{Pair, Rule};
use crate::syntax::keywords::Place;
use crate::syntax::tree::{
    Arg, Const, Derive, Extends, File, Ident, Item, Param, Recipe, SyntaxError, Use, UseFrom, Value,
    ValueKind,
};

const FILE: Style = Style { separator: ";", required: true, element: "the item", open: "" };
const NAMES: Style = Style { separator: ",", required: false, element: "the name", open: "{" };
const PARAMS: Style = Style { separator: ",", required: false, element: "the parameter", open: "(" };

impl<'t> Builder<'t> {
    pub(in crate::syntax) fn file(&mut self, pair: Pair<'t>, file: &mut File) {
        file.docs = self.file_docs();
        let items = &mut file.items;
        self.sequence(pair, FILE, |b, pair| b.top(pair, items));
    }

    fn top(&mut self, pair: Pair<'t>, items: &mut Vec<Item>) -> Element {
        let span = self.span(&pair);
        let rule = pair.as_rule();
        match rule {
            Rule::use_item | Rule::const_item | Rule::recipe | Rule::arch | Rule::derive => {
                let mut inner = pair.into_inner();
                if let (Some(keyword), Some(rest)) = (inner.next(), inner.next()) {
                    let span = self.span(&keyword).cover(self.span(&rest));
                    return self.top_rest(self.span(&keyword), rest, span, items);
                }
                Element::Broken
            }
            Rule::stray_close => {
                let error = SyntaxError::new(span, "`}` closes nothing").help("remove the `}`").fix(span, "");
                self.report(error);
                Element::Block
            }
            _ => self.unknown_item(span, Place::File, |b, keyword, rest, span| {
                b.top_rest(keyword, rest, span, items);
            }),
        }
    }

    /// An item whose keyword is known, by the rule of what follows the keyword.
    fn top_rest(&mut self, keyword: Span, rest: Pair<'t>, span: Span, items: &mut Vec<Item>) -> Element {
        match rest.as_rule() {
            Rule::use_rest => {
                let known = self.errors.len();
                items.extend(self.use_item(keyword, rest, span).map(Item::Use));
                self.element_since(known)
            }
            Rule::const_rest => {
                let known = self.errors.len();
                items.extend(self.const_item(keyword, rest, span).map(Item::Const));
                self.element_since(known)
            }
            Rule::recipe_rest => self.recipe(keyword, rest, span, items),
            Rule::derive_rest => {
                let known = self.errors.len();
                let derive = self.derive(keyword, rest, span);
                items.push(Item::Derive(derive));
                if self.errors.len() > known { Element::Broken } else { Element::Block }
            }
            _ => self.arch(keyword, rest, span, items),
        }
    }

    /// Broken if something was reported since: then the rest of the line is not reported again.
    pub(super) fn element_since(&self, known: usize) -> Element {
        if self.errors.len() > known { Element::Broken } else { Element::Separated }
    }

    /// `expected {what} behind {keyword}`, shown at what stands there instead.
    pub(super) fn missing(&mut self, what: &str, behind: Span) {
        let end = behind.range().end;
        let next = self.token_at(end);
        let here = next.is_empty() || self.line_between(end, next.range().start);
        let shown = if here { self.last_char(end) } else { next };
        let headline = match here {
            true => format!("expected {what} behind {}", quote(self.slice(behind))),
            false => format!("expected {what}, found {}", quote(self.slice(next))),
        };
        self.report(SyntaxError::new(shown, headline));
    }

    fn use_item(&mut self, keyword: Span, rest: Pair<'t>, span: Span) -> Option<Use> {
        let mut from = None;
        let mut names = vec![];
        for pair in rest.into_inner() {
            match pair.as_rule() {
                Rule::path => from = Some(UseFrom::Path(self.path(pair))),
                Rule::string | Rule::single_quoted => {
                    let span = self.span(&pair);
                    from = Some(UseFrom::File { path: self.text_of(&pair), span });
                }
                _ => names = self.names(pair),
            }
        }
        if from.is_none() {
            self.missing("a library path or a file in quotes", keyword);
        }
        Some(Use { from: from?, names, span })
    }

    fn derive(&mut self, keyword: Span, rest: Pair<'t>, span: Span) -> Derive {
        let (mut name, mut base, mut fields, mut last) = (None, None, None, keyword);
        let known = self.errors.len();
        for pair in rest.into_inner() {
            let at = self.span(&pair);
            match pair.as_rule() {
                Rule::word => name = Some(self.ident(&pair)),
                Rule::derive_from => {
                    base = pair.into_inner().next().map(|path| self.path(path));
                    if base.is_none() {
                        self.missing("an architecture", at);
                    }
                }
                Rule::fields => {
                    fields = Some(pair);
                    continue;
                }
                _ => self.head_junk(&pair, "`from` and an architecture, then `{`"),
            }
            last = at;
        }
        if self.errors.len() == known {
            if name.is_none() {
                self.missing("a name", keyword);
            } else if base.is_none() {
                self.missing("`from` and an architecture", last);
            } else if fields.is_none() {
                self.missing("`{` and the dims", last);
            }
        }
        let name = name.unwrap_or(Ident { text: String::new(), span: keyword });
        let fields = fields.map(|list| self.fields(list)).unwrap_or_default();
        Derive { docs: self.docs_above(span.start), name, base, fields, span }
    }

    fn names(&mut self, list: Pair<'t>) -> Vec<Ident> {
        let mut names = vec![];
        self.sequence(list, NAMES, |b, pair| match is_junk(pair.as_rule()) {
            true => b.junk_in_list(&pair, "a name"),
            false => {
                names.push(b.ident(&pair));
                Element::Separated
            }
        });
        names
    }

    fn const_item(&mut self, keyword: Span, rest: Pair<'t>, span: Span) -> Option<Const> {
        let (mut name, mut kind, mut value) = (None, None, None);
        let (mut last, mut signed) = (keyword, false);
        for pair in rest.into_inner() {
            let before = std::mem::replace(&mut last, self.span(&pair));
            match pair.as_rule() {
                Rule::word => name = Some(self.ident(&pair)),
                Rule::kind => kind = self.kind(pair),
                Rule::equals => signed = true,
                Rule::wrong_equals => {
                    signed = true;
                    self.wrong_sign(&pair, "=");
                }
                Rule::value => {
                    if !signed {
                        self.missing("`=`", before);
                    }
                    value = Some(self.value(pair));
                }
                _ => {}
            }
        }
        let name = match name {
            Some(name) => name,
            None => {
                self.missing("a name", keyword);
                return None;
            }
        };
        if value.is_none() {
            self.missing("`=` and a value", last);
        }
        let value = value.unwrap_or_else(|| broken_value(span));
        Some(Const { docs: self.docs_above(span.start), name, kind, value, span })
    }

    pub(super) fn kind(&mut self, pair: Pair<'t>) -> Option<Ident> {
        let colon = self.span(&pair);
        let word = pair.into_inner().next();
        if word.is_none() {
            self.missing("a kind", colon);
        }
        word.map(|w| self.ident(&w))
    }

    /// Another language's sign for `right`.
    pub(super) fn wrong_sign(&mut self, pair: &Pair<'t>, right: &str) {
        let span = self.span(pair);
        let headline = format!("expected `{right}`, found {}", quote(pair.as_str()));
        self.report(SyntaxError::new(span, headline).fix(span, right));
    }

    fn recipe(&mut self, keyword: Span, rest: Pair<'t>, span: Span, items: &mut Vec<Item>) -> Element {
        let (mut name, mut params, mut extends, mut arch) = (None, vec![], None, None);
        let (mut body, mut head) = (None, keyword);
        let known = self.errors.len();
        for pair in rest.into_inner() {
            let at = self.span(&pair);
            match pair.as_rule() {
                Rule::recipe_body => {
                    body = Some(pair);
                    continue;
                }
                Rule::word => name = Some(self.ident(&pair)),
                Rule::params => params = self.params(pair),
                Rule::extends => {
                    if self.once(extends.is_some(), at) {
                        extends = self.extends(pair, at);
                    }
                }
                Rule::for_arch => {
                    if self.once(arch.is_some(), at) {
                        arch = pair.into_inner().next().map(|p| self.path(p));
                        if arch.is_none() {
                            self.missing("the name of an architecture", at);
                        }
                    }
                }
                _ => self.head_junk(&pair, "the recipe's body `{`"),
            }
            head = at;
        }
        let name = match name {
            Some(name) => name,
            None => {
                self.missing("a name for the recipe", keyword);
                Ident { text: String::new(), span: keyword }
            }
        };
        let whole = body.is_some();
        if !whole && self.errors.len() == known {
            self.missing("`{` and the recipe's items", head);
        }
        let body = body.map(|b| self.recipe_body(b)).unwrap_or_default();
        let docs = self.docs_above(span.start);
        items.push(Item::Recipe(Recipe { docs, name, params, extends, arch, items: body, span }));
        if whole { Element::Block } else { Element::Broken }
    }

    /// Reports a second `extends` or `for`.
    fn once(&mut self, again: bool, at: Span) -> bool {
        if again {
            let headline = format!("a second {}", quote(self.slice(self.token_at(at.range().start))));
            self.report(SyntaxError::new(at, headline).help("one is allowed"));
        }
        !again
    }

    fn extends(&mut self, pair: Pair<'t>, span: Span) -> Option<Extends> {
        let mut inner = pair.into_inner();
        let Some(base) = inner.next() else {
            self.missing("the name of a recipe", span);
            return None;
        };
        let args: Vec<Arg> = inner.next().map(|args| self.args(args)).unwrap_or_default();
        Some(Extends { base: self.path(base), args, span })
    }

    fn params(&mut self, list: Pair<'t>) -> Vec<Param> {
        let mut params = vec![];
        self.sequence(list, PARAMS, |b, pair| {
            if is_junk(pair.as_rule()) {
                return b.junk_in_list(&pair, "a parameter `name: kind`");
            }
            let span = b.span(&pair);
            let (mut name, mut kind, mut default, mut equals) = (None, None, None, None);
            for part in pair.into_inner() {
                match part.as_rule() {
                    Rule::word => name = Some(b.ident(&part)),
                    Rule::kind => kind = b.kind(part),
                    Rule::equals => equals = Some(b.span(&part)),
                    _ => default = Some(b.value(part)),
                }
            }
            if let (Some(equals), None) = (equals, &default) {
                b.missing("a value", equals);
            }
            params.extend(name.map(|name| Param { name, kind, default, span }));
            Element::Separated
        });
        params
    }
}

/// A value that is not there; already reported.
pub(super) fn broken_value(span: Span) -> Value {
    Value { kind: ValueKind::Broken, span: Span { start: span.end, end: span.end } }
}
