//! Diagnostics of pruning (band 06).

use crate::diag::{Diagnostic, Loc, declare};

declare!(
    /// A dim that carries state from token to token.
    RECURRENT_DIM, "recurrent-dim", E0603, Error
);
declare!(
    /// A dim that every block reads and writes.
    RESIDUAL_DIM, "residual-dim", E0604, Error
);
declare!(
    /// A pruning that names no dim or family.
    NOTHING_TO_PRUNE, "nothing-to-prune", E0605, Error
);
declare!(
    /// A dim that is pruned in some places only.
    SPLIT_DIM, "split-dim", E0607, Error
);
declare!(
    /// A pruning that keeps everything.
    NOTHING_REMOVED, "nothing-removed", E0608, Error
);
declare!(
    /// Members of a family that cannot take each other's place.
    UNEQUAL_MEMBERS, "unequal-members", E0609, Error
);
declare!(
    /// Runs of n:m that do not divide the last axis.
    RUNS_DO_NOT_DIVIDE, "runs-do-not-divide", E0610, Error
);
declare!(
    /// Two prunings of one thing.
    PRUNED_TWICE, "pruned-twice", E0611, Error
);

/// A pruning at `at` with nothing to remove.
pub fn nothing(at: Loc, headline: impl Into<String>, help: impl Into<String>) -> Diagnostic {
    Diagnostic::new(&NOTHING_TO_PRUNE, at, headline).help(help)
}
