//! Programs in Python that tests compare with, and the environment that they need.

use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) const TOP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// What a command says, which must end well.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned();
    assert!(output.status.success(), "{command:?}\n{said}");
    said
}

/// An interpreter with what `requirements` names: `ICPC_PYTHON`, or one in a virtual environment, made once.
pub(crate) fn python(name: &str, requirements: &str) -> PathBuf {
    if let Some(python) = std::env::var_os("ICPC_PYTHON") {
        return python.into();
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let (python, done) = (folder.join("bin/python"), folder.join("installed"));
    if !done.exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder));
        let needed = format!("{TOP}/tests/python/{requirements}");
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "-r", &needed]));
        std::fs::write(done, "").unwrap();
    }
    python
}
