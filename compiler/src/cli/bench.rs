//! `icpc bench`.

use std::time::Duration;

use super::{BackendArg, Exit, complain, print, print_json};
use crate::bench::{self, BenchError, Options};
use crate::diag::clean;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The baseline: a checkpoint, or the folder of an output
    #[arg(value_name = "CHECKPOINT|OUTPUT")]
    baseline: String,
    /// What is measured beside it
    #[arg(value_name = "OUTPUT")]
    outputs: Vec<String>,
    /// Tokens of the prompt
    #[arg(long, value_name = "N", default_value = "128", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    prompt: u32,
    /// Single tokens in each round; 0 measures prompts only
    #[arg(long, value_name = "N", default_value = "64", value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    generate: u32,
    /// Seconds for all rounds, about; there are at least five
    #[arg(long, value_name = "S", default_value = "5", value_parser = clap::value_parser!(u32).range(..=86_400))]
    seconds: u32,
    /// Threads; all that this process may use when it is left out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// What computes the models; several are measured side by side, the baseline on the first
    #[arg(long, value_enum, value_delimiter = ',', default_value = "auto")]
    backend: Vec<BackendArg>,
    /// Shape of the output
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A page
    Text,
    /// One document
    Json,
}

pub(crate) fn main(args: &Args) -> Exit {
    let paths: Vec<String> = std::iter::once(&args.baseline).chain(&args.outputs).cloned().collect();
    let places: Result<Vec<_>, Exit> = args.backend.iter().map(|backend| backend.place(None)).collect();
    let places = match places {
        Ok(places) => places,
        Err(exit) => return exit,
    };
    let options = Options {
        places,
        prompt: args.prompt as usize,
        generate: args.generate as usize,
        threads: crate::exec::threads(args.threads.map(usize::from)),
        time: Duration::from_secs(u64::from(args.seconds)),
    };
    let measured = match bench::bench(&paths, &options) {
        Ok(measured) => measured,
        Err(error) => {
            complain(&clean(&format!("error: {error}")));
            return if matches!(error, BenchError::Options(_)) { Exit::Usage } else { Exit::Files };
        }
    };
    if args.format == Format::Json {
        return print_json(&measured).map_or_else(|exit| exit, |()| Exit::Success);
    }
    print(&bench::print(&measured));
    Exit::Success
}
