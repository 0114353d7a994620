//! How far jobs are.

use super::ask::{NoAnswer, ask};
use super::fields::{fields, value};

/// What Slurm says of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct State {
    /// `RUNNING`, `PENDING`, `COMPLETED`, ...
    pub state: String,
    /// Its index, where it is one of an array; a range of those that wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Why it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How long it has run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// How long it may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// Where it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodes: Option<String>,
    /// How often it was begun again.
    pub restarts: u32,
}

/// The states of a job and of its array's tasks; nothing where Slurm has forgotten it.
///
/// # Errors
/// Why Slurm does not answer, one clause.
pub fn states(job: &str) -> Result<Vec<State>, String> {
    match ask("scontrol", &["--oneliner", "show", "job", job]) {
        Ok(text) => Ok(text.lines().filter_map(state).collect()),
        Err(NoAnswer::Absent) => Err("Slurm's client is not in PATH".to_owned()),
        Err(NoAnswer::Failed(why)) if why.contains("Invalid job id") => Ok(Vec::new()),
        Err(NoAnswer::Failed(why)) => Err(why),
    }
}

fn state(line: &str) -> Option<State> {
    let fields = fields(line);
    let is = |key: &str| value(&fields, key).map(str::to_owned);
    Some(State {
        state: is("JobState")?,
        task: is("ArrayTaskId"),
        reason: is("Reason").filter(|reason| reason != "None"),
        time: is("RunTime"),
        limit: is("TimeLimit"),
        nodes: is("NodeList"),
        restarts: is("Restarts").and_then(|count| count.parse().ok()).unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::state;

    #[test]
    fn a_job_is_read() {
        let line = "JobId=3 JobName=mixed JobState=RUNNING Reason=None Requeue=1 Restarts=2 RunTime=00:00:05 \
            TimeLimit=00:05:00 NodeList=n[1-3] Command=/a b/mixed.sbatch";
        let found = state(line).unwrap();
        assert_eq!((found.state.as_str(), found.restarts, found.reason), ("RUNNING", 2, None));
        assert_eq!(found.nodes.as_deref(), Some("n[1-3]"));
        assert_eq!(state("slurm_load_jobs error"), None);
    }
}
