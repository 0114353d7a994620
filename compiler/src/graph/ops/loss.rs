//! What a prediction costs.

use crate::graph::op::{OpDecl, ParamKind, TypeRule, floats, param};

/// The cross-entropy of each token.
pub(super) static CROSS_ENTROPY: OpDecl = OpDecl {
    name: "cross_entropy",
    params: &[param("logits", ParamKind::Value), param("ids", ParamKind::Ids)],
    docs: "`-ln softmax(logits)[id]` of each token, in nats, summed in f64.",
    shapes: "`[.., vocab]`, `[..]` to `[..]`",
    types: TypeRule::One,
    infer: |call| {
        let (shape, _) = call.last("logits")?;
        let ids = call.required("ids")?;
        if ids.len() != shape.len() {
            return Err(call.refuse("ids", "one id for each row of logits is needed", ""));
        }
        for (id, row) in ids.iter().zip(&shape) {
            call.same("ids", id, "logits", row)?;
        }
        floats(shape)
    },
};
