//! Prints diagnostics and says what they mean for the exit code.

use super::args::Messages;
use super::{Exit, MessageFormat, colour, complain, print};
use crate::checkpoint::listing::Lines;
use crate::diag::{Diagnostic, Level, Style, json, render, sarif, short, summary};
use crate::session::Session;

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
            let text = render(&shown, &sources, Style { colour: colour(), ascii: false });
            if !text.is_empty() {
                complain(text.trim_end());
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

/// Exit code that diagnostics ask for: files, if nothing but files is wrong.
pub(crate) fn exit_of(diagnostics: &[Diagnostic]) -> Exit {
    let errors: Vec<&Diagnostic> = diagnostics.iter().filter(|d| d.level() == Level::Error).collect();
    match errors.as_slice() {
        [] => Exit::Success,
        errors if errors.iter().all(|d| d.kind.code.starts_with("E09")) => Exit::Files,
        _ => Exit::Diagnostics,
    }
}
