//! Requirements on a perplexity that no run could measure: what `icpc run` would find out at its end.

use super::requirement::UNDECIDED_REQUIREMENT;
use crate::diag::{Diagnostic, Loc, Place};
use crate::hir::{Metric, Recipe};

/// Whether a model's forward gives scores of the next token.
#[derive(Clone, Debug, PartialEq)]
pub enum Predicts {
    /// It does, as far as is known; or what is wrong is said elsewhere.
    Perhaps,
    /// No architecture fits the checkpoint.
    NoArchitecture,
    /// The architecture of this name declares none.
    NoForward(String),
    /// Tokens see those behind them.
    SeesAhead {
        /// Name of the architecture.
        arch: String,
        /// The operation in which they do.
        at: Loc,
    },
}

/// Each requirement on a perplexity with a text to measure it on; without one, the plan says so.
pub fn check(recipe: &Recipe, predicts: &Predicts) -> Vec<Diagnostic> {
    let has_text = recipe.evaluate.as_ref().is_some_and(|e| e.get("data").is_some());
    let asks = recipe.requirements.iter().filter(|r| has_text && r.metric == Metric::Perplexity);
    let report = |headline: String, at: &Loc| {
        Diagnostic::new(&UNDECIDED_REQUIREMENT, at.clone(), headline)
            .label("stays undecided, so `icpc run` ends with exit code 4")
    };
    let one = |at: &Loc| match predicts {
        Predicts::Perhaps => None,
        Predicts::NoArchitecture => {
            let d = report("no architecture is known that computes this checkpoint".to_owned(), at);
            Some(d.help("declare one with a `forward` and name it with `for`; docs/forward.md says how"))
        }
        Predicts::NoForward(arch) => {
            let d = report(format!("`{arch}` declares no `forward`, so nothing is computed"), at);
            Some(d.help("write its `forward`; docs/forward.md says how"))
        }
        Predicts::SeesAhead { arch, at: seen } => {
            let d = report(format!("tokens of `{arch}` see those behind them, so none is predicted"), at);
            let d = d.also(Place::Source(seen.clone()), "here");
            Some(d.help("perplexity is for models that predict the next token: leave the requirement out"))
        }
    };
    asks.filter_map(|requirement| one(&requirement.loc)).collect()
}
