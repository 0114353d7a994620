//! `forward` bodies: their form is checked here, their meaning elsewhere.

use super::sequence::{Element, Style};
use super::{Builder, is_junk};
use crate::syntax::grammar::{Pair, Rule};

const ARGS: Style = Style { separator: ",", required: false, element: "the argument", open: "(" };
const INDEX: Style = Style { separator: ",", required: false, element: "the index", open: "[" };
const NAMES: Style = Style { separator: ",", required: false, element: "the name", open: "(" };
const ARMS: Style = Style { separator: ",", required: false, element: "the arm", open: "{" };
const STATEMENTS: Style = Style { separator: ";", required: false, element: "the statement", open: "{" };

impl<'t> Builder<'t> {
    /// Walks the whole body for what is wrong in it.
    pub(super) fn forward(&mut self, pair: Pair<'t>) {
        let span = self.span(&pair);
        let mut has_body = false;
        for part in pair.into_inner() {
            has_body |= part.as_rule() == Rule::f_block;
            self.forward_part(part);
        }
        if !has_body {
            self.missing("`{` and a body", span);
        }
    }

    fn forward_part(&mut self, pair: Pair<'t>) {
        let (style, expected) = match pair.as_rule() {
            Rule::f_params | Rule::f_args | Rule::f_round => (ARGS, "an argument"),
            Rule::f_binding if pair.as_str().starts_with('(') => (NAMES, "a name"),
            Rule::f_index | Rule::f_square => (INDEX, "an index or a size"),
            Rule::f_arms => (ARMS, "an arm `tensor => expression`"),
            Rule::f_block => (STATEMENTS, "a statement"),
            Rule::f_pattern => {
                pair.into_inner().for_each(|p| drop(self.pattern(p)));
                return;
            }
            Rule::string | Rule::single_quoted => {
                self.text_of(&pair);
                return;
            }
            _ => return self.forward_parts(pair),
        };
        self.sequence(pair, style, |b, part| {
            if is_junk(part.as_rule()) {
                return b.junk_in_list(&part, expected);
            }
            let is_block = part.as_str().ends_with('}') && style.separator == ";";
            let known = b.errors.len();
            b.forward_part(part);
            if is_block { Element::Block } else { b.element_since(known) }
        });
    }

    /// The parts of what is no list, and what is missing between them.
    fn forward_parts(&mut self, pair: Pair<'t>) {
        let rule = pair.as_rule();
        let (span, known) = (self.span(&pair), self.errors.len());
        let unassigned = rule == Rule::f_expr && pair.as_str().ends_with('=');
        let (mut first, mut last, mut has_head) = (None, None, false);
        let mut before_block = self.token_at(span.range().start);
        for part in pair.into_inner() {
            has_head |= part.as_rule() == Rule::f_head;
            if part.as_rule() != Rule::f_block {
                before_block = self.span(&part);
            }
            first = first.or(Some(part.as_rule()));
            last = Some(part.as_rule());
            self.forward_part(part);
        }
        if self.errors.len() == known {
            match (rule, first) {
                // Behind `in` or `if` comes the block at once.
                (Rule::f_for | Rule::f_if, _) if !has_head && last == Some(Rule::f_block) => {
                    let what = match (rule, self.slice(before_block)) {
                        (Rule::f_if, _) => "a condition",
                        (_, "in") => "what it runs over",
                        _ => "`in` and what it runs over",
                    };
                    self.missing(what, before_block);
                }
                _ if unassigned => self.missing("an expression", self.last_char(span.range().end)),
                (Rule::f_let, Some(Rule::f_expr) | None) => {
                    self.missing("a name", self.token_at(span.range().start))
                }
                _ => self.forward_missing(rule, last, span),
            }
        }
    }

    fn forward_missing(&mut self, rule: Rule, last: Option<Rule>, span: crate::base::Span) {
        let what = match (rule, last) {
            (Rule::f_let, Some(Rule::f_binding)) => "`=` and an expression",
            (Rule::f_for, Some(Rule::f_binding)) => "`in` and what it runs over",
            (Rule::f_for, Some(Rule::kw_in)) => "what it runs over",
            (Rule::f_for, Some(Rule::f_head)) | (Rule::f_if, Some(Rule::f_head)) => "a block `{`",
            (Rule::f_if, None) => "a condition",
            (Rule::f_match, Some(Rule::f_head)) => "`{` and arms",
            (Rule::f_arm, Some(Rule::f_pattern)) => "an expression",
            _ => return,
        };
        self.missing(what, self.last_char(span.range().end));
    }
}
