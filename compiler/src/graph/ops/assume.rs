//! What a forward is not for.

use crate::graph::op::{OpDecl, ParamKind, TypeRule, param};

/// Refuses checkpoints whose configuration asks for another computation.
pub(super) static ASSUME: OpDecl = OpDecl {
    name: "assume",
    params: &[
        param("x", ParamKind::Any),
        param("setting", ParamKind::Setting),
        param("among", ParamKind::Words),
    ],
    docs: "`x` itself, if the default holds one of these words; an error otherwise. Checkpoints with the same names and shapes may ask for another computation, and only their configuration tells.",
    shapes: "`[..]` to `[..]`",
    types: TypeRule::One,
    infer: |call| {
        let among = call.words("among").join(", ");
        match call.word("setting") {
            Some(word) if !call.words("among").iter().any(|w| w == word) => {
                let headline = format!("this forward is not for `{word}`");
                Err(call.refuse("setting", headline, format!("it is for {among}")))
            }
            _ => Ok(Vec::new()),
        }
    },
};
