//! Mixtures of experts.

use super::elementwise::ACTIVATIONS;
use crate::graph::extent::Extent;
use crate::graph::op::{
    Call, Default, OpDecl, Param, ParamKind, Refusal, Results, TypeRule, floats, optional, param,
};

const X: Param = param("x", ParamKind::Value);
const ROUTER: Param = param("router", ParamKind::Weight);
const TOP_K: Param = param("top_k", ParamKind::Size);
const KIND: Param = optional("activation", ParamKind::Word(ACTIVATIONS), Default::Word("gelu"));
const OVER: Param = optional("softmax", ParamKind::Word(&["winners", "all"]), Default::Word("winners"));

/// Experts with matrices of their own.
pub(super) static MIXTURE: OpDecl = OpDecl {
    name: "mixture",
    params: &[
        X,
        ROUTER,
        param("experts", ParamKind::Experts),
        TOP_K,
        KIND,
        OVER,
        optional("up", ParamKind::Name, Default::Word("w1")),
        optional("down", ParamKind::Name, Default::Word("w2")),
        optional("gate", ParamKind::Name, Default::Nothing),
    ],
    docs: "Each token goes to the `top_k` experts with the largest `router x`; their results are added with weights that are the softmax over these winners, or over all. An expert is `down activation(up x)`; with `gate`, `down (activation(gate x) * up x)`. `up`, `down` and `gate` are names of matrices in each member of the family. Of equal scores the first expert wins.",
    shapes: "`[.., n]`, `[experts, n]`, a family with `[f, n]` and `[n, f]` to `[.., n]`",
    types: TypeRule::One,
    infer: mixture,
};

/// Experts stacked in tensors of rank 3.
pub(super) static STACKED_MIXTURE: OpDecl = OpDecl {
    name: "stacked_mixture",
    params: &[
        X,
        ROUTER,
        param("gate_up", ParamKind::Weight),
        param("down", ParamKind::Weight),
        TOP_K,
        KIND,
        OVER,
    ],
    docs: "`mixture` with gate, whose experts are stacked: rows of `gate_up` are the gate, then what it multiplies.",
    shapes: "`[.., n]`, `[experts, n]`, `[experts, 2 * f, n]`, `[experts, n, f]` to `[.., n]`",
    types: TypeRule::One,
    infer: stacked,
};

fn mixture(call: &mut Call<'_>) -> Result<Results, Refusal> {
    let (mut shape, inner) = call.last("x")?;
    let experts = route(call, &inner)?;
    let _ = experts;
    let members = call.experts("experts").to_vec();
    let mut width: Option<Extent> = None;
    for (part, is_down) in [("up", false), ("gate", false), ("down", true)] {
        let Some(name) = call.word(part).map(str::to_owned) else { continue };
        let named: Vec<_> = members.iter().filter(|(n, ..)| *n == name).collect();
        if named.is_empty() {
            return Err(call.refuse(
                "experts",
                format!("the experts have no `{name}`"),
                format!("`{part}` of `mixture`"),
            ));
        }
        for (_, extents, text) in named {
            let [rows, columns] = extents.as_slice() else {
                return Err(call.refuse("experts", format!("`{text}` is no matrix"), ""));
            };
            let (outer, own) = if is_down { (rows, columns) } else { (columns, rows) };
            call.same("experts", outer, "x", &inner)?;
            match &width {
                Some(width) => call.same("experts", own, "experts", width)?,
                None => width = Some(own.clone()),
            }
        }
    }
    shape.push(inner);
    floats(shape)
}

fn stacked(call: &mut Call<'_>) -> Result<Results, Refusal> {
    let (mut shape, inner) = call.last("x")?;
    let experts = route(call, &inner)?;
    let (up, down) = (call.ranked("gate_up", 3)?, call.ranked("down", 3)?);
    if let ([a, rows, columns], [b, out, width]) = (&up[..], &down[..]) {
        call.same("gate_up", a, "router", &experts)?;
        call.same("gate_up", columns, "x", &inner)?;
        call.same("down", b, "router", &experts)?;
        call.same("down", out, "x", &inner)?;
        let twice = call.product("down", &[Extent::number(2), width.clone()])?;
        call.same("gate_up", rows, "down", &twice)?;
    }
    shape.push(inner);
    floats(shape)
}

/// The number of experts.
fn route(call: &mut Call<'_>, inner: &Extent) -> Result<Extent, Refusal> {
    let router = call.ranked("router", 2)?;
    let [experts, columns] = router.as_slice() else {
        return Err(call.refuse("router", "the router is no matrix", ""));
    };
    call.same("x", inner, "router", columns)?;
    if let Some(top_k) = call.size("top_k") {
        call.at_most("top_k", &top_k, experts);
    }
    Ok(experts.clone())
}
