//! Whether the threads of a training wait for processors, such as where other programs compute on them. libtorch's threads spin
//! while they wait for one another, so one that has to wait for a processor keeps the others busy with nothing.

use std::fs;

/// Seconds of training behind which it is looked at, once.
const SECONDS: f64 = 5.0;

/// Time without a processor, for the time with one, that is worth a word.
const SHARE: f64 = 0.5;

/// Nanoseconds of all threads of this process together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Times {
    /// With a processor.
    ran: u64,
    /// Ready to run, and without one.
    waited: u64,
}

impl Times {
    /// As the system counts them; nothing where it does not.
    fn now() -> Option<Times> {
        let mut times = Times::default();
        for task in fs::read_dir("/proc/self/task").ok()?.flatten() {
            // a thread may have ended
            let Ok(text) = fs::read_to_string(task.path().join("schedstat")) else { continue };
            let of = Times::parse(&text)?;
            times.ran = times.ran.saturating_add(of.ran);
            times.waited = times.waited.saturating_add(of.waited);
        }
        Some(times)
    }

    fn parse(text: &str) -> Option<Times> {
        let mut numbers = text.split_whitespace().map(|word| word.parse().ok());
        Some(Times { ran: numbers.next()??, waited: numbers.next()?? })
    }

    /// Share of the time since `before` in which threads waited for a processor, where it is worth a word.
    fn crowded(self, before: Times) -> Option<f64> {
        let (ran, waited) =
            (self.ran.saturating_sub(before.ran) as f64, self.waited.saturating_sub(before.waited) as f64);
        (ran > 0.0 && waited > SHARE * ran).then(|| waited / (ran + waited))
    }
}

/// A look at the first seconds of a training.
pub(super) struct Crowd {
    before: Option<Times>,
    seconds: f64,
}

impl Crowd {
    /// From now on, for threads that spin; else nothing is looked at.
    pub(super) fn look(spins: bool) -> Crowd {
        Crowd { before: if spins { Times::now() } else { None }, seconds: 0.0 }
    }

    /// What is to be said behind a step that took `seconds`: once at most.
    pub(super) fn note(&mut self, seconds: f64) -> Option<String> {
        self.seconds += seconds;
        if self.seconds < SECONDS {
            return None;
        }
        let share = Times::now()?.crowded(self.before.take()?)?;
        Some(format!(
            "threads waited {:.0}% of the time for a processor, while others of libtorch's spun; where other programs run here, start again \
             with `OMP_WAIT_POLICY=passive` in the environment: it goes on, and waiting threads sleep",
            share * 100.0
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::Times;

    #[test]
    fn a_share_that_is_worth_a_word() {
        let times = |ran, waited| Times { ran, waited };
        assert_eq!(Times::parse("12 5 3\n"), Some(times(12, 5)));
        assert_eq!(Times::parse("12\n"), None);
        assert_eq!(times(110, 49).crowded(times(10, 0)), None);
        assert_eq!(times(110, 100).crowded(times(10, 0)), Some(0.5));
        assert_eq!(times(10, 0).crowded(times(10, 0)), None);
    }
}
