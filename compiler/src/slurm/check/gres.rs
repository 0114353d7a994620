//! Generic resources: there, spelled so, as many on a node, and able to do the work.

use icpc_kernels::backend::BackendKind;

use super::super::cluster::Node;
use super::super::gres::Gres;
use super::super::resources::spelling;
use super::{Finding, Subject};
use crate::base::list;

pub(super) fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let Some(partition) = subject.partition() else { return Vec::new() };
    let nodes = subject.nodes();
    let asked = &subject.resources.gres;
    let mut found = Vec::new();
    let gpu = asked.iter().find(|gres| gres.name == "gpu");
    match (subject.work.gpu(), gpu) {
        (Some(target), None) => found.push(Finding::error(
            format!("the recipe names `{}`, and no GPU is asked for", target.name),
            "give `--gres gpu:1`",
        )),
        (None, Some(gres)) if subject.work.target.is_some() => found.push(Finding::warning(
            format!("`{gres}` is asked for, and the recipe's target is the processor"),
            "leave `--gres` out",
        )),
        _ => {}
    }
    for gres in asked {
        match missing(gres, &nodes, &partition.name) {
            Some(finding) => found.push(finding),
            None if gres.name == "gpu" => found.extend(capability(subject, gres, &nodes)),
            None => {}
        }
    }
    found
}

/// A resource that no node has, or not as many of.
fn missing(gres: &Gres, nodes: &[&Node], partition: &str) -> Option<Finding> {
    let most = nodes.iter().map(|node| node.has(gres)).max().unwrap_or(0);
    if most >= gres.count {
        return None;
    }
    let typed = |gres: &Gres| match &gres.kind {
        Some(kind) => format!("{}:{kind}", gres.name),
        None => gres.name.clone(),
    };
    let asked = typed(gres);
    if most > 0 {
        return Some(Finding::error(
            format!(
                "a node of partition `{partition}` has at most {most} of `{asked}`, and {} are asked for",
                gres.count
            ),
            format!("give `--gres {asked}:{most}`, or spread the tasks over more `--nodes`"),
        ));
    }
    let mut kinds: Vec<Gres> = nodes.iter().flat_map(|node| &node.gres).cloned().collect();
    kinds.sort_by_key(|gres| gres.to_string());
    kinds.dedup();
    let same = |known: &&Gres| known.name.eq_ignore_ascii_case(&gres.name);
    let close = gres
        .kind
        .as_ref()
        .and_then(|kind| spelling(kind, kinds.iter().filter(same).filter_map(|known| known.kind.as_deref())));
    let says = format!("no node of partition `{partition}` has `{asked}`");
    let has: Vec<String> = kinds.iter().map(typed).collect();
    Some(match close {
        Some(kind) => Finding::error(
            format!("{says}, it is spelled `{}:{kind}` there", gres.name),
            format!(
                "give `--gres {}`: Slurm tells capital letters apart",
                Gres::new(&gres.name, Some(kind), gres.count)
            ),
        ),
        None if has.is_empty() => {
            Finding::error(format!("{says}, nor any other generic resource"), "name another `--partition`")
        }
        None if kinds.iter().filter(same).any(|known| known.kind.is_none()) && gres.kind.is_some() => {
            Finding::error(
                format!("{says}: its `{}` have no type", gres.name),
                format!("give `--gres {}:{}`", gres.name, gres.count),
            )
        }
        None => Finding::error(
            format!("{says}, only {}", list(&has)),
            "give one of them with `--gres`, or another `--partition`",
        ),
    })
}

/// GPUs that are too old for the target or for the kernels, as far as their types tell.
fn capability(subject: &Subject<'_>, gres: &Gres, nodes: &[&Node]) -> Option<Finding> {
    let target = subject.work.gpu()?;
    let least = BackendKind::Cuda.least_capability().unwrap_or(0);
    let wanted = target.capability().unwrap_or(0).max(least);
    let served: Vec<&Gres> =
        nodes.iter().flat_map(|node| &node.gres).filter(|known| known.serves(gres)).collect();
    let known = |known: &&&Gres| known.capability().is_some();
    let older: Vec<&&Gres> =
        served.iter().filter(|g| g.capability().is_some_and(|found| found < wanted)).collect();
    let first = older.first()?;
    let name = first.kind.as_deref().unwrap_or_default();
    let says = format!(
        "`target {}` needs compute capability {}.{}, and `{name}` has {}.{}",
        target.name,
        wanted / 10,
        wanted % 10,
        first.capability().unwrap_or(0) / 10,
        first.capability().unwrap_or(0) % 10
    );
    let fits = served.iter().filter(known).find(|g| g.capability().is_some_and(|found| found >= wanted));
    Some(match fits.and_then(|gres| gres.kind.as_deref()) {
        Some(kind) => Finding::warning(
            format!("{says}: the job may get one"),
            format!("give `--gres {}`", Gres::new("gpu", Some(kind), gres.count)),
        ),
        None => Finding::error(says, "give another `--gres` or `--partition`, or name another `target`"),
    })
}
