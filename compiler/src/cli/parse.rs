//! `icpc parse`: the first stage, printed.

use super::{Exit, complain, print};
use crate::{syntax, system};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// File to parse
    #[arg(value_name = "FILE.icp")]
    file: String,
}

pub(crate) fn main(args: &Args) -> Exit {
    let text = match system::read_source(&args.file) {
        Ok(text) => text,
        Err(reason) => {
            complain(&format!("error: {reason}"));
            return Exit::Files;
        }
    };
    let tree = syntax::parse(&text);
    print(&syntax::print(&tree));
    if tree.errors.is_empty() { Exit::Success } else { Exit::Diagnostics }
}
