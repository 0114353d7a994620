//! Words and places that several checks share.

use super::Context;
use crate::diag::{Certainty, Diagnostic, Loc, Place};
use crate::hir::value::{Value, ValueKind};

/// Place of the argument `name` of a format or call, else of the whole value.
pub fn argument_at(value: &Value, name: &str) -> Loc {
    written_argument(value, name).unwrap_or_else(|| value.loc.clone())
}

/// Place of the argument `name` of a format or call, if it is written.
pub fn written_argument(value: &Value, name: &str) -> Option<Loc> {
    let ValueKind::Call(_, args) = &value.kind else { return None };
    let named = |(arg, _): &&(Option<(String, Loc)>, Value)| arg.as_ref().is_some_and(|(n, _)| n == name);
    args.iter().find(named).map(|(_, value)| value.loc.clone())
}

/// The diagnostic with a fix that writes `text` as the argument `name`, where it is written.
pub fn rewrite(d: Diagnostic, value: &Value, name: &str, text: &str) -> Diagnostic {
    match written_argument(value, name) {
        Some(at) => d.fix(Certainty::Unsafe, format!("take `{text}`"), at, text),
        None => d,
    }
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
