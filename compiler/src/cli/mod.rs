//! The command line: arguments, exit codes, and one file for each command.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

mod args;
mod backend;
mod bench;
mod calibrate;
mod check;
mod dequantize;
mod doc;
mod doctor;
mod eval;
mod explain;
mod fmt;
mod graph;
mod inspect;
mod lock;
mod lsp;
mod measuring;
mod new;
mod new_library;
mod parse;
mod plan;
mod report;
mod require;
mod run;
mod selftest;
mod sensitivity;
mod shell;
mod show;
mod slurm;
mod suggest;
mod test;
mod verify;

use args::Recipe;
use backend::BackendArg;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All is well.
    Success,
    /// The recipe has errors, or an output differs from its plan.
    Diagnostics,
    /// The command line is wrong.
    Usage,
    /// A file or the environment is not as needed.
    Files,
    /// A requirement that only the run could decide is not met.
    Requirement,
    /// A run was asked to end and left a journal.
    Interrupted,
}

impl Exit {
    fn code(self) -> u8 {
        match self {
            Exit::Success => 0,
            Exit::Diagnostics => 1,
            Exit::Usage => 2,
            Exit::Files => 3,
            Exit::Requirement => 4,
            Exit::Interrupted => 5,
        }
    }
}

/// A compiler for model compression: recipes are checked against a checkpoint's header before a job runs.
#[derive(Parser)]
#[command(name = "icpc", version, about, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 success, 1 diagnostics, 2 usage, 3 files or environment, \
                        4 a requirement that the run decided is not met, \
                        5 a run was asked to end (SIGTERM, SIGUSR1, SIGINT) and the same command goes on.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check recipes against the headers of their checkpoints; reads no weights
    Check(check::Args),
    /// Print what will happen to every tensor, and the exact output
    Plan(plan::Args),
    /// Compress: check, plan, write, report
    Run(run::Args),
    /// Make a job of a recipe: a script for Slurm, checked against the cluster
    Slurm(Box<slurm::Args>),
    /// Re-read an output and compare it with its plan, byte for byte
    Verify(verify::Args),
    /// Turn an output back into an ordinary checkpoint
    Dequantize(dequantize::Args),
    /// Say what this machine can do, and what a recipe needs of it
    Doctor(doctor::Args),
    /// Compare every kernel with the reference, and measure it
    Selftest(selftest::Args),
    /// Show what a checkpoint's header says
    Inspect(inspect::Args),
    /// Print what a checkpoint computes, node by node
    Graph(graph::Args),
    /// Measure models side by side: speed, memory, share of the memory bandwidth
    Bench(bench::Args),
    /// Put one group of tensors at a time into other formats, and measure what it costs
    Sensitivity(sensitivity::Args),
    /// Find formats that keep a perplexity, and write them as a recipe
    Suggest(suggest::Args),
    /// Write reports of outputs as one page with figures
    Report(report::Args),
    /// Run samples through a model and keep what goes into each matrix as statistics
    Calibrate(calibrate::Args),
    /// Measure the perplexity of a checkpoint or an output, beside a baseline
    Eval(eval::Args),
    /// Write a first recipe for a checkpoint, or lay out a library of recipes
    New(new::Args),
    /// Test a library of recipes on listings, without weights
    Test(test::Args),
    /// Record what a recipe was checked with, for `run --locked`
    Lock(lock::Args),
    /// Render a library of recipes as HTML
    Doc(doc::Args),
    /// Format recipes
    Fmt(fmt::Args),
    /// Explain a diagnostic by code or name
    Explain(explain::Args),
    /// Start the language server
    Lsp(lsp::Args),
    /// Print the syntax tree of a file
    Parse(parse::Args),
    /// Print shell completions
    Completions(shell::Completions),
    /// Print the manual page
    Man(shell::Man),
}

/// Shape of printed diagnostics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum MessageFormat {
    /// Source, listing and help
    Full,
    /// One line each
    Short,
    /// One JSON object a line
    Json,
    /// SARIF 2.1.0
    Sarif,
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way, too; they are no mistakes.
            let code = if error.use_stderr() { Exit::Usage } else { Exit::Success };
            let _ = error.print();
            return ExitCode::from(code.code());
        }
    };
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        complain(&format!("internal error: this is a bug of icpc, not of the recipe: {info}"));
        if std::env::var_os("RUST_BACKTRACE").is_some() {
            previous(info);
        }
    }));
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| dispatch(cli.command)));
    ExitCode::from(outcome.map_or(101, Exit::code))
}

fn dispatch(command: Command) -> Exit {
    match command {
        Command::Check(args) => check::main(&args),
        Command::Plan(args) => plan::main(&args),
        Command::Run(args) => run::main(&args),
        Command::Slurm(args) => slurm::main(&args),
        Command::Verify(args) => verify::main(&args),
        Command::Dequantize(args) => dequantize::main(&args),
        Command::Doctor(args) => doctor::main(&args),
        Command::Selftest(args) => selftest::main(&args),
        Command::Inspect(args) => inspect::main(&args),
        Command::Graph(args) => graph::main(&args),
        Command::Bench(args) => bench::main(&args),
        Command::Sensitivity(args) => sensitivity::main(&args),
        Command::Suggest(args) => suggest::main(&args),
        Command::Report(args) => report::main(&args),
        Command::Calibrate(args) => calibrate::main(&args),
        Command::Eval(args) => eval::main(&args),
        Command::New(args) => new::main(&args),
        Command::Test(args) => test::main(&args),
        Command::Lock(args) => lock::main(&args),
        Command::Doc(args) => doc::main(&args),
        Command::Fmt(args) => fmt::main(&args),
        Command::Explain(args) => explain::main(&args),
        Command::Lsp(args) => lsp::main(&args),
        Command::Parse(args) => parse::main(&args),
        Command::Completions(args) => shell::completions(&args),
        Command::Man(args) => shell::man(&args),
    }
}

/// The command line as clap describes it, for completions and the manual page.
fn command() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

/// Prints to standard output. A reader that went away (`| head`) is no error.
pub(crate) fn print(text: &str) {
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

/// Prints data as JSON.
pub(crate) fn print_json(data: &impl serde::Serialize) -> Result<(), Exit> {
    match serde_json::to_string_pretty(data) {
        Ok(text) => {
            print(&(text + "\n"));
            Ok(())
        }
        Err(error) => {
            complain(&format!("internal error: {error}"));
            Err(Exit::Files)
        }
    }
}

/// Prints one line to standard error.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Writes a file whole or not at all.
pub(crate) fn write_whole(path: &str, bytes: &(impl AsRef<[u8]> + ?Sized)) -> Result<(), Exit> {
    let partial = format!("{path}.partial");
    let written = std::fs::write(&partial, bytes).and_then(|()| std::fs::rename(&partial, path));
    written.map_err(|error| {
        let _ = std::fs::remove_file(&partial);
        complain(&format!("error: {path}: writing: {}", crate::system::plain(&error)));
        Exit::Files
    })
}

/// Whether to colour what goes to standard error.
pub(crate) fn colour() -> bool {
    std::env::var_os("NO_COLOR").is_none() && std::io::stderr().is_terminal()
}
