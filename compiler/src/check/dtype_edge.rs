//! Two float types that meet in the model: a program that loads the output and computes in the stored types stops there.
//!
//! A warning and no error: `icpc` itself computes in f32 and runs such an output, and so does a program with autocast.

use std::collections::BTreeSet;

use icpc_kernels::format::{Cast, Format};

use super::Context;
use crate::base::{DType, count};
use crate::checkpoint::Schema;
use crate::diag::{Certainty, Diagnostic, Edit, Fix, Place, declare};
use crate::graph::{Edge, Elements, Graph, Operand, Types, flow, parameter};
use crate::hir::{Arm, Recipe};
use crate::matching::Ownership;

declare!(
    /// Float types that meet without a cast.
    DTYPE_EDGE, "dtype-edge", E0503, Warning
);

/// Whether tensors of a recipe have several float types, so that some could meet: otherwise nobody needs a graph.
pub fn is_mixed(context: &Context<'_>) -> bool {
    let mut found = BTreeSet::new();
    let mut last = None;
    for (tensor, owner) in context.schema.tensors.iter().zip(&context.ownership.owner) {
        if last == Some((tensor.dtype, owner)) {
            continue;
        }
        last = Some((tensor.dtype, owner));
        let format = owner.and_then(|arm| context.recipe.arms.get(arm as usize)?.format);
        match format.map(|format| Elements::stored(&format, tensor.dtype)) {
            Some(Elements::Float(dtype) | Elements::Codes(dtype)) => found.insert(dtype),
            Some(Elements::Narrow { .. }) => return true,
            Some(Elements::Other) | None => continue,
        };
        if found.len() > 1 {
            return true;
        }
    }
    false
}

/// Types of all values of the checkpoint's `graph`, as the recipe stores its weights.
pub fn types(recipe: &Recipe, schema: &Schema, ownership: &Ownership, graph: &Graph) -> Types {
    types_with(recipe, schema, ownership, graph, None)
}

/// The same, had the arm `instead` another format.
fn types_with(
    recipe: &Recipe,
    schema: &Schema,
    ownership: &Ownership,
    graph: &Graph,
    instead: Option<(u32, Format)>,
) -> Types {
    let info = |weight: usize| schema.tensors.get(graph.weights.get(weight)?.tensor?);
    let source = |weight: usize| info(weight).map_or(Elements::Other, Elements::of);
    let stored = |weight: usize| {
        let Some((arm, info)) = arm_of(ownership, graph, weight).zip(info(weight)) else {
            return source(weight);
        };
        let format = match instead {
            Some((other, format)) if other == arm => Some(format),
            _ => recipe.arms.get(arm as usize).and_then(|a| a.format),
        };
        match format {
            Some(Format::Keep) | None => source(weight),
            Some(format) => Elements::stored(&format, info.dtype),
        }
    };
    let weights = 0..graph.weights.len();
    flow(graph, &weights.clone().map(stored).collect::<Vec<_>>(), &weights.map(source).collect::<Vec<_>>())
}

/// The arm that owns a weight.
fn arm_of(ownership: &Ownership, graph: &Graph, weight: usize) -> Option<u32> {
    ownership.owner.get(graph.weights.get(weight)?.tensor?).copied().flatten()
}

/// Edges between the tensors of two arms.
struct Group {
    /// The arm whose elements are converted, and the one that they meet.
    arms: (u32, u32),
    /// A weight of each.
    weights: (usize, usize),
    first: Edge,
    edges: u64,
}

/// One diagnostic for each two arms whose tensors meet.
pub fn check(context: &Context<'_>, graph: &Graph) -> Vec<Diagnostic> {
    let types = types(context.recipe, context.schema, context.ownership, graph);
    let mut groups: Vec<Group> = Vec::new();
    for edge in &types.edges {
        let Some((arms, weights)) = ends(context, graph, edge) else { continue };
        let (by, meets) = arms;
        // Of f16 and bf16 both are converted: one pair, seen from either side.
        match groups.iter_mut().find(|g| g.arms == (by, meets) || g.arms == (meets, by)) {
            Some(group) => group.edges += 1,
            None => groups.push(Group { arms, weights, first: *edge, edges: 1 }),
        }
    }
    let reports = groups.iter().enumerate().filter_map(|(number, group)| {
        let mut d = report(context, graph, group)?;
        if number < TRIED {
            d.fixes.extend(one_type(context, graph, group, types.edges.len()));
        }
        Some(d)
    });
    reports.collect()
}

/// The arms of an edge, and a weight of each: its own, and the one that it meets.
fn ends(context: &Context<'_>, graph: &Graph, edge: &Edge) -> Option<((u32, u32), (usize, usize))> {
    let arm = |weight: usize| arm_of(context.ownership, graph, weight);
    let by = arm(edge.by)?;
    // f32 that f16 and bf16 have become meets each of them with the other's name.
    let meets = if arm(edge.meets)? == by { edge.with } else { edge.meets };
    Some(((by, arm(meets)?), (edge.by, meets)))
}

fn report(context: &Context<'_>, graph: &Graph, group: &Group) -> Option<Diagnostic> {
    let Edge { from, beside, .. } = group.first;
    let (by, meets) = group.weights;
    let arm = |number: u32| context.recipe.arms.get(number as usize);
    let (own, other) = (arm(group.arms.0)?, arm(group.arms.1)?);
    let name = |weight: usize| graph.weights.get(weight).map_or("?", |w| w.name.as_str());
    let operands = count(group.edges, "operand");
    let headline = match from == beside {
        true => format!("{from} has no arithmetic, and {operands} no cast"),
        false => format!("{from} meets {beside} at {operands} without a cast"),
    };
    let mut ends = vec![
        (own, format!("`{}` {} {from}", name(by), becomes(own))),
        (other, format!("`{}` {} {beside}", name(meets), becomes(other))),
    ];
    if group.arms.0 == group.arms.1 {
        ends.pop();
    }
    // What the recipe itself says can be changed here; what it extends stands elsewhere.
    ends.sort_by_key(|(arm, _)| arm.depth);
    let mut ends = ends.into_iter();
    let (at, label) = ends.next()?;
    let mut d = match at.depth {
        0 => Diagnostic::new(&DTYPE_EDGE, at.value.loc.clone(), headline).label(label),
        _ => Diagnostic::new(&DTYPE_EDGE, context.recipe.loc.clone(), headline)
            .also(Place::Source(at.value.loc.clone()), label),
    };
    if let Some((end, label)) = ends.next() {
        d = d.also(Place::Source(end.value.loc.clone()), label);
    }
    d = d.because(place(graph, &group.first)?);
    d = d.help("add `casts auto;` where a program that loads the output converts them");
    let text = "    casts auto;\n";
    Some(d.fix(Certainty::Unsafe, "add `casts auto;`", context.recipe.end.clone(), text))
}

/// What a format makes of a tensor's elements, as a verb before a type.
fn becomes(arm: &Arm) -> &'static str {
    match arm.format {
        Some(Format::Int(_) | Format::Code4(_)) => "is decoded to",
        Some(Format::Keep) => "stays",
        _ => "becomes",
    }
}

/// `` `linear` in `layers.0` reads `x` as f32 and `layers.0.w` as f16 ``
fn place(graph: &Graph, edge: &Edge) -> Option<String> {
    let node = graph.nodes.get(edge.node)?;
    let operand = match node.inputs.get(edge.input)? {
        Operand::Weight(w) => graph.weights.get(*w)?.name.clone(),
        _ => parameter(node, edge.input).to_owned(),
    };
    let at = if node.scope.is_empty() { String::new() } else { format!(" in `{}`", node.scope) };
    let (op, from, beside) = (node.op.name, edge.from, edge.beside);
    Some(match beside == from {
        true => format!("first: `{op}`{at} reads `{operand}` as {from}"),
        false => format!("first: `{op}`{at} reads `{operand}` as {from} beside {beside}"),
    })
}

/// Pairs of arms for which other formats are tried; each takes a walk through the graph.
const TRIED: usize = 4;

/// Another format for one of the two arms, with which nothing of theirs meets.
fn one_type(context: &Context<'_>, graph: &Graph, group: &Group, all: usize) -> Option<Fix> {
    let Edge { from, beside, .. } = group.first;
    let wanted = [(group.arms.1, from), (group.arms.0, beside)];
    wanted.into_iter().find_map(|(number, dtype)| {
        let arm = context.recipe.arms.get(number as usize)?;
        let format = cast(context, number, arm, dtype)?;
        let left = {
            let instead = Some((number, format));
            types_with(context.recipe, context.schema, context.ownership, graph, instead).edges
        };
        let meet = |e: &Edge| {
            let arms = ends(context, graph, e).map(|(arms, _)| arms);
            arms == Some(group.arms) || arms == Some((group.arms.1, group.arms.0))
        };
        (left.len() < all && !left.iter().any(meet)).then(|| Fix {
            title: format!("store `{}` as `{format}`", arm.pattern.text),
            edits: vec![Edit { at: arm.value.loc.clone(), text: format.to_string() }],
            certainty: Certainty::ShownOnly,
        })
    })
}

/// The cast to `dtype`, if it can stand in the place of an arm's format.
fn cast(context: &Context<'_>, number: u32, arm: &Arm, dtype: DType) -> Option<Format> {
    let is_plain = matches!(arm.format, Some(Format::Keep | Format::Cast(_)));
    let here = arm.depth == 0
        && arm.loc.file == arm.value.loc.file
        && arm.loc.span.start <= arm.value.loc.span.start
        && arm.value.loc.span.end <= arm.loc.span.end;
    let claimed = context.ownership.claimed.get(number as usize)?;
    let floats = || {
        let mut tensors = claimed.iter().filter_map(|t| context.schema.tensors.get(*t as usize));
        tensors.all(|t| t.dtype.is_float() && t.quantized.is_none() && t.stored_as.is_none())
    };
    let format = Cast::new(dtype, false).filter(|_| is_plain && here && floats())?;
    Some(Format::Cast(format))
}
