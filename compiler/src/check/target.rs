//! Whether the target can do what the plan asks for.

use super::Context;
use crate::diag::{Diagnostic, declare};

declare!(
    /// A target that this build has no kernels for.
    TARGET_RUNS_ON_CPU, "target-runs-on-cpu", E0704, Note
);

/// GPU targets: this version computes every plan on the CPU, with the bytes that any target would give.
pub fn check(context: &Context<'_>) -> Vec<Diagnostic> {
    let Some((target, at)) = context.recipe.target.as_ref().filter(|(t, _)| t.cuda) else {
        return Vec::new();
    };
    vec![
        Diagnostic::new(
            &TARGET_RUNS_ON_CPU,
            at.clone(),
            format!("the plan for `{}` runs on the CPU", target.name),
        )
        .label("this build has no CUDA kernels")
        .help("the output is the same, byte for byte"),
    ]
}
