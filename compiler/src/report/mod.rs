//! What a run tells: data, its JSON and its Markdown. Stands below `exec`, which fills it in; time and machine appear
//! here and nowhere else in an output.

mod data;
mod markdown;
mod metric;
mod tune;

pub use data::{
    CalibrationReport, FileReport, JobReport, PartReport, Provenance, REPORT_SCHEMA, RunReport, RunTime,
    SelectionReport, SourceFileReport, TensorReport, TextHash, Totals, Worker,
};
pub use markdown::to_markdown;
pub(crate) use metric::native;
pub use metric::{Comparison, LargestDifference, METRIC_SCHEMA, Metric, ModelIdentity};
pub use tune::{StepLoss, StepPerplexity, TuneReport};

/// Pretty JSON with a final newline.
pub fn to_json(report: &RunReport) -> String {
    // Numbers, strings and lists only: there is nothing that could fail.
    let mut text = serde_json::to_string_pretty(report).unwrap_or_default();
    text.push('\n');
    text
}
