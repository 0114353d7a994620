//! From a checked recipe to its plan.

use std::collections::BTreeMap;

use icpc_kernels::format::Format;

use super::ir::*;
use crate::check::Context;
use crate::checkpoint::TensorInfo;
use crate::diag::Diagnostic;
use crate::hir::value::ValueKind;
use crate::hir::{OutputContainer, Settings};
use crate::prune;
use crate::prune::problems::UNEQUAL_MEMBERS;

/// The plan of a recipe whose checks found no error, or what a family's members disagree on.
///
/// # Errors
/// Members of a pruned family that are stored differently: which of them stay is known only in the run.
pub fn build(context: &Context<'_>) -> Result<Plan, Vec<Diagnostic>> {
    let mut aliases = aliases(context);
    let mut plan = Plan {
        recipe: context.recipe.name.clone(),
        source: SourceFacts {
            header_hash: context.schema.header_hash.clone(),
            tensors: context.schema.tensors.iter().filter(|t| t.tied_to.is_none()).count() as u64,
            tensor_bytes: context.schema.tensor_bytes(),
        },
        arch: context.model.map(|model| ArchFacts {
            name: model.name.clone(),
            dims: model.dims.iter().filter_map(|d| Some((d.name.clone(), d.value?))).collect(),
        }),
        container: container(context),
        shard_bytes: context.recipe.emit.as_ref().and_then(|e| e.shard_bytes),
        selections: context.pruned.selections.iter().map(|s| selection(context, s)).collect(),
        tensors: Vec::new(),
        dropped: Vec::new(),
        derive: None,
        tune: None,
        casts: Vec::new(),
        calibrating: None,
        evaluation: None,
        calibration: None,
    };
    let families = families(context);
    let mut problems = Vec::new();
    for (number, tensor) in context.schema.tensors.iter().enumerate() {
        if tensor.tied_to.is_some() {
            continue;
        }
        let Some((format, arm)) = owner(context, number) else { continue };
        let member = context.pruned.members.get(&number);
        if let Some(member) = member {
            let keep = context.pruned.selections.get(member.selection).map_or(0, |s| s.keep);
            let family = families.get(&(member.selection, member.family.as_str(), member.suffix.as_str()));
            if member.index == 0 {
                problems.extend(family.and_then(|f| unequal(context, f)));
            }
            if member.index >= keep && format != Format::Drop {
                continue; // one of the kept members takes its place
            }
        }
        if format == Format::Drop {
            plan.dropped.push(Dropped { name: tensor.name.to_string(), bytes: tensor.bytes, arm });
            continue;
        }
        let source = match member {
            Some(member) => TensorSource::Kept {
                selection: member.selection,
                position: member.index,
                family: families
                    .get(&(member.selection, member.family.as_str(), member.suffix.as_str()))
                    .into_iter()
                    .flatten()
                    .filter_map(|t| context.schema.tensors.get(*t))
                    .map(|t| t.name.to_string())
                    .collect(),
            },
            None => TensorSource::Tensor(tensor.name.to_string()),
        };
        plan.tensors.push(TensorPlan {
            name: tensor.name.to_string(),
            aliases: u32::try_from(number).ok().and_then(|n| aliases.remove(&n)).unwrap_or_default(),
            source,
            dtype: tensor.dtype,
            source_shape: tensor.shape.0.to_vec(),
            shape: context.pruned.shape(number).unwrap_or(&tensor.shape.0).to_vec(),
            cuts: cuts(context, number),
            mask: context.pruned.masks.get(&number).copied(),
            format,
            arm,
        });
    }
    plan.tune = super::tune::build(context, &plan);
    if plan.has_static_scales() {
        plan.calibration = context.recipe.calibrate.as_ref().map(calibration);
    }
    if problems.is_empty() { Ok(plan) } else { Err(problems) }
}

fn calibration(settings: &Settings) -> CalibrationFacts {
    let number = |field: &str| match settings.get(field)?.kind {
        ValueKind::Int(n) => u64::try_from(n).ok(),
        _ => None,
    };
    CalibrationFacts {
        samples: number("samples"),
        max_length: number("max_length"),
        seed: number("seed"),
        statistics: settings.get("statistics").is_some(),
    }
}

fn container(context: &Context<'_>) -> OutputContainer {
    let emit = context.recipe.emit.as_ref();
    emit.and_then(|e| e.container).unwrap_or(OutputContainer::Safetensors)
}

fn aliases(context: &Context<'_>) -> BTreeMap<u32, Vec<String>> {
    let mut found: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for tensor in &context.schema.tensors {
        if let Some(kept) = tensor.tied_to {
            found.entry(kept).or_default().push(tensor.name.to_string());
        }
    }
    found
}

fn owner(context: &Context<'_>, tensor: usize) -> Option<(Format, ArmRef)> {
    let number = context.ownership.owner.get(tensor).copied().flatten()?;
    let arm = context.recipe.arms.get(number as usize)?;
    Some((arm.format?, ArmRef { number: number + 1, pattern: arm.pattern.text.clone() }))
}

/// Selection, family and what stands behind the index.
type Suffix<'a> = (usize, &'a str, &'a str);
type Families<'a> = BTreeMap<Suffix<'a>, Vec<usize>>;

/// Members of each pruned family that differ in their index only, by index.
fn families<'a>(context: &Context<'a>) -> Families<'a> {
    let mut found: BTreeMap<Suffix<'_>, Vec<(u64, usize)>> = BTreeMap::new();
    for (tensor, member) in &context.pruned.members {
        let key = (member.selection, member.family.as_str(), member.suffix.as_str());
        found.entry(key).or_default().push((member.index, *tensor));
    }
    let sorted = found.into_iter().map(|(key, mut list)| {
        list.sort_unstable();
        (key, list.into_iter().map(|(_, tensor)| tensor).collect())
    });
    sorted.collect()
}

fn unequal(context: &Context<'_>, family: &[usize]) -> Option<Diagnostic> {
    let first = *family.first()?;
    let (format, _) = owner(context, first)?;
    let other = family.iter().copied().find(|t| owner(context, *t).is_some_and(|(f, _)| f != format))?;
    let arm = |t: usize| {
        let number = context.ownership.owner.get(t).copied().flatten()?;
        context.recipe.arms.get(number as usize)
    };
    let (a, b) = (arm(first)?, arm(other)?);
    let name = |t: usize| context.schema.tensors.get(t).map_or("?", |t: &TensorInfo| t.name.as_str());
    Some(
        Diagnostic::new(
            &UNEQUAL_MEMBERS,
            b.value.loc.clone(),
            format!("`{}` and `{}` get two formats", name(first), name(other)),
        )
        .label("which ones are kept is known only in the run")
        .also(crate::diag::Place::Source(a.value.loc.clone()), "the other format")
        .help("give all members of a pruned family one format"),
    )
}

fn slice(slice: &prune::Slice) -> AxisSlice {
    let prune::Slice { axis, before, outer, inner, after } = *slice;
    AxisSlice { axis, before, outer, inner, after }
}

fn cuts(context: &Context<'_>, tensor: usize) -> Vec<Cut> {
    let cuts = context.pruned.cuts.get(&tensor).into_iter().flatten();
    cuts.map(|c| Cut { selection: c.selection, slice: slice(&c.slice) }).collect()
}

fn selection(context: &Context<'_>, from: &prune::Selection) -> Selection {
    let name = |t: &usize| context.schema.tensors.get(*t).map_or_else(String::new, |t| t.name.to_string());
    let voters = from.voters.iter().map(|voter| match voter {
        prune::Voter::Axis { tensor, slice: s } => Voter::Axis { tensor: name(tensor), slice: slice(s) },
        prune::Voter::Member { tensor, index } => Voter::Member { tensor: name(tensor), index: *index },
    });
    Selection {
        dim: from.dim.clone(),
        scope: from.scope.clone(),
        of: from.of,
        keep: from.keep,
        by: from.by,
        voters: voters.collect(),
    }
}
