//! One page of text.

use std::fmt::Write as _;

use super::data::{Sensitivity, Trial};
use crate::base::{count, human_bytes};
use crate::diag::clean;

/// The page: one trial a line, the cheapest for a byte first.
pub fn print(found: &Sensitivity) -> String {
    let mut out = String::new();
    // writing to a string cannot fail
    let _ = writeln!(
        out,
        "{}: perplexity {:.4} on {} in {} of {}, shift {}",
        clean(&found.checkpoint),
        found.perplexity,
        count(found.scored, "target"),
        count(found.windows, "window"),
        count(found.window, "token"),
        found.shift,
    );
    let _ = writeln!(
        out,
        "{} of tensors; one {} at a time in another format, the rest as it is\n",
        human_bytes(found.bytes),
        found.by.noun()
    );
    let name = |t: &Trial| clean(&t.group).chars().count();
    let wide = found.trials.iter().map(name).max().unwrap_or(5).max(5);
    let format = found.trials.iter().map(|t| t.format.chars().count()).max().unwrap_or(6).max(6);
    let _ = writeln!(
        out,
        "{:<wide$}  {:<format$}  {:>8}  {:>8}  {:>10}  {:>10}  {:>11}  {:>10}",
        "group", "format", "bytes", "saved", "divergence", "loss", "perplexity", "div / MB"
    );
    for trial in &found.trials {
        let group = clean(&trial.group);
        let _ = write!(out, "{group:<wide$}  {:<format$}  {:>8}  ", trial.format, human_bytes(trial.bytes));
        let saved = match u64::try_from(trial.saved) {
            Ok(saved) => human_bytes(saved),
            Err(_) => format!("-{}", human_bytes(trial.saved.unsigned_abs())),
        };
        let _ = match (trial.divergence, trial.loss_change, trial.perplexity) {
            (Some(divergence), Some(loss), Some(perplexity)) => writeln!(
                out,
                "{saved:>8}  {divergence:>10.2e}  {loss:>+10.2e}  {perplexity:>11.4}  {:>10}",
                trial.divergence_per_megabyte.map_or_else(String::new, |rate| format!("{rate:.2e}"))
            ),
            _ => writeln!(out, "{saved:>8}  {}", clean(trial.problem.as_deref().unwrap_or("no numbers"))),
        };
    }
    out
}
