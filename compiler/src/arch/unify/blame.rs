//! Which dim a disagreement is about.

use super::equation::Equation;
use super::solve::Solved;
use crate::arch::decl::{Expr, ExprFactor};
use crate::arch::model::Conflict;

/// What `expr = extent` says of `dim` when all its other dims are known: `Some(None)` if no whole number solves it,
/// `None` if it says nothing (`dim * dim`, a factor 0, overflow).
pub(super) fn implied(expr: &Expr, dim: usize, extent: u64, values: &[Option<u64>]) -> Option<Option<u64>> {
    let (mut rest, mut coefficient) = (0u64, 0u64);
    for term in &expr.terms {
        match term.factors.iter().filter(|f| **f == ExprFactor::Dim(dim)).count() {
            0 => rest = rest.checked_add(term.value(values)?)?,
            1 => {
                let others = term.factors.iter().filter(|f| **f != ExprFactor::Dim(dim));
                let product = others.map(|f| f.value(values)).try_fold(1u64, |p, f| p.checked_mul(f?))?;
                coefficient = coefficient.checked_add(product)?;
            }
            _ => return None,
        }
    }
    match extent.checked_sub(rest) {
        Some(0) if coefficient == 0 => None,
        Some(left) if coefficient != 0 && left % coefficient == 0 => Some(Some(left / coefficient)),
        _ => Some(None),
    }
}

/// Reports an equation of known dims that does not hold: as a disagreement on the first dim that it would give
/// another whole extent, else on its first dim, else (constants alone) on the axis.
pub(super) fn blame(equation: &Equation<'_>, solved: &mut Solved<'_>) {
    let dims = equation.expr.dims();
    let other = |dim: &usize| implied(&equation.expr, *dim, equation.extent, &solved.values).flatten();
    let telling = dims.iter().find_map(|dim| Some((*dim, Some(other(dim)?))));
    match telling.or_else(|| dims.first().map(|d| (*d, None))) {
        Some((dim, second)) => disagree(equation, dim, second, solved),
        None => solved.conflicts.extend(equation.conflict()),
    }
}

/// Reports an equation that no whole extent of `dim`, its only unknown dim, solves.
pub(super) fn unsolvable(equation: &Equation<'_>, dim: usize, solved: &mut Solved<'_>) {
    match equation.expr.dims().into_iter().find(|d| *d != dim) {
        Some(known) => disagree(equation, known, None, solved),
        None => solved.conflicts.extend(equation.conflict()),
    }
}

fn disagree(equation: &Equation<'_>, dim: usize, second: Option<u64>, solved: &mut Solved<'_>) {
    let name = solved.decl.dims.get(dim).map(|d| d.name.clone());
    let value = solved.values.get(dim).copied().flatten();
    let origin = solved.origins.get(dim).cloned().flatten();
    if let (Some(dim), Some(value), Some(origin)) = (name, value, origin) {
        let second = (second, equation.origin());
        solved.conflicts.push(Conflict::Dim { dim, first: (value, origin), second });
    }
    solved.doubt(dim);
}
