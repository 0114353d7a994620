//! Products that a recipe asks for in integers: whether the model has them, and whether calibration tells their scales.

use std::collections::BTreeMap;

use icpc_kernels::format::{Activations, Format, Int, Per, Percentile};

use super::Context;
use super::arm_facts::{argument_at, name, rewrite, tensor_at};
use crate::base::{count, with_thousands};
use crate::diag::{Diagnostic, declare};
use crate::graph::Product;
use crate::hir::problems::NO_INTEGER_PRODUCT;
use crate::hir::value::ValueKind;
use crate::hir::{Arm, Recipe, Settings};

declare!(
    /// A static scale of activations that nothing tells.
    UNCALIBRATED_ACTIVATIONS, "uncalibrated-activations", E0707, Error
);
declare!(
    /// A percentile of so few activations that a handful of them decide it.
    FEW_CALIBRATION_TOKENS, "few-calibration-tokens", E0411, Warning
);

/// Inputs beyond which a sum of products does not fit in 32 bits.
const MOST_INPUTS: u64 = 1 << 17;
/// Samples of a calibration that says no number.
const SAMPLES: u64 = 128;
/// Values that lie beyond a percentile that is worth its name.
const BEYOND: u64 = 10;

/// Whether a recipe asks for products in integers.
pub fn is_asked(recipe: &Recipe) -> bool {
    recipe.arms.iter().any(|arm| asked(arm).is_some())
}

fn asked(arm: &Arm) -> Option<&Int> {
    match &arm.format {
        Some(Format::Int(int)) if int.activations != Activations::Float => Some(int),
        _ => None,
    }
}

/// Arms with activations in int8, where `products` are the matrices of the forward that fits the checkpoint.
pub fn check(context: &Context<'_>, products: Option<&BTreeMap<usize, Product>>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (arm, claimed) in context.recipe.arms.iter().zip(&context.ownership.claimed) {
        let Some(int) = asked(arm) else { continue };
        let mut first: Vec<(Reason, u32, u64)> = Vec::new();
        let mut narrowest: Option<(u64, u32)> = None;
        for tensor in claimed {
            let Some(info) = context.schema.tensors.get(*tensor as usize) else { continue };
            let shape = context.pruned.shape(*tensor as usize).unwrap_or(&info.shape.0);
            let kept = context.schema.kept(*tensor as usize);
            match inputs(int, shape, products.map(|p| p.get(&kept).copied())) {
                Ok(inputs) => {
                    if narrowest.is_none_or(|(least, _)| inputs < least) {
                        narrowest = Some((inputs, *tensor));
                    }
                }
                Err(reason) => match first.iter_mut().find(|(r, ..)| *r == reason) {
                    Some((.., n)) => *n += 1,
                    None => first.push((reason, *tensor, 1)),
                },
            }
        }
        found.extend(first.into_iter().map(|(reason, tensor, n)| report(context, arm, reason, tensor, n)));
        if let Activations::Static(percentile) = int.activations {
            found.extend(calibrated(context, arm, percentile, narrowest));
        }
    }
    found
}

/// Why a tensor has no product in integers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// Nobody says what it is multiplied with.
    NoForward,
    /// The forward multiplies nothing with it.
    NoProduct,
    /// Its scales are those of inputs, not of outputs; of outputs are those of this axis, if there is one.
    Along(Option<u32>),
    /// Sums would not fit.
    Wide(u64),
}

/// Inputs of the product, or why there is none.
fn inputs(int: &Int, shape: &[u64], product: Option<Option<Product>>) -> Result<u64, Reason> {
    let product = match product {
        None => return Err(Reason::NoForward),
        Some(None) => return Err(Reason::NoProduct),
        Some(Some(product)) => product,
    };
    let last = u32::try_from(shape.len()).unwrap_or(u32::MAX).saturating_sub(1);
    let along = match (product, int.per) {
        (_, Per::Tensor) => None,
        (Product::ByRows, Per::Channel { axis }) if axis >= last => Some(Some(last.saturating_sub(1))),
        (Product::ByRows, _) => None,
        (Product::ByColumns, Per::Channel { axis }) if axis == last => None,
        (Product::ByColumns, _) => Some(Some(last)),
        (Product::Both, _) => Some(None),
    };
    if let Some(axis) = along {
        return Err(Reason::Along(axis));
    }
    let inputs = if product == Product::ByColumns { shape.first() } else { shape.last() };
    match inputs.copied().unwrap_or(1) {
        inputs if inputs > MOST_INPUTS => Err(Reason::Wide(inputs)),
        inputs => Ok(inputs),
    }
}

fn report(context: &Context<'_>, arm: &Arm, reason: Reason, tensor: u32, n: u64) -> Diagnostic {
    let called = name(context, tensor);
    let asked = argument_at(&arm.value, "activations");
    let without = "claim it above without `activations`";
    let d = match reason {
        Reason::NoForward => {
            let d = Diagnostic::new(
                &NO_INTEGER_PRODUCT,
                asked,
                format!("no forward says what `{called}` is multiplied with"),
            );
            match context.model {
                Some(model) => d
                    .because(format!("`{}` has no forward that fits this checkpoint", model.name))
                    .help("declare its `forward`, or remove `activations`"),
                None => d
                    .because("no architecture fits this checkpoint")
                    .help("declare one with a `forward`, or remove `activations`"),
            }
        }
        Reason::NoProduct => {
            Diagnostic::new(&NO_INTEGER_PRODUCT, asked, format!("nothing is multiplied with `{called}`"))
                .label("is for matrices of linear layers")
                .help(without)
        }
        Reason::Along(axis) => {
            let at = argument_at(&arm.value, if written(arm, "axis") { "axis" } else { "per" });
            let headline = format!("the scales of `{called}` are not those of its outputs");
            let d = Diagnostic::new(&NO_INTEGER_PRODUCT, at, headline)
                .label("a sum in integers has one scale for each output");
            match axis {
                Some(axis) => {
                    let d = d.help(format!("its outputs are axis {axis}"));
                    rewrite(d, &arm.value, "axis", &axis.to_string())
                }
                None => rewrite(d.help("take `per: tensor`"), &arm.value, "per", "tensor"),
            }
        }
        Reason::Wide(inputs) => Diagnostic::new(
            &NO_INTEGER_PRODUCT,
            asked,
            format!("`{called}` has {} inputs", with_thousands(inputs)),
        )
        .label(format!("sums of more than {} do not fit in 32 bits", with_thousands(MOST_INPUTS)))
        .help(without),
    };
    let d = d.also(tensor_at(tensor, None), "this tensor");
    match n {
        1 => d,
        n => d.because(format!("the same holds for {} of this arm", count(n - 1, "other tensor"))),
    }
}

fn written(arm: &Arm, argument: &str) -> bool {
    super::arm_facts::written_argument(&arm.value, argument).is_some()
}

/// Whether calibration tells a static scale, and of how much.
fn calibrated(
    context: &Context<'_>,
    arm: &Arm,
    percentile: Percentile,
    narrowest: Option<(u64, u32)>,
) -> Option<Diagnostic> {
    let at = argument_at(&arm.value, "activations");
    if context.recipe.derive.is_some() && context.recipe.tune.is_none() {
        return Some(
            Diagnostic::new(
                &UNCALIBRATED_ACTIVATIONS,
                at,
                "nothing measures the activations of a smaller shape",
            )
            .label("is what calibration sees")
            .because("calibration runs the checkpoint, whose layers are others".to_owned())
            .help("train the shape with `tune`, or take `activations: dynamic`"),
        );
    }
    let says = |settings: &&Settings| settings.get("data").or(settings.get("statistics")).is_some();
    let Some(settings) = context.recipe.calibrate.as_ref().filter(says) else {
        let d =
            Diagnostic::new(&UNCALIBRATED_ACTIVATIONS, at, "nothing tells the scale of these activations")
                .label("is what calibration sees");
        return Some(match &context.recipe.calibrate {
            Some(settings) => d
                .also(crate::diag::Place::Source(settings.loc.clone()), "names no data")
                .help("add `data`, or `statistics` that `icpc calibrate` wrote"),
            None => d.help("add `calibrate { data: \"text.txt\" }`, or take `activations: dynamic`"),
        });
    };
    if settings.get("statistics").is_some() {
        return None; // of as many as its file says
    }
    let (inputs, tensor) = narrowest?;
    let number = |field: &str| match settings.get(field)?.kind {
        ValueKind::Int(n) => u64::try_from(n).ok(),
        _ => None,
    };
    let bound = context.model.and_then(|m| m.bounds.iter().find(|b| b.name == "sequence"));
    let samples = number("samples").unwrap_or(SAMPLES);
    let length = number("max_length").or(bound.map(|b| b.at_most)).unwrap_or(1024);
    let values = samples.saturating_mul(length).saturating_mul(inputs);
    let left = u64::from(1_000_000_000 - percentile.billionths());
    let needed = (BEYOND * 1_000_000_000).checked_div(left)?;
    if values >= needed {
        return None;
    }
    Some(
        Diagnostic::new(
            &FEW_CALIBRATION_TOKENS,
            at,
            format!("percentile {percentile} of {} activations", with_thousands(values)),
        )
        .label(format!("{} or more have {BEYOND} beyond it", with_thousands(needed)))
        .also(tensor_at(tensor, None), format!("{} inputs", with_thousands(inputs)))
        .because(format!("{values} = {samples} samples × {length} tokens × {inputs} inputs"))
        .help("take more `samples`, or `static(absmax)`"),
    )
}
