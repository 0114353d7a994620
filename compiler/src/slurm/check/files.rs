//! Files: the log's folder, the checkpoint, the output, and whether the nodes see them.

use std::fs;
use std::path::Path;

use super::super::cluster::Node;
use super::super::place::only_here;
use super::{Finding, Subject};
use crate::base::human_bytes;
use crate::doctor::free_space;
use crate::plan::plan_hash;
use crate::system::plain;

pub(super) fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let paths = subject.paths;
    if let Err(why) = writable(Path::new(&paths.logs)) {
        found.push(Finding::error(
            format!("the log folder `{}` cannot be written: {why}", paths.logs),
            "name another with `--log-dir`; Slurm starts no job whose log it cannot open",
        ));
    }
    if subject.work.listing {
        found.push(Finding::error(
            format!("the checkpoint `{}` is a listing, which has no weights", paths.checkpoint),
            "name the weights with `--checkpoint`",
        ));
    }
    found.extend(output(subject));
    found.extend(room(subject));
    found.extend(visible(subject));
    found
}

fn writable(folder: &Path) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|error| plain(&error))?;
    let probe = folder.join(format!(".icpc-{}", std::process::id()));
    fs::File::create_new(&probe).map_err(|error| plain(&error))?;
    fs::remove_file(&probe).map_err(|error| plain(&error))
}

fn output(subject: &Subject<'_>) -> Option<Finding> {
    let output = &subject.paths.output;
    fs::symlink_metadata(output).ok()?;
    let plan = fs::read(Path::new(output).join("report.json")).ok();
    let report: Option<crate::report::RunReport> = plan.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    if report.is_some_and(|report| report.provenance.plan_hash == plan_hash(subject.work.plan)) {
        return Some(Finding::error(
            format!("`{output}` exists and is the output of this plan"),
            "nothing is to be done: `icpc verify` looks at it; give `--out` to write it a second time",
        ));
    }
    Some(Finding::error(
        format!("`{output}` exists, and a run does not replace it"),
        "remove it, or write elsewhere with `--out`",
    ))
}

fn room(subject: &Subject<'_>) -> Option<Finding> {
    let needed = subject.work.layout.file_bytes;
    match free_space(Path::new(&subject.paths.output)) {
        Ok(disk) if disk.free < needed => Some(Finding::error(
            format!(
                "the output has {}, and {} are free in `{}`",
                human_bytes(needed),
                human_bytes(disk.free),
                disk.folder
            ),
            "free some, or write elsewhere with `--out`",
        )),
        Ok(_) => None,
        Err(unknown) => Some(Finding::warning(unknown.what, unknown.remedy)),
    }
}

/// Paths that lie in this machine only, where the job may run on another.
fn visible(subject: &Subject<'_>) -> Vec<Finding> {
    let nodes = subject.nodes();
    if nodes.is_empty() || runs_here(subject.host, &nodes) {
        return Vec::new();
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let paths = subject.paths;
    let named = [
        ("icpc itself", &paths.icpc),
        ("the recipe", &paths.file),
        ("the checkpoint", &paths.checkpoint),
        ("the output", &paths.output),
        ("the log folder", &paths.logs),
    ];
    let mut reasons: Vec<(String, Vec<String>)> = Vec::new();
    for (what, path) in named {
        let Some(why) = only_here(path, &mounts) else { continue };
        let shown = format!("{what} `{path}`");
        match reasons.iter_mut().find(|(known, _)| *known == why) {
            Some((_, all)) => all.push(shown),
            None => reasons.push((why, vec![shown])),
        }
    }
    let finding = |(why, all): (String, Vec<String>)| {
        Finding::warning(
            format!("other nodes may not see {}: {why}", all.join(", ")),
            "use a file system that all of them share",
        )
    };
    reasons.into_iter().map(finding).collect()
}

/// Whether every node that the job can get is this machine.
fn runs_here(host: &str, nodes: &[&Node]) -> bool {
    let short = |name: &str| name.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let here = short(host);
    nodes.iter().all(|node| node.host == "localhost" || short(&node.host) == here)
}
