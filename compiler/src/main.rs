//! The `icpc` command.

fn main() -> std::process::ExitCode {
    icpc::cli::main()
}
