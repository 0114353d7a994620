//! Attention.

use crate::graph::op::{Default, OpDecl, ParamKind, TypeRule, floats, optional, param};

/// Attention of several heads, perhaps fewer for keys and values.
pub(super) static ATTENTION: OpDecl = OpDecl {
    name: "attention",
    params: &[
        param("q", ParamKind::Value),
        param("k", ParamKind::Value),
        param("v", ParamKind::Value),
        param("heads", ParamKind::Size),
        optional("kv_heads", ParamKind::Size, Default::Nothing),
        optional("causal", ParamKind::Flag, Default::Flag(true)),
        optional("rotary", ParamKind::Float, Default::Nothing),
        optional("window", ParamKind::Size, Default::Size(0)),
        optional("scaled", ParamKind::Flag, Default::Flag(true)),
    ],
    docs: "`softmax(q k^T / sqrt(head_dim)) v` for each head. `causal`: a token sees itself and those before it. `kv_heads`: that many heads of `k` and `v`, each for the same number of heads of `q`. `rotary`: the base of rotary positions, halves of a head turned together as Llama does; none if it is left out. `window`: a token sees that many tokens, itself included, where it is causal; all before it with 0. `scaled: false`: without the division by `sqrt(head_dim)`.",
    shapes: "`[batch, seq, heads * d]`, `[batch, seq, kv_heads * d]` twice to `[batch, seq, heads * d]`",
    types: TypeRule::One,
    infer: |call| {
        let (q, k, v) = (call.ranked("q", 3)?, call.ranked("k", 3)?, call.ranked("v", 3)?);
        let heads =
            call.size("heads").ok_or_else(|| call.refuse("heads", "`attention` needs `heads`", ""))?;
        let groups = call.size("kv_heads").unwrap_or_else(|| heads.clone());
        if let ([batch, seq, queries], [k0, k1, keys], [v0, v1, values]) = (&q[..], &k[..], &v[..]) {
            call.same("k", k0, "q", batch)?;
            call.same("k", k1, "q", seq)?;
            call.same("v", v0, "q", batch)?;
            call.same("v", v1, "q", seq)?;
            call.same("v", values, "k", keys)?;
            let each = call.quotient("q", queries, &heads)?;
            let shared = call.quotient("k", keys, &groups)?;
            call.same("k", &shared, "q", &each)?;
            if heads != groups {
                call.quotient("heads", &heads, &groups)?;
            }
        }
        floats(q)
    },
};
