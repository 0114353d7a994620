//! Weights that were quantised before: rounding twice costs quality, and integers are not weights.

use icpc_kernels::DType;
use icpc_kernels::format::Format;

use super::Context;
use super::arm_facts::{name, tensor_at};
use crate::base::count;
use crate::diag::{Diagnostic, declare};

declare!(
    /// A format that rounds what the source has rounded already.
    ROUNDED_TWICE, "rounded-twice", E0502, Warning
);

/// Arms that quantise tensors which the source stores in fp8.
pub fn check(context: &Context<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (arm, claimed) in context.recipe.arms.iter().zip(&context.ownership.claimed) {
        if !matches!(arm.format, Some(Format::Int(_) | Format::Code4(_))) {
            continue;
        }
        let narrow = claimed.iter().filter(|t| {
            context
                .schema
                .tensors
                .get(**t as usize)
                .is_some_and(|t| matches!(t.dtype, DType::F8E4M3 | DType::F8E5M2))
        });
        let narrow: Vec<u32> = narrow.copied().collect();
        let Some(first) = narrow.first() else { continue };
        found.push(
            Diagnostic::new(
                &ROUNDED_TWICE,
                arm.value.loc.clone(),
                format!(
                    "{} {} rounded to fp8 before",
                    count(narrow.len() as u64, "tensor"),
                    if narrow.len() == 1 { "was" } else { "were" }
                ),
            )
            .label("rounds a second time")
            .also(tensor_at(*first, None), format!("`{}` is fp8 already", name(context, *first)))
            .help("compress the checkpoint that the fp8 one was made from"),
        );
    }
    found
}
