//! Signals that ask a run to stop: it stops between two chunks, so that it can take away what it began to write.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use signal_hook::consts::signal::*;
use signal_hook::flag;

use super::error::{RunError, RunErrorKind};

static ASKED: OnceLock<Arc<AtomicUsize>> = OnceLock::new();

/// Signals that end a process and that people, shells and job schedulers send.
#[cfg(unix)]
const STOPS: [(i32, &str); 3] = [(SIGINT, "SIGINT"), (SIGTERM, "SIGTERM"), (SIGHUP, "SIGHUP")];
#[cfg(not(unix))]
const STOPS: [(i32, &str); 2] = [(SIGINT, "SIGINT"), (SIGTERM, "SIGTERM")];

/// From now on such a signal stops the runs of this process with an error, and a second one the process.
/// A write beyond the limit of file sizes becomes an error, too, instead of the end of the process.
pub fn watch() {
    if ASKED.get().is_some() {
        return;
    }
    let asked = Arc::new(AtomicUsize::new(0));
    let again = Arc::new(AtomicBool::new(false));
    let ignored = ignored();
    for (signal, _) in STOPS {
        // `nohup` and background jobs of a shell ignore some; they are to live on.
        if ignored.checked_shr(signal.unsigned_abs().saturating_sub(1)).is_some_and(|mask| mask & 1 == 1) {
            continue;
        }
        // A signal that cannot be watched does what it did before. The order counts: the first one is to find `again` unset.
        let _ = flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&again));
        let _ = flag::register(signal, Arc::clone(&again));
        let _ = flag::register_usize(signal, Arc::clone(&asked), signal.unsigned_abs() as usize);
    }
    #[cfg(unix)]
    let _ = flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
    let _ = ASKED.set(asked);
}

/// An error once a signal has asked to stop.
pub(super) fn check(path: &Path) -> Result<(), RunError> {
    let asked = ASKED.get().map_or(0, |asked| asked.load(Ordering::Relaxed));
    match STOPS.iter().find(|(signal, _)| signal.unsigned_abs() as usize == asked) {
        None => Ok(()),
        Some((_, name)) => {
            let message = format!("stopped by {name}, nothing is left behind");
            Err(RunError::new(RunErrorKind::Environment, path, "running", message))
        }
    }
}

/// Signals that this process was started to ignore, one bit each from the lowest for signal 1.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
