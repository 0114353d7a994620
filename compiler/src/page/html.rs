//! The page: figures, and every number in a table.

use std::fmt::Write as _;

use super::cells::{Cell, cells, layers};
use super::load::Output;
use super::svg::escape;
use super::{Contents, figures};
use crate::base::{count, human_bytes, with_thousands};
use crate::report::RunReport;
use crate::sensitivity::Sensitivity;

/// Rows of a table of tensors; above that, tensors that differ in numbers only are one row.
const ROWS: usize = 3000;

const STYLE: &str = "\
    :root { color-scheme: light }\n\
    body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; padding: 0 1rem; color: #111; background: #fff }\n\
    h1, h2, h3 { line-height: 1.2 } h2 { border-top: 2px solid #333; padding-top: 1rem; margin-top: 3rem }\n\
    figure { margin: 1.5rem 0; break-inside: avoid } svg { width: 100%; height: auto } figcaption { color: #444 }\n\
    table { border-collapse: collapse; font-size: 13px; margin: 1rem 0 } th, td { padding: .15rem .6rem .15rem 0; text-align: left; vertical-align: top }\n\
    th { border-bottom: 1px solid #333 } td.n, th.n { text-align: right; font-variant-numeric: tabular-nums } tr { break-inside: avoid }\n\
    code { font: 12px ui-monospace, monospace; overflow-wrap: anywhere } h2 code { font-size: 1em } caption { text-align: left; font-weight: bold }\n\
    @media print { body { font-size: 10pt; margin: 0; max-width: none } h2 { break-before: page } h2.first { break-before: auto } }\n";

/// The document.
pub(super) fn document(contents: &Contents) -> String {
    let names: Vec<&str> = contents.outputs.iter().map(|o| o.report.recipe.as_str()).collect();
    let title = format!("compression report: {}", names.join(", "));
    let mut body = format!("<h1>{}</h1>\n", escape(&title));
    sizes(contents, &mut body);
    for (number, output) in contents.outputs.iter().enumerate() {
        self::output(output, number, &mut body);
    }
    if let Some(found) = &contents.sensitivity {
        sensitivity(found, &mut body);
    }
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n",
        escape(&title)
    )
}

fn figure(svg: &str, caption: &str, out: &mut String) {
    let _ = writeln!(out, "<figure>\n{svg}<figcaption>{}</figcaption>\n</figure>", escape(caption));
}

/// A table; columns whose head begins with `#` hold numbers, and cells are HTML already.
fn table(caption: &str, head: &[&str], rows: impl Iterator<Item = Vec<String>>, out: &mut String) {
    let class = |head: &&str| if head.starts_with('#') { " class=\"n\"" } else { "" };
    let heads: String =
        head.iter().map(|h| format!("<th{}>{}</th>", class(h), escape(h.trim_start_matches('#')))).collect();
    let _ = writeln!(
        out,
        "<table>\n<caption>{}</caption>\n<thead><tr>{heads}</tr></thead>\n<tbody>",
        escape(caption)
    );
    for row in rows {
        let cells: String =
            head.iter().zip(row).map(|(h, cell)| format!("<td{}>{cell}</td>", class(h))).collect();
        let _ = writeln!(out, "<tr>{cells}</tr>");
    }
    out.push_str("</tbody>\n</table>\n");
}

fn code(text: &str) -> String {
    format!("<code>{}</code>", escape(text))
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or(String::new(), |v| format!("{v:.digits$}"))
}

fn sizes(contents: &Contents, out: &mut String) {
    out.push_str("<h2 class=\"first\">Size and quality</h2>\n");
    let has_quality = contents.outputs.iter().any(|o| o.quality.is_some());
    let caption = match has_quality {
        true => "Bytes of the weights, scales included, and perplexity where it was measured.",
        false => "Bytes of the weights, scales included. No report holds a perplexity.",
    };
    figure(&figures::sizes(&contents.outputs, "size"), caption, out);
    let head = [
        "output",
        "recipe",
        "container",
        "#bytes before",
        "#bytes after",
        "#ratio",
        "#file bytes",
        "#clipped",
        "#perplexity",
        "#of baseline",
        "#divergence",
        "measured on",
    ];
    let rows = contents.outputs.iter().map(|output| {
        let (totals, q) = (&output.report.totals, output.quality.as_ref());
        let ratio = q.and_then(|q| Some(q.perplexity / q.baseline? * 100.0));
        vec![
            code(&output.name),
            code(&output.report.recipe),
            escape(&output.report.container),
            with_thousands(totals.source_bytes),
            with_thousands(totals.stored_bytes),
            totals.ratio.map_or(String::new(), |r| format!("{r:.3}x")),
            with_thousands(totals.file_bytes),
            with_thousands(totals.clipped),
            number(q.map(|q| q.perplexity), 4),
            ratio.map_or(String::new(), |r| format!("{r:.2}%")),
            q.and_then(|q| q.divergence).map_or(String::new(), |d| format!("{d:.3e}")),
            q.map_or(String::new(), |q| escape(&q.measured)),
        ]
    });
    table("Size and quality", &head, rows, out);
}

fn output(output: &Output, index: usize, out: &mut String) {
    let report = &output.report;
    let _ = writeln!(out, "<h2>{}</h2>", code(&output.name));
    let totals = &report.totals;
    let _ = writeln!(
        out,
        "<p>{} in {} became {}. Recipe {}, icpc {}, checkpoint header {}.</p>",
        human_bytes(totals.source_bytes),
        count(totals.source_tensors, "tensor"),
        human_bytes(totals.stored_bytes),
        code(&report.recipe),
        escape(&report.provenance.version),
        code(&report.provenance.header_hash),
    );
    let caption = "Area is stored bytes. Pattern and frame group tensors by the bits that an element takes; a name stands where it \
                   has room.";
    figure(&figures::precision(report, &format!("p{index}")), caption, out);
    match figures::errors(report, &format!("e{index}")) {
        Some(svg) => {
            let caption = "Signal to noise: bars are layers, marks their tensors. 6 dB are a bit; further right is better.";
            figure(&svg, caption, out);
        }
        None => {
            out.push_str("<p>No format of this output loses anything, so there is no figure of errors.</p>\n")
        }
    }
    let head = [
        "layer",
        "#tensors",
        "#bytes before",
        "#bytes after",
        "#bits an element",
        "#SQNR, dB",
        "#largest error",
    ];
    let rows = layers(report).into_iter().map(|c| {
        vec![
            code(&c.name),
            with_thousands(c.tensors),
            with_thousands(c.before),
            with_thousands(c.after),
            format!("{:.2}", c.bits()),
            sqnr(&c),
            error(c.largest_error),
        ]
    });
    table("Layers", &head, rows, out);
    tensors(report, out);
}

fn sqnr(cell: &Cell) -> String {
    match (cell.noise, cell.sqnr()) {
        (None, _) => String::new(),
        (Some(0.0), _) => "exact".to_owned(),
        (_, db) => number(db, 2),
    }
}

fn error(value: Option<f64>) -> String {
    value.map_or(String::new(), |v| format!("{v:.3e}"))
}

fn tensors(report: &RunReport, out: &mut String) {
    let rows = cells(report, ROWS);
    let caption = match rows.len() < report.tensors.len() {
        true => format!(
            "{}, those that differ in numbers only as one",
            count(report.tensors.len() as u64, "tensor")
        ),
        false => "Tensors".to_owned(),
    };
    let head = [
        "tensor",
        "#tensors",
        "shape",
        "from",
        "format",
        "#bytes before",
        "#bytes after",
        "#bits an element",
        "#SQNR, dB",
        "#cosine",
        "#largest error",
        "#clipped",
    ];
    let rows = rows.into_iter().map(|c| {
        vec![
            code(&c.name),
            with_thousands(c.tensors),
            escape(&c.shape),
            escape(&c.from),
            code(&c.format),
            with_thousands(c.before),
            with_thousands(c.after),
            format!("{:.2}", c.bits()),
            sqnr(&c),
            number(c.cosine, 6),
            error(c.largest_error),
            with_thousands(c.clipped),
        ]
    });
    table(&caption, &head, rows, out);
}

fn sensitivity(found: &Sensitivity, out: &mut String) {
    out.push_str("<h2>Sensitivity</h2>\n");
    let _ = writeln!(
        out,
        "<p>{} with one {} at a time in another format, everything else as it is. {} windows of {} tokens of {}, tokenizer {}, \
         shift {}; perplexity of the checkpoint {:.4}.</p>",
        code(&found.checkpoint),
        found.by.noun(),
        with_thousands(found.windows),
        with_thousands(found.window),
        code(&found.data.name),
        code(&found.tokenizer.name),
        found.shift,
        found.perplexity,
    );
    let caption = "Mean divergence from the checkpoint in nats, on a logarithmic scale; the longest bars are what must stay precise.";
    figure(&figures::sensitivity(found, "s"), caption, out);
    let head = [
        "group",
        "format",
        "#bytes",
        "#saved",
        "#divergence, nats",
        "#change of loss, nats",
        "#perplexity",
        "#divergence / MB saved",
    ];
    let rows = found.trials.iter().map(|t| {
        vec![
            code(&t.group),
            code(&t.format),
            with_thousands(t.bytes),
            t.saved.to_string(),
            t.divergence.map_or_else(|| escape(t.problem.as_deref().unwrap_or("")), |d| format!("{d:.3e}")),
            t.loss_change.map_or(String::new(), |d| format!("{d:+.3e}")),
            number(t.perplexity, 4),
            t.divergence_per_megabyte.map_or(String::new(), |d| format!("{d:.3e}")),
        ]
    });
    table("Trials, the cheapest first", &head, rows, out);
}
