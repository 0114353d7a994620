//! Reads what a page shows: reports of outputs, and a measurement of sensitivities.

use std::path::Path;

use serde_json::Value;

use crate::report::RunReport;
use crate::sensitivity::{SENSITIVITY_SCHEMA, Sensitivity};
use crate::system::plain;

/// Largest file that is read.
const LARGEST: u64 = 512 << 20;

/// An output.
#[derive(Clone, Debug)]
pub struct Output {
    /// As it was named.
    pub name: String,
    /// Its `report.json`.
    pub report: RunReport,
    /// What its report says of its quality.
    pub quality: Option<Quality>,
}

/// A perplexity.
#[derive(Clone, Debug, PartialEq)]
pub struct Quality {
    /// Of the output.
    pub perplexity: f64,
    /// Of what it was made of.
    pub baseline: Option<f64>,
    /// Mean divergence in nats.
    pub divergence: Option<f64>,
    /// Text, and how far ahead a target is.
    pub measured: String,
}

/// Reads the report of the output in folder `path`.
///
/// # Errors
/// A sentence with the file and the remedy.
pub fn output(path: &str) -> Result<Output, String> {
    let file = Path::new(path).join("report.json");
    let text = read(&file.to_string_lossy())
        .map_err(|e| format!("{e}; give the folder that `icpc run` wrote"))?;
    let wrong = |e: serde_json::Error| {
        format!("{}: it is no report of this version of icpc ({e}); run the recipe again", file.display())
    };
    let value: Value = serde_json::from_str(&text).map_err(wrong)?;
    let report: RunReport = serde_json::from_str(&text).map_err(wrong)?;
    Ok(Output { name: path.trim_end_matches('/').to_owned(), report, quality: quality(&value) })
}

/// Reads what `icpc sensitivity --format json` printed.
///
/// # Errors
/// A sentence with the file and the remedy.
pub fn sensitivity(path: &str) -> Result<Sensitivity, String> {
    let text = read(path)?;
    let found: Sensitivity = serde_json::from_str(&text).map_err(|e| {
        format!("{path}: it is not what `icpc sensitivity --format json` prints ({e}); measure again")
    })?;
    match found.schema {
        SENSITIVITY_SCHEMA => Ok(found),
        other => Err(format!("{path}: its schema is {other}, not {SENSITIVITY_SCHEMA}; measure again")),
    }
}

fn read(path: &str) -> Result<String, String> {
    let failed = |e: std::io::Error| format!("cannot read `{path}`: {}", plain(&e));
    let meta = std::fs::metadata(path).map_err(failed)?;
    if !meta.is_file() || meta.len() > LARGEST {
        return Err(format!("cannot read `{path}`: it is no file of at most {LARGEST} bytes"));
    }
    std::fs::read_to_string(path).map_err(failed)
}

/// The metric in a report, if it has one.
fn quality(report: &Value) -> Option<Quality> {
    let metric = ["evaluation", "metric", "quality"].iter().find_map(|key| {
        report.get(key).filter(|v| v.get("perplexity").is_some_and(Value::is_f64))
    })?;
    let number = |value: Option<&Value>| value.and_then(Value::as_f64).filter(|n| n.is_finite());
    let against = metric.get("against");
    let data = metric.get("data").and_then(|d| d.get("name")).and_then(Value::as_str).unwrap_or("a text");
    let shift = metric.get("shift").and_then(Value::as_u64).unwrap_or(1);
    Some(Quality {
        perplexity: number(metric.get("perplexity"))?,
        baseline: number(against.and_then(|a| a.get("perplexity"))),
        divergence: number(against.and_then(|a| a.get("divergence"))),
        measured: format!("{data}, shift {shift}"),
    })
}
