//! Lengths of axes as sums of products.

use super::decl::{Expr, ExprFactor, ExprTerm};
use crate::base::Span;
use crate::syntax::tree::{DimExpr, DimExprKind};

/// Factors that one axis may have, all terms together; declared axes have two or three.
const MAX_FACTORS: usize = 64;

/// Why an expression has no meaning.
pub(super) enum ExprError {
    /// A name that is no dim.
    Unknown(String, Span),
    /// More factors than any axis has.
    TooLong(Span),
    /// `hidden * (a + b)`: interleaved rows, which terms laid one behind the other cannot say.
    Interleaved(Span),
}

/// Lowers `tree`; `dim` gives the index of a name.
pub(super) fn lower_expr(
    tree: &DimExpr,
    dim: &mut dyn FnMut(&str) -> Option<usize>,
) -> Result<Expr, ExprError> {
    let mut budget = MAX_FACTORS;
    let terms = terms(tree, dim, &mut budget)?;
    Ok(Expr { text: text(tree), terms })
}

fn terms(
    tree: &DimExpr,
    dim: &mut dyn FnMut(&str) -> Option<usize>,
    budget: &mut usize,
) -> Result<Vec<ExprTerm>, ExprError> {
    // Each level of recursion spends budget, so the depth is bounded too.
    *budget = budget.checked_sub(1).ok_or(ExprError::TooLong(tree.span))?;
    let one = |factor| vec![ExprTerm { factors: vec![factor] }];
    match &tree.kind {
        DimExprKind::Int(n) => Ok(one(ExprFactor::Const(*n))),
        DimExprKind::Name(name) => match dim(name) {
            Some(d) => Ok(one(ExprFactor::Dim(d))),
            None => Err(ExprError::Unknown(name.clone(), tree.span)),
        },
        DimExprKind::Add(left, right) => {
            let mut sum = terms(left, dim, budget)?;
            sum.extend(terms(right, dim, budget)?);
            Ok(sum)
        }
        DimExprKind::Mul(left, right) => {
            let (outer, inner) = (terms(left, dim, budget)?, terms(right, dim, budget)?);
            product(&outer, &inner, tree.span)
        }
    }
}

/// Rows of `outer * inner`: for each row of `outer`, all rows of `inner`.
fn product(outer: &[ExprTerm], inner: &[ExprTerm], span: Span) -> Result<Vec<ExprTerm>, ExprError> {
    let mut out = Vec::new();
    for left in outer {
        let repeat = match (inner, left.factors.as_slice()) {
            ([_], _) => None,
            // A sum repeated a few times is written out.
            (_, [ExprFactor::Const(n)]) => Some(*n),
            _ => return Err(ExprError::Interleaved(span)),
        };
        for _ in 0..repeat.unwrap_or(1) {
            for right in inner {
                let outer = left.factors.iter().filter(|_| repeat.is_none());
                out.push(ExprTerm { factors: outer.chain(&right.factors).copied().collect() });
            }
            if out.iter().map(|t| t.factors.len()).sum::<usize>() > MAX_FACTORS {
                return Err(ExprError::TooLong(span));
            }
        }
    }
    // `0 * (a + b)` has no row, but it is a length.
    Ok(if out.is_empty() { vec![ExprTerm { factors: vec![ExprFactor::Const(0)] }] } else { out })
}

fn text(tree: &DimExpr) -> String {
    let factor = |side: &DimExpr| match side.kind {
        DimExprKind::Add(..) => format!("({})", text(side)),
        _ => text(side),
    };
    match &tree.kind {
        DimExprKind::Int(n) => n.to_string(),
        DimExprKind::Name(name) => name.clone(),
        DimExprKind::Add(left, right) => format!("{} + {}", text(left), text(right)),
        DimExprKind::Mul(left, right) => format!("{} * {}", factor(left), factor(right)),
    }
}
