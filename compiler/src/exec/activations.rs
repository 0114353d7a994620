//! Static scales of activations: measured once for a run, kept beside its journals for whoever goes on or shares it.
//!
//! ```text
//!  .NAME.journal/activations       magnitudes of the tensors that have static scales, in a line as those of journals
//!  .NAME.journal/activations.lock  locked by the task that measures them
//! ```
//!
//! So tasks on different machines, and a run that goes on, store the same bytes.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use icpc_kernels::format::{Activations, Format, Percentile};
use serde::{Deserialize, Serialize};

use super::error::{RunError, RunErrorKind};
use super::place::Place;
use super::progress::Progress;
use super::resume::{Identity, lock, sealed, unsealed};
use super::run::RunOptions;
use super::selection::Chosen;
use super::stop::Stop;
use super::weights::source_name;
use super::whole;
use crate::plan::ir::{Plan, TensorPlan, TensorSource};
use crate::report::CalibrationReport;

/// Name of the file beside the journals.
const NAME: &str = "activations";
/// Name of its lock.
const LOCK: &str = "activations.lock";

/// Tells what goes into products with matrices of the source.
pub trait Calibrator: Send + Sync {
    /// What it measures on. Runs with another one store other scales.
    fn record(&self) -> &CalibrationReport;

    /// Of each of these source tensors this percentile of the magnitudes of its inputs; `None` for one that saw none.
    ///
    /// # Errors
    /// A model that cannot be run, statistics that do not hold the percentile, a request to end.
    fn magnitudes(
        &self,
        wanted: &BTreeMap<String, Percentile>,
        progress: &dyn Progress,
        stop: &Stop,
    ) -> Result<Magnitudes, RunError>;
}

/// By source tensor.
pub type Magnitudes = BTreeMap<String, Option<f32>>;

#[derive(Serialize, Deserialize)]
struct Kept {
    identity: Identity,
    /// As bits.
    magnitudes: BTreeMap<String, Option<u32>>,
}

/// The percentile of a tensor's static scale.
fn percentile(tensor: &TensorPlan) -> Option<Percentile> {
    match &tensor.format {
        Format::Int(int) => match int.activations {
            Activations::Static(percentile) => Some(percentile),
            _ => None,
        },
        _ => None,
    }
}

/// Source tensors that a plan may store with a static scale.
fn wanted(plan: &Plan) -> BTreeMap<String, Percentile> {
    let mut found = BTreeMap::new();
    for tensor in &plan.tensors {
        let Some(percentile) = percentile(tensor) else { continue };
        let names = match &tensor.source {
            TensorSource::Tensor(name) => std::slice::from_ref(name),
            TensorSource::Kept { family, .. } => family.as_slice(),
        };
        found.extend(names.iter().map(|name| (name.clone(), percentile)));
    }
    found
}

/// Magnitudes for all static scales of `plan`: those that the run has already, else measured now.
pub(super) fn magnitudes(
    plan: &Plan,
    place: &Place,
    identity: &Identity,
    options: &RunOptions,
    progress: &dyn Progress,
) -> Result<Magnitudes, RunError> {
    let wanted = wanted(plan);
    if wanted.is_empty() {
        return Ok(Magnitudes::new());
    }
    let calibrator = options.calibration.as_deref().ok_or_else(|| {
        let message = "it has static scales of activations, and nothing to calibrate with was given";
        RunError::new(RunErrorKind::Plan, &place.output, "calibrating", message)
    })?;
    let folder = place.journal();
    let path = folder.join(NAME);
    let failed = |operation, error: &io::Error| RunError::io(RunErrorKind::Output, &path, operation, error);
    let _lock = loop {
        match lock::take(&folder.join(LOCK)).map_err(|error| failed("locking", &error))? {
            Some(lock) => break lock,
            None => {
                options.stop.check(&place.output)?;
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    };
    match fs::read(&path) {
        Ok(text) => {
            if let Some(kept) = known(&text, identity, &wanted) {
                return Ok(kept);
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed("reading", &error)),
    }
    let found = calibrator.magnitudes(&wanted, progress, &options.stop)?;
    let bits = found.iter().map(|(name, value)| (name.clone(), value.map(f32::to_bits)));
    let kept = Kept { identity: identity.clone(), magnitudes: bits.collect() };
    // Nobody else writes it: the lock is held.
    let beside = folder.join(format!("{NAME}.new"));
    whole::write(&path, &beside, sealed(&kept).as_bytes()).map_err(|error| failed("writing", &error))?;
    Ok(found)
}

/// What an earlier task or run of the same identity measured.
fn known(text: &[u8], identity: &Identity, wanted: &BTreeMap<String, Percentile>) -> Option<Magnitudes> {
    let kept: Kept = unsealed(text)?;
    let whole = kept.identity == *identity && wanted.keys().all(|name| kept.magnitudes.contains_key(name));
    let values = kept.magnitudes.into_iter().map(|(name, bits)| (name, bits.map(f32::from_bits)));
    whole.then(|| values.collect())
}

/// Removes the file from a folder of journals in which nothing else is left.
pub(super) fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    let ours = |path: &PathBuf| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(NAME));
    if paths.iter().all(ours) {
        for path in paths {
            let _ = fs::remove_file(path);
        }
    }
}

/// The step of inputs whose magnitudes are rounded to 127 steps at most; nothing where there is none.
pub fn static_step(magnitude: f32) -> Option<f32> {
    let step = magnitude / 127.0;
    (step > 0.0 && step.is_finite()).then_some(step)
}

/// The scale of a tensor, if its format stores one.
pub(super) fn scale(
    tensor: &TensorPlan,
    magnitudes: &Magnitudes,
    chosen: &BTreeMap<usize, Chosen>,
    path: &Path,
) -> Result<Option<f32>, RunError> {
    if percentile(tensor).is_none() {
        return Ok(None);
    }
    let name = source_name(tensor, chosen).unwrap_or(&tensor.name);
    let error = |message: &str, remedy: &str| {
        RunError::new(RunErrorKind::Value, path, "calibrating", message).tensor(name).remedy(remedy)
    };
    match magnitudes.get(name) {
        Some(Some(magnitude)) => static_step(*magnitude).map(Some).ok_or_else(|| {
            let said = match magnitude.is_finite() {
                true => "all that came to it in calibration was zero".to_owned(),
                false => format!("what came to it in calibration is {magnitude}"),
            };
            error(&said, "take `activations: dynamic` for it, or other samples")
        }),
        Some(None) => Err(error(
            "no token came to it in calibration",
            "take more `samples`, or `activations: dynamic` for it",
        )),
        None => Err(RunError::internal(path, "a scale was not measured").tensor(name)),
    }
}

/// Refuses scales that calibration does not tell, before anything is encoded.
pub(super) fn check(
    plan: &Plan,
    magnitudes: &Magnitudes,
    chosen: &BTreeMap<usize, Chosen>,
    tensors: impl Fn(usize) -> bool,
    path: &Path,
) -> Result<(), RunError> {
    let mine = plan.tensors.iter().enumerate().filter(|(index, _)| tensors(*index));
    mine.map(|(_, tensor)| tensor).try_for_each(|t| scale(t, magnitudes, chosen, path).map(drop))
}
