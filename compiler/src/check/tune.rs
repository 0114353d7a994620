//! Whether a model can be trained as `tune` says.

use std::collections::BTreeSet;

use icpc_kernels::format::{Activations, Format};

use super::Context;
use super::unmatched_pattern::UNKNOWN_ROLE;
use crate::diag::{Diagnostic, Loc, declare};
use crate::hir::tune::word;
use crate::hir::value::ValueKind;
use crate::hir::{Settings, Tune, problems};

declare!(
    /// A model whose loss nothing says how to compute.
    UNTRAINABLE_MODEL, "untrainable-model", E0617, Error
);
declare!(
    /// A training that may change no tensor.
    NOTHING_TO_TRAIN, "nothing-to-train", E0618, Error
);

/// What a forward says of training.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trainable {
    /// There is no forward for the checkpoint.
    #[default]
    Nothing,
    /// The forward is broken, which is said elsewhere.
    Broken,
    /// A forward, unrolled for the checkpoint.
    Forward(Box<Forward>),
}

/// The facts of a forward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// Tensors of the schema that it reads, each storage once, ascending.
    pub weights: Vec<usize>,
    /// Whether tokens see those behind them.
    pub looks_ahead: bool,
    /// Longest sequence, where the architecture bounds it.
    pub longest: Option<u64>,
    /// Elements of all results of one pass.
    pub activations: u64,
}

/// Tensors that are trained: those that the forward reads, that hold floats, and that nothing freezes.
pub fn trained(context: &Context<'_>, tune: &Tune) -> Vec<usize> {
    let Trainable::Forward(forward) = context.trainable else { return Vec::new() };
    let roles = |tensor: usize| {
        let facts = context.model.and_then(|m| m.tensors.get(tensor)?.as_ref());
        facts.map(|f| f.roles.as_ref()).unwrap_or_default()
    };
    let is_float = |tensor: &usize| context.schema.tensors.get(*tensor).is_some_and(|t| t.dtype.is_float());
    let moves =
        |tensor: &usize| !roles(*tensor).iter().any(|role| role == "buffer" || tune.freeze.contains(role));
    forward.weights.iter().copied().filter(is_float).filter(moves).collect()
}

/// What is wrong with the `tune` of a recipe.
pub fn check(context: &Context<'_>) -> Vec<Diagnostic> {
    let Some(settings) = &context.recipe.tune else { return Vec::new() };
    let mut found = numbers(settings);
    let at = || settings.loc.clone();
    let untrainable = |headline: String| Diagnostic::new(&UNTRAINABLE_MODEL, at(), headline);
    let forward = match context.trainable {
        Trainable::Broken => return found,
        Trainable::Nothing => {
            let headline = match context.model {
                None => "`tune` needs a forward, and no architecture fits".to_owned(),
                Some(model) if !model.fits() => return found,
                Some(model) => format!("`tune` needs a forward, and `{}` has none", model.name),
            };
            found.push(untrainable(headline).help("declare one: docs/forward.md says how"));
            return found;
        }
        Trainable::Forward(forward) => forward,
    };
    if forward.looks_ahead {
        let name = context.model.map_or("?", |m| m.name.as_str());
        found.push(
            untrainable(format!("`{name}` predicts no next token"))
                .label("its tokens see those behind them")
                .help("take `tune` out: only models that predict the next token are trained"),
        );
        return found;
    }
    found.extend(dropped(context, &forward.weights, at()));
    found.extend(measured(context, at()));
    let unknown = unknown_roles(context, settings);
    let none = unknown.is_empty();
    found.extend(unknown);
    if let Some(tune) = Tune::of(settings)
        && none
        && trained(context, &tune).is_empty()
    {
        let frozen = settings.get("freeze").map_or_else(at, |value| value.loc.clone());
        found.push(
            Diagnostic::new(&NOTHING_TO_TRAIN, frozen, "`tune` leaves no tensor to train")
                .label("what is not frozen holds no floats")
                .help("take a role out of `freeze`"),
        );
    }
    found
}

/// Numbers that contradict each other.
fn numbers(settings: &Settings) -> Vec<Diagnostic> {
    let Some(tune) = Tune::of(settings) else { return Vec::new() };
    let mut found = Vec::new();
    let place = |name: &str| settings.get(name).map(|value| value.loc.clone());
    if let (Some(window), Some(at)) = (tune.window.filter(|w| tune.shift >= *w), place("window")) {
        let headline = format!("a shift of {} leaves no target in a window of {window}", tune.shift);
        found.push(problems::out_of_range(
            at,
            headline,
            &format!("{} or more", tune.shift.saturating_add(1)),
        ));
    }
    if let Some(at) = place("warmup").filter(|_| tune.warmup > tune.steps) {
        let headline = format!("a warm-up of {} is longer than {} steps", tune.warmup, tune.steps);
        found.push(problems::out_of_range(at, headline, &format!("at most {}", tune.steps)));
    }
    if !tune.distill {
        for name in ["labels", "temperature"] {
            if let Some(at) = place(name) {
                let headline = format!("`{name}` has no meaning without a teacher");
                found.push(problems::out_of_range(at, headline, "left out, or `distill: true`"));
            }
        }
    }
    found
}

/// Tensors that the forward reads and that the output does not have.
fn dropped(context: &Context<'_>, weights: &[usize], at: Loc) -> Option<Diagnostic> {
    let arm = |tensor: usize| {
        let number = context.ownership.owner.get(tensor).copied().flatten()?;
        context.recipe.arms.get(number as usize).filter(|arm| arm.format == Some(Format::Drop))
    };
    let (tensor, arm) = weights.iter().find_map(|t| Some((*t, arm(*t)?)))?;
    let name = context.schema.tensors.get(tensor).map_or("?", |t| t.name.as_str());
    Some(
        Diagnostic::new(
            &UNTRAINABLE_MODEL,
            arm.value.loc.clone(),
            format!("`{name}` is dropped and trained"),
        )
        .label("the forward reads it")
        .also(crate::diag::Place::Source(at), "what trains the model")
        .help("keep it, or take `tune` out"),
    )
}

/// Static scales of activations that a file tells, which is of a model that was not trained.
fn measured(context: &Context<'_>, at: Loc) -> Option<Diagnostic> {
    let is_static = |format: &Format| match format {
        Format::Int(int) => matches!(int.activations, Activations::Static(_)),
        _ => false,
    };
    context.recipe.arms.iter().find(|arm| arm.format.as_ref().is_some_and(is_static))?;
    let statistics = context.recipe.calibrate.as_ref()?.get("statistics")?;
    Some(
        Diagnostic::new(
            &UNTRAINABLE_MODEL,
            statistics.loc.clone(),
            "statistics of a file are not those of a trained model",
        )
        .label("of the activations before training")
        .also(crate::diag::Place::Source(at), "what changes the activations")
        .help("name samples with `data` instead: the run measures them on the trained model"),
    )
}

/// Roles of `freeze` that no tensor has.
fn unknown_roles(context: &Context<'_>, settings: &Settings) -> Vec<Diagnostic> {
    let Some(ValueKind::List(roles)) = settings.get("freeze").map(|v| &v.kind) else { return Vec::new() };
    let tensors = context.model.map(|m| m.tensors.as_slice()).unwrap_or_default();
    let known: BTreeSet<&str> =
        tensors.iter().flatten().flat_map(|f| f.roles.iter().map(String::as_str)).collect();
    let unknown = roles.iter().filter_map(|role| Some((word(role)?, role.loc.clone())));
    let known: Vec<&str> = known.into_iter().collect();
    unknown
        .filter(|(role, _)| !known.contains(role))
        .map(|(role, at)| Diagnostic {
            kind: &UNKNOWN_ROLE,
            ..problems::unknown_name(at, "role", role, &known)
        })
        .collect()
}
