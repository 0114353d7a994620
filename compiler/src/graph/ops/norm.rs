//! Normalisation over the last axis.

use crate::graph::op::{
    Call, Default, OpDecl, Param, ParamKind, Refusal, Results, TypeRule, floats, optional, param,
};

const EPS: Param = optional("eps", ParamKind::Float, Default::Float(1e-5));

/// Mean and variance.
pub(super) static LAYER_NORM: OpDecl = OpDecl {
    name: "layer_norm",
    params: &[
        param("x", ParamKind::Value),
        param("weight", ParamKind::Weight),
        optional("bias", ParamKind::Weight, Default::Nothing),
        EPS,
    ],
    docs: "`(x - mean) / sqrt(variance + eps)` over the last axis, the variance without Bessel's correction; times the weight, plus the bias.",
    shapes: "`[.., n]`, `[n]`, `[n]` to `[.., n]`",
    types: TypeRule::One,
    infer: |call| {
        if call.shape("bias").is_some() {
            vector(call, "bias")?;
        }
        vector(call, "weight")
    },
};

/// Root of the mean square.
pub(super) static RMS_NORM: OpDecl = OpDecl {
    name: "rms_norm",
    params: &[param("x", ParamKind::Value), param("weight", ParamKind::Weight), EPS],
    docs: "`x / sqrt(mean(x^2) + eps)` over the last axis, times the weight.",
    shapes: "`[.., n]`, `[n]` to `[.., n]`",
    types: TypeRule::One,
    infer: |call| vector(call, "weight"),
};

fn vector(call: &mut Call<'_>, name: &'static str) -> Result<Results, Refusal> {
    let (mut shape, last) = call.last("x")?;
    for extent in call.ranked(name, 1)? {
        call.same("x", &last, name, &extent)?;
    }
    shape.push(last);
    floats(shape)
}
