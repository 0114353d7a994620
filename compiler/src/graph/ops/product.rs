//! Products with matrices of the checkpoint.

use crate::graph::op::{Default, OpDecl, ParamKind, TypeRule, floats, optional, param};

/// `x w^T + b`.
pub(super) static LINEAR: OpDecl = OpDecl {
    name: "linear",
    params: &[
        param("x", ParamKind::Value),
        param("weight", ParamKind::Weight),
        optional("bias", ParamKind::Weight, Default::Nothing),
        optional("transposed", ParamKind::Flag, Default::Flag(false)),
    ],
    docs: "`x` times the matrix, plus the bias. `transposed: true` for a matrix that is stored as `[in, out]`.",
    shapes: "`[.., in]`, `[out, in]`, `[out]` to `[.., out]`",
    types: TypeRule::One,
    infer: |call| {
        let (mut shape, inner) = call.last("x")?;
        let mut weight = call.ranked("weight", 2)?;
        if call.flag("transposed") {
            weight.reverse();
        }
        let (out, columns) = match <[_; 2]>::try_from(weight) {
            Ok([out, columns]) => (out, columns),
            Err(_) => return Err(call.refuse("weight", "the weight is no matrix", "")),
        };
        call.same("x", &inner, "weight", &columns)?;
        if call.shape("bias").is_some() {
            for extent in call.ranked("bias", 1)? {
                call.same("bias", &extent, "weight", &out)?;
            }
        }
        shape.push(out);
        floats(shape)
    },
};
