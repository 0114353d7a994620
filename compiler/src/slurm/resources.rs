//! What a job asks Slurm for: what a person said, else what the plan needs and the partition has.

use super::cluster::{Cluster, Node};
use super::estimate::{self, Rates};
use super::gres::Gres;
use super::limit::Limit;
use super::request::{Request, Work};
use crate::base::{count, human_bytes};
use crate::plan::memory::this_program;

/// Processors of a task where nodes have so many.
const CPUS: u64 = 8;

/// Bytes of a checkpoint that make a task of their own worth while.
const BYTES_OF_A_TASK: u64 = 20_000_000_000;

/// Tasks that are chosen at most; more are asked for.
const TASKS: u64 = 8;

/// Bytes of each node for the page cache, through which everything is read and written.
const PAGE_CACHE: u64 = 512 << 20;

/// Bytes of the host that CUDA's context, its kernels and pinned buffers take.
const CUDA: u64 = 2 << 30;

/// What is asked for, each with where it is from.
#[derive(Clone, Debug, PartialEq)]
pub struct Resources {
    /// Nodes.
    pub nodes: u32,
    /// Tasks of a job or an array.
    pub tasks: u32,
    /// Whether tasks are jobs of an array.
    pub array: bool,
    /// Processors of each task.
    pub cpus: u32,
    /// MiB of each node.
    pub memory: u64,
    /// Generic resources of each node.
    pub gres: Vec<Gres>,
    /// Time limit.
    pub time: Limit,
    /// What the plan is predicted to take, at most; more than the limit where the partition allows less.
    pub predicted: Limit,
    /// Comments of the script, by option.
    pub why: Why,
}

/// Where numbers are from, a line each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Why {
    /// Of tasks.
    pub tasks: String,
    /// Of memory.
    pub memory: String,
    /// Of generic resources.
    pub gres: String,
    /// Of time.
    pub time: String,
}

const ASKED: &str = "as asked for";

impl Resources {
    /// For a plan. What a cluster has decides spellings and defaults, never what was asked for.
    pub fn choose(work: &Work<'_>, request: &Request, rates: &Rates, cluster: Option<&Cluster>) -> Resources {
        let partition = cluster.and_then(|cluster| cluster.partition(request.partition.as_deref()));
        let found = cluster.zip(partition).map(|(c, p)| c.nodes_of(&p.name).filter(|node| node.is_up()));
        let nodes_up: Vec<&Node> = found.into_iter().flatten().collect();
        let up = nodes_up.len().max(1) as u64;
        let up = partition.and_then(|partition| partition.max_nodes).map_or(up, |most| up.min(most));
        let up = u32::try_from(up).unwrap_or(u32::MAX);
        let (tasks, why_tasks) = tasks(work, request, up);
        let nodes = if request.array { Some(1) } else { request.nodes };
        let nodes = nodes.unwrap_or(up.min(tasks)).max(1);
        let together = if request.array { 1 } else { tasks.div_ceil(nodes) };
        let most = nodes_up.iter().map(|node| node.cpus).max().unwrap_or(CPUS);
        let most = partition.and_then(|partition| partition.max_cpus).map_or(most, |limit| limit.min(most));
        let cpus = CPUS.min(most / u64::from(together)).max(1);
        let cpus = request.cpus.unwrap_or(u32::try_from(cpus).unwrap_or(1));
        let (memory, why_memory) = memory(work, request, together, cpus);
        let (gres, why_gres) = gres(work, request, &nodes_up);
        let predicted = estimate::time(work, rates, tasks, cpus);
        let most = partition.and_then(|partition| partition.max_time);
        let (time, why_time) = match (request.time, most) {
            (Some(asked), _) => (asked, ASKED.to_owned()),
            // A run that the limit interrupts goes on.
            (None, Some(most)) if predicted.limit > most => {
                (most, format!("{}, {}, and the partition's MaxTime", predicted.why, predicted.limit))
            }
            (None, _) => (predicted.limit, predicted.why),
        };
        let why = Why { tasks: why_tasks, memory: why_memory, gres: why_gres, time: why_time };
        Resources {
            nodes,
            tasks,
            array: request.array,
            cpus,
            memory,
            gres,
            time,
            predicted: predicted.limit,
            why,
        }
    }

    /// Tasks that share a node.
    pub fn tasks_of_a_node(&self) -> u32 {
        if self.array { 1 } else { self.tasks.div_ceil(self.nodes.max(1)) }
    }
}

/// One for each node, where nothing else is asked for: the threads of one share a node as well as tasks do.
fn tasks(work: &Work<'_>, request: &Request, up: u32) -> (u32, String) {
    let files = work.layout.files.len() as u64;
    if let Some(tasks) = request.tasks {
        return (tasks.max(1), ASKED.to_owned());
    }
    let worth = work.plan.source.tensor_bytes.div_ceil(BYTES_OF_A_TASK).min(TASKS);
    let shared = format!("{} to share, a task for each", count(files, "file"));
    let size = human_bytes(BYTES_OF_A_TASK);
    let (tasks, why) = match request.nodes {
        Some(nodes) => (u64::from(nodes), format!("{shared} node")),
        None if request.array => (worth, format!("{shared} {size} of the checkpoint, at most {TASKS}")),
        None => (
            worth.min(u64::from(up)),
            format!("{shared} {size} of the checkpoint and node that is up, at most {TASKS}"),
        ),
    };
    (u32::try_from(tasks.min(files).max(1)).unwrap_or(1), why)
}

fn memory(work: &Work<'_>, request: &Request, together: u32, cpus: u32) -> (u64, String) {
    if let Some(memory) = request.memory {
        return (memory, ASKED.to_owned());
    }
    let peak = this_program(work.plan, work.layout, cpus as usize).bytes;
    let device = if work.gpu().is_some() { CUDA } else { 0 };
    let task = (peak / 4).saturating_add(peak).saturating_add(device);
    let bytes = task.saturating_mul(u64::from(together)).saturating_add(PAGE_CACHE);
    let unit = 256u64 << 20;
    let mib = bytes.div_ceil(unit).saturating_mul(256);
    let mut why = format!(
        "{} a node, each with a peak of {} and a quarter more",
        count(u64::from(together), "task"),
        human_bytes(peak)
    );
    if device > 0 {
        why += &format!(", {} MiB for CUDA", device >> 20);
    }
    why += &format!(", and {} MiB for the page cache", PAGE_CACHE >> 20);
    (mib, why)
}

fn gres(work: &Work<'_>, request: &Request, nodes: &[&Node]) -> (Vec<Gres>, String) {
    if let Some(asked) = &request.gres {
        return (asked.clone(), ASKED.to_owned());
    }
    let Some(target) = work.gpu() else { return (Vec::new(), String::new()) };
    // Inside a job GPUs are counted from 0, so the second one is there only where two are asked for.
    let count = target.ordinal().map_or(1, |ordinal| ordinal as u64 + 1);
    let why = format!("`target {}`", target.name);
    let named = crate::hir::items::GPUS.iter().any(|(name, _)| *name == target.name);
    let gpus = || nodes.iter().flat_map(|node| &node.gres).filter(|gres| gres.name == "gpu");
    if named {
        if let Some(kind) = spelling(&target.name, gpus().filter_map(|gres| gres.kind.as_deref())) {
            let how = if kind == target.name {
                String::new()
            } else {
                format!(", which this cluster spells `{kind}`")
            };
            return (vec![Gres::new("gpu", Some(kind), count)], why + &how);
        }
        // Nodes whose GPUs have no type cannot be asked for one.
        let untyped = gpus().next().is_some() && gpus().all(|gres| gres.kind.is_none());
        let kind = (!untyped).then_some(target.name.as_str());
        return (vec![Gres::new("gpu", kind, count)], why);
    }
    // Of a cluster's GPUs the oldest that the target allows.
    let fits = gpus().filter(|gres| {
        target.capability().zip(gres.capability()).is_some_and(|(wanted, found)| found >= wanted)
    });
    let oldest = target.capability().and_then(|_| fits.min_by_key(|gres| gres.capability()));
    (vec![Gres::new("gpu", oldest.and_then(|gres| gres.kind.as_deref()), count)], why)
}

/// How a cluster spells a type: the same letters in another case, or as a word of a longer name.
pub(super) fn spelling<'a>(wanted: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = wanted.to_ascii_lowercase();
    let word = |kind: &str| {
        kind.to_ascii_lowercase().split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == wanted)
    };
    let mut close: Vec<&str> = known.filter(|kind| word(kind)).collect();
    close.sort_unstable_by_key(|kind| (kind.len(), *kind));
    close.first().copied()
}

#[cfg(test)]
mod tests;
