//! Operations in which a token sees those before it, one after the other.

use crate::graph::op::{Default, OpDecl, Param, ParamKind, TypeRule, floats, optional, param};

const X: Param = param("x", ParamKind::Value);

/// A filter for each channel.
pub(super) static CAUSAL_CONV1D: OpDecl = OpDecl {
    name: "causal_conv1d",
    params: &[X, param("weight", ParamKind::Weight), optional("bias", ParamKind::Weight, Default::Nothing)],
    docs: "Each channel with a filter of its own over the `k` last tokens: `y[t] = b + sum w[j] x[t - k + 1 + j]`, tokens before the first being 0.",
    shapes: "`[batch, seq, n]`, `[n, 1, k]`, `[n]` to `[batch, seq, n]`",
    types: TypeRule::One,
    infer: |call| {
        let shape = call.ranked("x", 3)?;
        let (_, channels) = call.last("x")?;
        let weight = call.ranked("weight", 3)?;
        if let [rows, one, _] = weight.as_slice() {
            call.same("x", &channels, "weight", rows)?;
            if one.as_number() != Some(1) {
                return Err(call.refuse(
                    "weight",
                    "the filters are not one for each channel",
                    "axis 1 is 1 for those",
                ));
            }
        }
        if call.shape("bias").is_some() {
            for extent in call.ranked("bias", 1)? {
                call.same("x", &channels, "bias", &extent)?;
            }
        }
        floats(shape)
    },
};

/// Itera-Lite's state, shared by all channels.
pub(super) static SCAN: OpDecl = OpDecl {
    name: "scan",
    params: &[
        X,
        param("dt", ParamKind::Value),
        param("a_log", ParamKind::Weight),
        param("b", ParamKind::Weight),
        param("c", ParamKind::Weight),
        param("d", ParamKind::Weight),
    ],
    docs: "A state of `s` numbers that all channels share: `h = exp(-exp(a_log) dt) h + dt (b x)`, `y = c h + d x`. One step `dt` for each token.",
    shapes: "`[batch, seq, n]`, `[batch, seq]`, `[s]`, `[s, n]`, `[n, s]`, `[n]` to `[batch, seq, n]`",
    types: TypeRule::One,
    infer: |call| {
        let x = call.ranked("x", 3)?;
        let dt = call.ranked("dt", 2)?;
        let (a, b, c, d) =
            (call.ranked("a_log", 1)?, call.ranked("b", 2)?, call.ranked("c", 2)?, call.ranked("d", 1)?);
        if let ([batch, seq, n], [dt0, dt1], [s], [b0, b1], [c0, c1], [d0]) =
            (&x[..], &dt[..], &a[..], &b[..], &c[..], &d[..])
        {
            call.same("dt", dt0, "x", batch)?;
            call.same("dt", dt1, "x", seq)?;
            call.same("b", b0, "a_log", s)?;
            call.same("b", b1, "x", n)?;
            call.same("c", c0, "x", n)?;
            call.same("c", c1, "a_log", s)?;
            call.same("d", d0, "x", n)?;
        }
        floats(x)
    },
};

/// Mamba's state, one for each channel.
pub(super) static SELECTIVE_SCAN: OpDecl = OpDecl {
    name: "selective_scan",
    params: &[
        X,
        param("dt", ParamKind::Value),
        param("b", ParamKind::Value),
        param("c", ParamKind::Value),
        param("a_log", ParamKind::Weight),
        param("d", ParamKind::Weight),
    ],
    docs: "A state of `s` numbers for each channel: `h = exp(-exp(a_log) dt) h + dt b x`, `y = c h + d x`, with `dt`, `b` and `c` made from the token (Mamba, Gu and Dao 2023).",
    shapes: "`[batch, seq, n]`, `[batch, seq, n]`, `[batch, seq, s]`, `[batch, seq, s]`, `[n, s]`, `[n]` to `[batch, seq, n]`",
    types: TypeRule::One,
    infer: |call| {
        let x = call.ranked("x", 3)?;
        let (dt, b, c) = (call.ranked("dt", 3)?, call.ranked("b", 3)?, call.ranked("c", 3)?);
        let (a, d) = (call.ranked("a_log", 2)?, call.ranked("d", 1)?);
        if let ([batch, seq, n], [a0, s], [d0]) = (&x[..], &a[..], &d[..]) {
            for (name, shape, last) in [("dt", &dt, n), ("b", &b, s), ("c", &c, s)] {
                for (axis, expected) in shape.iter().zip([batch, seq, last]) {
                    call.same(name, axis, if last == s { "a_log" } else { "x" }, expected)?;
                }
            }
            call.same("a_log", a0, "x", n)?;
            call.same("d", d0, "x", n)?;
        }
        floats(x)
    },
};
