//! `icpc dequantize`.

use super::Exit;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Output folder of a run
    folder: String,
}

pub(crate) fn main(args: &Args) -> Exit {
    let _ = &args.folder;
    Exit::Success
}
