//! A request to end soon, by a signal or by the program that uses this library.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::signal::*;
use signal_hook::flag;

use super::error::{RunError, RunErrorKind};

/// Whether somebody asked; clones are one.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicUsize>);

/// No signal has this number.
const NO_SIGNAL: usize = usize::MAX;

/// Signals by which people, shells and job schedulers ask a process to end. Slurm sends SIGTERM before SIGKILL, and with
/// `--signal=USR1@120` SIGUSR1 two minutes before a time limit.
#[cfg(unix)]
const STOPS: [(i32, &str); 4] =
    [(SIGINT, "SIGINT"), (SIGTERM, "SIGTERM"), (SIGHUP, "SIGHUP"), (SIGUSR1, "SIGUSR1")];
#[cfg(not(unix))]
const STOPS: [(i32, &str); 2] = [(SIGINT, "SIGINT"), (SIGTERM, "SIGTERM")];

impl Stop {
    /// A request that such signals make from now on; a second SIGINT ends the process at once. A scheduler may send the
    /// others several times over. A write beyond the limit of file sizes becomes an error instead of the end of the process.
    pub fn on_signals() -> Stop {
        let stop = Stop::default();
        let again = Arc::new(AtomicBool::new(false));
        let ignored = ignored();
        for (signal, _) in STOPS {
            // `nohup` and background jobs of a shell ignore some; they are to live on.
            if ignored.checked_shr(signal.unsigned_abs().saturating_sub(1)).is_some_and(|mask| mask & 1 == 1)
            {
                continue;
            }
            // A signal that cannot be watched does what it did before.
            if signal == SIGINT {
                // the order counts: the first one is to find `again` unset
                let _ = flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&again));
                let _ = flag::register(signal, Arc::clone(&again));
            }
            let _ = flag::register_usize(signal, Arc::clone(&stop.0), signal.unsigned_abs() as usize);
        }
        #[cfg(unix)]
        let _ = flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
        stop
    }

    /// Asks.
    pub fn ask(&self) {
        self.0.store(NO_SIGNAL, Ordering::Relaxed);
    }

    /// Whether somebody asked.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed) != 0
    }

    /// An error once somebody asked.
    ///
    /// # Errors
    /// Of the kind [`RunErrorKind::Interrupted`].
    pub fn check(&self, path: &Path) -> Result<(), RunError> {
        if self.is_asked() { Err(self.interrupted(path)) } else { Ok(()) }
    }

    fn interrupted(&self, path: &Path) -> RunError {
        let asked = self.0.load(Ordering::Relaxed);
        let message = match STOPS.iter().find(|(signal, _)| signal.unsigned_abs() as usize == asked) {
            Some((_, name)) => format!("stopped by {name}"),
            None => "it was asked to end".to_owned(),
        };
        RunError::new(RunErrorKind::Interrupted, path, "running", message)
    }
}

/// Signals that this process was started to ignore, one bit each from the lowest for signal 1.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
