//! What Slurm tells a process about its place, in the environment.

use super::task::Task;
use crate::report::JobReport;

/// A process's place in a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Its rank among the tasks of `srun`.
    pub task: Task,
    /// Cores that the job gives it, if it says so.
    pub cores: Option<usize>,
    /// The job; nothing outside of one.
    pub job: Option<JobReport>,
}

impl Placement {
    /// The place of this process.
    pub fn here() -> Placement {
        Placement::from(&|name| std::env::var(name).ok())
    }

    /// The place that the variables of `get` describe. What only a batch script has counts for no rank: a program that it
    /// starts without `srun` is alone, however many tasks the job asked for.
    fn from(get: &dyn Fn(&str) -> Option<String>) -> Placement {
        let number = |name: &str| get(name)?.trim().parse::<usize>().ok();
        let tasks = number("SLURM_STEP_NUM_TASKS");
        let task = number("SLURM_PROCID").zip(tasks).and_then(|(rank, size)| Task::new(rank, size));
        let job = get("SLURM_JOB_ID").map(|id| JobReport {
            id: match get("SLURM_ARRAY_JOB_ID").zip(get("SLURM_ARRAY_TASK_ID")) {
                Some((array, index)) => format!("{array}_{index}"),
                None => id,
            },
            node: get("SLURMD_NODENAME").unwrap_or_default(),
            restarts: number("SLURM_RESTART_COUNT").and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
        });
        // without `--cpus-per-task` the tasks of a node share what the job has on it
        let on_node = number("SLURM_CPUS_ON_NODE").map(|cores| {
            let nodes = number("SLURM_STEP_NUM_NODES").unwrap_or(1).max(1);
            (cores / tasks.map_or(1, |tasks| tasks.div_ceil(nodes)).max(1)).max(1)
        });
        let cores = job.as_ref().and_then(|_| number("SLURM_CPUS_PER_TASK").or(on_node));
        Placement { task: task.unwrap_or(Task::ALONE), cores, job }
    }
}

/// Worker threads: as many as were asked for, or all that this process may use by its affinity mask, its control group
/// and its job.
pub fn threads(asked: Option<usize>) -> usize {
    let available = || {
        let all = std::thread::available_parallelism().map_or(1, usize::from);
        Placement::here().cores.map_or(all, |cores| cores.clamp(1, all))
    };
    asked.unwrap_or_else(available)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(variables: &[(&str, &str)]) -> String {
        let get = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let Placement { task, cores, job } = Placement::from(&get);
        let job = job.map_or("no job".to_owned(), |j| format!("job {} on {}, {}", j.id, j.node, j.restarts));
        format!("{task}, cores {cores:?}, {job}")
    }

    #[test]
    fn a_place_in_a_job() {
        let job = [("SLURM_JOB_ID", "7"), ("SLURMD_NODENAME", "n1"), ("SLURM_CPUS_ON_NODE", "8")];
        let step = [("SLURM_PROCID", "2"), ("SLURM_STEP_NUM_TASKS", "4"), ("SLURM_STEP_NUM_NODES", "2")];
        let said = [
            at(&[]),
            // a batch script: rank 0 of a step that is none
            at(&[&job[..], &[("SLURM_PROCID", "0"), ("SLURM_NTASKS", "4")]].concat()),
            at(&[&job[..], &step].concat()),
            at(&[&job[..], &step, &[("SLURM_CPUS_PER_TASK", "3"), ("SLURM_RESTART_COUNT", "2")]].concat()),
            at(&[&job[..], &[("SLURM_ARRAY_JOB_ID", "6"), ("SLURM_ARRAY_TASK_ID", "1")]].concat()),
            at(&[("SLURM_PROCID", "4"), ("SLURM_STEP_NUM_TASKS", "4"), ("SLURM_CPUS_PER_TASK", "x")]),
        ];
        insta::assert_snapshot!(said.join("\n"), @r"
        task 1 of 1, cores None, no job
        task 1 of 1, cores Some(8), job 7 on n1, 0
        task 3 of 4, cores Some(4), job 7 on n1, 0
        task 3 of 4, cores Some(3), job 7 on n1, 2
        task 1 of 1, cores Some(8), job 6_1 on n1, 0
        task 1 of 1, cores None, no job
        ");
    }
}
