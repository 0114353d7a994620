//! Runs models in turn and measures them.

use std::fmt;
use std::time::{Duration, Instant};

use icpc_kernels::{Backend as _, Cpu, bandwidth};

use super::{Measured, Rate, Spread, Timed};
use crate::backend::place::Place;
use crate::eval::{EvalError, Model, State};
use crate::exec::peak_memory;

/// Bytes that the bandwidth is measured with: beyond the caches of every processor of today.
const BANDWIDTH_BYTES: usize = 256 << 20;
/// Rounds at least, so that there is a spread.
const FEWEST: usize = 5;
/// Rounds at most: more say nothing new.
const MOST: usize = 200;

/// What to measure.
#[derive(Clone, Debug)]
pub struct Options {
    /// Tokens of the prompt.
    pub prompt: usize,
    /// Single tokens in a round; 0 measures prompts only.
    pub generate: usize,
    /// Threads.
    pub threads: usize,
    /// Where each model is computed, the baseline's first.
    pub places: Vec<Place>,
    /// Time for all rounds, about.
    pub time: Duration,
}

/// Why nothing was measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BenchError {
    /// A model cannot be opened or run.
    Model(EvalError),
    /// The numbers do not fit the models, or the threads are not to be had; a sentence.
    Options(String),
}

impl From<EvalError> for BenchError {
    fn from(error: EvalError) -> BenchError {
        BenchError::Model(error)
    }
}

impl fmt::Display for BenchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BenchError::Model(error) => error.fmt(f),
            BenchError::Options(sentence) => f.write_str(sentence),
        }
    }
}

impl std::error::Error for BenchError {}

/// What one model did so far, in seconds.
#[derive(Default)]
struct Times {
    prompts: Vec<f64>,
    tokens: Vec<f64>,
}

/// Opens the model of a path, on the processor.
pub type Open<'a> = &'a mut (dyn FnMut(&str) -> Result<Model, EvalError> + Send);

/// Measures the models that `open` makes of `paths`, the baseline first.
///
/// # Errors
/// [`BenchError`].
pub fn bench(paths: &[String], open: Open<'_>, options: &Options) -> Result<Measured, BenchError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(options.threads).build();
    let pool =
        pool.map_err(|e| BenchError::Options(format!("cannot start {} threads: {e}", options.threads)))?;
    pool.install(|| all(paths, open, options))
}

fn all(paths: &[String], open: Open<'_>, options: &Options) -> Result<Measured, BenchError> {
    let mut models: Vec<Model> = Vec::with_capacity(paths.len() * options.places.len());
    for path in paths {
        let opened = open(path)?;
        for place in &options.places {
            models.push(opened.on(*place)?);
        }
    }
    let ids = ids(&models, options)?;
    let before = ids.len() - options.generate;
    let prompt = ids.get(..options.prompt.min(ids.len())).unwrap_or(&ids);
    let streams: Vec<bool> = models.iter().map(|m| options.generate > 0 && m.is_stepwise()).collect();
    let mut times: Vec<Times> = models.iter().map(|_| Times::default()).collect();
    let read_before = bandwidth::memory(options.threads, BANDWIDTH_BYTES).read;
    let mut begin = Instant::now();
    let mut rounds = 0;
    // Round 0 warms caches and makes copies; it does not count.
    for round in 0..=MOST {
        if round == 1 {
            times.iter_mut().for_each(|t| *t = Times::default());
            begin = Instant::now();
        }
        for turn in 0..models.len() {
            // Another one begins in each round: nobody is always the one behind the same neighbour.
            let at = (turn + round) % models.len();
            let (Some(model), Some(times), Some(stepwise)) =
                (models.get(at), times.get_mut(at), streams.get(at))
            else {
                continue;
            };
            let start = Instant::now();
            model.logits(prompt)?;
            times.prompts.push(start.elapsed().as_secs_f64());
            if *stepwise {
                steps(model, &ids, before, times)?;
            }
        }
        rounds = round;
        if round >= FEWEST && begin.elapsed() >= options.time {
            break;
        }
    }
    let read_after = bandwidth::memory(options.threads, BANDWIDTH_BYTES).read;
    let bandwidth = [read_before, read_after];
    let timed = models
        .iter()
        .zip(times)
        .map(|(model, times)| timed(model, times, prompt.len(), read_before.max(read_after)));
    let kernels = Cpu::detect().map_err(|e| BenchError::Options(e.to_string()))?;
    Ok(Measured {
        schema: 1,
        kernels: kernels.name().to_owned(),
        threads: options.threads,
        prompt: prompt.len(),
        before,
        generate: if streams.contains(&true) { options.generate } else { 0 },
        rounds,
        bandwidth,
        models: timed.collect::<Option<Vec<Timed>>>().unwrap_or_default(),
        peak_memory: peak_memory(),
    })
}

/// Tokens before the single ones, and these, from a fixed seed; ids that every model has.
fn ids(models: &[Model], options: &Options) -> Result<Vec<u32>, BenchError> {
    let vocabulary = models.iter().filter_map(Model::vocabulary).min().unwrap_or(1).max(1);
    let longest = models.iter().filter_map(Model::longest).min().unwrap_or(u64::MAX);
    let longest = usize::try_from(longest).unwrap_or(usize::MAX);
    if options.prompt > longest {
        let message = format!(
            "{} tokens of prompt are more than the {longest} positions of the models",
            options.prompt
        );
        return Err(BenchError::Options(format!("{message}; give `--prompt {longest}`")));
    }
    if options.generate >= longest {
        let message = format!(
            "{} single tokens leave no place for one before them among {longest} positions",
            options.generate
        );
        return Err(BenchError::Options(format!("{message}; give `--generate {}`", longest / 2)));
    }
    // Where both do not fit, fewer tokens of the prompt stand before the single ones.
    let before = options.prompt.min(longest - options.generate);
    let mut state = 0x1C9C_2026_u64;
    let draw = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from((state >> 33) % vocabulary).unwrap_or(0)
    };
    Ok((0..before + options.generate).map(draw).collect())
}

fn steps(model: &Model, ids: &[u32], before: usize, times: &mut Times) -> Result<(), EvalError> {
    let (first, rest) = ids.split_at_checked(before).unwrap_or((ids, &[]));
    let mut state = State::new();
    model.next(first, &mut state)?;
    for id in rest {
        let start = Instant::now();
        model.next(std::slice::from_ref(id), &mut state)?;
        times.tokens.push(start.elapsed().as_secs_f64());
    }
    Ok(())
}

fn timed(model: &Model, times: Times, prompt: usize, bandwidth: f64) -> Option<Timed> {
    let rate = |values: Vec<f64>, tokens: usize| {
        let seconds = Spread::of(values)?;
        Some(Rate { seconds, tokens_per_second: tokens as f64 / seconds.median.max(1e-12) })
    };
    let token = rate(times.tokens, 1);
    let read_bytes = model.bytes_per_token();
    let read_rate = token.as_ref().map(|t| read_bytes as f64 * t.tokens_per_second / 1e9);
    Some(Timed {
        path: model.path().to_owned(),
        backend: model.place().to_string(),
        weight_bytes: model.weight_bytes(),
        copied_bytes: model.copied_bytes(),
        read_bytes,
        prompt: rate(times.prompts, prompt)?,
        token,
        read_rate,
        // What was measured is the memory of the processor.
        share: read_rate.filter(|_| !model.place().is_gpu()).map(|rate| rate / bandwidth.max(1e-9)),
        assumed: model.assumed().to_vec(),
    })
}
