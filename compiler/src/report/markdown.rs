//! `report.md`: the same as tables.

use std::fmt::Write as _;

use super::data::{JobReport, RunReport, TensorReport, Worker};
use crate::base::{count, human_bytes, plural, with_thousands};

/// The report as Markdown, ending in a newline.
pub fn to_markdown(report: &RunReport) -> String {
    let mut out = String::new();
    let totals = &report.totals;
    // writing to a string cannot fail
    let _ = writeln!(out, "# {}\n", cell(&report.recipe));
    let _ = writeln!(
        out,
        "{} of {} became {} of {} ({}) as {}{}.\n",
        human_bytes(totals.source_bytes),
        count(totals.source_tensors, "tensor"),
        human_bytes(totals.stored_bytes),
        count(totals.tensors, "tensor"),
        totals.ratio.map_or("nothing".to_owned(), |ratio| format!("{ratio:.3}x smaller")),
        report.container,
        match totals.clipped {
            0 => String::new(),
            n => format!("; {} {} clipped", with_thousands(n), plural(n, "value")),
        },
    );
    selections(report, &mut out);
    out.push_str("## Tensors\n\n");
    out.push_str(
        "| tensor | shape | format | before | after | SQNR | cosine | largest error | clipped | arm |\n",
    );
    out.push_str("| --- | --- | --- | --: | --: | --: | --: | --: | --: | --- |\n");
    for tensor in &report.tensors {
        row(tensor, &mut out);
    }
    out.push_str("\n## Files\n\n| file | bytes |\n| --- | --: |\n");
    for file in &report.files {
        let _ = writeln!(out, "| `{}` | {} |", cell(&file.name), with_thousands(file.bytes));
    }
    tune(report, &mut out);
    evaluation(report, &mut out);
    provenance(report, &mut out);
    out
}

fn tune(report: &RunReport, out: &mut String) {
    let Some(tune) = &report.tune else { return };
    out.push_str("\n## Training\n\n");
    let _ = writeln!(
        out,
        "{} on {} of `{}`, in {:.1} s on {} with {} (libtorch {}).\n",
        count(tune.steps, "step"),
        count(tune.windows, "window"),
        cell(tune.data.as_ref().map_or("", |data| data.name.as_str())),
        tune.seconds,
        tune.device,
        count(tune.threads as u64, "thread"),
        tune.libtorch
    );
    out.push_str("| step | loss | perplexity |\n| --: | --: | --: |\n");
    let mut steps: Vec<u64> = tune.losses.iter().map(|l| l.step).collect();
    steps.extend(tune.perplexities.iter().map(|p| p.step));
    steps.sort_unstable();
    steps.dedup();
    for step in steps {
        let loss = tune.losses.iter().find(|l| l.step == step).map(|l| format!("{:.4}", l.loss));
        let perplexity = tune.perplexities.iter().find(|p| p.step == step);
        let perplexity = perplexity.map(|p| format!("{:.4}", p.perplexity));
        let _ = writeln!(
            out,
            "| {} | {} | {} |",
            with_thousands(step),
            loss.unwrap_or_default(),
            perplexity.unwrap_or_default()
        );
    }
}

fn evaluation(report: &RunReport, out: &mut String) {
    let Some(metric) = &report.evaluation else { return };
    out.push_str("\n## Perplexity\n\n");
    let _ = writeln!(
        out,
        "On `{}`: windows of {} tokens, stride {}, targets {} ahead, {} scored.\n",
        cell(&metric.data.name),
        metric.window,
        metric.stride,
        metric.shift,
        with_thousands(metric.scored)
    );
    out.push_str("| model | perplexity | loss | top-1 |\n| --- | --: | --: | --: |\n");
    let mut row = |name: &str, perplexity: f64, loss: f64, top1: f64| {
        let _ = writeln!(out, "| {name} | {perplexity:.4} | {loss:.6} | {:.2}% |", top1 * 100.0);
    };
    if let Some(against) = &metric.against {
        row("source", against.perplexity, against.loss, against.top1);
    }
    row("output", metric.perplexity, metric.loss, metric.top1);
    for warning in &metric.warnings {
        let _ = writeln!(out, "\nWarning: {}.", cell(warning));
    }
}

fn selections(report: &RunReport, out: &mut String) {
    if report.selections.is_empty() {
        return;
    }
    out.push_str("## Selections\n\n| dim | where | by | kept | scores |\n| --- | --- | --- | --- | --- |\n");
    for s in &report.selections {
        let kept = shortened(s.kept.iter().map(u64::to_string));
        let scores = shortened(s.scores.iter().map(|score| format!("{score:.4}")));
        let place = if s.scope.is_empty() { "the model" } else { &s.scope };
        let number = format!("{} of {}: {kept}", s.kept.len(), s.of);
        let _ = writeln!(out, "| {} | {} | {} | {number} | {scores} |", cell(&s.dim), cell(place), s.by);
    }
    out.push('\n');
}

/// Up to 16 items; the JSON has all.
fn shortened(items: impl ExactSizeIterator<Item = String>) -> String {
    let more = items.len().saturating_sub(16);
    let shown: Vec<String> = items.take(16).collect();
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

fn row(tensor: &TensorReport, out: &mut String) {
    let shape: Vec<String> = tensor.shape.iter().map(u64::to_string).collect();
    let number = |value: Option<f64>, digits: usize| value.map_or(String::new(), |v| format!("{v:.digits$}"));
    let exact = tensor.mse == Some(0.0);
    let _ = writeln!(
        out,
        "| `{}` | {} | {} -> {} | {} | {} | {} | {} | {} | {} | {} {} |",
        cell(&tensor.name),
        shape.join(" × "),
        tensor.dtype,
        cell(&tensor.format),
        with_thousands(tensor.source_bytes),
        with_thousands(tensor.bytes),
        if exact {
            "exact".to_owned()
        } else {
            tensor.sqnr_db.map_or(String::new(), |db| format!("{db:.2} dB"))
        },
        number(tensor.cosine, 6),
        tensor.largest_error.map_or(String::new(), |error| format!("{error:.3e}")),
        tensor.clipped.filter(|n| *n > 0).map_or(String::new(), with_thousands),
        tensor.arm,
        cell(&tensor.pattern),
    );
}

fn provenance(report: &RunReport, out: &mut String) {
    let p = &report.provenance;
    out.push_str("\n## Provenance\n\n");
    let _ = writeln!(out, "- icpc {}", p.version);
    for worker in &p.workers {
        let Worker { task, tasks, kernels, threads, job } = worker;
        let _ = write!(out, "- kernels {}, {}", cell(kernels), count(*threads as u64, "thread"));
        if *tasks > 1 {
            let _ = write!(out, ", task {} of {tasks}", task + 1);
        }
        if let Some(JobReport { id, node, restarts }) = job {
            let _ = write!(out, ", job {} on {}", cell(id), cell(node));
            if *restarts > 0 {
                let _ = write!(out, ", requeued {}", count(u64::from(*restarts), "time"));
            }
        }
        out.push('\n');
    }
    let _ = writeln!(out, "- plan {}", p.plan_hash);
    let _ = writeln!(out, "- checkpoint header {}", p.header_hash);
    for file in &p.source_files {
        let _ = writeln!(out, "- read `{}`, {} bytes", cell(&file.name), with_thousands(file.bytes));
    }
    for text in &p.texts {
        let _ = writeln!(out, "- text `{}` {}", cell(&text.name), text.sha256);
    }
    if let Some(c) = &p.calibration {
        let samples = count(c.samples, "sample");
        let seed = c.seed.map_or(String::new(), |seed| format!(", seed {seed}"));
        let of = match (&c.statistics, &report.tune) {
            (Some(statistics), _) => format!(", read in `{}`", cell(&statistics.name)),
            (None, Some(_)) => ", run through the trained model".to_owned(),
            (None, None) => String::new(),
        };
        let data = cell(&c.data.name);
        let _ = writeln!(
            out,
            "- activations of {samples} of at most {} tokens of `{data}`{seed}{of}",
            c.max_length
        );
    }
    let _ = writeln!(out, "- {:.2} seconds", report.time.seconds);
    if let Some(peak) = report.time.peak_memory {
        let _ = writeln!(out, "- {} of memory at most", human_bytes(peak));
    }
}

/// Names come from untrusted files: nothing in them ends a cell, a line or a code span.
fn cell(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '|' => '¦',
            '`' => '\'',
            c if c.is_control() => ' ',
            c => c,
        })
        .collect()
}
