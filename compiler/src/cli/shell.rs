//! `icpc completions` and `icpc man`.

use super::{Exit, command, complain, print};

#[derive(clap::Args)]
pub(crate) struct Completions {
    /// Shell to complete for
    shell: clap_complete::Shell,
}

#[derive(clap::Args)]
pub(crate) struct Man {
    /// Subcommand whose page is printed; the main page when it is left out
    command: Option<String>,
}

pub(crate) fn completions(args: &Completions) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command(), "icpc", &mut script);
    print(&String::from_utf8_lossy(&script));
    Exit::Success
}

pub(crate) fn man(args: &Man) -> Exit {
    let whole = command();
    let page = match &args.command {
        None => whole,
        Some(name) => match whole.find_subcommand(name) {
            // A page is known by its full name.
            Some(found) => found.clone().bin_name(format!("icpc {name}")),
            None => {
                complain(&format!("error: no command is called `{name}`"));
                return Exit::Usage;
            }
        },
    };
    let mut text = Vec::new();
    if let Err(e) = clap_mangen::Man::new(page).render(&mut text) {
        complain(&format!("error: cannot render the page: {e}"));
        return Exit::Files;
    }
    print(&String::from_utf8_lossy(&text));
    Exit::Success
}
