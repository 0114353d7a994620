//! Nodes: enough of them, with enough processors and memory, and up.

use super::super::cluster::Node;
use super::{Finding, Subject};
use crate::base::count;

/// Seconds that a run needs to end after a signal.
const TO_END: u64 = 2;

pub(super) fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let (Some(cluster), Some(partition)) = (subject.cluster, subject.partition()) else { return Vec::new() };
    let resources = subject.resources;
    let (name, nodes) = (&partition.name, subject.nodes());
    let mut found = Vec::new();
    let together = resources.tasks_of_a_node();
    let cpus = u64::from(together) * u64::from(resources.cpus);
    let most_cpus = nodes.iter().map(|node| node.cpus).max().unwrap_or(0);
    let most_cpus = partition.max_cpus.map_or(most_cpus, |limit| limit.min(most_cpus));
    if cpus > most_cpus {
        let tasks = count(u64::from(together), "task");
        found.push(Finding::error(
            format!(
                "{tasks} of {} on a node, and a node of partition `{name}` gives at most {most_cpus}",
                count(u64::from(resources.cpus), "processor")
            ),
            format!("give `--cpus {}`, or more `--nodes`", (most_cpus / u64::from(together)).max(1)),
        ));
    }
    let most_memory = nodes.iter().map(|node| node.memory).max().unwrap_or(0);
    let most_memory = partition.max_memory.map_or(most_memory, |limit| limit.min(most_memory));
    if resources.memory > most_memory {
        let remedy = if subject.request.memory.is_some() {
            format!("give `--mem {most_memory}M` or less")
        } else {
            "give fewer `--cpus`, which share a peak, or more `--nodes`".to_owned()
        };
        found.push(Finding::error(
            format!(
                "memory {} MiB is more than the {most_memory} MiB that a node of partition `{name}` gives",
                resources.memory
            ),
            remedy,
        ));
    }
    if found.is_empty() {
        let fits = |node: &&&Node| {
            node.cpus >= cpus
                && node.memory >= resources.memory
                && resources.gres.iter().all(|gres| node.has(gres) >= gres.count)
        };
        let fitting: Vec<&&Node> = nodes.iter().filter(fits).collect();
        found.extend(enough(subject, &fitting, name, partition.max_nodes));
    }
    if !resources.array && resources.nodes > resources.tasks {
        found.push(Finding::error(
            format!(
                "{} for {}: Slurm gives none to a node without a task",
                count(resources.nodes.into(), "node"),
                count(resources.tasks.into(), "task")
            ),
            format!("give `--nodes {}`", resources.tasks),
        ));
    }
    let files = subject.work.layout.files.len() as u64;
    if u64::from(resources.tasks) > files {
        found.push(Finding::warning(
            format!(
                "{} share {}: the surplus has nothing to do",
                count(resources.tasks.into(), "task"),
                count(files, "file")
            ),
            format!("give `--tasks {files}`, or smaller `shards` in `emit`"),
        ));
    }
    if let Some(most) = cluster.max_array
        && resources.array
        && u64::from(resources.tasks) > most
    {
        found.push(Finding::error(
            format!("an array of {} is beyond the MaxArraySize {most}", resources.tasks),
            format!("give `--tasks {}`", most),
        ));
    }
    if let Some(wait) = cluster.kill_wait
        && wait < TO_END
    {
        found.push(Finding::warning(
            format!("KillWait is {wait} s, and a run needs up to {TO_END} s to end"),
            "a run that is killed goes on, too, and redoes what it had in hand",
        ));
    }
    found
}

/// Nodes that fit are enough, and up.
fn enough(subject: &Subject<'_>, fitting: &[&&Node], partition: &str, most: Option<u64>) -> Option<Finding> {
    let wanted = u64::from(subject.resources.nodes);
    let there = fitting.len() as u64;
    let up = fitting.iter().filter(|node| node.is_up()).count() as u64;
    if let Some(most) = most
        && wanted > most
    {
        return Some(Finding::error(
            format!("{} are beyond the MaxNodes {most} of partition `{partition}`", count(wanted, "node")),
            format!("give `--nodes {most}`"),
        ));
    }
    if there < wanted {
        // A resource that no node has is said elsewhere.
        let gres = subject.resources.gres.iter();
        let all = subject.nodes();
        let absent = gres.into_iter().any(|gres| !all.iter().any(|node| node.has(gres) >= gres.count));
        let none = if absent { None } else { Some(()) };
        return none.map(|()| {
            Finding::error(
                format!(
                    "{} asked for, and partition `{partition}` has {there} that fit",
                    count(wanted, "node")
                ),
                if there == 0 {
                    "ask for less on a node".to_owned()
                } else {
                    format!("give `--nodes {there}`")
                },
            )
        });
    }
    if up < wanted {
        let states: Vec<String> = fitting
            .iter()
            .filter(|node| !node.is_up())
            .map(|node| format!("{} {}", node.name, node.state))
            .collect();
        let states = crate::base::list(&states);
        return Some(Finding::warning(
            format!("{} that fit, {up} of them up: {states}", count(there, "node")),
            "the job waits until more of them are up",
        ));
    }
    None
}
