//! What the run of a recipe needs of this machine.

use std::path::Path;

use serde::Serialize;

use super::{Doctor, Found};
use crate::backend::{Wanted, select};
use crate::base::human_bytes;
use crate::hir::Recipe;
use crate::plan::ir::Plan;
use crate::plan::layout::OutputLayout;
use crate::plan::memory::{Workspace, whole_run};

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
    /// `recipe`, `memory`, `disk`, `device`, `output`.
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
    let peak = whole_run(plan, layout, doctor.machine.threads).bytes;
    Needs {
        recipe: plan.recipe.clone(),
        needs: vec![
            device(recipe),
            memory(doctor, peak, workspace.threads),
            disk(doctor, layout.file_bytes),
            existing(output),
        ],
    }
}

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

fn memory(doctor: &Doctor, peak: u64, threads: usize) -> Need {
    let needed = format!("{} with {threads} threads", human_bytes(peak));
    match doctor.machine.available {
        Some(available) if available < peak => Need::new(
            "memory",
            format!("{needed}, and {} are available", human_bytes(available)),
            Some("run with fewer `--threads`, or where there is more memory".to_owned()),
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
