//! `icpc explain`.

use super::{Exit, complain, print};
use crate::diag::{ALL, by_code_or_name, suggest::closest};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Code (`E0301`) or name (`unmatched-pattern`); all of them are listed when it is left out
    diagnostic: Option<String>,
}

pub(crate) fn main(args: &Args) -> Exit {
    let Some(wanted) = &args.diagnostic else {
        for kind in ALL {
            print(&format!("{} {:<7} {}\n", kind.code, kind.level.word(), kind.name));
        }
        return Exit::Success;
    };
    match by_code_or_name(wanted) {
        Some(kind) => {
            print(kind.page);
            Exit::Success
        }
        None => {
            let near = closest(wanted, ALL.iter().map(|d| d.name));
            let help = near
                .map_or_else(|| "`icpc explain` lists all".to_owned(), |n| format!("did you mean `{n}`?"));
            complain(&format!("error: no diagnostic is called `{wanted}`: {help}"));
            Exit::Usage
        }
    }
}
