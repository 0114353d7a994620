//! What a run trains before it stores: everything that decides the weights but the text, which the run names by its hash.

use serde::{Deserialize, Serialize};

use super::ir::Plan;
use super::print::align;
use crate::base::{checked_len, count, with_thousands};
use crate::check::Context;
use crate::check::tune::{Trainable, trained};
use crate::checkpoint::Schema;
use crate::hir::Tune;

/// A training, with its numbers as they hold for this checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TunePlan {
    /// The recipe's numbers.
    pub numbers: Tune,
    /// Tokens of a window, targets included.
    pub window: u64,
    /// Trained tensors, by their names in the output, in the order of the plan.
    pub tensors: Vec<String>,
    /// Their elements, after pruning.
    pub elements: u64,
    /// Peak of the training in bytes, an estimate.
    pub memory: u64,
}

impl TunePlan {
    /// Counts a teacher that is larger than the source of the plan.
    pub fn teacher(&mut self, teacher: &Schema) {
        if self.numbers.distill {
            self.memory = self.memory.saturating_add(elements(teacher).saturating_mul(4));
        }
    }
}

fn elements(schema: &Schema) -> u64 {
    let own = schema.tensors.iter().filter(|t| t.tied_to.is_none());
    own.filter_map(|t| checked_len(&t.shape.0)).fold(0u64, u64::saturating_add)
}

/// `tune` in `plan.json`. Numbers that are no integers are written as in a recipe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct TuneRecord {
    pub steps: u64,
    pub lr: String,
    pub batch: u64,
    pub accumulate: u64,
    pub window: u64,
    pub shift: u64,
    pub warmup: u64,
    pub weight_decay: String,
    pub clip_norm: String,
    pub distill: bool,
    pub labels: String,
    pub temperature: String,
    pub seed: Option<u64>,
    pub tensors: Vec<String>,
}

impl TuneRecord {
    /// The record of a training; equal ones give equal weights.
    pub fn of(plan: &TunePlan) -> TuneRecord {
        let tune = &plan.numbers;
        TuneRecord {
            steps: tune.steps,
            lr: tune.lr.to_string(),
            batch: tune.batch,
            accumulate: tune.accumulate,
            window: plan.window,
            shift: tune.shift,
            warmup: tune.warmup,
            weight_decay: tune.weight_decay.to_string(),
            clip_norm: tune.clip_norm.to_string(),
            distill: tune.distill,
            labels: format!("{}%", tune.labels),
            temperature: tune.temperature.to_string(),
            seed: tune.seed,
            tensors: plan.tensors.clone(),
        }
    }
}

/// Copies of the trained weights in f32: the weights, their image in the formats, the gradients, and two moments.
const COPIES: u64 = 5;
/// Copies of each result of a pass in f32: the value, what its gradient needs, and the gradient.
const RESULTS: u64 = 3;
/// The program and libtorch.
const PROGRAM: u64 = 400 << 20;

/// The training of a recipe whose checks found no error, for its `plan`.
pub(super) fn build(context: &Context<'_>, plan: &Plan) -> Option<TunePlan> {
    let numbers = Tune::of(context.recipe.tune.as_ref()?)?;
    let Trainable::Forward(forward) = context.trainable else { return None };
    let names: Vec<&str> = trained(context, &numbers)
        .into_iter()
        .filter_map(|t| context.schema.tensors.get(t))
        .map(|t| t.name.as_str())
        .collect();
    let is_trained = |name: &str| names.contains(&name);
    // The name in the output of a member that stays is that of a member of the source.
    let tensors: Vec<_> = plan.tensors.iter().filter(|t| is_trained(&t.name)).collect();
    let elements = tensors.iter().filter_map(|t| checked_len(&t.shape)).fold(0u64, u64::saturating_add);
    let source = self::elements(context.schema);
    let floats = COPIES
        .saturating_mul(elements)
        .saturating_add(source.saturating_mul(1 + u64::from(numbers.distill)))
        .saturating_add(RESULTS.saturating_mul(forward.activations));
    Some(TunePlan {
        window: numbers.window.or(forward.longest).unwrap_or(Tune::WINDOW),
        tensors: tensors.iter().map(|t| t.name.clone()).collect(),
        elements,
        memory: PROGRAM.saturating_add(floats.saturating_mul(4)),
        numbers,
    })
}

/// The training as people read it.
pub(super) fn print(plan: &TunePlan, out: &mut String) {
    let tune = &plan.numbers;
    let words = |words: &[String]| words.to_vec();
    let passes = match tune.accumulate {
        1 => String::new(),
        n => format!("{n} times "),
    };
    let loss = match tune.distill {
        true => format!("{}% labels, the rest the teacher at temperature {}", tune.labels, tune.temperature),
        false => "labels only".to_owned(),
    };
    let rows = [
        words(&[
            "trains".into(),
            count(plan.tensors.len() as u64, "tensor"),
            format!("{} elements", with_thousands(plan.elements)),
        ]),
        words(&[
            "steps".into(),
            with_thousands(tune.steps),
            format!(
                "{passes}{} of {} tokens each, shift {}, seed {}",
                count(tune.batch, "window"),
                plan.window,
                tune.shift,
                tune.seed.unwrap_or(0)
            ),
        ]),
        words(&[
            "rate".into(),
            tune.lr.to_string(),
            format!(
                "{} of warm-up, weight decay {}, gradients to a norm of {}",
                count(tune.warmup, "step"),
                tune.weight_decay,
                tune.clip_norm
            ),
        ]),
        words(&["loss".into(), String::new(), loss]),
        words(&["memory".into(), String::new(), format!("about {} B", with_thousands(plan.memory))]),
    ];
    out.push_str("\ntune\n");
    align(&rows, &[], out);
}
