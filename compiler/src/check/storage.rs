//! Formats that cannot hold a tensor's shape or element type. There is no fallback type.

use icpc_kernels::format::{Format, LayoutError};

use super::Context;
use super::arm_facts::{argument_at, name, rewrite, tensor_at};
use super::misplaced_rest::is_misplaced;
use crate::base::{DType, count};
use crate::diag::{Diagnostic, Level, Loc, declare};
use crate::hir::Arm;

declare!(
    /// A block length that does not divide the last axis, or that the format has not.
    BLOCK_DOES_NOT_DIVIDE, "block-does-not-divide", E0401, Error
);
declare!(
    /// A tensor with too few axes for the format.
    RANK_TOO_LOW, "rank-too-low", E0402, Error
);
declare!(
    /// A format for real numbers on a tensor that holds none.
    NOT_A_FLOAT, "not-a-float", E0501, Error
);
declare!(
    /// A shape whose stored size does not fit into 64 bits.
    TOO_LARGE, "too-large", E0406, Error
);

/// The first tensor of each arm that its format cannot hold, with how many more there are.
pub fn check(context: &Context<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (i, (arm, claimed)) in context.recipe.arms.iter().zip(&context.ownership.claimed).enumerate() {
        let Some(format) = arm.format.as_ref().filter(|_| !is_misplaced(context, i)) else { continue };
        let mut first: Vec<(LayoutError, u32, u64)> = Vec::new();
        // Experts by the thousand share a few shapes.
        let mut fits: Option<(&[u64], DType)> = None;
        for tensor in claimed {
            let Some(info) = context.schema.tensors.get(*tensor as usize) else { continue };
            let shape = context.pruned.shape(*tensor as usize).unwrap_or(&info.shape.0);
            if fits == Some((shape, info.dtype)) {
                continue;
            }
            let Err(error) = format.layout(shape, info.dtype) else {
                fits = Some((shape, info.dtype));
                continue;
            };
            let same = |e: &LayoutError| std::mem::discriminant(e) == std::mem::discriminant(&error);
            match first.iter_mut().find(|(e, ..)| same(e)) {
                Some((_, _, n)) => *n += 1,
                None => first.push((error, *tensor, 1)),
            }
        }
        found.extend(
            first
                .into_iter()
                .map(|(error, tensor, n)| report(context, arm, format, claimed, &error, tensor, n)),
        );
    }
    debug_assert!(found.iter().all(|d| d.level() == Level::Error));
    found
}

fn report(
    context: &Context<'_>,
    arm: &Arm,
    format: &Format,
    claimed: &[u32],
    error: &LayoutError,
    tensor: u32,
    n: u64,
) -> Diagnostic {
    let value = &arm.value;
    let rank = context.schema.tensors.get(tensor as usize).map_or(0, |t| t.shape.rank());
    let last = rank.checked_sub(1).and_then(|a| u32::try_from(a).ok());
    let d = match error {
        LayoutError::BlockDoesNotDivide { block, length, remainder } => {
            let at = argument_at(value, "per");
            let d = Diagnostic::new(
                &BLOCK_DOES_NOT_DIVIDE,
                at,
                format!("blocks of {block} do not divide an axis of {length}"),
            )
            .label(format!("{length} = {} × {block} + {remainder}", length / block))
            .also(tensor_at(tensor, last), "the last axis");
            match divisor(*length, *block) {
                Some(b) => {
                    let d = d.help(format!("`block {b}` divides it"));
                    let divides = |tensor: &u32| {
                        let number = *tensor as usize;
                        let shape = context.pruned.shape(number);
                        let shape = shape.or(context.schema.tensors.get(number).map(|t| &*t.shape.0));
                        shape.and_then(<[u64]>::last).is_some_and(|length| length.is_multiple_of(b))
                    };
                    match claimed.iter().all(divides) {
                        true => rewrite(d, value, "per", &format!("block {b}")),
                        false => d,
                    }
                }
                None => d.help("take `per: channel`, or another format for these tensors"),
            }
        }
        LayoutError::BlockUnsupported { format, block, allowed } => Diagnostic::new(
            &BLOCK_DOES_NOT_DIVIDE,
            argument_at(value, "block"),
            format!("`{format}` has no blocks of {block}"),
        )
        .label(*allowed)
        .help("take 64, unless the loader asks for another length"),
        LayoutError::RankTooLow { needed, rank, .. } => {
            let headline =
                format!("`{}` needs rank {needed}, `{}` has {rank}", format.name(), name(context, tensor));
            Diagnostic::new(&RANK_TOO_LOW, argument_at(value, "per"), headline)
                .also(tensor_at(tensor, None), "this tensor")
                .help("claim tensors of lower rank above, such as `** where rank == 1 => keep`")
        }
        LayoutError::AxisOutOfRange { axis, rank } => {
            let headline = format!("`{}` has no axis {axis}", name(context, tensor));
            Diagnostic::new(&RANK_TOO_LOW, argument_at(value, "axis"), headline)
                .label(format!("its rank is {rank}, so axes are 0..{rank}"))
                .also(tensor_at(tensor, None), "this tensor")
        }
        LayoutError::NotFloat { format, source } => {
            let headline = format!("`{format}` cannot store the {source} tensor `{}`", name(context, tensor));
            Diagnostic::new(&NOT_A_FLOAT, format_at(value.loc.clone(), format), headline)
                .also(tensor_at(tensor, None), "holds integers")
                .help("claim it above with `keep` or `drop`")
        }
        LayoutError::Overflow { .. } => Diagnostic::new(
            &TOO_LARGE,
            value.loc.clone(),
            format!("`{}` is too large", name(context, tensor)),
        )
        .label(error.to_string())
        .also(tensor_at(tensor, None), "this tensor"),
    };
    if n > 1 {
        d.because(format!("the same holds for {} of this arm", count(n - 1, "other tensor")))
    } else {
        d
    }
}

fn format_at(loc: Loc, format: &str) -> Loc {
    let end = loc.span.start.saturating_add(u32::try_from(format.len()).unwrap_or(0));
    Loc { span: crate::base::Span { end: end.min(loc.span.end), ..loc.span }, ..loc }
}

/// The longest block near `block` that does divide.
fn divisor(length: u64, block: u64) -> Option<u64> {
    let powers = (3..u64::BITS).rev().map(|power| 1u64 << power);
    powers.into_iter().find(|b| *b <= block.min(length) && length.is_multiple_of(*b))
}
