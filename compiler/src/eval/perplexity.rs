//! Perplexity of a model, and what another one makes of the same text.

use std::sync::Arc;

use icpc_kernels::model::{cross_entropy, divergence};
use rayon::prelude::*;

use super::baseline::Baseline;
use super::error::EvalError;
use super::integer::Rounding;
use super::model::{Logits, Model};
use super::settings::Protocol;
use super::tokens::Tokens;
use super::windows::{Cut, Numbered};
use crate::base::count;
use crate::exec::{Progress, Stop};
use crate::graph::Attribute;
use crate::plan::evaluation::windows_at_once;
use crate::report::{Comparison, LargestDifference, METRIC_SCHEMA, Metric, ModelIdentity, RunReport};

/// Share of unknown tokens above which a perplexity says little.
const UNKNOWN_SHARE: f64 = 0.2;

/// A metric, and what each window gave.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The sums.
    pub metric: Metric,
    /// In order of the text.
    pub windows: Vec<WindowLoss>,
}

/// What a window gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WindowLoss {
    /// Loss of each target in nats.
    pub losses: Vec<f64>,
    /// Targets that had the largest score.
    pub hits: u64,
}

/// What the baseline gave for a window, and how far it is away.
#[derive(Default)]
struct Beside {
    losses: WindowLoss,
    same: u64,
    divergence: f64,
    largest: Option<LargestDifference>,
}

/// Measures `model` on `tokens` as `protocol` says, beside `baseline` where there is one. The numbers do not depend on threads.
///
/// # Errors
/// Ids beyond the vocabulary, texts that are too short, windows that are too long; NaN and infinity, with the window they come
/// up in; a baseline with another vocabulary; a forward whose tokens see later ones; [`Stop`].
pub fn evaluate(
    model: &Model,
    baseline: Option<&Baseline<'_>>,
    tokens: &Tokens,
    protocol: &Protocol,
    progress: &dyn Progress,
    stop: &Stop,
) -> Result<Measured, EvalError> {
    let models = || std::iter::once(model).chain(baseline.map(Baseline::model));
    models().try_for_each(is_causal)?;
    let rows = models().filter_map(Model::vocabulary).min();
    let longest = models().filter_map(Model::longest).min();
    let Cut { windows: cut, window, stride, shift } = Cut::of(tokens, protocol, rows, longest)?;
    let scored: u64 = cut.iter().map(|w| w.targets(shift).len() as u64).sum();
    let batch = windows_at_once(
        protocol.batch.map(|n| n as u64),
        rayon::current_num_threads() as u64,
        window as u64,
        model.vocabulary(),
    );
    let batch = usize::try_from(batch).unwrap_or(1);
    progress.begin_counting("evaluate", scored, "tokens");
    let mut found: Vec<(WindowLoss, Option<Beside>, usize)> = Vec::with_capacity(cut.len());
    let together = if model.rounding() == Rounding::Torch { protocol.batch.unwrap_or(1).max(1) } else { 1 };
    // One scale for everything in a call: what a program feeds its model counts, whether it has a target or not.
    let unseen = if model.rounding() == Rounding::Torch { 1 } else { shift };
    for chunk in cut.chunks(batch.next_multiple_of(together)) {
        if stop.is_asked() {
            return Err(EvalError::asked_to_end(model.path()));
        }
        let first = found.len();
        let windows = chunk.iter().zip(first..);
        let windows: Vec<Numbered<'_>> =
            windows.map(|(window, number)| Numbered { window, number, shift, unseen }).collect();
        let ours = scores(model, &windows, together);
        let theirs = baseline.map_or_else(Vec::new, |baseline| baseline.scores(&windows));
        let mut theirs: Vec<_> = theirs.into_iter().map(Some).collect();
        theirs.resize_with(chunk.len(), || None);
        let results: Vec<Result<_, EvalError>> = (windows, ours, theirs)
            .into_par_iter()
            .map(|(window, ours, theirs)| {
                let theirs = baseline.map(Baseline::model).zip(theirs);
                let done = one(model, &ours?, theirs, &window)?;
                progress.advance(window.targets().len() as u64);
                Ok(done)
            })
            .collect();
        for result in results {
            found.push(result?);
        }
    }
    progress.end();
    let vocabulary = found.first().map_or(0, |(.., vocabulary)| *vocabulary as u64);
    let (mut losses, mut besides) = (Vec::with_capacity(found.len()), Vec::new());
    for (window, beside, _) in found {
        losses.push(window);
        besides.extend(beside);
    }
    let sums = Sums::of(losses.iter());
    let against = baseline.map(|baseline| against(baseline.model(), sums.perplexity(), &besides, scored));
    let mut metric = Metric {
        schema: METRIC_SCHEMA,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        model: identity(model),
        data: tokens.data.clone(),
        tokenizer: tokens.tokenizer.clone(),
        window: window as u64,
        stride: stride as u64,
        shift: shift as u64,
        samples: protocol.samples.map(|n| n as u64),
        tokens: tokens.len(),
        unknown: tokens.unknown,
        vocabulary,
        windows: losses.len() as u64,
        scored,
        loss: sums.loss(),
        perplexity: sums.perplexity(),
        backend: model.place().to_string(),
        top1: sums.hits as f64 / scored.max(1) as f64,
        positions: positions(&losses, window.saturating_sub(shift)),
        against,
        activations: said(model.rounding(), together),
        warnings: Vec::new(),
    };
    metric.warnings = warnings(&metric);
    Ok(Measured { metric, windows: losses })
}

/// How inputs of products were rounded, where that is not what formats say.
fn said(rounding: Rounding, together: usize) -> Option<String> {
    match rounding {
        Rounding::Format => None,
        Rounding::Float => Some("fp32".to_owned()),
        Rounding::Torch => Some(format!("torch, {} in a call", count(together as u64, "window"))),
    }
}

/// Who a model is, for its metric.
pub fn identity(model: &Model) -> ModelIdentity {
    // An output says in its report what it was made of.
    let report = std::fs::read_to_string(std::path::Path::new(model.path()).join("report.json")).ok();
    let report: Option<RunReport> = report.and_then(|text| serde_json::from_str(&text).ok());
    ModelIdentity {
        path: model.path().to_owned(),
        header_hash: model.header_hash().to_owned(),
        weights_hash: model.weights_hash(),
        weight_bytes: model.weight_bytes(),
        source_header_hash: report.map(|r| r.provenance.header_hash),
        assumed: model.assumed().to_vec(),
    }
}

/// A token that sees its target gives a perplexity that means nothing.
fn is_causal(model: &Model) -> Result<(), EvalError> {
    let seen = model.graph().nodes.iter().any(|n| n.attribute("causal") == Some(&Attribute::Flag(false)));
    if !seen {
        return Ok(());
    }
    Err(EvalError::new(model.path(), "evaluating", "its tokens see those behind them, so none is predicted")
        .remedy("perplexity is for models that predict the next token"))
}

/// What the scores of a window say, beside those of the baseline.
fn one(
    model: &Model,
    logits: &Logits,
    theirs: Option<(&Model, Result<Arc<Logits>, EvalError>)>,
    window: &Numbered<'_>,
) -> Result<(WindowLoss, Option<Beside>, usize), EvalError> {
    let losses = losses(model, logits, window)?;
    let vocabulary = logits.vocabulary;
    let Some((baseline, theirs)) = theirs else { return Ok((losses, None, vocabulary)) };
    let (theirs, number) = (theirs?, window.number);
    if theirs.vocabulary != vocabulary {
        let message = format!(
            "it has scores for {} tokens, and `{}` for {vocabulary}",
            theirs.vocabulary,
            model.path()
        );
        return Err(EvalError::new(baseline.path(), "evaluating", message)
            .remedy("a baseline has the vocabulary of the model"));
    }
    let at = |message: String| EvalError::new(model.path(), "evaluating", message);
    let apart = divergence(model.cpu(), vocabulary, &theirs.values, &logits.values);
    let apart = apart.map_err(|e| at(e.to_string()))?;
    let mut beside = Beside {
        losses: self::losses(baseline, &theirs, window)?,
        divergence: apart.iter().sum(),
        ..Beside::default()
    };
    if !beside.divergence.is_finite() {
        return Err(at(format!("the divergence in window {number} is no number")));
    }
    for position in 0..logits.positions() {
        let (Some(a), Some(b)) = (theirs.row(position), logits.row(position)) else { continue };
        beside.same += u64::from(first_largest(a) == first_largest(b));
        for (token, (a, b)) in a.iter().zip(b).enumerate() {
            let value = (f64::from(*a) - f64::from(*b)).abs();
            if beside.largest.is_none_or(|l| value > l.value) {
                let (window, position, token) = (number as u64, position as u64, token as u64);
                beside.largest = Some(LargestDifference { value, window, position, token });
            }
        }
    }
    Ok((losses, Some(beside), vocabulary))
}

fn first_largest(row: &[f32]) -> usize {
    let mut best = (0, f32::NEG_INFINITY);
    for (index, value) in row.iter().enumerate() {
        if *value > best.1 {
            best = (index, *value);
        }
    }
    best.0
}

/// Scores of the tokens of windows that have a target; so many windows of one length are one computation, at most.
pub(super) fn scores(
    model: &Model,
    windows: &[Numbered<'_>],
    together: usize,
) -> Vec<Result<Logits, EvalError>> {
    let placed = |error: EvalError, window: &Numbered<'_>| EvalError {
        message: format!("{} ({})", error.message, window.place()),
        ..error
    };
    let with_target = |mut scores: Logits, window: &Numbered<'_>| {
        scores.values.truncate(window.targets().len().saturating_mul(scores.vocabulary));
        scores
    };
    if together < 2 {
        let inputs: Vec<&[u32]> = windows.iter().map(Numbered::inputs).collect();
        let found = model.logits_of(&inputs).into_iter().zip(windows);
        let found = found.map(|(scores, window)| match scores {
            Ok(scores) => Ok(with_target(scores, window)),
            Err(error) => Err(placed(error, window)),
        });
        return found.collect();
    }
    let same = windows.chunk_by(|a, b| a.inputs().len() == b.inputs().len());
    let calls: Vec<&[Numbered<'_>]> = same.flat_map(|same| same.chunks(together)).collect();
    let computed = calls.into_par_iter().flat_map_iter(|call| {
        let ids: Vec<u32> = call.iter().flat_map(Numbered::inputs).copied().collect();
        let found = model.logits_together(&ids, call.len());
        let each = |number: usize| -> Result<Logits, EvalError> {
            let Logits { vocabulary, values } = found.as_ref().map_err(Clone::clone)?;
            let length = values.len() / call.len().max(1);
            let own = values.get(number * length..(number + 1) * length).unwrap_or_default();
            Ok(Logits { vocabulary: *vocabulary, values: own.to_vec() })
        };
        let all = call.iter().enumerate().map(|(number, window)| match each(number) {
            Ok(scores) => Ok(with_target(scores, window)),
            Err(error) => Err(placed(error, window)),
        });
        let all: Vec<Result<Logits, EvalError>> = all.collect();
        all
    });
    computed.collect()
}

fn losses(model: &Model, logits: &Logits, window: &Numbered<'_>) -> Result<WindowLoss, EvalError> {
    let at = |message: String| EvalError::new(model.path(), "evaluating", message);
    let found = cross_entropy(model.cpu(), logits.vocabulary, &logits.values, window.targets());
    let found = found.map_err(|e| at(format!("{e} ({})", window.place())))?;
    if let Some(position) = found.iter().position(|l| !l.loss.is_finite()) {
        return Err(at(format!("the loss at position {position} is no number ({})", window.place())));
    }
    let hits = found.iter().filter(|l| l.hit).count() as u64;
    Ok(WindowLoss { losses: found.into_iter().map(|l| l.loss).collect(), hits })
}

/// Sums in the order of the text.
struct Sums {
    loss: f64,
    scored: u64,
    hits: u64,
}

impl Sums {
    fn of<'a>(windows: impl Iterator<Item = &'a WindowLoss>) -> Sums {
        let mut sums = Sums { loss: 0.0, scored: 0, hits: 0 };
        for window in windows {
            sums.loss += window.losses.iter().sum::<f64>();
            sums.scored += window.losses.len() as u64;
            sums.hits += window.hits;
        }
        sums
    }

    fn loss(&self) -> f64 {
        self.loss / self.scored.max(1) as f64
    }

    fn perplexity(&self) -> f64 {
        self.loss().exp()
    }
}

fn against(baseline: &Model, perplexity: f64, besides: &[Beside], scored: u64) -> Comparison {
    let sums = Sums::of(besides.iter().map(|b| &b.losses));
    let share = |n: f64| n / scored.max(1) as f64;
    // Of equal ones the first.
    let largest =
        besides.iter().filter_map(|b| b.largest).reduce(|a, b| if b.value > a.value { b } else { a });
    Comparison {
        model: identity(baseline),
        loss: sums.loss(),
        perplexity: sums.perplexity(),
        top1: share(sums.hits as f64),
        ratio: perplexity / sums.perplexity(),
        agreement: Some(share(besides.iter().map(|b| b.same).sum::<u64>() as f64)),
        divergence: Some(share(besides.iter().map(|b| b.divergence).sum())),
        largest_difference: largest,
    }
}

fn positions(windows: &[WindowLoss], length: usize) -> Vec<f64> {
    let mut sums = vec![(0.0, 0u64); length];
    for window in windows {
        for (sum, loss) in sums.iter_mut().zip(&window.losses) {
            sum.0 += loss;
            sum.1 += 1;
        }
    }
    sums.into_iter().filter(|(_, n)| *n > 0).map(|(sum, n)| sum / n as f64).collect()
}

fn warnings(metric: &Metric) -> Vec<String> {
    let mut found = Vec::new();
    if metric.perplexity > metric.vocabulary as f64 {
        found.push(format!(
            "the perplexity {:.1} is above the {} of guessing: the tokenizer is another one than in training, or the shift is \
             (some models were trained with `shift: 2`)",
            metric.perplexity, metric.vocabulary
        ));
    }
    let share = metric.unknown.unwrap_or(0) as f64 / metric.tokens.max(1) as f64;
    if share > UNKNOWN_SHARE {
        found.push(format!(
            "{:.0}% of the tokens are unknown to the tokenizer: it is another one than in training, or the text is of another kind",
            share * 100.0
        ));
    }
    found
}
