//! How a model is measured: what a recipe's `evaluate` and the command line say.

use crate::hir::Settings;
use crate::hir::names::join;
use crate::hir::value::ValueKind;

/// Window of models that have no longest sequence.
const WINDOW: usize = 1024;

/// Data, and how they are cut.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protocol {
    /// The data file.
    pub data: Option<String>,
    /// The tokenizer file, or `bytes`.
    pub tokenizer: Option<String>,
    /// Tokens of a window, targets included; of a sample, `max_length`.
    pub window: Option<usize>,
    /// Tokens from the start of a window to that of the next.
    pub stride: Option<usize>,
    /// Tokens by which a target is ahead.
    pub shift: Option<usize>,
    /// Windows at most.
    pub samples: Option<usize>,
    /// Windows that are run at once.
    pub batch: Option<usize>,
    /// Which samples are drawn.
    pub seed: Option<u64>,
    /// A file of statistics in the place of samples.
    pub statistics: Option<String>,
}

impl Protocol {
    /// What a recipe's `evaluate` or `calibrate` says; paths are relative to the file it stands in.
    pub fn of(settings: &Settings) -> Protocol {
        let path = |name: &str| {
            let value = settings.get(name)?;
            let ValueKind::Text(path) = &value.kind else { return None };
            let is_file = name != "tokenizer" || path != super::tokens::BYTES;
            Some(if is_file { join(&value.loc.file, path) } else { path.clone() })
        };
        let number = |name: &str| match settings.get(name)?.kind {
            ValueKind::Int(n) => usize::try_from(n).ok(),
            _ => None,
        };
        Protocol {
            data: path("data"),
            tokenizer: path("tokenizer"),
            window: number("window").or(number("max_length")),
            stride: number("stride"),
            shift: number("shift"),
            samples: number("samples"),
            batch: number("batch"),
            seed: number("seed").map(|n| n as u64),
            statistics: path("statistics"),
        }
    }

    /// This one, and where it is silent `other`.
    #[must_use]
    pub fn or(self, other: Protocol) -> Protocol {
        Protocol {
            data: self.data.or(other.data),
            tokenizer: self.tokenizer.or(other.tokenizer),
            window: self.window.or(other.window),
            stride: self.stride.or(other.stride),
            shift: self.shift.or(other.shift),
            samples: self.samples.or(other.samples),
            batch: self.batch.or(other.batch),
            seed: self.seed.or(other.seed),
            statistics: self.statistics.or(other.statistics),
        }
    }

    /// Window, stride and shift, for a model whose sequences have `longest` tokens at most: without a window as many tokens as it
    /// has positions, or 1024; without a stride windows stand side by side; without a shift a target is the next token.
    pub fn lengths(&self, longest: Option<u64>) -> (usize, usize, usize) {
        let most = longest.and_then(|n| usize::try_from(n).ok()).unwrap_or(WINDOW);
        let window = self.window.unwrap_or(most);
        (window, self.stride.unwrap_or(window), self.shift.unwrap_or(1))
    }
}
