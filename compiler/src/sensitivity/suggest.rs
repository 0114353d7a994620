//! From sensitivities to an assignment: cheap steps first, then the whole is measured.
//!
//! A group's formats form steps, from its own format to ever fewer bytes, of which only those on the lower hull of divergence
//! over saved bytes are worth taking. All steps of all groups are sorted by divergence for a saved byte; an assignment is
//! some number of the first steps. Divergences do not add up exactly, so that number is found by measuring.

use icpc_kernels::format::Format;

use super::data::Sensitivity;
use super::trials::{Measure, Quality, changes};
use crate::eval::{EvalError, Model};

/// Assignments that are measured at most.
const MOST: usize = 120;

/// What must hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Goal {
    /// Largest perplexity.
    pub perplexity: f64,
    /// Bytes of all tensors at most.
    pub bytes: Option<u64>,
}

/// An assignment that was measured as a whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Suggestion {
    /// For each group of the measurement its format; nothing where it stays as it is.
    pub formats: Vec<Option<Format>>,
    /// Bytes of all tensors.
    pub bytes: u64,
    /// Measured.
    pub quality: Quality,
    /// How many assignments were measured.
    pub measured: usize,
}

/// Why there is none.
#[derive(Clone, Debug, PartialEq)]
pub enum SuggestError {
    /// The model could not be measured.
    Model(EvalError),
    /// The smallest that holds the perplexity is larger than the goal.
    TooLarge(Box<Suggestion>),
    /// The perplexity is below that of the model as it is, and no assignment that was measured has it.
    OutOfReach(Quality),
}

/// A step of a group from one format to the next.
struct Step {
    group: usize,
    format: Format,
    bytes: u64,
    /// Divergence for a saved byte.
    rate: f64,
}

/// The smallest assignment that holds the perplexity; with a goal of bytes, the first that reaches them.
///
/// # Errors
/// [`SuggestError`].
pub fn suggest(
    baseline: &Model,
    found: &Sensitivity,
    formats: &[Format],
    goal: Goal,
    measure: Measure<'_>,
) -> Result<Suggestion, SuggestError> {
    let steps = steps(found, formats);
    let mut search = Search { baseline, found, measure, measured: 0 };
    let start = vec![None; found.groups.len()];
    let whole = |count: usize| {
        let mut formats = start.clone();
        steps.iter().take(count).for_each(|step| take(&mut formats, step));
        formats
    };
    let holds = |s: &Suggestion| s.quality.perplexity() <= goal.perplexity;
    let small = |s: &Suggestion| goal.bytes.is_some_and(|most| s.bytes <= most);
    // With a goal of bytes, the fewest steps that reach it lose least.
    if goal.bytes.is_some()
        && let Some(count) =
            (0..=steps.len()).find(|n| goal.bytes.is_some_and(|most| search.bytes(&whole(*n)) <= most))
        && let Some(reached) = search.measure(whole(count))?
        && holds(&reached)
    {
        return Ok(reached);
    }
    let mut best = search.measure(start.clone())?.ok_or_else(|| {
        SuggestError::Model(EvalError::new(baseline.path(), "evaluating", "it gives no numbers as it is"))
    })?;
    let (mut low, mut high) = (0, steps.len() + 1);
    let mut middle = steps.len();
    while high - low > 1 {
        match search.measure(whole(middle))?.filter(holds) {
            Some(held) => (low, best) = (middle, held),
            None => high = middle,
        }
        middle = low + (high - low) / 2;
    }
    // Beyond the step that was one too many there may be others that still fit.
    for step in steps.iter().skip(low + 1) {
        if search.measured >= MOST || small(&best) {
            break;
        }
        let mut formats = best.formats.clone();
        take(&mut formats, step);
        if search.bytes(&formats) < best.bytes
            && let Some(held) = search.measure(formats)?.filter(holds)
        {
            best = held;
        }
    }
    best.measured = search.measured;
    if !holds(&best) {
        return Err(SuggestError::OutOfReach(best.quality));
    }
    match goal.bytes {
        Some(most) if best.bytes > most => Err(SuggestError::TooLarge(Box::new(best))),
        _ => Ok(best),
    }
}

fn take(formats: &mut [Option<Format>], step: &Step) {
    if let Some(format) = formats.get_mut(step.group) {
        *format = Some(step.format);
    }
}

struct Search<'a> {
    baseline: &'a Model,
    found: &'a Sensitivity,
    measure: Measure<'a>,
    measured: usize,
}

impl Search<'_> {
    /// Bytes of all tensors.
    fn bytes(&self, formats: &[Option<Format>]) -> u64 {
        let tensors = self.baseline.tensors();
        let mut bytes = self.found.bytes;
        for (group, format) in self.found.groups.iter().zip(formats) {
            if let Some(format) = format {
                bytes = bytes.saturating_sub(group.bytes).saturating_add(changes(&tensors, group, format).1);
            }
        }
        bytes
    }

    /// Measures an assignment; nothing where the model gives no numbers.
    fn measure(&mut self, formats: Vec<Option<Format>>) -> Result<Option<Suggestion>, SuggestError> {
        let tensors = self.baseline.tensors();
        let mut all = Vec::new();
        for (group, format) in self.found.groups.iter().zip(&formats) {
            if let Some(format) = format {
                all.extend(changes(&tensors, group, format).0);
            }
        }
        self.measured += 1;
        let model = self.baseline.with_formats(&all).map_err(SuggestError::Model)?;
        let bytes = self.bytes(&formats);
        let Ok(quality) = (self.measure)(&model) else { return Ok(None) };
        Ok(Some(Suggestion { formats, bytes, quality, measured: self.measured }))
    }
}

/// All steps worth taking, the cheapest for a byte first; those of a group in their order.
fn steps(found: &Sensitivity, formats: &[Format]) -> Vec<Step> {
    let mut out = Vec::new();
    for (number, group) in found.groups.iter().enumerate() {
        let trials = found.trials.iter().filter(|t| t.group == group.name && t.saved > 0);
        let mut options: Vec<(u64, f64, Format)> = trials
            .filter_map(|t| {
                let format = formats.iter().find(|f| f.to_string() == t.format)?;
                Some((group.bytes.saturating_sub(t.bytes), t.divergence?.max(0.0), *format))
            })
            .collect();
        options.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let (mut saved, mut divergence) = (0u64, 0.0f64);
        // From each point of the hull to the one with the least slope; of equal ones the farthest.
        loop {
            let slope = |o: &(u64, f64, Format)| (o.1 - divergence).max(0.0) / (o.0 - saved) as f64;
            let ahead = options.iter().filter(|o| o.0 > saved);
            let Some(next) = ahead.min_by(|a, b| slope(a).total_cmp(&slope(b)).then(b.0.cmp(&a.0))) else {
                break;
            };
            let rate = slope(next);
            let bytes = group.bytes.saturating_sub(next.0);
            out.push(Step { group: number, format: next.2, bytes, rate });
            (saved, divergence) = (next.0, next.1.max(divergence));
        }
    }
    // Stable: steps of a group with equal rates stay in order.
    out.sort_by(|a, b| a.rate.total_cmp(&b.rate).then_with(|| (a.group, b.bytes).cmp(&(b.group, a.bytes))));
    out
}
