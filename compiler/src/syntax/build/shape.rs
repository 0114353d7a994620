//! Shapes: sums and products of dims.

use super::sequence::Style;
use super::{Builder, is_junk};
use crate::base::Span;
use crate::syntax::error::quote;
use crate::syntax::grammar::{Pair, Rule};
use crate::syntax::tree::{DimExpr, DimExprKind, SyntaxError};

const SHAPE: Style = Style { separator: ",", required: false, element: "the dim", open: "[" };
const ROUND: Style = Style { open: "(", ..SHAPE };

/// Factors or terms in a row; more would make the tree too deep to walk.
const MAX_CHAIN: usize = 64;

impl<'t> Builder<'t> {
    pub(super) fn shape(&mut self, list: Pair<'t>) -> Vec<DimExpr> {
        let style = if list.as_rule() == Rule::round_shape { ROUND } else { SHAPE };
        let mut dims = vec![];
        self.sequence(list, style, |b, pair| {
            if is_junk(pair.as_rule()) {
                return b.junk_in_list(&pair, "a dim");
            }
            let known = b.errors.len();
            dims.extend(b.dim_expr(pair));
            b.element_since(known)
        });
        dims
    }

    /// A sum of products, both joined from the left.
    pub(super) fn dim_expr(&mut self, pair: Pair<'t>) -> Option<DimExpr> {
        let join = match pair.as_rule() {
            Rule::dim_expr => DimExprKind::Add as fn(Box<DimExpr>, Box<DimExpr>) -> DimExprKind,
            _ => DimExprKind::Mul,
        };
        let mut joined: Option<DimExpr> = None;
        for (count, part) in pair.into_inner().enumerate() {
            let at = self.span(&part);
            if count / 2 >= MAX_CHAIN {
                self.report(SyntaxError::new(at, format!("more than {MAX_CHAIN} terms in a row")));
                break;
            }
            let next = match part.as_rule() {
                Rule::dim_add | Rule::dim_mul => {
                    if matches!(part.as_str(), "-" | "/") {
                        let error = SyntaxError::new(at, format!("sizes have no {}", quote(part.as_str())));
                        self.report(
                            error.help("write the larger size as a sum or a product of the smaller ones"),
                        );
                    }
                    continue;
                }
                Rule::dim_term => self.dim_expr(part),
                _ => self.dim_atom(part, at),
            };
            joined = match (joined, next) {
                (Some(left), Some(right)) => {
                    let span = left.span.cover(right.span);
                    Some(DimExpr { kind: join(Box::new(left), Box::new(right)), span })
                }
                (left, right) => left.or(right),
            };
        }
        joined
    }

    fn dim_atom(&mut self, pair: Pair<'t>, span: Span) -> Option<DimExpr> {
        match pair.as_rule() {
            Rule::word => Some(DimExpr { kind: DimExprKind::Name(pair.as_str().to_owned()), span }),
            Rule::digits => match pair.as_str().replace('_', "").parse() {
                Ok(n) => Some(DimExpr { kind: DimExprKind::Int(n), span }),
                Err(_) => {
                    self.report(SyntaxError::new(span, "a size is at most 2^64 - 1"));
                    None
                }
            },
            _ => {
                let open = Span { start: span.start, end: span.start + 1 };
                let (mut inner, mut closed) = (None, false);
                for part in pair.into_inner() {
                    match part.as_rule() {
                        Rule::rparen => closed = true,
                        _ => inner = self.dim_expr(part),
                    }
                }
                if !closed {
                    self.unclosed(open);
                } else if inner.is_none() {
                    self.missing("a dim", open);
                }
                inner.map(|e| DimExpr { span, ..e })
            }
        }
    }
}
