//! What a job is to do, and what a person asked for.

use super::gres::Gres;
use super::limit::Limit;
use crate::hir::recipe::Target;
use crate::plan::ir::Plan;
use crate::plan::layout::OutputLayout;

/// What was asked for; what is `None` is chosen from the plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Partition.
    pub partition: Option<String>,
    /// Account.
    pub account: Option<String>,
    /// Quality of service.
    pub qos: Option<String>,
    /// Time limit.
    pub time: Option<Limit>,
    /// MiB of each node.
    pub memory: Option<u64>,
    /// Processors of each task.
    pub cpus: Option<u32>,
    /// Tasks that share the output's files.
    pub tasks: Option<u32>,
    /// Nodes.
    pub nodes: Option<u32>,
    /// Whether tasks are jobs of an array instead of steps of one job.
    pub array: bool,
    /// Generic resources of each node.
    pub gres: Option<Vec<Gres>>,
    /// Modules to load.
    pub modules: Vec<String>,
    /// Name of the job.
    pub name: String,
    /// How often an interrupted job is begun again.
    pub restarts: u32,
}

/// The plan to run.
#[derive(Clone, Copy, Debug)]
pub struct Work<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Its output.
    pub layout: &'a OutputLayout,
    /// What the recipe names.
    pub target: Option<&'a Target>,
    /// Whether its header came from a listing, which has no weights.
    pub listing: bool,
}

impl Work<'_> {
    /// The GPU that the recipe names.
    pub fn gpu(&self) -> Option<&Target> {
        self.target.filter(|target| target.cuda)
    }
}

/// Where everything is; all paths but those in `recipe` are absolute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths {
    /// The folder that the job works in.
    pub folder: String,
    /// The program.
    pub icpc: String,
    /// The recipe's file.
    pub file: String,
    /// The arguments that say which recipe, as `run` and `doctor` take them.
    pub recipe: Vec<String>,
    /// The checkpoint.
    pub checkpoint: String,
    /// The output.
    pub output: String,
    /// The folder of logs.
    pub logs: String,
}
