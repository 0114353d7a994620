//! Slurm: the client's version, and the job that this process is in.

use std::process::Command;

use icpc_kernels::Unavailable;
use serde::Serialize;

/// Slurm's client.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Slurm {
    /// As `sinfo --version` says: `slurm-wlm 22.05.8`.
    pub version: String,
    /// Names of the partitions, when the controller answers; the default one ends with `*`.
    pub partitions: Vec<String>,
    /// Why the controller does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// The job that this process is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
}

pub(super) fn slurm() -> Result<Slurm, Unavailable> {
    let version = match output(&["--version"]) {
        Ok(version) => version,
        Err(_) => {
            return Err(Unavailable::new(
                "`sinfo` does not run: Slurm's client is not in PATH",
                "on a cluster, log in to a node that submits jobs, or load its module",
            ));
        }
    };
    let (partitions, problem) = match output(&["--noheader", "--format=%P"]) {
        Ok(text) => (text.lines().map(|line| line.trim().to_owned()).collect(), None),
        Err(problem) => (Vec::new(), Some(problem)),
    };
    Ok(Slurm { version, partitions, problem, job: std::env::var("SLURM_JOB_ID").ok() })
}

/// What `sinfo` prints, or its first line of complaint.
fn output(arguments: &[&str]) -> Result<String, String> {
    let output =
        Command::new("sinfo").args(arguments).output().map_err(|error| crate::system::plain(&error))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    Err(complaint.lines().next().unwrap_or("it failed without a word").trim().to_owned())
}
