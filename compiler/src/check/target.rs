//! Whether the target can do what the plan asks for.

use icpc_kernels::backend::BackendKind;

use super::Context;
use crate::diag::{Diagnostic, declare};

declare!(
    /// A target for which there are no kernels.
    TARGET_LACKS_KERNELS, "target-lacks-kernels", E0705, Error
);

/// GPUs that are too old for the kernels. Whether this machine has the device is a question for the run: a recipe is checked
/// on a login node.
pub fn check(context: &Context<'_>) -> Vec<Diagnostic> {
    let Some((target, at)) = context.recipe.target.as_ref().filter(|(t, _)| t.cuda) else {
        return Vec::new();
    };
    let least = BackendKind::Cuda.least_capability();
    let (Some(capability), Some(least)) = (target.capability(), least) else { return Vec::new() };
    if capability >= least {
        return Vec::new();
    }
    let found = Diagnostic::new(
        &TARGET_LACKS_KERNELS,
        at.clone(),
        format!("there are no kernels for `{}`, they begin with sm_{least}", target.name),
    )
    .label(format!("sm_{capability}"));
    vec![found.help("`target cpu` gives the same output, byte for byte")]
}
