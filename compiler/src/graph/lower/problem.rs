//! What is wrong with a forward, as data: diagnostics are made of it where their pages are.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::Span;
use crate::graph::op::Claim;

/// Longest headline, in characters.
const MAX_HEADLINE: usize = 72;

/// A mistake in a forward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What kind.
    pub kind: ProblemKind,
    /// Smallest place that must change, in the item.
    pub span: Span,
    /// One clause, lower case.
    pub headline: String,
    /// Text at the span, may be empty.
    pub label: String,
    /// The other end of the contradiction.
    pub also: Option<(Span, String)>,
    /// Where numbers come from.
    pub because: Vec<String>,
    /// One action.
    pub help: Option<String>,
}

/// Kinds of [`Problem`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum ProblemKind {
    NotInForward,
    UnknownOperation,
    WrongArgument,
    UnboundName,
    ShapesDiffer,
    WrongResult,
    UndeclaredTensor,
    UncoveredAlternative,
    /// A note.
    UnusedTensor,
}

/// A question that only numbers answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenQuestion {
    /// What must hold.
    pub claim: Claim,
    /// The argument that it is about.
    pub span: Span,
    /// What is wrong if it does not.
    pub headline: String,
}

impl Problem {
    pub(super) fn new(
        kind: ProblemKind,
        span: Span,
        headline: impl Into<String>,
        label: impl Into<String>,
    ) -> Problem {
        // Lengths can be long, and a headline is short.
        let (headline, mut because): (String, _) = (headline.into(), Vec::new());
        let headline = match kind {
            ProblemKind::ShapesDiffer | ProblemKind::WrongResult
                if headline.chars().count() > MAX_HEADLINE =>
            {
                because.push(headline);
                "two lengths are not the same".to_owned()
            }
            _ => headline,
        };
        Problem { kind, span, headline, label: label.into(), also: None, because, help: None }
    }
}

impl OpenQuestion {
    /// Names of dims and defaults that it is about, sorted.
    pub fn names(&self) -> Vec<&str> {
        let (Claim::Equal(a, b) | Claim::Divides(a, b) | Claim::AtMost(a, b)) = &self.claim;
        let mut names: Vec<&str> = a.names().into_iter().chain(b.names()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The problem that it is with these numbers; none while a number is not known.
    pub fn answer(&self, numbers: &BTreeMap<Arc<str>, u64>) -> Option<Problem> {
        let number = |name: &str| numbers.get(name).copied();
        let (Claim::Equal(a, b) | Claim::Divides(a, b) | Claim::AtMost(a, b)) = &self.claim;
        let holds = match (&self.claim, a.value(&number), b.value(&number)) {
            (Claim::Equal(..), Some(a), Some(b)) => a == b,
            (Claim::Divides(..), Some(0), Some(_)) => false,
            (Claim::Divides(..), Some(a), Some(b)) => b.is_multiple_of(a),
            (Claim::AtMost(..), Some(a), Some(b)) => a <= b,
            _ => true,
        };
        if holds {
            return None;
        }
        let mut problem = Problem::new(ProblemKind::ShapesDiffer, self.span, self.headline.clone(), "");
        problem.because = self.names().iter().filter_map(|n| Some(format!("{n} = {}", number(n)?))).collect();
        Some(problem)
    }
}
