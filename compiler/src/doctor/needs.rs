//! What the run of a recipe needs of this machine.

use std::path::Path;

use serde::Serialize;

use super::{Doctor, Found};
use crate::backend::place::{Place, training_place};
use crate::backend::{Wanted, select};
use crate::base::{count, human_bytes};
use crate::hir::Recipe;
use crate::plan::ir::Plan;
use crate::plan::layout::OutputLayout;
use crate::plan::memory::{Peak, Stage, Workspace, this_program};
use crate::plan::tune::TunePlan;

/// A recipe's needs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Needs {
    /// The recipe.
    pub recipe: String,
    /// One after the other.
    pub needs: Vec<Need>,
}

/// One need.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Need {
    /// `device`, `training`, `memory`, `disk`, `output`.
    pub of: &'static str,
    /// What is needed beside what there is, one sentence.
    pub says: String,
    /// What to do when it is not met.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Need {
    fn new(of: &'static str, says: impl Into<String>, remedy: Option<String>) -> Need {
        Need { of, says: says.into(), remedy }
    }
}

/// What a checked recipe needs; `output` is the folder that it writes.
pub fn needs(doctor: &Doctor, recipe: &Recipe, plan: &Plan, layout: &OutputLayout, output: &Path) -> Needs {
    let workspace = Workspace::new(plan, doctor.machine.threads);
    let peak = this_program(plan, layout, doctor.machine.threads);
    let mut needs = vec![device(recipe)];
    needs.extend(plan.tune.as_ref().map(|tune| training(doctor, recipe, tune)));
    needs.extend([
        memory(doctor, peak, workspace.threads),
        disk(doctor, layout.file_bytes),
        existing(output),
    ]);
    Needs { recipe: plan.recipe.clone(), needs }
}

/// As a run without `--backend` would train.
fn training(doctor: &Doctor, recipe: &Recipe, tune: &TunePlan) -> Need {
    let work =
        format!("{} of {}", count(tune.numbers.steps, "step"), count(tune.tensors.len() as u64, "tensor"));
    let place = match training_place(recipe.target(), tune.numbers.seed.is_some()) {
        Ok(place) => place,
        Err(missing) => {
            return Need::new("training", format!("{work}: {}", missing.what), Some(missing.remedy));
        }
    };
    let needed = human_bytes(tune.memory);
    let Place::Torch(Some(gpu)) = place else {
        let threads = count(doctor.machine.threads as u64, "thread");
        return Need::new("training", format!("{work} on {place} with {threads}, about {needed}"), None);
    };
    let gpus = match &doctor.cuda {
        Found::Here(cuda) => cuda.gpus.as_slice(),
        Found::Absent { .. } => &[],
    };
    match gpus.iter().find(|found| found.ordinal == gpu) {
        Some(found) if found.free < tune.memory => Need::new(
            "training",
            format!("{work} on {place}, about {needed}, and {} are free there", human_bytes(found.free)),
            Some(SMALLER.to_owned()),
        ),
        Some(found) => Need::new(
            "training",
            format!("{work} on {place}, about {needed} of {}", human_bytes(found.free)),
            None,
        ),
        None => Need::new("training", format!("{work} on {place}, about {needed}"), None),
    }
}

/// What makes a training need less memory.
const SMALLER: &str = "take a smaller `batch` and a larger `accumulate` in `tune`";

/// As a run without `--backend` would choose.
fn device(recipe: &Recipe) -> Need {
    let target = recipe.target();
    let named = target.map_or_else(|| "no target is named".to_owned(), |t| format!("`target {}`", t.name));
    match select(Wanted::Auto, target) {
        Ok(selected) => {
            let note = selected.note.map(|note| format!(" ({note})")).unwrap_or_default();
            Need::new("device", format!("{named}, runs on {}{note}", selected.backend.name()), None)
        }
        Err(missing) => Need::new("device", format!("{named}: {}", missing.what), Some(missing.remedy)),
    }
}

fn memory(doctor: &Doctor, peak: Peak, threads: usize) -> Need {
    let needed = match peak.stage {
        Stage::Training => format!("{} for training", human_bytes(peak.bytes)),
        _ => format!("{} with {}", human_bytes(peak.bytes), count(threads as u64, "thread")),
    };
    match doctor.machine.available {
        Some(available) if available < peak.bytes => Need::new(
            "memory",
            format!("{needed}, and {} are available", human_bytes(available)),
            Some(match peak.stage {
                Stage::Training => SMALLER.to_owned(),
                _ => "run with fewer `--threads`, or where there is more memory".to_owned(),
            }),
        ),
        Some(available) => Need::new("memory", format!("{needed} of {}", human_bytes(available)), None),
        None => Need::new("memory", format!("{needed}; how much there is is unknown"), None),
    }
}

fn disk(doctor: &Doctor, bytes: u64) -> Need {
    let needed = human_bytes(bytes);
    match &doctor.disk {
        Found::Here(disk) if disk.free < bytes => Need::new(
            "disk",
            format!("{needed}, and {} are free in `{}`", human_bytes(disk.free), disk.folder),
            Some("free some, or write elsewhere with `--out`".to_owned()),
        ),
        Found::Here(disk) => {
            Need::new("disk", format!("{needed} of {} in `{}`", human_bytes(disk.free), disk.folder), None)
        }
        Found::Absent { absent, .. } => Need::new("disk", format!("{needed}; {absent}"), None),
    }
}

fn existing(output: &Path) -> Need {
    let shown = output.display();
    match std::fs::symlink_metadata(output) {
        Ok(_) => Need::new(
            "output",
            format!("`{shown}` exists"),
            Some("run with `--force` to replace it, or write elsewhere with `--out`".to_owned()),
        ),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Need::new("output", format!("`{shown}` is free"), None)
        }
        Err(error) => Need::new(
            "output",
            format!("`{shown}` cannot be looked at: {}", crate::system::plain(&error)),
            Some("name another folder with `--out`".to_owned()),
        ),
    }
}
