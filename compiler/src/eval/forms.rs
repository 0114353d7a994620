//! What the attributes of an operation say, for every engine.

use std::ops::Range;

use super::engine::Engine;
use super::error::Failure;
use super::interpret::Run;
use crate::graph::{Attribute, Node};

/// Heads, and what they see.
pub(super) struct AttentionForm {
    pub heads: usize,
    pub kv_heads: usize,
    /// Numbers of a head.
    pub head: usize,
    pub causal: bool,
    /// Tokens that a token sees, itself included; all before it with 0.
    pub window: usize,
    /// Whether scores are divided by the root of `head`.
    pub is_scaled: bool,
    /// Base of rotary positions.
    pub rotary: Option<f64>,
    /// Position of the first of these tokens.
    pub first: usize,
    /// Position behind the last one.
    pub seen: usize,
}

/// For rows of `width` queries, `tokens` in a sequence.
pub(super) fn attention<E: Engine>(
    run: &Run<'_, '_, E>,
    node: &Node,
    tokens: usize,
    width: usize,
) -> Result<AttentionForm, Failure> {
    let heads = run.size(node, "heads")?.unwrap_or(0);
    let kv_heads = run.size(node, "kv_heads")?.unwrap_or(heads);
    let head = width.checked_div(heads).unwrap_or(0);
    if heads.saturating_mul(head) != width {
        return Err(Failure::new(format!("{heads} heads do not divide rows of {width}")));
    }
    if kv_heads == 0 || !heads.is_multiple_of(kv_heads) {
        return Err(Failure::new(format!("{kv_heads} heads of keys do not divide {heads}")));
    }
    let first = run.past();
    let seen = first.saturating_add(tokens);
    let (causal, window) = (node.flag("causal") == Some(true), run.size(node, "window")?.unwrap_or(0));
    if window > 0 && !causal {
        return Err(Failure::new("a window is for tokens that see none behind them"));
    }
    Ok(AttentionForm {
        heads,
        kv_heads,
        head,
        causal,
        window,
        is_scaled: node.flag("scaled") != Some(false),
        rotary: node.float("rotary"),
        first,
        seen,
    })
}

/// Keys that come one at a time are seen by none before them.
pub(super) fn bidirectional_state() -> Failure {
    Failure::new("tokens see later ones, so they do not come one at a time")
}

/// The first column of a part, and how many it has: of `chunk`.
pub(super) fn chunk<E: Engine>(run: &Run<'_, '_, E>, node: &Node) -> Result<(usize, usize), Failure> {
    let part = run.size(node, "part")?.unwrap_or(0);
    let width = run.shape(node)?.last().copied().unwrap_or(0);
    Ok((part.saturating_mul(width), width))
}

/// The same of `split`.
pub(super) fn split<E: Engine>(run: &Run<'_, '_, E>, node: &Node) -> Result<(usize, usize), Failure> {
    let part = run.size(node, "part")?.unwrap_or(0);
    let Some(Attribute::Sizes(sizes)) = node.attribute("sizes") else {
        return Err(Failure::internal("`split` has no sizes"));
    };
    let sizes: Result<Vec<usize>, Failure> = sizes.iter().map(|e| run.number(e)).collect();
    let sizes = sizes?;
    Ok((sizes.iter().take(part).sum(), sizes.get(part).copied().unwrap_or(0)))
}

/// The axes that `transpose` exchanges in a value of `rank` axes.
pub(super) fn transpose<E: Engine>(
    run: &Run<'_, '_, E>,
    node: &Node,
    rank: usize,
) -> Result<(usize, usize), Failure> {
    let first = run.size(node, "first")?.unwrap_or(rank.saturating_sub(2));
    let second = run.size(node, "second")?.unwrap_or(rank.saturating_sub(1));
    match first < rank && second < rank {
        true => Ok((first, second)),
        false => Err(Failure::internal("an axis that is none")),
    }
}

/// The numbers of `iota`: the first, and how many.
pub(super) fn iota<E: Engine>(run: &Run<'_, '_, E>, node: &Node) -> Result<(usize, usize), Failure> {
    let Some(Attribute::Size(extent)) = node.attribute("n") else {
        return Err(Failure::internal("`iota` has no length"));
    };
    // Of a sequence that comes in parts, the positions go on.
    let first = if run.is_free(extent) { run.past() } else { 0 };
    Ok((first, run.number(extent)?))
}

/// The small number of a norm.
pub(super) fn eps(node: &Node) -> Result<f64, Failure> {
    node.float("eps").ok_or_else(|| Failure::internal("a norm has no `eps`"))
}

/// Where the matrices of expert `number` stand among `matrices`: up, down, and the gate where there is one.
pub(super) fn expert<'a, T>(node: &Node, number: usize, matrices: &'a [T]) -> Result<Expert<'a, T>, Failure> {
    let each: usize = if node.attribute("gate").is_some() { 3 } else { 2 };
    let own = number.checked_mul(each).and_then(|first| matrices.get(first..first.checked_add(each)?));
    match own {
        Some([up, down]) => Ok(Expert { up, down, gate: None }),
        Some([up, down, gate]) => Ok(Expert { up, down, gate: Some(gate) }),
        _ => {
            let message = format!("the router has an expert {number}, the checkpoint has none");
            Err(Failure::new(message))
        }
    }
}

/// The matrices of one expert.
pub(super) struct Expert<'a, T> {
    pub up: &'a T,
    pub down: &'a T,
    pub gate: Option<&'a T>,
}

/// Rows of one expert in stacked matrices.
pub(super) struct StackedRows {
    /// In the matrix of both: the gate.
    pub gate: Range<usize>,
    /// What it multiplies.
    pub up: Range<usize>,
    /// In the other one.
    pub down: Range<usize>,
}

/// Those of expert `number`, for rows of `width` and an inner width of `inner`.
pub(super) fn stacked(number: usize, width: usize, inner: usize) -> StackedRows {
    let first = number.saturating_mul(2).saturating_mul(inner);
    let middle = first.saturating_add(inner);
    let own = number.saturating_mul(width);
    StackedRows {
        gate: first..middle,
        up: middle..middle.saturating_add(inner),
        down: own..own.saturating_add(width),
    }
}

/// A name that no engine has an activation for.
pub(super) fn unknown_activation(name: &str) -> Failure {
    Failure::new(format!("the activation `{name}` is not known"))
}
