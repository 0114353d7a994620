//! Items of a recipe.

use super::file::broken_value;
use super::sequence::{Element, Style};
use super::{Builder, is_junk};
use crate::base::Span;
use crate::syntax::error::quote;
use crate::syntax::grammar::{Pair, Rule};
use crate::syntax::keywords::Place;
use crate::syntax::tree::{
    Arg, Arm, CompareOp, Ident, Path, Pattern, Prune, RecipeItem, Requirement, SyntaxError, Value, ValueKind,
};

const BODY: Style = Style { separator: ";", required: true, element: "the item", open: "{" };
const ARMS: Style = Style { separator: ",", required: false, element: "the arm", open: "{" };
const FIELDS: Style = Style { separator: ",", required: false, element: "the field", open: "{" };
const REQUIREMENTS: Style = Style { separator: ";", required: true, element: "the requirement", open: "{" };

impl<'t> Builder<'t> {
    pub(super) fn recipe_body(&mut self, body: Pair<'t>) -> Vec<RecipeItem> {
        let mut items = vec![];
        self.sequence(body, BODY, |b, pair| b.recipe_item(pair, &mut items));
        items
    }

    fn recipe_item(&mut self, pair: Pair<'t>, items: &mut Vec<RecipeItem>) -> Element {
        let span = self.span(&pair);
        if is_junk(pair.as_rule()) {
            return self.unknown_item(span, Place::Recipe, |b, keyword, rest, span| {
                items.extend(b.recipe_rest(keyword, rest, span));
            });
        }
        let mut inner = pair.into_inner();
        let (Some(keyword), Some(rest)) = (inner.next(), inner.next()) else { return Element::Broken };
        let keyword = self.span(&keyword);
        let known = self.errors.len();
        let is_block = self.text.get(..span.range().end).is_some_and(|t| t.ends_with('}'));
        items.extend(self.recipe_rest(keyword, rest, span));
        if is_block { Element::Block } else { self.element_since(known) }
    }

    /// An item whose keyword is known, by the rule of what follows the keyword.
    fn recipe_rest(&mut self, keyword: Span, rest: Pair<'t>, span: Span) -> Option<RecipeItem> {
        match rest.as_rule() {
            Rule::checkpoint_rest => {
                let value = self.single_value(keyword, rest, "a path in quotes", span);
                Some(RecipeItem::Checkpoint { keyword, value, span })
            }
            Rule::target_rest => {
                let value = self.single_value(keyword, rest, "a target such as `cpu` or `a30`", span);
                Some(RecipeItem::Target { keyword, value, span })
            }
            Rule::casts_rest => {
                let value = self.single_value(keyword, rest, "`auto`", span);
                Some(RecipeItem::Casts { keyword, value, span })
            }
            Rule::set_rest => self.set(keyword, rest, span),
            Rule::prune_rest => Some(RecipeItem::Prune(self.prune(keyword, rest, span))),
            Rule::assign_rest => {
                let arms = self.block(keyword, rest, Self::arms);
                Some(RecipeItem::Assign { keyword, arms, span })
            }
            Rule::settings_rest => {
                let fields = self.block(keyword, rest, Self::fields);
                let keyword = Ident { text: self.settings_word(keyword), span: keyword };
                Some(RecipeItem::Settings { keyword, fields, span })
            }
            Rule::require_rest => {
                let requirements = self.block(keyword, rest, Self::requirements);
                Some(RecipeItem::Require { keyword, requirements, span })
            }
            _ => Some(self.emit(keyword, rest, span)),
        }
    }

    /// `calibrate`, `evaluate` or `tune`, also where it is misspelled.
    fn settings_word(&self, keyword: Span) -> String {
        let written = self.slice(keyword);
        crate::syntax::suggest::nearest(written, ["calibrate", "evaluate", "tune"])
            .unwrap_or(written)
            .to_owned()
    }

    /// What stands between the braces behind a keyword.
    fn block<T>(
        &mut self,
        keyword: Span,
        rest: Pair<'t>,
        build: impl FnOnce(&mut Self, Pair<'t>) -> Vec<T>,
    ) -> Vec<T> {
        let mut body = None;
        let known = self.errors.len();
        for pair in rest.into_inner() {
            match is_junk(pair.as_rule()) {
                true => self.head_junk(&pair, "`{`"),
                false => body = Some(pair),
            }
        }
        if body.is_none() && self.errors.len() == known {
            self.missing("`{`", keyword);
        }
        body.map(|b| build(self, b)).unwrap_or_default()
    }

    fn single_value(&mut self, keyword: Span, rest: Pair<'t>, what: &str, span: Span) -> Value {
        let mut value = None;
        for pair in rest.into_inner() {
            match pair.as_rule() {
                Rule::wrong_assign => self.needless_sign(&pair, keyword),
                Rule::device => value = Some(self.device(&pair)),
                _ => value = Some(self.value(pair)),
            }
        }
        if value.is_none() {
            self.missing(what, keyword);
        }
        value.unwrap_or_else(|| broken_value(span))
    }

    /// `checkpoint = "x"`, `target: a30`.
    fn needless_sign(&mut self, pair: &Pair<'t>, keyword: Span) {
        let span = self.span(pair);
        let headline =
            format!("{} takes its value without {}", quote(self.slice(keyword)), quote(pair.as_str()));
        self.report(SyntaxError::new(span, headline).fix(span, ""));
    }

    fn device(&self, pair: &Pair<'t>) -> Value {
        let name = self.ident(pair);
        let span = name.span;
        Value { kind: ValueKind::Name(Path { segments: vec![name], span }), span }
    }

    fn set(&mut self, keyword: Span, rest: Pair<'t>, span: Span) -> Option<RecipeItem> {
        let (mut name, mut value, mut last) = (None, None, keyword);
        for pair in rest.into_inner() {
            last = self.span(&pair);
            match pair.as_rule() {
                Rule::word => name = Some(self.ident(&pair)),
                Rule::set_wrong => self.wrong_sign(&pair, "="),
                Rule::value => value = Some(self.value(pair)),
                _ => {}
            }
        }
        if name.is_none() {
            self.missing("the name of a default", keyword);
        } else if value.is_none() {
            self.missing("`=` and a value", last);
        }
        Some(RecipeItem::Set { name: name?, value: value.unwrap_or_else(|| broken_value(span)), span })
    }

    fn prune(&mut self, keyword: Span, rest: Pair<'t>, span: Span) -> Prune {
        let (mut dim, mut pattern, mut fields, mut has_fields) = (None, None, vec![], false);
        let (mut last, mut known) = (keyword, self.errors.len());
        for pair in rest.into_inner() {
            let at = self.span(&pair);
            match pair.as_rule() {
                Rule::prune_dim => {
                    let mut inner = pair.into_inner();
                    dim = inner.next().map(|w| self.ident(&w));
                    if inner.next().is_none() {
                        let end = at.range().end;
                        let error = SyntaxError::new(at, "expected `in` and a pattern behind the dim")
                            .help("`in **` prunes it wherever it stands");
                        self.report(error.fix(Span::new(end, end), " in **"));
                    }
                }
                Rule::pattern => pattern = Some(self.pattern(pair)),
                Rule::fields => {
                    has_fields = true;
                    fields = self.fields(pair);
                    continue;
                }
                _ => self.head_junk(&pair, "`{`"),
            }
            last = at;
        }
        if pattern.is_none() && self.errors.len() == known {
            self.missing("a pattern", last);
        }
        known = known.max(if pattern.is_some() { 0 } else { known });
        if !has_fields && self.errors.len() == known {
            self.missing("`{ keep: ... }`", last);
        }
        let end = Span { start: last.end, end: last.end };
        Prune { keyword, dim, pattern: pattern.unwrap_or_else(|| broken_pattern(end)), fields, span }
    }

    fn arms(&mut self, list: Pair<'t>) -> Vec<Arm> {
        let mut arms = vec![];
        self.sequence(list, ARMS, |b, pair| b.arm(pair, &mut arms));
        arms
    }

    fn arm(&mut self, pair: Pair<'t>, arms: &mut Vec<Arm>) -> Element {
        let span = self.span(&pair);
        let rule = pair.as_rule();
        if is_junk(rule) {
            return self.junk_in_list(&pair, "an arm `pattern => format`");
        }
        let (mut pattern, mut format, mut arrow) = (None, None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::pattern => pattern = Some(self.pattern(part)),
                Rule::value => format = Some(self.value(part)),
                other => {
                    arrow = Some(self.span(&part));
                    if other == Rule::wrong_arrow {
                        let at = self.span(&part);
                        let attached = pattern.as_ref().is_some_and(|p: &Pattern| p.span.end == at.start);
                        let headline = format!("expected `=>`, found {}", quote(part.as_str()));
                        let fix = if attached { " =>" } else { "=>" };
                        self.report(SyntaxError::new(at, headline).fix(at, fix));
                    }
                }
            }
        }
        let mut element = Element::Separated;
        if rule == Rule::bare_arm {
            self.missing_arrow(pattern.as_ref(), format.as_ref(), span);
            element = Element::Broken;
        } else if let (Some(arrow), None) = (arrow, &format) {
            self.missing("a format", arrow);
            element = Element::Broken;
        }
        let pattern = pattern.unwrap_or_else(|| broken_pattern(span));
        arms.push(Arm { pattern, format: format.unwrap_or_else(|| broken_value(span)), span });
        element
    }

    fn missing_arrow(&mut self, pattern: Option<&Pattern>, format: Option<&Value>, span: Span) {
        let pattern_end = pattern.map_or(span.range().end, |p| p.span.range().end);
        let next = self.token_at(pattern_end);
        let same_line = !next.is_empty() && !self.line_between(pattern_end, next.range().start);
        let optional = pattern.and_then(|p| p.optional);
        let error = match (format, optional) {
            (Some(value), _) => {
                let shown = self.token_at(value.span.range().start);
                SyntaxError::new(shown, format!("expected `=>` before {}", quote(self.slice(shown))))
                    .fix(Span::new(pattern_end, pattern_end), " =>")
            }
            (None, Some(mark)) if same_line && self.slice(next).starts_with('.') => {
                SyntaxError::new(mark, "`?` stands behind the whole pattern")
                    .help("inside a segment, behind a letter, it matches one character")
            }
            _ if same_line && self.slice(next) != "," => {
                let headline = format!("expected `=>` and a format, found {}", quote(self.slice(next)));
                let error = SyntaxError::new(next, headline);
                match self.slice(next) {
                    "(" | "[" | ":" | "$" | "\\" | "^" => {
                        error.help("names with odd signs stand in quotes: `layers.\"odd:name\".weight`")
                    }
                    _ => error,
                }
            }
            _ => {
                let shown = self.last_char(pattern_end);
                SyntaxError::new(shown, "expected `=>` and a format behind the pattern")
            }
        };
        self.report(error);
    }

    pub(super) fn fields(&mut self, list: Pair<'t>) -> Vec<Arg> {
        let mut fields = vec![];
        self.sequence(list, FIELDS, |b, pair| {
            if is_junk(pair.as_rule()) {
                return b.junk_in_list(&pair, "a field `name: value`");
            }
            let known = b.errors.len();
            let arg = b.arg(pair);
            let missing = arg.value.kind == ValueKind::Broken && b.errors.len() > known;
            fields.push(arg);
            if missing { Element::Broken } else { Element::Separated }
        });
        fields
    }

    fn requirements(&mut self, list: Pair<'t>) -> Vec<Requirement> {
        let mut requirements = vec![];
        self.sequence(list, REQUIREMENTS, |b, pair| {
            if is_junk(pair.as_rule()) {
                return b.junk_in_list(&pair, "a requirement `size <= 3 MB`");
            }
            let span = b.span(&pair);
            let (mut metric, mut op, mut bound, mut sign) = (None, None, None, span);
            for part in pair.into_inner() {
                match part.as_rule() {
                    Rule::word => metric = Some(b.ident(&part)),
                    Rule::value => bound = Some(b.value(part)),
                    rule => {
                        sign = b.span(&part);
                        op = compare_op(part.as_str());
                        if rule == Rule::wrong_cmp {
                            b.wrong_compare(&part);
                        }
                    }
                }
            }
            let missing = bound.is_none();
            if missing {
                b.missing("a bound", sign);
            }
            if let Some(metric) = metric {
                let bound = bound.unwrap_or_else(|| broken_value(span));
                requirements.push(Requirement { metric, op: op.unwrap_or(CompareOp::Le), bound, span });
            }
            if missing { Element::Broken } else { Element::Separated }
        });
        requirements
    }

    fn emit(&mut self, keyword: Span, rest: Pair<'t>, span: Span) -> RecipeItem {
        let (mut path, mut container, mut as_span) = (None, None, None);
        for pair in rest.into_inner() {
            match pair.as_rule() {
                Rule::wrong_assign => self.needless_sign(&pair, keyword),
                Rule::value => path = Some(self.value(pair)),
                _ => {
                    as_span = Some(self.span(&pair));
                    container = pair.into_inner().next().map(|v| self.value(v));
                }
            }
        }
        if path.is_none() {
            self.missing("a path in quotes", keyword);
        } else if let (Some(at), None) = (as_span, &container) {
            self.missing("a container such as `safetensors`", at);
        }
        RecipeItem::Emit { keyword, path: path.unwrap_or_else(|| broken_value(span)), container, span }
    }
}

/// A pattern that is not there; already reported.
pub(super) fn broken_pattern(span: Span) -> Pattern {
    Pattern { alternatives: vec![], optional: None, filter: None, except: None, span }
}

/// The operator that was written, or meant.
pub(super) fn compare_op(text: &str) -> Option<CompareOp> {
    Some(match text {
        "==" | "=" | "is" => CompareOp::Eq,
        "!=" => CompareOp::Ne,
        "<" => CompareOp::Lt,
        "<=" | "=<" | ":" => CompareOp::Le,
        ">" => CompareOp::Gt,
        ">=" | "=>" => CompareOp::Ge,
        _ => return None,
    })
}
