//! `icpc fmt`.

use super::args::Messages;
use super::show::show;
use super::{Exit, complain, print};
use crate::session::Session;
use crate::{syntax, system};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Files to format in place; `-` formats standard input to standard output
    #[arg(required = true, value_name = "FILE.icp")]
    files: Vec<String>,
    /// Changes nothing; fails if a file is not formatted
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    messages: Messages,
}

pub(crate) fn main(args: &Args) -> Exit {
    let mut worst = Exit::Success;
    for file in &args.files {
        let exit = one(file, args);
        if worst == Exit::Success {
            worst = exit;
        }
    }
    worst
}

fn one(file: &str, args: &Args) -> Exit {
    let text = if file == "-" {
        std::io::read_to_string(std::io::stdin()).map_err(|e| e.to_string())
    } else {
        system::read_source(file)
    };
    let text = match text {
        Ok(text) => text,
        Err(reason) => {
            complain(&format!("error: {reason}"));
            return Exit::Files;
        }
    };
    let formatted = match syntax::format(&text) {
        Ok(formatted) => formatted,
        Err(_) => {
            // The errors as the checker reports them, with places and fixes.
            let mut session = Session::new();
            session.set_file(file, &text);
            let syntax = |d: &crate::diag::Diagnostic| d.kind.code.starts_with("E01");
            let found: Vec<_> = session.diagnostics(file, None).into_iter().filter(syntax).collect();
            show(&session, &found, None, &args.messages);
            return Exit::Diagnostics;
        }
    };
    if file == "-" && !args.check {
        print(&formatted);
    } else if formatted != text {
        if args.check {
            complain(&format!("`{file}` is not formatted"));
            return Exit::Diagnostics;
        }
        if let Err(e) = std::fs::write(file, formatted) {
            complain(&format!("error: cannot write `{file}`: {}", system::plain(&e)));
            return Exit::Files;
        }
    }
    Exit::Success
}
