//! `icpc suggest`.

use std::path::Path;

use super::measuring::{How, failed, on_threads, progress, tokens, writable};
use super::new::name_from;
use super::sensitivity::ByArg;
use super::{Exit, complain, print, write_whole};
use crate::base::human_bytes;
use crate::diag::clean;
use crate::eval::{BYTES, Baseline, Model, Protocol};
use crate::exec::Stop;
use crate::hir::ValueKind;
use crate::sensitivity::{self, Goal, Sensitivity, SuggestError, Suggestion, Surroundings, Text};
use crate::session::Session;
use crate::system;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// A checkpoint of a known architecture
    #[arg(value_name = "CHECKPOINT")]
    checkpoint: String,
    /// Largest perplexity: a share of the checkpoint's own (`102%`), or a number
    #[arg(long, value_name = "SHARE|NUMBER")]
    max_perplexity: String,
    /// Largest output, such as `1 MB`; as small as the perplexity allows when it is left out
    #[arg(long, value_name = "SIZE")]
    size: Option<String>,
    /// Formats to choose from, spelled as in a recipe
    #[arg(
        long,
        value_name = "FORMATS",
        default_value = "fp16,int8(per: channel),int8(per: tensor),nf4(block: 64, double: true),int4(per: channel),int4(per: tensor)"
    )]
    formats: String,
    /// What gets one format together
    #[arg(long, value_enum, default_value = "position")]
    by: ByArg,
    #[command(flatten)]
    how: How,
    /// Recipe to write; printed when it is left out
    #[arg(long, short, value_name = "RECIPE.icp")]
    out: Option<String>,
    /// Worker threads; all that this process may use when it is left out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Prints no progress
    #[arg(long, short)]
    quiet: bool,
}

pub(crate) fn main(args: &Args) -> Exit {
    if let Some(out) = args.out.as_ref().filter(|out| Path::new(out).exists()) {
        complain(&clean(&format!("error: `{out}` exists: remove it first, or name another file")));
        return Exit::Files;
    }
    let written = writable(args.out.as_deref()).and_then(|()| on_threads(args.threads, || suggest(args)));
    match written {
        Err(exit) => exit,
        Ok(text) => match &args.out {
            None => {
                print(&text);
                Exit::Success
            }
            Some(out) => match write_whole(out, &text) {
                Ok(()) => {
                    complain(&clean(&format!("wrote `{out}`: `icpc plan {out}` shows what it does")));
                    Exit::Success
                }
                Err(exit) => exit,
            },
        },
    }
}

fn usage(reason: &str) -> Exit {
    complain(&clean(&format!("error: {reason}")));
    Exit::Usage
}

fn suggest(args: &Args) -> Result<String, Exit> {
    let formats = sensitivity::parse_formats(&args.formats).map_err(|reason| usage(&reason))?;
    let most = args.size.as_deref().map(size).transpose()?;
    perplexity(&args.max_perplexity, 1.0)?;
    let stop = Stop::on_signals();
    let place = args.how.backend.place(None)?;
    let model = Model::open_until(&args.checkpoint, &stop).and_then(|model| model.on(place));
    let model = model.map_err(|e| failed(&e, &stop))?;
    let protocol = args.how.protocol();
    let tokens = tokens(&protocol, &stop)?;
    let text = Text { tokens: &tokens, protocol: &protocol, stop: &stop };
    let progress = progress(args.quiet);
    let baseline = Baseline::keeping(&model);
    let found = sensitivity::sensitivity(&baseline, text, args.by.by(), &formats, progress.as_ref());
    let found = found.map_err(|e| failed(&e, &stop))?;
    let bound = perplexity(&args.max_perplexity, found.perplexity)?;
    let found_state = system::read_checkpoint(&args.checkpoint);
    let schema = found_state.current().map_err(|reason| {
        complain(&clean(&format!("error: {reason}")));
        Exit::Files
    })?;
    let around = surroundings(args, &protocol);
    let measure = |other: &Model| text.measure(other, &baseline);
    let mut goal = Goal { perplexity: bound, bytes: most };
    loop {
        progress.note("looking for an assignment, measured as a whole each time");
        let suggestion = sensitivity::suggest(&model, &found, &formats, goal, &measure);
        if stop.is_asked() {
            complain("interrupted: nothing is written");
            return Err(Exit::Interrupted);
        }
        let suggestion = suggestion.map_err(|error| refused(&error, &found, goal, &stop))?;
        let written = sensitivity::recipe(&found, &suggestion, schema, &around).map_err(|reason| {
            complain(&clean(&format!("error: {reason}")));
            Exit::Diagnostics
        })?;
        // A goal is one for files, whose headers are known with the recipe.
        if let (Some(most), Some(goal_bytes)) = (most, goal.bytes)
            && written.file_bytes > most
            && goal_bytes > written.file_bytes - most
        {
            goal.bytes = Some(goal_bytes.min(suggestion.bytes).saturating_sub(written.file_bytes - most));
            continue;
        }
        complain(&sentence(&found, &suggestion));
        return Ok(written.text);
    }
}

fn sentence(found: &Sensitivity, suggestion: &Suggestion) -> String {
    let perplexity = suggestion.quality.perplexity();
    format!(
        "{} → {}, {:.3}x; perplexity {:.4} → {perplexity:.4}, {:.2}%; {} trials, {} assignments measured",
        human_bytes(found.bytes),
        human_bytes(suggestion.bytes),
        found.bytes as f64 / suggestion.bytes.max(1) as f64,
        found.perplexity,
        perplexity / found.perplexity * 100.0,
        found.trials.len(),
        suggestion.measured,
    )
}

fn refused(error: &SuggestError, found: &Sensitivity, goal: Goal, stop: &Stop) -> Exit {
    match error {
        SuggestError::Model(error) => failed(error, stop),
        SuggestError::OutOfReach(quality) => {
            complain(&format!(
                "error: no assignment has a perplexity of {:.4} or less: the checkpoint itself has {:.4}; allow more",
                goal.perplexity,
                quality.perplexity()
            ));
            Exit::Requirement
        }
        SuggestError::TooLarge(best) => {
            let most = human_bytes(goal.bytes.unwrap_or(0));
            complain(&format!(
                "error: nothing of at most {most} keeps the perplexity at {:.4}: the smallest that does is {}, with {:.4} after \
                 {:.4}; allow more of either, or other `--formats`",
                goal.perplexity,
                human_bytes(best.bytes),
                best.quality.perplexity(),
                found.perplexity
            ));
            Exit::Requirement
        }
    }
}

/// The bound that `102%` or `2.45` means beside the baseline's perplexity.
fn perplexity(text: &str, baseline: f64) -> Result<f64, Exit> {
    let (number, scale) = match text.trim().strip_suffix('%') {
        Some(share) => (share, baseline / 100.0),
        None => (text.trim(), 1.0),
    };
    let number: Option<f64> = number.parse().ok().filter(|n: &f64| n.is_finite() && *n > 0.0);
    let number =
        number.ok_or_else(|| usage(&format!("`{text}` is no perplexity: write `102%` or `2.45`")))?;
    Ok(number * scale)
}

/// A size as a recipe spells it.
fn size(text: &str) -> Result<u64, Exit> {
    const FILE: &str = "size";
    let mut session = Session::new();
    let is_plain = text.chars().all(|c| c.is_ascii_alphanumeric() || " ._".contains(c));
    if is_plain {
        session.set_file(FILE, &format!("recipe r {{ require {{ size <= {text}; }} }}"));
    }
    let recipe = session.recipe(FILE, "r");
    match recipe.as_ref().and_then(|r| r.requirements.first()).map(|r| &r.bound.kind) {
        Some(ValueKind::Size(bytes)) => Ok(*bytes),
        _ => Err(usage(&format!("`{text}` is no size: write it as `1 MB` or `800 kB`"))),
    }
}

fn surroundings(args: &Args, protocol: &Protocol) -> Surroundings {
    let named = |path: &str| name_from(args.out.as_deref(), path);
    let bound = match args.max_perplexity.trim() {
        share if share.ends_with('%') => format!("{share} of baseline"),
        number => number.to_owned(),
    };
    Surroundings {
        checkpoint: named(&args.checkpoint),
        data: named(protocol.data.as_deref().unwrap_or_default()),
        tokenizer: protocol.tokenizer.as_deref().map(|t| if t == BYTES { t.to_owned() } else { named(t) }),
        bound,
    }
}
