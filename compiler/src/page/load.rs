//! Reads what a page shows: reports of outputs, and a measurement of sensitivities.

use std::path::Path;

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
    let text =
        read(&file.to_string_lossy()).map_err(|e| format!("{e}; give the folder that `icpc run` wrote"))?;
    let wrong = |e: serde_json::Error| {
        format!("{}: it is no report of this version of icpc ({e}); run the recipe again", file.display())
    };
    let report: RunReport = serde_json::from_str(&text).map_err(wrong)?;
    let quality = quality(&report);
    Ok(Output { name: path.trim_end_matches('/').to_owned(), report, quality })
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
fn quality(report: &RunReport) -> Option<Quality> {
    let metric = report.evaluation.as_ref()?;
    Some(Quality {
        perplexity: metric.perplexity,
        baseline: metric.against.as_ref().map(|a| a.perplexity),
        divergence: metric.against.as_ref().and_then(|a| a.divergence),
        measured: format!("{}, shift {}", metric.data.name, metric.shift),
    })
}
