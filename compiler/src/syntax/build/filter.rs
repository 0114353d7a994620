//! Conditions behind `where`.

use super::Builder;
use super::file::broken_value;
use super::recipe::compare_op;
use crate::base::Span;
use crate::syntax::error::quote;
use crate::syntax::grammar::{Pair, Rule};
use crate::syntax::tree::{CompareOp, Filter, SyntaxError};

/// Comparisons in one chain of `and` and `or`; a longer one would make the tree too deep to walk.
const MAX_CHAIN: usize = 128;

impl<'t> Builder<'t> {
    pub(super) fn filter(&mut self, pair: Pair<'t>) -> Option<Filter> {
        let mut filter = None;
        let mut keyword = self.span(&pair);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::kw_where => keyword = self.span(&part),
                Rule::wrong_where => {
                    keyword = self.span(&part);
                    self.wrong_sign(&part, "where");
                }
                _ => filter = Some(self.filter_chain(part)),
            }
        }
        match filter {
            Some(filter) => filter,
            None => {
                self.missing("a condition", keyword);
                None
            }
        }
    }

    /// `a or b or c`, and one level down `a and b and c`.
    fn filter_chain(&mut self, pair: Pair<'t>) -> Option<Filter> {
        let join = match pair.as_rule() {
            Rule::filter_or => Filter::Or as fn(Box<Filter>, Box<Filter>) -> Filter,
            _ => Filter::And,
        };
        let mut joined: Option<Filter> = None;
        let mut length = 0;
        for part in pair.into_inner() {
            let next = match part.as_rule() {
                Rule::filter_and => self.filter_chain(part),
                Rule::filter_not => self.filter_not(part),
                _ => {
                    self.connective(&part);
                    continue;
                }
            };
            length += 1;
            if length > MAX_CHAIN {
                let at = next.map_or_else(Span::default, |f| filter_span(&f));
                let headline = format!("more than {MAX_CHAIN} conditions in a row");
                self.report(SyntaxError::new(at, headline));
                break;
            }
            joined = match (joined, next) {
                (Some(left), Some(right)) => Some(join(Box::new(left), Box::new(right))),
                (left, right) => left.or(right),
            };
        }
        joined
    }

    fn connective(&mut self, pair: &Pair<'t>) {
        match pair.as_str() {
            "||" => self.wrong_sign(pair, "or"),
            "&&" => self.wrong_sign(pair, "and"),
            _ => {}
        }
    }

    fn filter_not(&mut self, pair: Pair<'t>) -> Option<Filter> {
        let mut negations = vec![];
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::op_not => {
                    let span = self.span(&part);
                    if part.as_str() == "!" {
                        let error = SyntaxError::new(span, "expected `not`, found `!`");
                        self.report(error.fix(span, "not "));
                    }
                    negations.push(span);
                }
                Rule::filter_group => return self.negated(negations, |b| b.filter_group(part)),
                _ => return self.negated(negations, |b| b.compare(part)),
            }
        }
        None
    }

    fn negated(
        &mut self,
        negations: Vec<Span>,
        build: impl FnOnce(&mut Self) -> Option<Filter>,
    ) -> Option<Filter> {
        if let [_, second, ..] = negations.as_slice() {
            self.report(SyntaxError::new(*second, "a second `not` takes the first one back"));
        }
        let filter = build(self)?;
        match negations.first() {
            Some(not) => {
                let span = not.cover(filter_span(&filter));
                Some(Filter::Not(Box::new(filter), span))
            }
            None => Some(filter),
        }
    }

    fn filter_group(&mut self, pair: Pair<'t>) -> Option<Filter> {
        let span = self.span(&pair);
        let open = Span::new(span.range().start, span.range().start + 1);
        let (mut filter, mut seen, mut closed) = (None, false, false);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::rparen => closed = true,
                _ => {
                    seen = true;
                    filter = self.filter_chain(part);
                }
            }
        }
        if !closed {
            self.unclosed(open);
        } else if !seen {
            self.missing("a condition", open);
        }
        filter
    }

    fn compare(&mut self, pair: Pair<'t>) -> Option<Filter> {
        let span = self.span(&pair);
        let (mut subject, mut arg, mut op, mut value) = (None, None, None, None);
        let mut last = span;
        for part in pair.into_inner() {
            let at = self.span(&part);
            match part.as_rule() {
                Rule::word => subject = Some(self.ident(&part)),
                Rule::filter_arg => arg = self.filter_arg(part),
                Rule::value => value = Some(self.value(part)),
                Rule::cmp => op = compare_op(part.as_str()),
                _ => {
                    op = Some(compare_op(part.as_str()).unwrap_or(CompareOp::Eq));
                    self.wrong_compare(&part);
                }
            }
            last = at;
        }
        let subject = subject?;
        let Some(op) = op else {
            let headline = format!("expected a comparison behind {}", quote(&subject.text));
            let error = SyntaxError::new(last, headline).help("such as `rank >= 2` or `dtype == f32`");
            self.report(error);
            return None;
        };
        if value.is_none() {
            self.missing("a value", last);
        }
        Some(Filter::Compare { subject, arg, op, value: value.unwrap_or_else(|| broken_value(span)), span })
    }

    fn filter_arg(&mut self, pair: Pair<'t>) -> Option<crate::syntax::tree::Value> {
        let span = self.span(&pair);
        let open = Span::new(span.range().start, span.range().start + 1);
        let (mut value, mut closed) = (None, false);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::rparen => closed = true,
                _ => value = Some(self.value(part)),
            }
        }
        if !closed {
            self.unclosed(open);
        } else if value.is_none() {
            self.missing("an axis", open);
        }
        value
    }

    /// Another language's comparison.
    pub(super) fn wrong_compare(&mut self, pair: &Pair<'t>) {
        match (pair.as_rule(), pair.as_str()) {
            (_, "=<") => self.wrong_sign(pair, "<="),
            (_, "=>") => self.wrong_sign(pair, ">="),
            (_, "=" | "is") => self.wrong_sign(pair, "=="),
            (_, sign) => {
                let span = self.span(pair);
                let error = SyntaxError::new(span, format!("{} compares nothing", quote(sign)));
                let help = match sign {
                    ":" => "write `<=`, `>=` or `==`",
                    "in" => "compare with `==` and join with `or`",
                    _ => {
                        "names are matched by the pattern; conditions compare `rank`, `params`, `bytes`, `dtype`, `dim(0)` or `layer`"
                    }
                };
                self.report(error.help(help));
            }
        }
    }
}

/// All bytes of a filter.
pub(super) fn filter_span(filter: &Filter) -> Span {
    match filter {
        Filter::And(left, right) | Filter::Or(left, right) => filter_span(left).cover(filter_span(right)),
        Filter::Not(_, span) | Filter::Compare { span, .. } => *span,
    }
}
