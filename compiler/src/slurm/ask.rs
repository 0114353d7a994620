//! Programs of Slurm, asked with patience that ends.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How long a program may take to answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoAnswer {
    /// There is no such program.
    Absent,
    /// One clause.
    Failed(String),
}

/// What a program prints on standard output.
pub(super) fn ask(program: &str, arguments: &[&str]) -> Result<String, NoAnswer> {
    let mut command = Command::new(program);
    command.args(arguments);
    answer(&mut command, program, PATIENCE)
}

/// What `command`, which people know as `name`, prints on standard output within `patience`.
pub(super) fn answer(command: &mut Command, name: &str, patience: Duration) -> Result<String, NoAnswer> {
    let deadline = Instant::now() + patience;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => NoAnswer::Absent,
        _ => NoAnswer::Failed(format!("`{name}` does not start: {}", crate::system::plain(&error))),
    })?;
    let (stdout, stderr) = (drain(child.stdout.take()), drain(child.stderr.take()));
    let Some(status) = wait(&mut child, deadline) else {
        let _ = child.kill();
        let _ = child.wait();
        return Err(NoAnswer::Failed(format!("`{name}` gives no answer within {} s", patience.as_secs())));
    };
    // A grandchild may hold the pipes open; its words are not waited for longer than the program itself.
    let left = || deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(100));
    let said = stdout.recv_timeout(left()).unwrap_or_default();
    if status.success() {
        return Ok(said);
    }
    let complaint = stderr.recv_timeout(left()).unwrap_or_default();
    let complaint = format!("{complaint}\n{said}");
    let first = complaint.lines().map(str::trim).find(|line| !line.is_empty());
    let own = [format!("{name}: error: "), format!("{name}: ")];
    let first = first.map(|line| own.iter().find_map(|own| line.strip_prefix(own.as_str())).unwrap_or(line));
    Err(NoAnswer::Failed(format!("`{name}` says: {}", first.unwrap_or("nothing, and fails"))))
}

/// Reads a pipe to its end, so that a program that says much is not stopped by it.
fn drain(pipe: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        // Nobody listens any more where the patience ended.
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}

fn wait(child: &mut Child, deadline: Instant) -> Option<ExitStatus> {
    let mut pause = Duration::from_millis(1);
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < deadline => std::thread::sleep(pause),
            _ => return None,
        }
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    fn shell(script: &str, patience: u64) -> Result<String, NoAnswer> {
        answer(Command::new("sh").args(["-c", script]), "scontrol", Duration::from_millis(patience))
    }

    #[test]
    fn answers_complaints_and_silence() {
        assert_eq!(shell("echo here", 5000), Ok("here\n".to_owned()));
        let failed = |text: &str| Err(NoAnswer::Failed(text.to_owned()));
        assert_eq!(
            shell("echo; echo no controller >&2; exit 1", 5000),
            failed("`scontrol` says: no controller")
        );
        assert_eq!(ask("no-such-program-of-slurm", &[]), Err(NoAnswer::Absent));
        let begin = Instant::now();
        assert_eq!(shell("sleep 20", 0), failed("`scontrol` gives no answer within 0 s"));
        assert!(begin.elapsed() < Duration::from_secs(2));
    }

    #[test]
    fn long_answers_do_not_block() {
        assert_eq!(
            shell("head -c 1000000 /dev/zero | tr '\\0' a", 5000).map(|text| text.len()),
            Ok(1_000_000)
        );
    }
}
