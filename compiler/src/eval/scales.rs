//! What static scales of activations come from: samples that a run measures on, or a file that `icpc calibrate` wrote.

use std::collections::BTreeMap;
use std::path::Path;

use icpc_kernels::format::Percentile;

use super::calibration::{Calibrated, Calibration, calibrate, samples_of};
use super::calibration_file::{self, CalibrationFile};
use super::error::EvalError;
use super::model::{Model, longest};
use super::settings::Protocol;
use super::tokens::Tokens;
use crate::exec::{Calibrator, Magnitudes, Progress, RunError, RunErrorKind, Stop};
use crate::hir::Settings;
use crate::report::CalibrationReport;
use crate::session::Session;

/// Makes a session that holds the recipe, with its parameters.
pub type Reopen = Box<dyn Fn() -> Result<Session, EvalError> + Send + Sync>;

/// The model that is measured, and on what.
pub struct Scales {
    record: CalibrationReport,
    /// The recipe's file, its name, its checkpoint.
    model: (String, String, String),
    reopen: Reopen,
    how: How,
}

enum How {
    Run(Box<(Tokens, Protocol)>),
    Read(Box<CalibrationFile>),
}

impl Scales {
    /// As `settings`, the recipe's `calibrate`, says. No weight is read.
    ///
    /// # Errors
    /// Data, a tokenizer or statistics that cannot be read; statistics of another checkpoint, data or protocol; fewer
    /// samples than were asked for.
    pub fn new(
        session: &Session,
        (file, recipe, checkpoint): (&str, &str, &str),
        settings: &Settings,
        reopen: Reopen,
    ) -> Result<Scales, EvalError> {
        let protocol = Protocol::of(settings);
        let model = (file.to_owned(), recipe.to_owned(), checkpoint.to_owned());
        if let Some(path) = protocol.statistics.clone() {
            let found = CalibrationFile::open(&path)?;
            let header = session.schema(checkpoint).map(|schema| schema.header_hash.clone());
            found.fit(header.as_deref(), &protocol)?;
            let Calibration { data, tokenizer, samples, max_length, seed, .. } = found.calibration.clone();
            let statistics = Some(found.text.clone());
            let record = CalibrationReport { data, tokenizer, samples, max_length, seed, statistics };
            return Ok(Scales { record, model, reopen, how: How::Read(Box::new(found)) });
        }
        let data = protocol.data.as_deref().ok_or_else(|| {
            EvalError::new(file, "calibrating", format!("`{recipe}` has no data to calibrate with"))
                .remedy("add `calibrate { data: \"text.txt\" }`")
        })?;
        let tokens = Tokens::read(data, protocol.tokenizer.as_deref())?;
        let graph = session.graph(file, recipe).and_then(|(graph, _)| graph);
        let (max_length, ..) = protocol.lengths(graph.as_ref().and_then(longest));
        let record = CalibrationReport {
            data: tokens.data.clone(),
            tokenizer: tokens.tokenizer.clone(),
            samples: samples_of(&tokens, &protocol, max_length)?.len() as u64,
            max_length: max_length as u64,
            seed: protocol.seed,
            statistics: None,
        };
        Ok(Scales { record, model, reopen, how: How::Run(Box::new((tokens, protocol))) })
    }

    fn measured(
        &self,
        wanted: &BTreeMap<String, Percentile>,
        progress: &dyn Progress,
        stop: &Stop,
    ) -> Result<Magnitudes, EvalError> {
        let (file, recipe, checkpoint) = &self.model;
        let mut session = (self.reopen)()?;
        match &self.how {
            How::Run(run) => {
                let (tokens, protocol) = run.as_ref();
                let model = Model::open_in(&mut session, (file, recipe), Some(checkpoint), stop)?;
                let found = calibrate(&model, tokens, protocol, progress, stop)?;
                Ok(wanted.iter().map(|(name, p)| (name.clone(), magnitude(&found, name, *p))).collect())
            }
            How::Read(found) => {
                let (hash, assumed) = Model::identify_in(&mut session, file, recipe, checkpoint)?;
                found.fit_weights(&hash, &assumed)?;
                found.magnitudes(wanted)
            }
        }
    }
}

fn magnitude(found: &Calibrated, name: &str, percentile: Percentile) -> Option<f32> {
    found.percentile(name, calibration_file::percent(percentile) / 100.0)
}

impl Calibrator for Scales {
    fn record(&self) -> &CalibrationReport {
        &self.record
    }

    fn magnitudes(
        &self,
        wanted: &BTreeMap<String, Percentile>,
        progress: &dyn Progress,
        stop: &Stop,
    ) -> Result<Magnitudes, RunError> {
        self.measured(wanted, progress, stop).map_err(|error| run_error(&error, stop))
    }
}

/// The same failure as one of the run.
fn run_error(error: &EvalError, stop: &Stop) -> RunError {
    let kind = if stop.is_asked() { RunErrorKind::Interrupted } else { RunErrorKind::Value };
    let place = error.layer.as_ref().map_or(String::new(), |layer| format!(" in `{layer}`"));
    let message = match error.operation.as_str() {
        "calibrating" | "reading" => error.message.clone(),
        _ if stop.is_asked() => error.message.clone(),
        operation => format!("{operation}{place}: {}", error.message),
    };
    let made = RunError::new(kind, Path::new(&error.path), "calibrating", message);
    RunError {
        tensor: error.tensor.as_ref().map(|t| t.to_string()),
        remedy: error.remedy.as_ref().map(|r| r.to_string()),
        ..made
    }
}
