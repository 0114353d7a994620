//! What would go wrong with a job, found before it waits in a queue. One file for each thing that is looked at.

mod files;
mod gres;
mod nodes;
mod partition;
mod sharing;

use std::fmt;

use serde::Serialize;

use super::cluster::{Cluster, Node, Partition};
use super::request::{Paths, Request, Work};
use super::resources::Resources;

pub use sharing::Other;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The job cannot run, or would certainly fail: it is not submitted.
    Error,
    /// It may fail, or wait for long.
    Warning,
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad.
    pub level: Level,
    /// The fact, with what was found.
    pub says: String,
    /// One action.
    pub remedy: String,
}

impl Finding {
    fn error(says: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding { level: Level::Error, says: says.into(), remedy: remedy.into() }
    }

    fn warning(says: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding { level: Level::Warning, says: says.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        write!(f, "{level}: {}: {}", self.says, self.remedy)
    }
}

/// Everything that checks look at.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The plan.
    pub work: Work<'a>,
    /// What was asked for.
    pub request: &'a Request,
    /// Where things are.
    pub paths: &'a Paths,
    /// What will be asked for.
    pub resources: &'a Resources,
    /// Recipes beside this one, and what they write.
    pub others: &'a [Other],
    /// Name of this machine.
    pub host: &'a str,
    /// The cluster; without it only files are looked at.
    pub cluster: Option<&'a Cluster>,
}

impl<'a> Subject<'a> {
    fn partition(&self) -> Option<&'a Partition> {
        self.cluster?.partition(self.request.partition.as_deref())
    }

    /// Nodes of the partition, up or not.
    fn nodes(&self) -> Vec<&'a Node> {
        let found = self.cluster.zip(self.partition());
        found.map(|(cluster, partition)| cluster.nodes_of(&partition.name).collect()).unwrap_or_default()
    }
}

/// All findings: errors first, else in the order in which things are looked at.
pub fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    if subject.cluster.is_some() {
        found.extend(partition::check(subject));
        found.extend(gres::check(subject));
        found.extend(nodes::check(subject));
    }
    found.extend(files::check(subject));
    found.extend(sharing::check(subject));
    found.sort_by_key(|finding| finding.level);
    found
}

#[cfg(test)]
mod tests;
