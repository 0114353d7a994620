//! What models are measured beside.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::error::EvalError;
use super::model::{Logits, Model};
use super::perplexity::scores;
use super::windows::Window;

/// Bytes of scores that are kept at most.
const MOST: usize = 1 << 30;

/// A model that others are measured beside. Its scores may be kept for the next one.
pub struct Baseline<'a> {
    model: &'a Model,
    /// Nothing where each measurement is the only one.
    kept: Option<Mutex<Kept>>,
}

/// Scores by window, with the ids that they are of.
#[derive(Default)]
struct Kept {
    windows: BTreeMap<usize, (Vec<u32>, Arc<Logits>)>,
    bytes: usize,
}

impl<'a> Baseline<'a> {
    /// For one measurement.
    pub fn new(model: &'a Model) -> Baseline<'a> {
        Baseline { model, kept: None }
    }

    /// For many measurements of the same windows: its scores are computed once, as long as they take at most 1 GiB; those of
    /// later windows are computed each time.
    pub fn keeping(model: &'a Model) -> Baseline<'a> {
        Baseline { model, kept: Some(Mutex::default()) }
    }

    /// The model.
    pub fn model(&self) -> &'a Model {
        self.model
    }

    /// Its scores for window `number`.
    pub(super) fn scores(
        &self,
        window: &Window<'_>,
        number: usize,
        shift: usize,
    ) -> Result<Arc<Logits>, EvalError> {
        let ids = window.inputs(shift);
        if let Some((_, known)) =
            self.kept().and_then(|kept| kept.windows.get(&number).filter(|(of, _)| of == ids).cloned())
        {
            return Ok(known);
        }
        let found = Arc::new(scores(self.model, window, number, shift)?);
        if let Some(mut kept) = self.kept() {
            let bytes = size_of_val(found.values.as_slice());
            if kept.bytes.saturating_add(bytes) <= MOST && !kept.windows.contains_key(&number) {
                kept.bytes += bytes;
                kept.windows.insert(number, (ids.to_vec(), Arc::clone(&found)));
            }
        }
        Ok(found)
    }

    fn kept(&self) -> Option<std::sync::MutexGuard<'_, Kept>> {
        let kept = self.kept.as_ref()?;
        Some(kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
