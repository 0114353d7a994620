//! `icpc lsp`: the language server, which is a program of its own.

use std::path::PathBuf;
use std::process::Command;

use super::{Exit, complain};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Talks on standard input and output, as it does anyway
    #[arg(long)]
    stdio: bool,
}

pub(crate) fn main(args: &Args) -> Exit {
    let Some(program) = find() else {
        complain(&format!(
            "error: `{}` is neither beside `icpc` nor in PATH: install it with `cargo install --path lsp`",
            name()
        ));
        return Exit::Files;
    };
    let mut command = Command::new(&program);
    if args.stdio {
        command.arg("--stdio");
    }
    run(command).unwrap_or_else(|error| {
        let reason = crate::system::plain(&error);
        complain(&format!("error: cannot start `{}`: {reason}", program.display()));
        Exit::Files
    })
}

fn name() -> String {
    format!("icpc-lsp{}", std::env::consts::EXE_SUFFIX)
}

/// The server of the same installation first: it is of the same version.
fn find() -> Option<PathBuf> {
    let beside = std::env::current_exe().ok().map(|program| program.with_file_name(name()));
    let path = std::env::var_os("PATH").unwrap_or_default();
    beside.into_iter().chain(std::env::split_paths(&path).map(|f| f.join(name()))).find(|p| p.is_file())
}

/// Becomes the server: signals and the exit code are its own.
#[cfg(unix)]
fn run(mut command: Command) -> std::io::Result<Exit> {
    use std::os::unix::process::CommandExt;
    Err(command.exec())
}

#[cfg(not(unix))]
fn run(mut command: Command) -> std::io::Result<Exit> {
    Ok(if command.status()?.success() { Exit::Success } else { Exit::Diagnostics })
}
