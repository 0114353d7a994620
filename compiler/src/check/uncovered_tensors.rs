//! Tensors that no arm claims: the match is not exhaustive.

use super::Context;
use super::arm_facts::names;
use crate::base::{Span, count, human_bytes, list};
use crate::diag::{Certainty, Diagnostic, Edit, Fix, Loc, declare};

declare!(
    /// Tensors that no arm claims.
    UNCOVERED_TENSORS, "uncovered-tensors", E0303, Error
);

/// One diagnostic for all of them.
pub fn check(context: &Context<'_>) -> Vec<Diagnostic> {
    let recipe = context.recipe;
    // With a broken arm, what it would have claimed is unknown.
    if recipe.arms.iter().any(|a| a.pattern.broken) {
        return Vec::new();
    }
    let mut uncovered = Vec::new();
    let mut bytes: u64 = 0;
    for ((owner, tensor), number) in context.ownership.owner.iter().zip(&context.schema.tensors).zip(0u32..) {
        if owner.is_none() && tensor.tied_to.is_none() {
            uncovered.push(number);
            bytes = bytes.saturating_add(tensor.bytes);
        }
    }
    if uncovered.is_empty() {
        return Vec::new();
    }
    let total = context.schema.tensor_bytes().max(1);
    let share = bytes as f64 / total as f64 * 100.0;
    let n = uncovered.len() as u64;
    let (at, label) = match recipe.arms.iter().rfind(|a| a.depth == 0) {
        Some(last) => (last.pattern.loc.clone(), "the last arm".to_owned()),
        None => (recipe.loc.clone(), "it has no arm".to_owned()),
    };
    let mut d = Diagnostic::new(
        &UNCOVERED_TENSORS,
        at,
        format!("no arm claims {} ({}, {share:.1}% of the bytes)", count(n, "tensor"), human_bytes(bytes)),
    )
    .label(label)
    .because(list(&names(context, &uncovered)))
    .help("add an arm for them, such as `_ => keep,` at the end");
    for tensor in uncovered.iter().take(2) {
        d = d.also(super::arm_facts::tensor_at(*tensor, None), "claimed by no arm");
    }
    if let Some(last) = recipe.arms.iter().rfind(|a| a.depth == 0) {
        let end = last.loc.span.end;
        let at = Loc { span: Span { start: end, end }, ..last.loc.clone() };
        d.fixes.push(Fix {
            title: "add `_ => keep` as the last arm".into(),
            certainty: Certainty::Unsafe,
            edits: vec![Edit { at, text: ",\n        _ => keep".into() }],
        });
    }
    vec![d]
}
