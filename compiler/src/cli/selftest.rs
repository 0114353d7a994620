//! `icpc selftest`.

use icpc_kernels::backend::BackendKind;
use icpc_kernels::{Backend, Cpu};

use super::{BackendArg, Exit, complain, print, print_json};
use crate::backend::devices;
use crate::selftest::{self, Tested};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Kernels to test
    #[arg(long, value_enum, default_value = "native")]
    backend: BackendArg,
    /// Threads that call the kernels when they are measured; all that this process may use when it is left out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn main(args: &Args) -> Exit {
    let selected = match args.backend.open(None) {
        Ok(selected) => selected,
        Err(exit) => return exit,
    };
    let threads = crate::exec::threads(args.threads.map(usize::from));
    let variants = Cpu::variants();
    let backends: Vec<&dyn Backend> = match selected.kind {
        // every variant: which one a run takes is a question of the environment
        BackendKind::Native => variants.iter().skip(1).map(|cpu| cpu as &dyn Backend).collect(),
        _ => vec![&*selected.backend],
    };
    let mut pages: Vec<Tested> = Vec::new();
    for backend in backends {
        match selftest::test(backend, threads) {
            Ok(tested) => pages.push(tested),
            Err(error) => {
                complain(&format!("error: {}: {error}", backend.name()));
                return Exit::Files;
            }
        }
        if let (BackendKind::Cuda, Some(page)) = (selected.kind, pages.last_mut()) {
            match selftest::products() {
                Ok(products) => page.products = products,
                Err(error) => {
                    complain(&format!("error: {error}"));
                    return Exit::Files;
                }
            }
        }
        if let (false, Some(page)) = (args.json, pages.last()) {
            print(&selftest::print(page));
        }
    }
    if selected.kind == BackendKind::Cuda && !args.json {
        match devices::throughput() {
            Ok(text) => print(&text),
            Err(error) => {
                complain(&format!("error: {error}"));
                return Exit::Files;
            }
        }
    }
    if args.json
        && let Err(exit) = print_json(&pages)
    {
        return exit;
    }
    let agrees = pages.iter().all(Tested::agrees);
    if !args.json {
        print(if agrees {
            "all agree\n"
        } else {
            "NOT all agree: do not use these kernels, and report this\n"
        });
    }
    if agrees { Exit::Success } else { Exit::Diagnostics }
}
