//! Tables and positions.

use crate::graph::ir::Element;
use crate::graph::op::{Call, OpDecl, ParamKind, Refusal, Results, TypeRule, floats, param};

/// Rows of a table.
pub(super) static EMBED: OpDecl = OpDecl {
    name: "embed",
    params: &[param("ids", ParamKind::Ids), param("weight", ParamKind::Weight)],
    docs: "Row `ids` of the table. An id that is no row is an error before anything is computed.",
    shapes: "`[..]`, `[rows, n]` to `[.., n]`",
    types: TypeRule::Table,
    infer: |call| {
        let table = call.ranked("weight", 2)?;
        let mut shape = call.required("ids")?;
        shape.extend(table.into_iter().nth(1));
        floats(shape)
    },
};

/// Positions.
pub(super) static IOTA: OpDecl = OpDecl {
    name: "iota",
    params: &[param("n", ParamKind::Size)],
    docs: "The numbers 0, 1, ... below `n`: positions.",
    shapes: "`n` to `[n]`",
    types: TypeRule::Counts,
    infer: |call| Ok(vec![(call.size("n").into_iter().collect(), Element::Index)]),
};

/// Zeros as ids.
pub(super) static ZEROS_LIKE: OpDecl = OpDecl {
    name: "zeros_like",
    params: &[param("ids", ParamKind::Ids)],
    docs: "As many zeros as there are ids: the segment of a text that has one.",
    shapes: "`[..]` to `[..]`",
    types: TypeRule::Counts,
    infer: zeros,
};

fn zeros(call: &mut Call<'_>) -> Result<Results, Refusal> {
    Ok(vec![(call.required("ids")?, Element::Index)])
}
