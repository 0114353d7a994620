//! Operations that move elements and change none.

use crate::graph::extent::{Extent, shape_text};
use crate::graph::ir::Element;
use crate::graph::op::{
    Call, Default, OpDecl, Param, ParamKind, Refusal, Results, TypeRule, floats, optional, param,
};

const X: Param = param("x", ParamKind::Value);
/// Results of one operation; real ones have three.
const MAX_PARTS: u64 = 64;

/// Equal parts.
pub(super) static CHUNK: OpDecl = OpDecl {
    name: "chunk",
    params: &[X, param("parts", ParamKind::Size)],
    docs: "Equal parts of the last axis, as a tuple.",
    shapes: "`[.., parts * n]` to `parts` times `[.., n]`",
    types: TypeRule::One,
    infer: |call| {
        let (shape, last) = call.last("x")?;
        let parts = call.size("parts").and_then(|p| p.as_number()).filter(|n| (1..=MAX_PARTS).contains(n));
        let Some(parts) = parts else {
            return Err(call.refuse("parts", format!("`parts` is a number from 1 to {MAX_PARTS}"), ""));
        };
        let each = call.quotient("x", &last, &Extent::number(parts))?;
        let one = || (shape.iter().cloned().chain([each.clone()]).collect(), Element::Float);
        Ok((0..parts).map(|_| one()).collect())
    },
};

/// Parts of given lengths.
pub(super) static SPLIT: OpDecl = OpDecl {
    name: "split",
    params: &[X, param("sizes", ParamKind::Sizes)],
    docs: "Parts of these lengths of the last axis, as a tuple.",
    shapes: "`[.., a + b]`, `[a, b]` to `[.., a]` and `[.., b]`",
    types: TypeRule::One,
    infer: |call| {
        let (shape, last) = call.last("x")?;
        let sizes = call.sizes("sizes").to_vec();
        if sizes.is_empty() || sizes.len() as u64 > MAX_PARTS {
            return Err(call.refuse("sizes", format!("a split has 1 to {MAX_PARTS} parts"), ""));
        }
        let sum = sizes.iter().try_fold(Extent::number(0), |sum, e| sum.plus(e));
        let sum = sum.ok_or_else(|| call.refuse("sizes", "the sum of the sizes is too long", ""))?;
        call.same("sizes", &sum, "x", &last)?;
        let one = |size: Extent| (shape.iter().cloned().chain([size]).collect(), Element::Float);
        Ok(sizes.into_iter().map(one).collect())
    },
};

/// One behind the other.
pub(super) static CONCAT: OpDecl = OpDecl {
    name: "concat",
    params: &[param("a", ParamKind::Value), param("b", ParamKind::Value)],
    docs: "Both, one behind the other along the last axis.",
    shapes: "`[.., m]`, `[.., n]` to `[.., m + n]`",
    types: TypeRule::One,
    infer: |call| {
        let ((mut shape, a), (other, b)) = (call.last("a")?, call.last("b")?);
        if shape.len() != other.len() {
            return Err(call.refuse("b", "`concat` takes values of one rank", shape_text(&other)));
        }
        for (x, y) in shape.iter().zip(&other) {
            call.same("b", y, "a", x)?;
        }
        shape.push(a.plus(&b).ok_or_else(|| call.refuse("b", "the sum of the extents is too long", ""))?);
        floats(shape)
    },
};

/// Other axes for the same elements.
pub(super) static RESHAPE: OpDecl = OpDecl {
    name: "reshape",
    params: &[X, param("shape", ParamKind::Sizes)],
    docs: "The same elements in row-major order with other extents.",
    shapes: "`[..]`, a list of extents to that list",
    types: TypeRule::One,
    infer: reshape,
};

fn reshape(call: &mut Call<'_>) -> Result<Results, Refusal> {
    let (from, to) = (call.required("x")?, call.sizes("shape").to_vec());
    let (a, b) = (call.product("x", &from)?, call.product("shape", &to)?);
    call.same("shape", &b, "x", &a)?;
    floats(to)
}

/// Two axes exchanged.
pub(super) static TRANSPOSE: OpDecl = OpDecl {
    name: "transpose",
    params: &[
        X,
        optional("first", ParamKind::Size, Default::Nothing),
        optional("second", ParamKind::Size, Default::Nothing),
    ],
    docs: "Two axes exchanged, the last two unless others are named; axes are counted from 0.",
    shapes: "`[.., m, n]` to `[.., n, m]`",
    types: TypeRule::One,
    infer: |call| {
        let mut shape = call.required("x")?;
        let rank = shape.len() as u64;
        if rank < 2 {
            return Err(call.refuse("x", "`transpose` needs two axes", shape_text(&shape)));
        }
        let axis = |name: &str, otherwise: u64| {
            let n = call.size(name).map_or(Some(otherwise), |e| e.as_number()).filter(|n| *n < rank);
            n.ok_or_else(|| call.refuse(name, format!("`{name}` is an axis below {rank}"), ""))
        };
        let (first, second) = (axis("first", rank - 2)?, axis("second", rank - 1)?);
        shape.swap(first as usize, second as usize);
        floats(shape)
    },
};
