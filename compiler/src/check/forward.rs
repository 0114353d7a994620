//! Forwards: names, operations, shapes.

use crate::diag::{Declaration, Diagnostic, Place, declare};
use crate::graph::{Problem, ProblemKind};
use crate::hir::module::Item;
use crate::syntax::forward::Unsupported;

declare!(
    /// Something that parses and has no meaning in a forward.
    NOT_IN_FORWARD, "not-in-forward", E0211, Error
);
declare!(
    /// A call of something that is no operation.
    UNKNOWN_OPERATION, "unknown-operation", E0212, Error
);
declare!(
    /// An operation that is called with something it does not take.
    WRONG_ARGUMENT, "wrong-argument", E0213, Error
);
declare!(
    /// A name that stands for nothing.
    UNBOUND_NAME, "unbound-name", E0214, Error
);
declare!(
    /// Two lengths that must be the same and are not.
    SHAPES_DIFFER, "shapes-differ", E0408, Error
);
declare!(
    /// A forward that does not yield what it declares.
    WRONG_RESULT, "wrong-result", E0409, Error
);
declare!(
    /// A tensor of which the architecture says nothing.
    UNDECLARED_TENSOR, "undeclared-tensor", E0613, Error
);
declare!(
    /// An alternative that no arm of a `match` stands for.
    UNCOVERED_ALTERNATIVE, "uncovered-alternative", E0614, Error
);
declare!(
    /// A declared tensor that the forward never reads.
    UNUSED_TENSOR, "unused-tensor", E0615, Note
);

/// The diagnostic of a problem in the architecture `item`.
pub fn diagnostic(item: &Item, problem: &Problem) -> Diagnostic {
    let kind: &'static Declaration = match problem.kind {
        ProblemKind::NotInForward => &NOT_IN_FORWARD,
        ProblemKind::UnknownOperation => &UNKNOWN_OPERATION,
        ProblemKind::WrongArgument => &WRONG_ARGUMENT,
        ProblemKind::UnboundName => &UNBOUND_NAME,
        ProblemKind::ShapesDiffer => &SHAPES_DIFFER,
        ProblemKind::WrongResult => &WRONG_RESULT,
        ProblemKind::UndeclaredTensor => &UNDECLARED_TENSOR,
        ProblemKind::UncoveredAlternative => &UNCOVERED_ALTERNATIVE,
        ProblemKind::UnusedTensor => &UNUSED_TENSOR,
    };
    let mut d =
        Diagnostic::new(kind, item.loc(problem.span), problem.headline.clone()).label(problem.label.clone());
    if let Some((span, text)) = &problem.also {
        d = d.also(Place::Source(item.loc(*span)), text.clone());
    }
    d = problem.because.iter().fold(d, |d, text| d.because(text.clone()));
    match &problem.help {
        Some(help) => d.help(help.clone()),
        None => d,
    }
}

/// The diagnostic of what a forward cannot say.
pub fn unsupported(item: &Item, problem: &Unsupported) -> Diagnostic {
    let d = Diagnostic::new(&NOT_IN_FORWARD, item.loc(problem.span), problem.headline.clone());
    if problem.help.is_empty() { d } else { d.help(problem.help) }
}
