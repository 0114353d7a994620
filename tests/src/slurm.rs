//! A real Slurm for a test: started in a folder of its own by `tests/slurm/cluster.sh`, stopped when it is dropped.
//!
//! Where Slurm is not installed a test is passed over with a word, unless `ICPC_REQUIRE_SLURM=1`. `SLURM_ROOT` may name
//! a folder with unpacked packages (`tests/slurm/fetch.sh`). Several clusters can run at once.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::repository;

/// What to install.
const PACKAGES: &str = "slurmctld slurmd slurm-client slurm-wlm-basic-plugins";

/// What a cluster looks like.
#[derive(Clone, Debug)]
pub struct Nodes {
    /// How many; they are called `n1`, `n2`, ...
    pub nodes: u32,
    /// Processors of each.
    pub cpus: u32,
    /// MiB of each.
    pub memory: u32,
    /// GPUs of each: names only.
    pub gpus: u32,
    /// Their type.
    pub gpu: &'static str,
    /// More lines of `slurm.conf`.
    pub conf: String,
}

impl Default for Nodes {
    fn default() -> Nodes {
        Nodes { nodes: 1, cpus: 4, memory: 4000, gpus: 0, gpu: "a30", conf: String::new() }
    }
}

/// A cluster that runs until it is dropped.
#[derive(Debug)]
pub struct Cluster {
    folder: tempfile::TempDir,
    conf: PathBuf,
}

impl Cluster {
    /// Starts one; `None`, said aloud, where Slurm is absent and may be.
    ///
    /// # Panics
    /// Where it is there and does not start, or must be there and is not.
    pub fn start(nodes: &Nodes) -> Option<Cluster> {
        let root = env::var("SLURM_ROOT").unwrap_or_default();
        if !Path::new(&format!("{root}/usr/sbin/slurmctld-wlm")).is_file() {
            assert!(env::var_os("ICPC_REQUIRE_SLURM").is_none(), "Slurm is not installed");
            eprintln!("skipped: no Slurm, install {PACKAGES}");
            return None;
        }
        let prepared = tempfile::Builder::new().prefix("slurm").tempdir();
        let folder = prepared.unwrap_or_else(|error| fail(&format!("no temporary folder: {error}")));
        let place = folder.path().join("c");
        let mut script = script("start", &place);
        script.env("NODES", nodes.nodes.to_string()).env("CPUS", nodes.cpus.to_string());
        script.env("MEMORY", nodes.memory.to_string()).env("GPUS", nodes.gpus.to_string());
        script.env("GPU_TYPE", nodes.gpu).env("CONF", &nodes.conf);
        let output = script.output().unwrap_or_else(|error| fail(&format!("cluster.sh: {error}")));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "the cluster does not start: {said}");
        let conf = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        Some(Cluster { folder, conf })
    }

    /// A folder for the test's own files, removed with the cluster.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A program that finds this cluster, and nothing of a job that the test itself may be in.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        for (name, _) in env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if ["SLURM_", "SBATCH_", "SRUN_"].iter().any(|prefix| name.starts_with(prefix)) {
                command.env_remove(name);
            }
        }
        command.env("SLURM_CONF", &self.conf).current_dir(self.folder.path());
        if let Ok(root) = env::var("SLURM_ROOT") {
            let path = env::var("PATH").unwrap_or_default();
            let libraries = format!("{root}/usr/lib/x86_64-linux-gnu");
            command.env("PATH", format!("{root}/usr/bin:{path}"));
            command.env("LD_LIBRARY_PATH", format!("{libraries}:{libraries}/slurm-wlm"));
        }
        command
    }

    /// What a program of Slurm prints.
    ///
    /// # Panics
    /// When it fails.
    pub fn ask(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.command(program).args(arguments).output();
        let output = output.unwrap_or_else(|error| fail(&format!("{program}: {error}")));
        assert!(output.status.success(), "{program} {arguments:?}: {}", said(&output));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// The state of a job: `RUNNING`, `COMPLETED`, ...
    pub fn state(&self, job: &str) -> String {
        let shown = self.ask("scontrol", &["--oneliner", "show", "job", job]);
        let state = shown.split_whitespace().find_map(|word| word.strip_prefix("JobState="));
        state.unwrap_or("UNKNOWN").to_owned()
    }

    /// Waits until `reached` holds of a job's state, and returns the state.
    ///
    /// # Panics
    /// When it does not within `patience`.
    pub fn wait(&self, job: &str, patience: Duration, reached: impl Fn(&str) -> bool) -> String {
        let begin = Instant::now();
        loop {
            let state = self.state(job);
            if reached(&state) {
                return state;
            }
            if begin.elapsed() > patience {
                let shown = self.ask("scontrol", &["--oneliner", "show", "job", job]);
                fail(&format!("job {job} is {state} after {patience:?}: {shown}"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until a job has ended, and returns its last state.
    ///
    /// # Panics
    /// When it does not within `patience`.
    pub fn ended(&self, job: &str, patience: Duration) -> String {
        let ends = ["COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "PREEMPTED", "OUT_OF_MEMORY"];
        self.wait(job, patience, |state| ends.contains(&state))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // A daemon that outlives the test would keep its ports and its folder.
        let stopped = script("stop", &self.folder.path().join("c")).output();
        if !stopped.as_ref().is_ok_and(|output| output.status.success()) {
            eprintln!("the cluster in {} did not stop: {stopped:?}", self.folder.path().display());
        }
    }
}

/// A program that cargo built last beside the tests.
///
/// # Errors
/// What to build.
pub fn program(name: &str) -> Result<PathBuf, String> {
    let tests = env::current_exe().map_err(|error| error.to_string())?;
    let folder = tests.parent().and_then(Path::parent).unwrap_or(Path::new(""));
    let path = folder.join(format!("{name}{}", env::consts::EXE_SUFFIX));
    if fs::metadata(&path).is_ok_and(|meta| meta.is_file()) {
        return Ok(path);
    }
    Err(format!("{} is not built: cargo build -p {name}", path.display()))
}

fn script(verb: &str, place: &Path) -> Command {
    let mut script = Command::new(repository::root().join("tests/slurm/cluster.sh"));
    script.arg(verb).arg(place).stdin(Stdio::null());
    script
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[expect(clippy::panic, reason = "all of this serves tests")]
fn fail(message: &str) -> ! {
    panic!("{message}")
}
