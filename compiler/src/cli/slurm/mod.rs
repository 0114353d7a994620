//! `icpc slurm`.

mod arguments;
mod generate;
mod others;
mod status;

use clap::Subcommand;

use super::Exit;

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    generate: arguments::Generate,
}

#[derive(Subcommand)]
enum Command {
    /// Shows how far submitted jobs are
    Status(status::Args),
}

pub(crate) fn main(args: &Args) -> Exit {
    match &args.command {
        Some(Command::Status(args)) => status::main(args),
        None => generate::main(&args.generate),
    }
}
