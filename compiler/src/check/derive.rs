//! Smaller shapes that a checkpoint does not have in it.

use crate::arch::ArchModel;
use crate::arch::derive::Refused;
use crate::diag::{Diagnostic, Loc, declare};
use crate::hir::{Derived, problems};

declare!(
    /// A smaller shape that is larger, or has a dim that there is not.
    NO_SUCH_SHAPE, "no-such-shape", E0619, Error
);

/// Why `derive` gives no shape of the checkpoint that `model` was unified with.
pub fn refused(derive: &Derived, model: &ArchModel, refused: &Refused) -> Diagnostic {
    let place = |name: &str| {
        let dim = derive.dims.iter().find(|(n, ..)| n == name);
        dim.map_or_else(|| (0, derive.loc.clone()), |(_, n, at)| (*n, at.clone()))
    };
    match refused {
        Refused::Unknown(name) => {
            let known: Vec<&str> =
                model.dims.iter().filter(|d| d.value.is_some()).map(|d| d.name.as_str()).collect();
            let (_, at): (u64, Loc) = place(name);
            let d = problems::unknown_name(at, "dim", name, &known);
            Diagnostic { kind: &NO_SUCH_SHAPE, ..d }
        }
        Refused::Larger(name, of) => {
            let (wanted, at) = place(name);
            let headline = format!("`{name}` of {wanted} is larger than the checkpoint's {of}");
            Diagnostic::new(&NO_SUCH_SHAPE, at, headline)
                .label("weights are taken from the checkpoint")
                .help(format!("lower it to {of} or less"))
        }
    }
}
