//! Prints diagnostics and says what they mean for the exit code.

use std::borrow::Cow;

use super::args::Messages;
use super::{Exit, MessageFormat, colour, complain, print};
use crate::base::with_thousands;
use crate::checkpoint::listing::Lines;
use crate::diag::{Diagnostic, Level, Style, json, render, sarif, short, summary};
use crate::session::Session;

/// More than these are not read when they are drawn.
const MOST: usize = 1000;

/// Prints `diagnostics`; `checkpoint` is the path of the one that labels point into. Machine formats go to standard
/// output, text to standard error.
pub(crate) fn show(
    session: &Session,
    diagnostics: &[Diagnostic],
    checkpoint: Option<&str>,
    messages: &Messages,
) -> Exit {
    let shown: Vec<Diagnostic> =
        diagnostics.iter().filter(|d| messages.verbose || d.level() != Level::Note).cloned().collect();
    let schema = checkpoint.and_then(|path| session.schema(path));
    let lines = schema.as_deref().map(Lines::new);
    let sources = session.sources();
    let sources = match &lines {
        Some(lines) => sources.listing(lines),
        None => sources,
    };
    match messages.message_format {
        MessageFormat::Full => {
            let drawn = worst(&shown);
            let text = render(&drawn, &sources, Style { colour: colour(), ascii: false });
            if !text.is_empty() {
                complain(text.trim_end());
            }
            if let Some(more) = shown.len().checked_sub(drawn.len()).filter(|more| *more > 0) {
                let more = with_thousands(more as u64);
                complain(&format!("{more} more are not drawn: `--message-format short` has a line for each"));
            }
            let summary = summary(&shown);
            if !summary.is_empty() {
                complain(&summary);
            }
        }
        MessageFormat::Short => print(&short(&shown, &sources)),
        MessageFormat::Json => print(&json(&shown, &sources)),
        MessageFormat::Sarif => print(&sarif(&shown, &sources)),
    }
    exit_of(diagnostics)
}

/// Those that are drawn: the worst ones, in their order.
fn worst(shown: &[Diagnostic]) -> Cow<'_, [Diagnostic]> {
    if shown.len() <= MOST {
        return Cow::Borrowed(shown);
    }
    let mut numbers: Vec<(Level, usize)> = shown.iter().map(Diagnostic::level).zip(0..).collect();
    numbers.sort_unstable();
    numbers.truncate(MOST);
    numbers.sort_unstable_by_key(|(_, number)| *number);
    numbers.iter().filter_map(|(_, number)| shown.get(*number)).cloned().collect()
}

/// Exit code that diagnostics ask for: files, if nothing but files is wrong.
pub(crate) fn exit_of<'d>(diagnostics: impl IntoIterator<Item = &'d Diagnostic>) -> Exit {
    let errors: Vec<&Diagnostic> = diagnostics.into_iter().filter(|d| d.level() == Level::Error).collect();
    match errors.as_slice() {
        [] => Exit::Success,
        errors if errors.iter().all(|d| d.kind.code.starts_with("E09")) => Exit::Files,
        _ => Exit::Diagnostics,
    }
}
