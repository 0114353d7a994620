//! The `icpc-lsp` program: the language server on standard input and output.

use std::process::ExitCode;

const USAGE: &str = "\
Language server for icpc recipes, on standard input and output

Usage: icpc-lsp [--stdio]

Options:
      --stdio    What it does anyway
  -V, --version  Print version
  -h, --help     Print help
";

/// Stack of a thread that computes: as much as the main thread's, where `icpc` computes.
const STACK: usize = 8 << 20;

fn main() -> ExitCode {
    for argument in std::env::args_os().skip(1) {
        match argument.to_str() {
            Some("--stdio") => {}
            Some("--version" | "-V") => {
                println!("icpc-lsp {}", env!("CARGO_PKG_VERSION"));
                return ExitCode::SUCCESS;
            }
            Some("--help" | "-h") => {
                print!("{USAGE}");
                return ExitCode::SUCCESS;
            }
            _ => {
                eprintln!("error: unexpected argument `{}`\n\n{USAGE}", argument.to_string_lossy());
                return ExitCode::from(2);
            }
        }
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().thread_stack_size(STACK).build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            return ExitCode::from(3);
        }
    };
    let stopped = runtime.block_on(icpc_lsp::server::serve(tokio::io::stdin(), tokio::io::stdout()));
    // A read of standard input may be under way that nobody ends.
    runtime.shutdown_background();
    ExitCode::from(u8::from(!stopped))
}
