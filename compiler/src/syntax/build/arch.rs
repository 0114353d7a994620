//! Items of an architecture.

use super::file::broken_value;
use super::recipe::compare_op;
use super::sequence::{Element, Style};
use super::{Builder, is_junk};
use crate::base::Span;
use crate::syntax::error::quote;
use crate::syntax::grammar::{Pair, Rule};
use crate::syntax::keywords::Place;
use crate::syntax::tree::{
    Arch, ArchItem, ArchSegment, ArchSegmentKind, CompareOp, Ident, Item, SyntaxError, TensorDecl,
};

const BODY: Style = Style { separator: ";", required: true, element: "the declaration", open: "{" };

impl<'t> Builder<'t> {
    pub(super) fn arch(
        &mut self,
        keyword: Span,
        rest: Pair<'t>,
        span: Span,
        items: &mut Vec<Item>,
    ) -> Element {
        let (mut name, mut body, mut last) = (None, None, keyword);
        let known = self.errors.len();
        for pair in rest.into_inner() {
            let at = self.span(&pair);
            match pair.as_rule() {
                Rule::word => name = Some(self.ident(&pair)),
                Rule::arch_body => {
                    body = Some(pair);
                    continue;
                }
                _ => self.head_junk(&pair, "the architecture's body `{`"),
            }
            last = at;
        }
        if name.is_none() && self.errors.len() == known {
            self.missing("a name for the architecture", keyword);
        }
        let whole = body.is_some();
        if !whole && self.errors.len() == known {
            self.missing("`{` and the declarations", last);
        }
        let name = name.unwrap_or(Ident { text: String::new(), span: keyword });
        let body = body.map(|b| self.arch_body(b)).unwrap_or_default();
        items.push(Item::Arch(Arch { docs: self.docs_above(span.start), name, items: body, span }));
        if whole { Element::Block } else { Element::Broken }
    }

    fn arch_body(&mut self, body: Pair<'t>) -> Vec<ArchItem> {
        let mut items = vec![];
        self.sequence(body, BODY, |b, pair| {
            let known = b.errors.len();
            let is_block = pair.as_str().ends_with('}') && pair.as_rule() != Rule::default;
            let element = b.arch_item(pair, &mut items);
            match element {
                Element::Separated if is_block => Element::Block,
                Element::Separated => b.element_since(known),
                other => other,
            }
        });
        items
    }

    fn arch_item(&mut self, pair: Pair<'t>, items: &mut Vec<ArchItem>) -> Element {
        let span = self.span(&pair);
        match pair.as_rule() {
            rule if is_junk(rule) => return self.unknown_declaration(span, items),
            Rule::dims => {
                let names = pair.into_inner().next().map(|list| self.word_list(list)).unwrap_or_default();
                items.push(ArchItem::Dims { names, span });
            }
            Rule::property => {
                let mut inner = pair.into_inner();
                let keyword = inner.next().map(|k| self.ident(&k));
                let names = inner.next().map(|list| self.word_list(list)).unwrap_or_default();
                items.extend(keyword.map(|keyword| ArchItem::Property { keyword, names, span }));
            }
            Rule::default => items.extend(self.default(pair, span)),
            Rule::either => items.push(self.either(pair, span)),
            Rule::forward => {
                self.forward(pair.clone());
                let text = self.source.get(span.range()).unwrap_or("").to_owned();
                items.push(ArchItem::Forward { text, span });
            }
            _ => return self.statement(pair, span, items),
        }
        Element::Separated
    }

    /// `a, b, c`; a comma at the end is reported, since a `;` follows.
    fn word_list(&mut self, list: Pair<'t>) -> Vec<Ident> {
        let mut names = vec![];
        let mut trailing = None;
        for pair in list.into_inner() {
            match pair.as_rule() {
                Rule::comma => {
                    if let Some(at) = trailing {
                        self.report(SyntaxError::new(at, "expected a name behind the `,`").fix(at, ""));
                    }
                    trailing = Some(self.span(&pair));
                }
                _ => {
                    trailing = None;
                    names.push(self.ident(&pair));
                }
            }
        }
        if let Some(at) = trailing {
            self.report(SyntaxError::new(at, "expected a name behind the `,`").fix(at, ""));
        }
        names
    }

    fn default(&mut self, pair: Pair<'t>, span: Span) -> Option<ArchItem> {
        let (mut name, mut kind, mut value, mut op, mut bound) = (None, None, None, None, None);
        let mut config_keys = vec![];
        let mut last = span;
        for part in pair.into_inner() {
            let at = self.span(&part);
            match part.as_rule() {
                Rule::word => name = Some(self.ident(&part)),
                Rule::kind => kind = self.kind(part),
                Rule::value => value = Some(self.value(part)),
                Rule::wrong_equals => self.wrong_sign(&part, "="),
                Rule::cmp => op = compare_op(part.as_str()).map(|op| (op, at)),
                Rule::dim_expr => bound = self.dim_expr(part),
                Rule::from => {
                    config_keys = part.into_inner().next().map(|l| self.word_list(l)).unwrap_or_default()
                }
                _ => {}
            }
            last = at;
        }
        let name = name?;
        if value.is_none() {
            self.missing("`=` and a value", last);
        }
        if let (Some((_, at)), None) = (op, &bound) {
            self.missing("a dim", at);
        }
        let bound = op.map(|(op, _)| op).zip(bound);
        let value = value.unwrap_or_else(|| broken_value(span));
        Some(ArchItem::Default { name, kind, value, bound, config_keys, span })
    }

    fn either(&mut self, pair: Pair<'t>, span: Span) -> ArchItem {
        let mut branches = vec![];
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::or_branch => {
                    for inner in part.into_inner() {
                        match inner.as_rule() {
                            Rule::wrong_or => self.wrong_sign(&inner, "or"),
                            _ => branches.push(self.arch_body(inner)),
                        }
                    }
                }
                _ => branches.push(self.arch_body(part)),
            }
        }
        if branches.len() < 2 {
            let keyword = self.token_at(span.range().start);
            self.report(
                SyntaxError::new(keyword, "`either` with one branch").help("the other one: `or { ... }`"),
            );
        }
        ArchItem::Either { branches, span }
    }

    /// What starts with a name: a tensor, a block, a tie or a bound.
    fn statement(&mut self, pair: Pair<'t>, span: Span, items: &mut Vec<ArchItem>) -> Element {
        let mut parts = pair.into_inner();
        let Some(head) = parts.next() else { return Element::Broken };
        let head_span = self.span(&head);
        let path = self.arch_path(head);
        let Some(tail) = parts.next() else {
            self.headless(head_span, span, items);
            return Element::Broken;
        };
        match tail.as_rule() {
            Rule::tensor_tail => items.push(ArchItem::Tensor(self.tensor(path, tail, span))),
            Rule::arch_body => {
                let inner = self.arch_body(tail);
                items.push(ArchItem::Block { path, items: inner, span });
            }
            Rule::tie_tail => {
                let at = self.span(&tail);
                match tail.into_inner().next().map(|p| self.arch_path(p)) {
                    Some(target) => items.push(ArchItem::Tie { alias: path, target, span }),
                    None => self.missing("the name of a tensor", Span { start: at.start, end: at.start + 1 }),
                }
            }
            _ => items.extend(self.bound(&path, head_span, tail, span)),
        }
        Element::Separated
    }

    fn unknown_declaration(&mut self, span: Span, items: &mut Vec<ArchItem>) -> Element {
        // Up to the end of the line: the grammar took only the first word for a name. No list of dims is as long as
        // the limit, which keeps a line of many such words from being looked at once for each.
        let line = self.text.get(span.range().start..).unwrap_or("").bytes().take(1000);
        let length = line.take_while(|b| b.is_ascii() && !matches!(b, b'\n' | b'\r' | b';')).count();
        let span = Span::new(span.range().start, span.range().start + length.max(span.len()));
        self.unknown_item(span, Place::Arch, |b, _, rest, span| {
            if rest.as_rule() == Rule::word_list {
                let names = b.word_list(rest);
                items.push(ArchItem::Dims { names, span });
            }
        })
    }

    /// A name with nothing behind it that makes it a declaration.
    fn headless(&mut self, head: Span, span: Span, items: &mut Vec<ArchItem>) {
        let word = self.slice(head);
        let next = self.token_at(head.range().end);
        if !self.line_between(head.range().end, next.range().start) && self.slice(next) == "=>" {
            self.report(SyntaxError::new(next, "expected `:`, found `=>`").fix(next, ":"));
            return;
        }
        let plain = word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        match plain && !next.is_empty() && self.slice(next) != ";" {
            true => drop(self.unknown_declaration(span, items)),
            false => {
                let headline = format!("expected `:` and a shape behind {}", quote(word));
                let error = SyntaxError::new(self.last_char(head.range().end), headline);
                self.report(error.help("a tensor is declared as `name : [dim, dim] @role;`"));
            }
        }
    }

    fn bound(&mut self, path: &[ArchSegment], head: Span, tail: Pair<'t>, span: Span) -> Option<ArchItem> {
        let (mut op, mut bound, mut sign) = (None, None, head);
        for part in tail.into_inner() {
            match part.as_rule() {
                Rule::cmp => {
                    sign = self.span(&part);
                    op = compare_op(part.as_str());
                }
                _ => bound = self.dim_expr(part),
            }
        }
        let name = match path {
            [ArchSegment { kind: ArchSegmentKind::Name(text), optional: false, span }] => {
                Some(Ident { text: text.clone(), span: *span })
            }
            _ => None,
        };
        if name.is_none() {
            let error = SyntaxError::new(head, "a bound limits one plain name");
            let error = match op {
                Some(CompareOp::Eq) => error.help("tied tensors are written with one `=`").fix(sign, "="),
                _ => error.help("such as `sequence <= positions;`"),
            };
            self.report(error);
        } else if bound.is_none() {
            self.missing("a dim", sign);
        }
        Some(ArchItem::Bound { name: name?, op: op?, bound: bound?, span })
    }

    fn tensor(&mut self, mut path: Vec<ArchSegment>, tail: Pair<'t>, span: Span) -> TensorDecl {
        let colon = Span { start: self.span(&tail).start, end: self.span(&tail).start + 1 };
        let (mut shape, mut roles) = (None, vec![]);
        for part in tail.into_inner() {
            let at = self.span(&part);
            match part.as_rule() {
                Rule::role => match part.into_inner().next() {
                    Some(word) => roles.push(self.ident(&word)),
                    None => self.missing("a role such as `norm`", at),
                },
                rule => {
                    if rule == Rule::round_shape {
                        self.report(SyntaxError::new(
                            Span { start: at.start, end: at.start + 1 },
                            "shapes stand in `[` and `]`",
                        ));
                    }
                    shape = Some(self.shape(part));
                }
            }
        }
        if shape.is_none() {
            self.missing("a shape in brackets", colon);
        }
        let optional = path.last_mut().is_some_and(|last| std::mem::take(&mut last.optional));
        let docs = self.docs_above(span.start);
        TensorDecl { docs, path, optional, shape: shape.unwrap_or_default(), roles, span }
    }

    fn arch_path(&mut self, pair: Pair<'t>) -> Vec<ArchSegment> {
        pair.into_inner().map(|segment| self.arch_segment(segment)).collect()
    }

    fn arch_segment(&mut self, pair: Pair<'t>) -> ArchSegment {
        let span = self.span(&pair);
        let mut segment = ArchSegment { kind: ArchSegmentKind::Name(String::new()), optional: false, span };
        for part in pair.into_inner() {
            let at = self.span(&part);
            match part.as_rule() {
                Rule::optional => segment.optional = true,
                Rule::each => segment.kind = ArchSegmentKind::Each(self.each(part)),
                Rule::indexed => segment.kind = self.indexed(part),
                rule => {
                    if rule == Rule::arch_star {
                        let error = SyntaxError::new(at, "a declaration has no `*`");
                        self.report(error.help("`layers[i]` stands for `layers.0`, `layers.1` and so on"));
                    }
                    segment.kind = ArchSegmentKind::Name(part.as_str().to_owned());
                }
            }
        }
        segment
    }

    fn each(&mut self, pair: Pair<'t>) -> Vec<Ident> {
        let span = self.span(&pair);
        let mut names = vec![];
        let mut after_name = false;
        for part in pair.into_inner() {
            let at = self.span(&part);
            if part.as_rule() == Rule::comma {
                if !after_name {
                    self.report(SyntaxError::new(at, "nothing stands before this `,`").fix(at, ""));
                }
                after_name = false;
                continue;
            }
            if after_name {
                self.report(SyntaxError::new(at, "expected `,` between two names"));
            }
            names.push(self.ident(&part));
            after_name = true;
        }
        if names.is_empty() {
            self.report(SyntaxError::new(span, "braces without a name").help("such as `{weight,bias}`"));
        }
        names
    }

    fn indexed(&mut self, pair: Pair<'t>) -> ArchSegmentKind {
        let mut parts = pair.into_inner().filter(|p| p.as_rule() != Rule::kw_in);
        let mut next = |b: &Self| parts.next().map(|p| b.ident(&p));
        let (name, index, dim) = (next(self), next(self), next(self));
        let nothing = || Ident { text: String::new(), span: Span::default() };
        let index = index.unwrap_or_else(nothing);
        if !index.text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            let error =
                SyntaxError::new(index.span, format!("an index is a name, not {}", quote(&index.text)));
            self.report(
                error.help("`layers[i]` stands for `layers.0`, `layers.1` and so on").fix(index.span, "i"),
            );
        }
        ArchSegmentKind::Indexed { name: name.unwrap_or_else(nothing), index, dim }
    }
}
