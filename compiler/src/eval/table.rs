//! Metrics for people and programs.

use std::fmt::Write as _;

use super::error::EvalError;
use crate::base::{human_bytes, with_thousands};
use crate::report::{Comparison, Metric, TextHash};

/// Pretty JSON with a final newline.
pub fn metric_json(metric: &Metric) -> String {
    // Numbers, strings and lists only: there is nothing that could fail.
    let mut text = serde_json::to_string_pretty(metric).unwrap_or_default();
    text.push('\n');
    text
}

/// Sets a metric of another model, read from the file `path`, against `metric`.
///
/// # Errors
/// A measurement of another text, or made in another way: it is no comparison.
pub fn compare_with(metric: &mut Metric, other: &Metric, path: &str) -> Result<(), EvalError> {
    let differences = metric.differs(other);
    if !differences.is_empty() {
        let message = format!("the two metrics are no comparison: {}", differences.join("; "));
        return Err(EvalError::new(path, "comparing", message)
            .remedy("measure both on the same data in the same way: `--against` also takes the checkpoint"));
    }
    metric.against = Some(Comparison {
        model: other.model.clone(),
        loss: other.loss,
        perplexity: other.perplexity,
        top1: other.top1,
        ratio: metric.perplexity / other.perplexity,
        agreement: None,
        divergence: None,
        largest_difference: None,
    });
    Ok(())
}

/// A table.
pub fn metric_text(metric: &Metric) -> String {
    let mut out = String::new();
    // writing to a string cannot fail
    let _ = writeln!(out, "model      {}", metric.model.path);
    let _ = writeln!(out, "data       {}{}", metric.data.name, short(&metric.data));
    let _ = writeln!(out, "tokenizer  {}{}", metric.tokenizer.name, short(&metric.tokenizer));
    let _ = writeln!(
        out,
        "windows    {} of {} tokens, stride {}, targets {} ahead, {} scored",
        with_thousands(metric.windows),
        metric.window,
        metric.stride,
        metric.shift,
        with_thousands(metric.scored)
    );
    if metric.backend != crate::report::native() {
        let _ = writeln!(out, "backend    {}", metric.backend);
    }
    if let Some(activations) = &metric.activations {
        let _ = writeln!(out, "activations  {activations}");
    }
    if let Some(unknown) = metric.unknown.filter(|n| *n > 0) {
        let share = unknown as f64 / metric.tokens.max(1) as f64 * 100.0;
        let _ = writeln!(out, "unknown    {} tokens, {share:.1}%", with_thousands(unknown));
    }
    if !metric.model.assumed.is_empty() {
        let _ = writeln!(out, "assumed    {}", metric.model.assumed.join(", "));
    }
    let row = |name: &str, ours: String, theirs: Option<String>, change: String| match theirs {
        Some(theirs) => format!("{name:<22}{ours:>14}{theirs:>14}  {change}"),
        None => format!("{name:<22}{ours:>14}"),
    };
    let against = metric.against.as_ref();
    if let Some(against) = against {
        let _ = writeln!(out, "baseline   {}", against.model.path);
        let header = row("", "model".into(), Some("baseline".into()), String::new());
        let _ = writeln!(out, "\n{}", header.trim_end());
    } else {
        out.push('\n');
    }
    let change = against.map_or(String::new(), |a| format!("{:.2}%", a.ratio * 100.0));
    let number = |n: f64| format!("{n:.4}");
    let lines = [
        row("perplexity", number(metric.perplexity), against.map(|a| number(a.perplexity)), change),
        row(
            "loss (nats)",
            format!("{:.6}", metric.loss),
            against.map(|a| format!("{:.6}", a.loss)),
            String::new(),
        ),
        row("top-1", percent(metric.top1), against.map(|a| percent(a.top1)), String::new()),
        row(
            "weights in memory",
            human_bytes(metric.model.weight_bytes),
            against.map(|a| human_bytes(a.model.weight_bytes)),
            String::new(),
        ),
    ];
    for line in lines {
        let _ = writeln!(out, "{}", line.trim_end());
    }
    if let Some(against) = against {
        if let Some(agreement) = against.agreement {
            let _ = writeln!(out, "{:<22}{:>14}", "same first choice", percent(agreement));
        }
        if let Some(divergence) = against.divergence {
            let _ = writeln!(out, "{:<22}{divergence:>14.6}", "KL divergence (nats)");
        }
        if let Some(d) = against.largest_difference {
            let place = format!("window {}, position {}, token {}", d.window, d.position, d.token);
            let _ = writeln!(out, "{:<22}{:>14.6}  {place}", "largest difference", d.value);
        }
    }
    out
}

fn short(text: &TextHash) -> String {
    text.sha256.get(..12).map_or(String::new(), |hash| format!("  sha256 {hash}..."))
}

fn percent(share: f64) -> String {
    format!("{:.2}%", share * 100.0)
}
