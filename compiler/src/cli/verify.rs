//! `icpc verify`.

use std::path::Path;

use super::run::failed;
use super::{Exit, complain};
use crate::base::{count, human_bytes};
use crate::exec;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Output folder of a run
    #[arg(value_name = "FOLDER")]
    folder: String,
}

pub(crate) fn main(args: &Args) -> Exit {
    let found = match exec::verify(Path::new(&args.folder)) {
        Ok(found) => found,
        Err(error) => return failed(&error),
    };
    for difference in &found.differences {
        complain(&format!("difference: {difference}"));
    }
    let looked_at = format!(
        "{} in {}, {} hashed",
        count(found.tensors, "tensor"),
        count(found.files, "file"),
        human_bytes(found.bytes)
    );
    if found.is_whole() {
        complain(&format!("`{}` is as planned: {looked_at}", args.folder));
        return Exit::Success;
    }
    let n = found.differences.len() as u64;
    complain(&format!("`{}` is not as planned: {} ({looked_at})", args.folder, count(n, "difference")));
    Exit::Diagnostics
}
