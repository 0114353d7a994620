//! Requirements that only a run decides.

use std::path::Path;

use super::measuring::failed;
use super::{Exit, Recipe, complain, write_whole};
use crate::backend::place::Place;
use crate::eval::{Baseline, EvalError, Model, Protocol, Tokens, evaluate, foresee};
use crate::exec::{Progress, Stop};
use crate::hir::{self, Metric, Requirement};
use crate::plan::requirement::{measured, measured_against};
use crate::report::{self, RunReport, to_json, to_markdown};
use crate::session::Session;

/// What a decision needs.
pub(super) struct Decision<'a> {
    pub(super) recipe: &'a Recipe,
    pub(super) name: &'a str,
    pub(super) resolved: &'a hir::Recipe,
    pub(super) checkpoint: &'a str,
    pub(super) output: &'a str,
    pub(super) threads: usize,
    /// Where models are computed.
    pub(super) place: Place,
    pub(super) progress: &'a dyn Progress,
    pub(super) stop: &'a Stop,
}

impl Decision<'_> {
    /// Refuses a text that the end of the run could not measure on, before anything is written.
    pub(super) fn foresee(&self, session: &Session) -> Result<(), Exit> {
        let graph = session.graph(&self.recipe.file, self.name).and_then(|(graph, _)| graph);
        match (self.protocol(), graph) {
            (Some(protocol), Some(graph)) => foresee(&protocol, &graph).map_err(|e| failed(&e, self.stop)),
            _ => Ok(()),
        }
    }

    /// How a perplexity is measured, where one is required and there is a text.
    fn protocol(&self) -> Option<Protocol> {
        let asks = self.resolved.requirements.iter().any(|r| r.metric == Metric::Perplexity);
        let protocol = self.resolved.evaluate.as_ref().filter(|_| asks).map(Protocol::of);
        protocol.filter(|p| p.data.is_some())
    }

    /// Says which requirements the output of `report` does not meet. A perplexity is measured by the task that `measures`, and
    /// goes into the report beside the output; the other tasks look for it there.
    pub(super) fn make(&self, mut report: RunReport, measures: bool) -> Exit {
        let requirements = &self.resolved.requirements;
        let mut exit = Exit::Success;
        if let Some(protocol) = self.protocol().filter(|_| measures) {
            match self.measure(&protocol) {
                Ok(metric) => {
                    for warning in &metric.warnings {
                        complain(&format!("warning: {warning}"));
                    }
                    report.evaluation = Some(metric);
                    if let Err(exit) = self.write(&report) {
                        return exit;
                    }
                }
                Err(error) if self.stop.is_asked() => return failed(&error, self.stop),
                Err(error) => {
                    report.evaluation = None;
                    failed(&error, self.stop);
                    exit = Exit::Requirement;
                }
            }
        }
        for requirement in requirements {
            // Who measures says it.
            if requirement.metric == Metric::Perplexity && !measures && report.evaluation.is_none() {
                continue;
            }
            match (unmet(requirement, &report), &report.evaluation) {
                (Some(reason), _) => {
                    complain(&format!("requirement not met: {reason}"));
                    exit = Exit::Requirement;
                }
                // What was waited for is said.
                (None, Some(metric)) if requirement.metric == Metric::Perplexity => {
                    complain(&format!("requirement met: perplexity {}", beside(metric)));
                }
                _ => {}
            }
        }
        exit
    }

    /// The output beside its checkpoint, both as the recipe sees them.
    fn measure(&self, protocol: &Protocol) -> Result<report::Metric, EvalError> {
        let internal = |message: String| EvalError::new(self.output, "evaluating", message);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(self.threads).build();
        let pool = pool.map_err(|e| internal(e.to_string()))?;
        let mut session = self.recipe.load().map_err(|_| internal("the recipe is gone".to_owned()))?;
        let mut open = |path| {
            Model::open_in(&mut session, (&self.recipe.file, self.name), Some(path), self.stop)?
                .on(self.place)
        };
        let data = protocol.data.as_deref().unwrap_or_default();
        pool.install(|| {
            let (output, source) = (open(self.output)?, open(self.checkpoint)?);
            let tokens = Tokens::read(data, protocol.tokenizer.as_deref())?;
            let measured = evaluate(
                &output,
                Some(&Baseline::new(&source)),
                &tokens,
                protocol,
                self.progress,
                self.stop,
            )?;
            Ok(measured.metric)
        })
    }

    fn write(&self, report: &RunReport) -> Result<(), Exit> {
        let at = |name: &str| Path::new(self.output).join(name).to_string_lossy().into_owned();
        write_whole(&at("report.md"), &to_markdown(report))?;
        write_whole(&at("report.json"), &to_json(report))
    }
}

/// Why a requirement that the run decides is not met.
fn unmet(requirement: &Requirement, report: &RunReport) -> Option<String> {
    let bound = format!("{} {}", requirement.op.symbol(), requirement.bound.kind);
    match requirement.metric {
        // Decided by the checker, or there was no run.
        Metric::Size | Metric::Compression | Metric::Memory => None,
        Metric::Sqnr => {
            // A tensor without noise has no ratio and meets every lower bound.
            let worst = report
                .tensors
                .iter()
                .filter_map(|t| Some((t.sqnr_db?, t.name.as_str())))
                .min_by(|a, b| a.0.total_cmp(&b.0));
            let (figure, tensor) = worst?;
            (!measured(requirement, figure))
                .then(|| format!("sqnr {bound} dB, but `{tensor}` has {figure:.2} dB"))
        }
        Metric::Clipped => {
            let values: u64 = report.tensors.iter().map(|t| t.shape.iter().product::<u64>()).sum();
            let share = report.totals.clipped as f64 / values.max(1) as f64;
            (!measured(requirement, share))
                .then(|| format!("clipped {bound}, but {:.4}% of the values were", share * 100.0))
        }
        Metric::Perplexity => {
            let found = report.evaluation.as_ref().and_then(|m| Some((m, m.against.as_ref()?)));
            let Some((metric, source)) = found else {
                return Some(format!("perplexity {bound}, but it was not measured"));
            };
            (!measured_against(requirement, metric.perplexity, source.perplexity))
                .then(|| format!("perplexity {bound}, but it is {}", beside(metric)))
        }
    }
}

/// A perplexity, and what it is of the baseline's.
fn beside(metric: &report::Metric) -> String {
    let own = format!("{:.4}", metric.perplexity);
    metric.against.as_ref().map_or(own.clone(), |source| {
        format!("{own}: {:.2}% of the baseline's {:.4}", source.ratio * 100.0, source.perplexity)
    })
}
