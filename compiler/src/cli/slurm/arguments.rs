//! What `icpc slurm RECIPE` takes.

use crate::cli::args::{Messages, Recipe, Which};
use crate::slurm::gres::{self, Gres};
use crate::slurm::{Limit, Request};

#[derive(clap::Args)]
pub(crate) struct Generate {
    /// File with the recipe
    // Required but for a subcommand, which stands in its place.
    #[arg(value_name = "RECIPE.icp", required = true)]
    file: Option<String>,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    pub(super) messages: Messages,
    /// Writes to this folder instead of the one that the recipe names
    #[arg(long, value_name = "FOLDER")]
    pub(super) out: Option<String>,
    /// Writes the script to this file instead of printing it
    #[arg(long, value_name = "FILE")]
    pub(super) output: Option<String>,
    /// Submits the script, where nothing speaks against it
    #[arg(long)]
    pub(super) submit: bool,
    /// Asks nothing of Slurm: the script is not checked against the cluster
    #[arg(long, conflicts_with = "submit")]
    pub(super) offline: bool,
    /// Partition; the cluster's default one when it is left out
    #[arg(long, value_name = "NAME")]
    partition: Option<String>,
    /// Account to charge
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// Quality of service
    #[arg(long, value_name = "NAME")]
    qos: Option<String>,
    /// Time limit, as Slurm writes it; predicted when it is left out
    #[arg(long, value_name = "TIME", value_parser = time)]
    time: Option<Limit>,
    /// Memory of each node, such as 4G; predicted when it is left out
    #[arg(long, value_name = "SIZE", value_parser = memory)]
    mem: Option<u64>,
    /// Processors of each task
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..100_000))]
    cpus: Option<u32>,
    /// Tasks that share the files of the output
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..100_000))]
    tasks: Option<u32>,
    /// Nodes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..100_000), conflicts_with = "array")]
    nodes: Option<u32>,
    /// Makes each task a job of an array, which starts as soon as there is room for it
    #[arg(long)]
    array: bool,
    /// Generic resources of each node, such as gpu:a30:1; from the recipe's target when it is left out
    #[arg(long, value_name = "LIST")]
    gres: Option<String>,
    /// Module to load; may be given several times
    #[arg(long = "module", value_name = "NAME")]
    modules: Vec<String>,
    /// Folder of logs, made at once
    #[arg(long, value_name = "FOLDER", default_value = "logs")]
    pub(super) log_dir: String,
    /// Name of the job; the recipe's when it is left out
    #[arg(long, value_name = "NAME")]
    job_name: Option<String>,
    /// How often an interrupted job begins again
    #[arg(long, value_name = "N", default_value_t = 20)]
    restarts: u32,
    /// Refuses what differs from the recipe's lock, now and in the job
    #[arg(long)]
    pub(super) locked: bool,
}

impl Generate {
    /// The recipe; nothing where a subcommand stands in its place.
    pub(super) fn recipe(&self) -> Option<Recipe> {
        Some(Recipe { file: self.file.clone()?, which: self.which.clone(), messages: self.messages })
    }

    /// What was asked for a recipe of this name.
    pub(super) fn request(&self, name: &str) -> Request {
        Request {
            partition: self.partition.clone().or_else(|| variable("SBATCH_PARTITION")),
            account: self.account.clone().or_else(|| variable("SBATCH_ACCOUNT")),
            qos: self.qos.clone().or_else(|| variable("SBATCH_QOS")),
            time: self.time,
            memory: self.mem,
            cpus: self.cpus,
            tasks: self.tasks,
            nodes: self.nodes,
            array: self.array,
            gres: self.gres.as_deref().map(resources),
            modules: self.modules.clone(),
            name: self.job_name.clone().unwrap_or_else(|| name.to_owned()),
            restarts: self.restarts,
            locked: self.locked,
        }
    }

    /// The arguments by which the job's `icpc run` finds the same recipe.
    pub(super) fn recipe_arguments(&self, file: &str, name: &str) -> Vec<String> {
        let mut arguments = vec![format!("--recipe={name}")];
        arguments.extend(self.which.sets.iter().map(|set| format!("--set={set}")));
        arguments.extend(self.which.checkpoint.iter().map(|path| format!("--checkpoint={path}")));
        arguments.extend(self.out.iter().map(|path| format!("--out={path}")));
        arguments.push(if file.starts_with('-') { format!("./{file}") } else { file.to_owned() });
        arguments
    }
}

/// A default that people set for all their jobs.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn resources(text: &str) -> Vec<Gres> {
    if text.eq_ignore_ascii_case("none") { Vec::new() } else { gres::parse(text) }
}

fn time(text: &str) -> Result<Limit, String> {
    match Limit::parse(text) {
        Some(Limit::Seconds(0)) | None => Err("write minutes, HH:MM:SS or D-HH:MM:SS".to_owned()),
        Some(limit) => Ok(limit),
    }
}

/// MiB, as Slurm reads `--mem`.
fn memory(text: &str) -> Result<u64, String> {
    let upper = text.trim().to_ascii_uppercase();
    let number = upper.trim_end_matches("IB").trim_end_matches('B');
    let digits = number.trim_end_matches(['K', 'M', 'G', 'T']);
    let unit = number.get(digits.len()..).unwrap_or_default();
    let value: Option<u64> = digits.trim().parse().ok();
    let mib = value.and_then(|value| match unit {
        "" | "M" => Some(value),
        "K" => Some(value.div_ceil(1024)),
        "G" => value.checked_mul(1 << 10),
        "T" => value.checked_mul(1 << 20),
        _ => None,
    });
    mib.filter(|mib| *mib > 0).ok_or_else(|| "write MiB, or a number with K, M, G or T".to_owned())
}

#[cfg(test)]
mod tests {
    use super::memory;

    #[test]
    fn memory_is_read_as_slurm_reads_it() {
        let read = |text: &str| memory(text).ok();
        assert_eq!(
            (read("4000"), read("4G"), read("32GB"), read("1t")),
            (Some(4000), Some(4096), Some(32_768), Some(1 << 20))
        );
        assert_eq!(
            (read("1024K"), read("512M"), read("0"), read("much"), read("1GM")),
            (Some(1), Some(512), None, None, None)
        );
    }
}
