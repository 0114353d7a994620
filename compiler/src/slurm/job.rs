//! The job that this process runs in, as Slurm's environment tells it.

use serde::{Deserialize, Serialize};

/// A job, from inside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its number.
    pub id: String,
    /// Number of the array and of the task in it, where the job is one of an array.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub array: Option<String>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The node that this process is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Its partition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<String>,
    /// How often it was begun again.
    pub restarts: u32,
}

impl Job {
    /// The job of this process.
    pub fn current() -> Option<Job> {
        Job::of(|name| std::env::var(name).ok())
    }

    /// The job that an environment tells of.
    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Option<Job> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let array = set("SLURM_ARRAY_JOB_ID").zip(set("SLURM_ARRAY_TASK_ID"));
        Some(Job {
            id: set("SLURM_JOB_ID")?,
            array: array.map(|(job, task)| format!("{job}_{task}")),
            name: set("SLURM_JOB_NAME"),
            node: set("SLURMD_NODENAME"),
            partition: set("SLURM_JOB_PARTITION"),
            restarts: set("SLURM_RESTART_COUNT").and_then(|count| count.parse().ok()).unwrap_or(0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Job;

    #[test]
    fn an_environment_is_read() {
        assert_eq!(Job::of(|_| None), None);
        let environment = [
            ("SLURM_JOB_ID", "17"),
            ("SLURM_ARRAY_JOB_ID", "15"),
            ("SLURM_ARRAY_TASK_ID", "2"),
            ("SLURMD_NODENAME", "n1"),
            ("SLURM_RESTART_COUNT", "3"),
            ("SLURM_JOB_NAME", ""),
        ];
        let find = |name: &str| environment.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        let job = Job::of(find).unwrap();
        assert_eq!((job.id.as_str(), job.array.as_deref(), job.restarts), ("17", Some("15_2"), 3));
        assert_eq!((job.node.as_deref(), job.name), (Some("n1"), None));
    }
}
