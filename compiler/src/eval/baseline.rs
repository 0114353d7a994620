//! What models are measured beside.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::error::EvalError;
use super::model::{Logits, Model};
use super::perplexity::scores;
use super::windows::Numbered;

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

    /// Its scores for these windows, each in its place.
    pub(super) fn scores(&self, windows: &[Numbered<'_>]) -> Vec<Result<Arc<Logits>, EvalError>> {
        let known: Vec<Option<Arc<Logits>>> = windows.iter().map(|window| self.known(window)).collect();
        let missing = windows.iter().zip(&known).filter(|(_, known)| known.is_none());
        let missing: Vec<Numbered<'_>> = missing.map(|(window, _)| Numbered { ..*window }).collect();
        let mut found = scores(self.model, &missing, 1).into_iter().zip(&missing).map(|(scores, window)| {
            let scores = Arc::new(scores?);
            self.keep(window, &scores);
            Ok(scores)
        });
        let internal = || EvalError::new(self.model.path(), "evaluating", "internal error: a window is lost");
        known
            .into_iter()
            .map(|known| known.map_or_else(|| found.next().unwrap_or_else(|| Err(internal())), Ok))
            .collect()
    }

    fn known(&self, window: &Numbered<'_>) -> Option<Arc<Logits>> {
        let kept = self.kept()?;
        let (of, scores) = kept.windows.get(&window.number)?;
        (of == window.inputs()).then(|| Arc::clone(scores))
    }

    fn keep(&self, window: &Numbered<'_>, scores: &Arc<Logits>) {
        let Some(mut kept) = self.kept() else { return };
        let bytes = size_of_val(scores.values.as_slice());
        if kept.bytes.saturating_add(bytes) <= MOST && !kept.windows.contains_key(&window.number) {
            kept.bytes += bytes;
            kept.windows.insert(window.number, (window.inputs().to_vec(), Arc::clone(scores)));
        }
    }

    fn kept(&self) -> Option<std::sync::MutexGuard<'_, Kept>> {
        let kept = self.kept.as_ref()?;
        Some(kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
