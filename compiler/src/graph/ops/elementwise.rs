//! Operations on single elements, and sums over the last axis.

use crate::graph::extent::{Extent, shape_text};
use crate::graph::op::{
    Call, Default, OpDecl, Param, ParamKind, Refusal, Results, TypeRule, floats, optional, param,
};

/// Words of an activation, as configurations spell them.
pub(super) const ACTIVATIONS: &[&str] =
    &["gelu", "gelu_new", "gelu_pytorch_tanh", "silu", "swish", "relu", "tanh"];

const X: Param = param("x", ParamKind::Value);
const A: Param = param("a", ParamKind::Value);
const B: Param = param("b", ParamKind::Value);

macro_rules! unary {
    ($(#[$doc:meta])* $id:ident, $name:literal, $docs:literal) => {
        $(#[$doc])*
        pub(super) static $id: OpDecl = OpDecl {
            name: $name,
            params: &[X],
            docs: $docs,
            shapes: "`[..]` to `[..]`",
            types: TypeRule::One,
            infer: |call| floats(call.required("x")?),
        };
    };
}

macro_rules! binary {
    ($(#[$doc:meta])* $id:ident, $name:literal, $docs:literal) => {
        $(#[$doc])*
        pub(super) static $id: OpDecl = OpDecl {
            name: $name,
            params: &[A, B],
            docs: $docs,
            shapes: "axes are paired from the last; equal, or 1, or missing in one",
            types: TypeRule::One,
            infer: together,
        };
    };
}

/// The Gaussian error linear unit.
pub(super) static GELU: OpDecl = OpDecl {
    name: "gelu",
    params: &[X, optional("approximate", ParamKind::Word(&["none", "tanh"]), Default::Word("none"))],
    docs: "`x * Phi(x)` with the error function, or its approximation by `tanh`.",
    shapes: "`[..]` to `[..]`",
    types: TypeRule::One,
    infer: |call| floats(call.required("x")?),
};

unary!(
    /// `x * sigmoid(x)`.
    SILU, "silu", "`x / (1 + exp(-x))`."
);
unary!(
    /// `max(x, 0)`.
    RELU, "relu", "`x` or 0, whichever is larger."
);
unary!(
    /// The hyperbolic tangent.
    TANH, "tanh", "The hyperbolic tangent."
);
unary!(
    /// The exponential.
    EXP, "exp", "`e^x`."
);
unary!(
    /// `ln(1 + e^x)`.
    SOFTPLUS, "softplus", "`ln(1 + e^x)`; `x` itself above 20."
);
unary!(
    /// `-x`.
    NEGATE, "negate", "`-x`, also written so."
);
unary!(
    /// Shares that add up to 1.
    SOFTMAX, "softmax", "`e^x` over its sum along the last axis."
);

/// The activation that a configuration names.
pub(super) static ACTIVATION: OpDecl = OpDecl {
    name: "activation",
    params: &[X, param("kind", ParamKind::Word(ACTIVATIONS))],
    docs: "The activation of that name, for one that a configuration tells: `gelu_new` and `gelu_pytorch_tanh` are the approximation by `tanh`, `swish` is `silu`.",
    shapes: "`[..]` to `[..]`",
    types: TypeRule::One,
    infer: |call| floats(call.required("x")?),
};

/// The mean of a row.
pub(super) static MEAN: OpDecl = OpDecl {
    name: "mean",
    params: &[X],
    docs: "The mean over the last axis, which goes away.",
    shapes: "`[.., n]` to `[..]`",
    types: TypeRule::One,
    infer: |call| floats(call.last("x")?.0),
};

binary!(
    /// `a + b`.
    ADD, "add", "`a + b`, written so."
);
binary!(
    /// `a - b`.
    SUB, "sub", "`a - b`, written so."
);
binary!(
    /// `a * b`.
    MUL, "mul", "`a * b` element by element, written so."
);
binary!(
    /// `a / b`.
    DIV, "div", "`a / b` element by element, written so."
);

fn together(call: &mut Call<'_>) -> Result<Results, Refusal> {
    let (a, b) = (call.required("a")?, call.required("b")?);
    let rank = a.len().max(b.len());
    let at = |shape: &[Extent], axis: usize| {
        let missing = rank - shape.len();
        axis.checked_sub(missing).and_then(|i| shape.get(i).cloned())
    };
    let mut shape = Vec::with_capacity(rank);
    for axis in 0..rank {
        shape.push(match (at(&a, axis), at(&b, axis)) {
            (Some(x), Some(y)) if y.is_one() => x,
            (Some(x), Some(y)) if x.is_one() => y,
            (Some(x), Some(y)) => {
                call.same("b", &y, "a", &x)?;
                x
            }
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => return Err(call.refuse("b", "an axis is missing", shape_text(&b))),
        });
    }
    floats(shape)
}
