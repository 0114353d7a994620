//! `icpc dequantize`.

use std::path::PathBuf;

use super::run::failed;
use super::{BackendArg, Exit, complain};
use crate::base::{DType, count, human_bytes};
use crate::exec::{self, DequantizeOptions, Placement, Stop, Task, terminal_progress};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Output folder of a run
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Folder to write the ordinary checkpoint to
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// Element type of its float tensors
    #[arg(long, value_enum, default_value = "fp32")]
    to: To,
    /// Replaces a folder that exists
    #[arg(long)]
    force: bool,
    /// Worker threads; all that this process may use when it is left out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Kernels that do the work; the output is the same
    #[arg(long, value_enum, default_value = "native")]
    backend: BackendArg,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum To {
    Fp32,
    Bf16,
    Fp16,
}

pub(crate) fn main(args: &Args) -> Exit {
    let selected = match args.backend.open(None) {
        Ok(selected) => selected,
        Err(exit) => return exit,
    };
    let options = DequantizeOptions {
        output: args.folder.clone(),
        new: args.new.clone(),
        to: match args.to {
            To::Fp32 => DType::F32,
            To::Bf16 => DType::Bf16,
            To::Fp16 => DType::F16,
        },
        force: args.force,
        threads: args.threads.map(usize::from),
        backend: Some(selected.backend),
        stop: Stop::on_signals(),
    };
    let progress = terminal_progress(&Placement::here(), Task::ALONE);
    match exec::dequantize(&options, progress.as_ref()) {
        Ok(done) => {
            let tensors = count(done.tensors, "tensor");
            complain(&format!("wrote `{}`: {tensors}, {}", args.new.display(), human_bytes(done.bytes)));
            Exit::Success
        }
        Err(error) => failed(&error),
    }
}
