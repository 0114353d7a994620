//! One page of text.

use std::fmt::Write as _;

use super::{Measured, Rate, Timed};
use crate::base::{count, human_bytes};
use crate::diag::clean;

/// The page.
pub fn print(measured: &Measured) -> String {
    let mut out = String::new();
    let [first, last] = measured.bandwidth;
    // writing to a string cannot fail
    let _ = writeln!(
        out,
        "{}, {}; {}, models in turn",
        measured.kernels,
        count(measured.threads as u64, "thread"),
        count(measured.rounds as u64, "round"),
    );
    let _ = writeln!(out, "memory is read at {first:.1} GB/s before and {last:.1} GB/s after");
    if let Some(peak) = measured.peak_memory {
        let _ = writeln!(out, "{} of memory at most, all models and this measurement", human_bytes(peak));
    }
    let _ = writeln!(out, "\nprompt of {}", count(measured.prompt as u64, "token"));
    let baseline = measured.models.first();
    for model in &measured.models {
        let against = baseline.map(|b| b.prompt.seconds.median);
        let _ = writeln!(out, "  {}{}", rate(&model.prompt, against), name(measured, model));
    }
    if measured.generate > 0 {
        let before = count(measured.before as u64, "token");
        let _ = writeln!(out, "\n{} behind {before}", count(measured.generate as u64, "single token"));
        for model in &measured.models {
            let against = baseline.and_then(|b| b.token.as_ref()).map(|t| t.seconds.median);
            let _ = match &model.token {
                Some(token) => writeln!(out, "  {}{}", rate(token, against), name(measured, model)),
                None => writeln!(out, "  {:<68}{}", "not computed token by token", name(measured, model)),
            };
        }
    }
    out.push_str("\nweights\n");
    for model in &measured.models {
        let copies = match model.copied_bytes {
            0 => String::new(),
            n => format!(" + {} of copies", human_bytes(n)),
        };
        let share = match (model.read_rate, model.share) {
            (Some(rate), Some(share)) => format!(" = {rate:.1} GB/s, {:.0}% of the bandwidth", share * 100.0),
            (Some(rate), None) => format!(" = {rate:.1} GB/s"),
            _ => String::new(),
        };
        let read = human_bytes(model.read_bytes);
        let weights = format!("{}{copies}", human_bytes(model.weight_bytes));
        let _ =
            writeln!(out, "  {weights:<32}{:<60}{}", format!("{read} a token{share}"), name(measured, model));
    }
    notes(measured, &mut out);
    out
}

/// A model, and where it was computed unless all were computed by the native engine.
fn name(measured: &Measured, model: &Timed) -> String {
    match measured.models.iter().any(|m| m.backend != "native") {
        true => format!("{} on {}", clean(&model.path), model.backend),
        false => clean(&model.path),
    }
}

/// `  3.94 ms (least 3.90, p90 4.02)   32,487 tokens/s  1.00x  `.
fn rate(rate: &Rate, against: Option<f64>) -> String {
    let s = &rate.seconds;
    let (unit, scale) = if s.median < 1e-3 { ("µs", 1e6) } else { ("ms", 1e3) };
    let times =
        format!("{:.3} {unit} (least {:.3}, p90 {:.3})", s.median * scale, s.least * scale, s.p90 * scale);
    let faster = against.map_or(String::new(), |a| format!("{:.2}x", a / s.median.max(1e-12)));
    format!("{times:<40}{:>10.0} tokens/s {faster:>7}  ", rate.tokens_per_second)
}

fn notes(measured: &Measured, out: &mut String) {
    if measured.models.iter().any(|m| m.share.is_some_and(|share| share > 1.0)) {
        out.push_str("\nabove 100%: these weights lie in a cache\n");
    }
    for model in measured.models.iter().filter(|m| !m.assumed.is_empty()) {
        let _ = writeln!(out, "\n{}: assumed {}", clean(&model.path), clean(&model.assumed.join(", ")));
    }
}
