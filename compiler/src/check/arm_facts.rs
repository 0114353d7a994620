//! Words and places that several checks share.

use super::Context;
use crate::diag::{Loc, Place};
use crate::hir::value::{Value, ValueKind};

/// Place of the argument `name` of a format or call, else of the whole value.
pub fn argument_at(value: &Value, name: &str) -> Loc {
    if let ValueKind::Call(_, args) = &value.kind {
        for (arg, v) in args {
            if arg.as_ref().is_some_and(|(n, _)| n == name) {
                return v.loc.clone();
            }
        }
    }
    value.loc.clone()
}

/// Place of a tensor in the listing.
pub fn tensor_at(tensor: u32, axis: Option<u32>) -> Place {
    Place::Tensor { tensor, axis }
}

/// Name of a tensor.
pub fn name<'a>(context: &Context<'a>, tensor: u32) -> &'a str {
    context.schema.tensors.get(tensor as usize).map_or("?", |t| t.name.as_str())
}

/// Names of tensors.
pub fn names<'a>(context: &Context<'a>, tensors: &[u32]) -> Vec<&'a str> {
    tensors.iter().map(|t| name(context, *t)).collect()
}
