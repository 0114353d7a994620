//! How far a run is: a bar on a terminal, a line every few seconds elsewhere, both on standard error.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::placement::Placement;
use super::task::Task;
use crate::base::{human_bytes, with_thousands};

/// Told by the workers of a run, from any thread.
pub trait Progress: Send + Sync {
    /// A stage begins; it will see `total` bytes of the source.
    fn begin(&self, stage: &str, total: u64);

    /// As [`Progress::begin`], for what is counted in `unit` instead of bytes: `tokens`.
    fn begin_counting(&self, stage: &str, total: u64, _unit: &'static str) {
        self.begin(stage, total);
    }

    /// So many more bytes are done.
    fn advance(&self, bytes: u64);

    /// The stage is over.
    fn end(&self);

    /// Something that people are to know; one sentence, lower case, no period.
    fn note(&self, _text: &str) {}
}

/// Says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _stage: &str, _total: u64) {}
    fn advance(&self, _bytes: u64) {}
    fn end(&self) {}
}

/// Says nothing but notes.
#[derive(Clone, Copy, Debug, Default)]
pub struct NotesOnly;

impl Progress for NotesOnly {
    fn begin(&self, _stage: &str, _total: u64) {}
    fn advance(&self, _bytes: u64) {}
    fn end(&self) {}

    fn note(&self, text: &str) {
        // where standard error is closed there is nobody to tell
        let _ = writeln!(std::io::stderr().lock(), "note: {text}");
    }
}

/// A bar where standard error is a terminal, else lines: in a job every 10 s, each with the task that says it.
pub fn terminal_progress(placement: &Placement, task: Task) -> Box<dyn Progress> {
    if placement.job.is_some() || task.size() > 1 {
        let said_by = if task.size() > 1 { format!("{task}: ") } else { String::new() };
        Box::new(Lines::new(Box::new(std::io::stderr()), Duration::from_secs(10), said_by))
    } else if std::io::stderr().is_terminal() {
        Box::new(Bar::new())
    } else {
        Box::new(Lines::new(Box::new(std::io::stderr()), Duration::from_secs(5), String::new()))
    }
}

/// A bar.
#[derive(Debug)]
pub struct Bar(ProgressBar);

impl Bar {
    /// A bar on standard error.
    pub fn new() -> Bar {
        Bar(ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(10)))
    }

    fn stage(&self, stage: &str, total: u64, amounts: &str) {
        if let Ok(style) =
            ProgressStyle::with_template(&format!("{{msg:12}} {{wide_bar}} {amounts} {{eta:>4}}"))
        {
            self.0.set_style(style);
        }
        self.0.reset();
        self.0.set_length(total);
        self.0.set_message(stage.to_owned());
    }
}

impl Default for Bar {
    fn default() -> Bar {
        Bar::new()
    }
}

impl Progress for Bar {
    fn begin(&self, stage: &str, total: u64) {
        self.stage(stage, total, "{bytes:>10} of {total_bytes} {bytes_per_sec:>12}");
    }

    fn begin_counting(&self, stage: &str, total: u64, unit: &'static str) {
        self.stage(stage, total, &format!("{{human_pos:>10}} of {{human_len}} {unit}"));
    }

    fn advance(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    fn end(&self) {
        self.0.finish_and_clear();
    }

    fn note(&self, text: &str) {
        self.0.suspend(|| NotesOnly.note(text));
    }
}

/// A line when a stage begins, every `interval` after, and when it ends.
pub struct Lines {
    out: Mutex<State>,
    done: AtomicU64,
    interval: Duration,
}

struct State {
    out: Box<dyn Write + Send>,
    said_by: String,
    stage: String,
    unit: Option<&'static str>,
    total: u64,
    began: Instant,
    said: Instant,
}

impl Lines {
    /// Lines to `out`, each behind `said_by`.
    pub fn new(out: Box<dyn Write + Send>, interval: Duration, said_by: String) -> Lines {
        let now = Instant::now();
        let state = State { out, said_by, stage: String::new(), unit: None, total: 0, began: now, said: now };
        Lines { out: Mutex::new(state), done: AtomicU64::new(0), interval }
    }

    fn stage(&self, stage: &str, total: u64, unit: Option<&'static str>) {
        self.done.store(0, Ordering::Relaxed);
        if let Ok(mut state) = self.out.lock() {
            let now = Instant::now();
            (state.stage, state.total, state.began, state.said) = (stage.to_owned(), total, now, now);
            state.unit = unit;
            let line = format!("{stage}: {}", state.amount(total));
            state.write(&line);
        }
    }
}

impl State {
    fn amount(&self, amount: u64) -> String {
        match self.unit {
            Some(unit) => format!("{} {unit}", with_thousands(amount)),
            None => human_bytes(amount),
        }
    }

    /// One write for a line, so that those of several tasks do not mix.
    fn write(&mut self, line: &str) {
        let line = format!("{}{line}\n", self.said_by);
        // where standard error is closed there is nobody to tell
        let _ = self.out.write_all(line.as_bytes());
    }

    fn say(&mut self, done: u64) {
        let percent = if self.total == 0 { 100 } else { u128::from(done) * 100 / u128::from(self.total) };
        let seconds = self.began.elapsed().as_secs();
        let (done, total) = (self.amount(done), self.amount(self.total));
        let line = format!("{}: {percent}% ({done} of {total}) after {seconds} s", self.stage);
        self.write(&line);
        self.said = Instant::now();
    }
}

impl Progress for Lines {
    fn begin(&self, stage: &str, total: u64) {
        self.stage(stage, total, None);
    }

    fn begin_counting(&self, stage: &str, total: u64, unit: &'static str) {
        self.stage(stage, total, Some(unit));
    }

    fn advance(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        // a worker does not wait for another one that writes
        if let Ok(mut state) = self.out.try_lock()
            && state.said.elapsed() >= self.interval
        {
            state.say(done);
        }
    }

    fn end(&self) {
        let done = self.done.load(Ordering::Relaxed);
        if let Ok(mut state) = self.out.lock() {
            state.say(done);
        }
    }

    fn note(&self, text: &str) {
        if let Ok(mut state) = self.out.lock() {
            state.write(&format!("note: {text}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_say_how_far() {
        let out = Shared::default();
        let lines = Lines::new(Box::new(out.clone()), Duration::ZERO, String::new());
        lines.begin_counting("calibrate", 2_000, "tokens");
        lines.begin("writing", 2_000_000);
        lines.advance(500_000);
        lines.end();
        let text = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
        insta::assert_snapshot!(text, @r"
        calibrate: 2,000 tokens
        writing: 2.00 MB
        writing: 25% (500 kB of 2.00 MB) after 0 s
        writing: 25% (500 kB of 2.00 MB) after 0 s
        ");
    }
}
