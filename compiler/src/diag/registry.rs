//! Every diagnostic there is, in order of code. The one file that names modules above its own: it is a list of statics,
//! and a test compares it with the `declare!`s of the sources.

use super::Declaration;
use crate::{check, db, hir, plan, prune};

/// All kinds, sorted by code.
pub static ALL: &[&Declaration] = &[
    // 01: syntax
    &db::problems::SYNTAX_ERROR,
    // 02: names, imports and values
    &hir::problems::UNKNOWN_NAME,
    &hir::problems::UNKNOWN_IMPORT,
    &hir::problems::CIRCULAR_DEFINITION,
    &hir::problems::DUPLICATE_NAME,
    &hir::problems::WRONG_KIND,
    &hir::problems::UNKNOWN_FIELD,
    &hir::problems::MISSING_FIELD,
    &hir::problems::VALUE_OUT_OF_RANGE,
    &hir::problems::REPEATED_ITEM,
    &hir::problems::UNBOUND_PARAMETER,
    &check::forward::NOT_IN_FORWARD,
    &check::forward::UNKNOWN_OPERATION,
    &check::forward::WRONG_ARGUMENT,
    &check::forward::UNBOUND_NAME,
    &hir::problems::UNUSED_NAME,
    // 03: matching
    &check::unmatched_pattern::UNMATCHED_PATTERN,
    &check::shadowed_arm::SHADOWED_ARM,
    &check::uncovered_tensors::UNCOVERED_TENSORS,
    &check::tie_conflict::TIE_CONFLICT,
    &check::shadowed_arm::PARTLY_SHADOWED_ARM,
    &check::unmatched_pattern::UNKNOWN_ROLE,
    &check::misplaced_rest::MISPLACED_REST,
    // 04: shapes and lengths
    &check::storage::BLOCK_DOES_NOT_DIVIDE,
    &check::storage::RANK_TOO_LOW,
    &check::length_beyond_positions::LENGTH_BEYOND_POSITIONS,
    &check::tokens_beyond_vocabulary::TOKENS_BEYOND_VOCABULARY,
    &check::percentile_cuts_nothing::PERCENTILE_CUTS_NOTHING,
    &check::storage::TOO_LARGE,
    &check::tokens_beyond_vocabulary::VOCABULARY_SLACK,
    &check::forward::SHAPES_DIFFER,
    &check::forward::WRONG_RESULT,
    &check::impossible_windows::IMPOSSIBLE_WINDOWS,
    &check::integer_product::FEW_CALIBRATION_TOKENS,
    &check::short_text::SHORT_TEXT,
    // 05: dtypes
    &check::storage::NOT_A_FLOAT,
    &check::requantised::ROUNDED_TWICE,
    &check::dtype_edge::DTYPE_EDGE,
    &check::already_compressed::ALREADY_COMPRESSED,
    // 06: structure and pruning
    &check::architecture::ARCHITECTURE_MISMATCH,
    &check::architecture::NO_ARCHITECTURE,
    &prune::problems::RECURRENT_DIM,
    &prune::problems::RESIDUAL_DIM,
    &prune::problems::NOTHING_TO_PRUNE,
    &check::settings::TOP_K_BEYOND_EXPERTS,
    &prune::problems::SPLIT_DIM,
    &prune::problems::NOTHING_REMOVED,
    &prune::problems::UNEQUAL_MEMBERS,
    &prune::problems::RUNS_DO_NOT_DIVIDE,
    &prune::problems::PRUNED_TWICE,
    &db::problems::MALFORMED_ARCHITECTURE,
    &check::forward::UNDECLARED_TENSOR,
    &check::forward::UNCOVERED_ALTERNATIVE,
    &check::forward::UNUSED_TENSOR,
    &hir::problems::NO_INTEGER_PRODUCT,
    &check::tune::UNTRAINABLE_MODEL,
    &check::tune::NOTHING_TO_TRAIN,
    &check::derive::NO_SUCH_SHAPE,
    // 07: plan, target and requirements
    &plan::requirement::REQUIREMENT_NOT_MET,
    &plan::requirement::UNDECIDED_REQUIREMENT,
    &plan::refused::CONTAINER_REFUSES,
    &check::target::TARGET_LACKS_KERNELS,
    &check::integer_product::UNCALIBRATED_ACTIVATIONS,
    // 09: files
    &db::problems::UNREADABLE_CHECKPOINT,
    &db::problems::NO_CHECKPOINT,
    &check::tokens_beyond_vocabulary::MISSING_FILE,
    &check::tokens_beyond_vocabulary::UNREADABLE_TOKENIZER,
    &db::problems::CHECKPOINT_REMARK,
    &db::problems::MISSING_CHECKPOINT,
    &db::problems::OUTDATED_HEADER,
];

/// Kind by code (`E0301`, any case) or name (`unmatched-pattern`).
pub fn by_code_or_name(text: &str) -> Option<&'static Declaration> {
    ALL.iter().copied().find(|d| d.code.eq_ignore_ascii_case(text) || d.name == text)
}
