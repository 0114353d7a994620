//! A suggestion as a recipe, which is checked before anybody gets it.

use std::sync::Arc;

use icpc_kernels::format::Format;

use super::data::{By, Group, Sensitivity};
use super::names::starred;
use super::suggest::Suggestion;
use crate::base::{human_bytes, human_change};
use crate::checkpoint::Schema;
use crate::db::CheckpointState;
use crate::diag::Level;
use crate::plan::patterns::patterns_of;
use crate::session::Session;
use crate::syntax::{self, written_segment};

/// The file that the recipe is checked as.
const DRAFT: &str = "draft.icp";
/// Its name.
pub(super) const NAME: &str = "suggested";

/// What the recipe will say beside formats: paths as it names them, and the bound.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The checkpoint.
    pub checkpoint: String,
    /// The data.
    pub data: String,
    /// The tokenizer, or `bytes`; nothing where the data are ids.
    pub tokenizer: Option<String>,
    /// The largest perplexity, as a recipe requires it: `102% of baseline`.
    pub bound: String,
}

/// A recipe that passes `check`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its text.
    pub text: String,
    /// Bytes of the files that it will write.
    pub file_bytes: u64,
}

/// Writes the recipe.
///
/// # Errors
/// The first error of its check, in a sentence.
pub fn recipe(
    found: &Sensitivity,
    suggestion: &Suggestion,
    schema: &Arc<Schema>,
    around: &Surroundings,
) -> Result<Written, String> {
    let mut session = Session::new();
    session.set_checkpoint(&around.checkpoint, CheckpointState::Loaded(Arc::clone(schema)));
    let mut draft = |ratio: Option<f64>| -> Result<(String, u64, Option<f64>), String> {
        let text = syntax::format(&text(found, suggestion, schema, around, ratio))
            .map_err(|_| "internal error: the recipe does not parse".to_owned())?;
        session.set_file(DRAFT, &text);
        // Files beside the recipe are looked up where it will stand, not here.
        let errors = session.diagnostics(DRAFT, None);
        let first = errors.iter().find(|d| d.level() == Level::Error && !d.kind.code.starts_with("E09"));
        if let Some(first) = first {
            return Err(format!("internal error: the recipe does not pass its check: {}", first.headline));
        }
        let layout = session.layout(DRAFT, NAME);
        let ratio = layout.as_ref().map(|l| schema.tensor_bytes() as f64 / l.stored_bytes.max(1) as f64);
        Ok((text, layout.map_or(0, |l| l.file_bytes), ratio))
    };
    let (.., ratio) = draft(None)?;
    let (text, file_bytes, _) = draft(ratio)?;
    Ok(Written { text, file_bytes })
}

fn text(
    found: &Sensitivity,
    suggestion: &Suggestion,
    schema: &Schema,
    around: &Surroundings,
    ratio: Option<f64>,
) -> String {
    let share = suggestion.quality.perplexity() / found.perplexity * 100.0;
    let mut out = format!(
        "//! Found by `icpc suggest`: {}, perplexity {:.4} after {:.4} ({share:.2}%),\n//! measured on {} targets, shift {}. Numbers beside an arm: its bytes, \
         then it alone in its format, in nats a token.\n",
        human_change(found.bytes, suggestion.bytes),
        suggestion.quality.perplexity(),
        found.perplexity,
        found.scored,
        found.shift,
    );
    out.push_str(&format!("use std::arch::{};\n\n", found.architecture));
    out.push_str(&format!("recipe {NAME} for {} {{\n", found.architecture));
    // What is no longer of the checkpoint's type meets what is.
    let is_cast = suggestion.formats.iter().any(|f| matches!(f, Some(Format::Cast(_))));
    let casts = if is_cast { "    casts auto;\n" } else { "" };
    out.push_str(&format!(
        "    checkpoint {};\n    target cpu;\n{casts}\n    assign {{\n",
        quoted(&around.checkpoint)
    ));
    for (group, format) in found.groups.iter().zip(&suggestion.formats) {
        let (pattern, written) =
            (pattern(found.by, group, schema), format.map_or("keep".to_owned(), |f| spelled(&f)));
        out.push_str(&comment(found, group, format.as_ref()));
        for pattern in pattern {
            out.push_str(&format!("        {pattern} => {written},\n"));
        }
    }
    out.push_str("        _ => keep,\n    }\n\n    evaluate {\n");
    out.push_str(&format!("        data: {},\n", quoted(&around.data)));
    if let Some(tokenizer) = &around.tokenizer {
        out.push_str(&format!("        tokenizer: {},\n", quoted(tokenizer)));
    }
    out.push_str(&format!(
        "        window: {},\n        stride: {},\n        shift: {},\n",
        found.window, found.stride, found.shift
    ));
    if let Some(samples) = found.samples {
        out.push_str(&format!("        samples: {samples},\n"));
    }
    out.push_str(&format!("    }}\n\n    require {{\n        perplexity <= {};\n", around.bound));
    if let Some(ratio) = ratio {
        // Rounded down: what holds now is what a later change may not lose.
        out.push_str(&format!("        compression >= {:.2}x;\n", (ratio * 100.0).floor() / 100.0));
    }
    out.push_str(&format!("    }}\n\n    emit \"out/{NAME}\" as safetensors;\n}}\n"));
    out
}

/// What was measured of a group, as a comment above its arm.
fn comment(found: &Sensitivity, group: &Group, format: Option<&Format>) -> String {
    let own = |f: &Format| {
        let spelled = f.to_string();
        found.trials.iter().find(|t| t.group == group.name && t.format == spelled)
    };
    match format.and_then(own) {
        Some(trial) => {
            let divergence =
                trial.divergence.map_or("no numbers".to_owned(), |d| format!("divergence {d:.1e}"));
            let change = human_change(group.bytes, trial.bytes);
            format!("        // {change}; {divergence}{}\n", refused(found, group, trial.bytes))
        }
        None => format!("        // {}{}\n", human_bytes(group.bytes), refused(found, group, group.bytes)),
    }
}

/// The next smaller format of the group, which was not taken, and why.
fn refused(found: &Sensitivity, group: &Group, bytes: u64) -> String {
    let smaller = found.trials.iter().filter(|t| t.group == group.name && t.bytes < bytes);
    let next = smaller.max_by(|a, b| a.bytes.cmp(&b.bytes).then_with(|| b.format.cmp(&a.format)));
    match next {
        Some(trial) => match trial.divergence {
            Some(divergence) => format!("; {} would be {divergence:.1e}", trial.format),
            None => format!("; {} gives no numbers", trial.format),
        },
        None => String::new(),
    }
}

/// The format as a person writes it: what is the default anyway is left out.
fn spelled(format: &Format) -> String {
    format.to_string().replace("(per: channel, axis: 0)", "(per: channel)")
}

/// Patterns that match the tensors of a group and no others.
fn pattern(by: By, group: &Group, schema: &Schema) -> Vec<String> {
    let others =
        || schema.tensors.iter().map(|t| t.name.as_ref()).filter(|n| !group.tensors.iter().any(|t| t == n));
    let segments = group.name.split('.').count();
    let alike = |name: &str| {
        name.split('.').count() == segments
            && group.name.split('.').zip(name.split('.')).all(|(p, s)| p == "*" || p == s)
    };
    match by == By::Position && group.tensors.iter().all(|t| starred(t) == group.name) && !others().any(alike)
    {
        true => {
            let written =
                group.name.split('.').map(|s| if s == "*" { s.to_owned() } else { written_segment(s) });
            vec![written.collect::<Vec<_>>().join(".")]
        }
        false => patterns_of(group.tensors.iter().map(String::as_str)),
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
