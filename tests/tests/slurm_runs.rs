//! `icpc run` as jobs of a real Slurm (`tests/slurm/cluster.sh`): the output is that of a plain run, byte for byte,
//! whatever the scheduler does meanwhile.
//!
//! Where Slurm is not installed these tests are passed over with a word, unless `ICPC_REQUIRE_SLURM=1`. The program is the
//! one that cargo built last beside the tests.

#![cfg(target_os = "linux")]
#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "all of this is a test; clippy knows only the functions that are marked"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use icpc_tests::slurm::{Cluster, Nodes, program};

/// Slow enough to be disturbed: each tensor takes a good part of a second.
const RECIPE: &str = r#"
recipe slow {
    checkpoint "model.safetensors";
    assign { _ => int8(per: channel, axis: 1, clip: mse) }
    emit "out" as safetensors(shards: 1 MB);
}
"#;

const PATIENCE: Duration = Duration::from_secs(180);

/// A cluster, and a folder on the "shared file system" with a recipe.
struct Site {
    cluster: Cluster,
    icpc: PathBuf,
}

impl Site {
    fn new(nodes: &Nodes) -> Option<Site> {
        let cluster = Cluster::start(nodes)?;
        let folder = cluster.folder();
        fs::write(folder.join("slow.icp"), RECIPE).unwrap();
        fs::write(folder.join("model.safetensors"), checkpoint()).unwrap();
        Some(Site { icpc: program("icpc").unwrap(), cluster })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.cluster.folder().join(name)
    }

    /// Submits a script whose body is `lines`, in which `icpc` is the program; the number of the job.
    fn submit(&self, options: &[&str], lines: &str) -> String {
        let icpc = self.icpc.display();
        let script =
            format!("#!/usr/bin/env bash\nset -euo pipefail\nicpc() {{ \"{icpc}\" \"$@\"; }}\n{lines}\n");
        fs::write(self.path("job.sh"), script.replace("srun icpc", &format!("srun '{icpc}'"))).unwrap();
        let options =
            [&["--parsable", "--output=%j.log", "--open-mode=append"], options, &["job.sh"]].concat();
        self.cluster.ask("sbatch", &options)
    }

    fn log(&self, job: &str) -> String {
        fs::read_to_string(self.path(&format!("{job}.log"))).unwrap_or_default()
    }

    /// Waits until a job has ended, as it should.
    fn completed(&self, job: &str) {
        let state = self.cluster.ended(job, PATIENCE);
        assert_eq!(state, "COMPLETED", "{}", self.log(job));
    }

    /// Waits until a tensor of the output is on the disk.
    fn begun(&self) {
        let since = Instant::now();
        let journals = || fs::read_dir(self.path(".out.journal")).into_iter().flatten().flatten();
        let done = || {
            journals()
                .any(|file| fs::read_to_string(file.path()).is_ok_and(|text| text.contains("{\"tensor\":")))
        };
        while !done() {
            assert!(since.elapsed() < PATIENCE, "nothing was begun");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Compares the output with that of a plain run outside of Slurm, and returns its workers.
    fn same_as_plain(&self) -> Vec<serde_json::Value> {
        let plain =
            self.cluster.command(&self.icpc).args(["run", "slow.icp", "--quiet", "--out", "plain"]).output();
        let plain = plain.unwrap();
        assert!(plain.status.success(), "{plain:?}");
        let (found, wanted) = (weights(&self.path("out")), weights(&self.path("plain")));
        assert!(wanted.len() > 3, "{:?}", wanted.keys());
        assert!(found == wanted, "the output differs");
        assert!(!self.path(".out.partial").exists() && !self.path(".out.journal").exists());
        let report: serde_json::Value =
            serde_json::from_slice(&fs::read(self.path("out/report.json")).unwrap()).unwrap();
        report["provenance"]["workers"].as_array().unwrap().clone()
    }
}

/// Ten tensors of half a megabyte.
fn checkpoint() -> Vec<u8> {
    let (mut header, mut data, mut state) = (serde_json::Map::new(), Vec::new(), 7u64);
    for block in 0..10 {
        let begin = data.len();
        for _ in 0..512 * 512 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            data.extend_from_slice(&((state >> 40) as f32 / 1e8 - 0.08).to_le_bytes());
        }
        let place =
            serde_json::json!({"dtype": "F32", "shape": [512, 512], "data_offsets": [begin, data.len()]});
        header.insert(format!("blocks.{block}.weight"), place);
    }
    let text = serde_json::to_vec(&header).unwrap();
    [&(text.len() as u64).to_le_bytes()[..], &text, &data].concat()
}

/// Everything in an output that does not speak of machines and times.
fn weights(output: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(output).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if !name.starts_with("report") {
            files.insert(name, fs::read(entry.path()).unwrap());
        }
    }
    files
}

fn of(workers: &[serde_json::Value], pointer: &str) -> Vec<String> {
    let mut values: Vec<String> =
        workers.iter().map(|w| w.pointer(pointer).map_or("none".to_owned(), |v| v.to_string())).collect();
    values.sort();
    values.dedup();
    values
}

#[test]
fn a_single_job() {
    let Some(site) = Site::new(&Nodes { cpus: 3, ..Nodes::default() }) else { return };
    // a job of three tasks in which one program runs without srun: it does everything
    let job = site.submit(&["--ntasks=3"], "icpc run slow.icp");
    site.completed(&job);
    let workers = site.same_as_plain();
    assert_eq!(workers.len(), 1, "{workers:?}");
    assert_eq!(of(&workers, "/job/id"), [format!("\"{job}\"")]);
    assert_eq!(of(&workers, "/job/node"), ["\"n1\""]);
    let log = site.log(&job);
    assert!(log.contains("encoding: 100%") && !log.contains('\r') && !log.contains('\u{1b}'), "{log}");
}

#[test]
fn threads_are_those_of_the_job() {
    let Some(site) = Site::new(&Nodes::default()) else { return };
    let all = std::thread::available_parallelism().unwrap().get();
    for (options, lines, wanted) in [
        (["--ntasks=2", "--cpus-per-task=1"], "srun icpc run slow.icp", 1),
        (["--ntasks=1", "--cpus-per-task=2"], "icpc run slow.icp", 2),
        (["--ntasks=4", "--cpus-per-task=1"], "srun icpc run slow.icp", 1),
    ] {
        let job = site.submit(&options, &format!("SRUN_CPUS_PER_TASK=1; {lines} --out out"));
        site.completed(&job);
        let text = fs::read(site.path("out/report.json")).unwrap();
        let report: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let workers = report["provenance"]["workers"].as_array().unwrap();
        assert_eq!(of(workers, "/threads"), [wanted.min(all).to_string()], "{options:?}");
        fs::remove_dir_all(site.path("out")).unwrap();
    }
}

#[test]
fn an_array() {
    let Some(site) = Site::new(&Nodes::default()) else { return };
    let task = r#"icpc run slow.icp --threads 1 --task "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT""#;
    let job = site.submit(&["--array=0-2"], task);
    for index in 0..3 {
        site.completed(&format!("{job}_{index}"));
    }
    let workers = site.same_as_plain();
    assert_eq!(of(&workers, "/task"), ["0", "1", "2"]);
    assert_eq!(of(&workers, "/job/id"), [0, 1, 2].map(|index| format!("\"{job}_{index}\"")));
}

#[test]
fn three_tasks_on_three_nodes() {
    let Some(site) = Site::new(&Nodes { nodes: 3, cpus: 1, ..Nodes::default() }) else { return };
    let job = site.submit(&["--nodes=3", "--ntasks=3"], "srun icpc run slow.icp");
    site.completed(&job);
    let workers = site.same_as_plain();
    assert_eq!(of(&workers, "/job/node"), ["\"n1\"", "\"n2\"", "\"n3\""]);
    let log = site.log(&job);
    assert!(log.contains("task 2 of 3: encoding: 100%"), "{log}");
    assert_eq!(log.matches("wrote `out`").count(), 1, "{log}");
}

/// A job that matters more takes the node; the run goes on when it is over.
#[test]
fn preempted_and_requeued() {
    let conf = "PreemptType=preempt/partition_prio\nPreemptMode=REQUEUE\n\
                PartitionName=low Nodes=ALL PriorityTier=1 MaxTime=UNLIMITED State=UP\n\
                PartitionName=high Nodes=ALL PriorityTier=9 MaxTime=UNLIMITED State=UP";
    let Some(site) = Site::new(&Nodes { cpus: 2, conf: conf.to_owned(), ..Nodes::default() }) else { return };
    let options = ["--partition=low", "--requeue", "--ntasks=2"];
    let job = site.submit(&options, "srun icpc run slow.icp");
    site.begun();
    let urgent =
        site.cluster.ask("sbatch", &["--parsable", "--partition=high", "--ntasks=2", "--wrap=sleep 1"]);
    site.completed(&urgent);
    assert!(!site.path("out").exists(), "the run was over before it was preempted: {}", site.log(&job));
    site.completed(&job);
    let log = site.log(&job);
    assert!(log.contains("stopped by SIGTERM") && log.contains("the run goes on from there"), "{log}");
    let workers = site.same_as_plain();
    assert_eq!(of(&workers, "/job/restarts"), ["0", "1"], "{workers:?}");
}

/// The process of a run, once it has begun, stopped: it takes neither time nor notice of signals.
fn frozen(site: &Site) -> String {
    site.begun();
    let ours = |process: &fs::DirEntry| {
        let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
        let conf = format!("SLURM_CONF={}", site.path("c/slurm.conf").display());
        line.starts_with(format!("{}\0run\0", site.icpc.display()).as_bytes())
            && fs::read(process.path().join("environ"))
                .is_ok_and(|all| all.split(|byte| *byte == 0).any(|v| v == conf.as_bytes()))
    };
    let process = fs::read_dir("/proc").unwrap().flatten().find(ours).unwrap();
    let id = process.file_name().into_string().unwrap();
    kill("-STOP", &id);
    id
}

fn kill(signal: &str, id: &str) {
    assert!(Command::new("kill").args([signal, id]).status().unwrap().success());
}

/// Slurm sends SIGUSR1 some time before the limit, up to a minute more than it was told; the script has itself requeued.
#[test]
fn warned_before_the_time_limit() {
    let Some(site) = Site::new(&Nodes { cpus: 1, ..Nodes::default() }) else { return };
    let lines = "rc=0; srun icpc run slow.icp || rc=$?\n\
                 if [ $rc = 5 ] && [ \"${SLURM_RESTART_COUNT:-0}\" -lt 1 ]; then scontrol requeue $SLURM_JOB_ID; sleep 60; fi\n\
                 exit $rc";
    let job = site.submit(&["--time=2", "--signal=USR1@60", "--requeue"], lines);
    let id = frozen(&site);
    let since = Instant::now();
    let pending = || {
        // Slurm may have woken it itself
        let Ok(status) = fs::read_to_string(format!("/proc/{id}/status")) else { return true };
        let mask = status.lines().find_map(|line| line.strip_prefix("ShdPnd:")).unwrap().trim().to_owned();
        // SIGUSR1 is signal 10
        u64::from_str_radix(&mask, 16).unwrap() & (1 << 9) != 0
    };
    while !pending() {
        assert!(since.elapsed() < PATIENCE, "no signal came");
        std::thread::sleep(Duration::from_millis(100));
    }
    let _ = Command::new("kill").args(["-CONT", &id]).status().unwrap();
    site.cluster.wait(&job, PATIENCE, |_| site.log(&job).contains("stopped by SIGUSR1"));
    site.cluster.wait(&job, PATIENCE, |state| state == "PENDING");
    site.completed(&job);
    assert!(site.log(&job).contains("the run goes on from there"), "{}", site.log(&job));
    assert_eq!(of(&site.same_as_plain(), "/job/restarts"), ["0", "1"]);
}

/// The limit is there, without a warning before.
#[test]
fn ended_by_the_time_limit() {
    let Some(site) = Site::new(&Nodes { cpus: 1, ..Nodes::default() }) else { return };
    let job = site.submit(&["--time=1", "--no-requeue"], "srun icpc run slow.icp");
    let _frozen = frozen(&site);
    // Slurm wakes what it ends
    let state = site.cluster.ended(&job, PATIENCE);
    assert_eq!(state, "TIMEOUT", "{}", site.log(&job));
    assert!(site.log(&job).contains("stopped by SIGTERM"), "{}", site.log(&job));
    let next = site.submit(&[], "icpc run slow.icp");
    site.completed(&next);
    assert!(site.log(&next).contains("the run goes on from there"), "{}", site.log(&next));
    site.same_as_plain();
}

/// A node is lost with its task; the next job has fewer nodes and does what is missing.
#[test]
fn a_lost_node() {
    let Some(site) = Site::new(&Nodes { nodes: 3, cpus: 1, ..Nodes::default() }) else { return };
    let job = site.submit(&["--nodes=3", "--ntasks=3", "--no-requeue"], "srun icpc run slow.icp");
    site.begun();
    // everything of that node dies at once, as in a power loss
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let (Ok(environment), Ok(line)) =
            (fs::read(process.path().join("environ")), fs::read(process.path().join("cmdline")))
        else {
            continue;
        };
        let has = |variable: &str| environment.split(|byte| *byte == 0).any(|v| v == variable.as_bytes());
        let here = site.cluster.folder().join("c").display().to_string();
        let daemon = has(&format!("ICPC_TEST_CLUSTER={here}"))
            && line.windows(6).any(|part| part == b"slurmd")
            && line.split(|byte| *byte == 0).any(|argument| argument == b"n2");
        let task = has("SLURMD_NODENAME=n2") && has(&format!("SLURM_CONF={here}/slurm.conf"));
        if daemon || task {
            let id = process.file_name().into_string().unwrap();
            Command::new("kill").args(["-KILL", &id]).status().unwrap();
        }
    }
    site.cluster.ask("scontrol", &["update", "nodename=n2", "state=down", "reason=lost"]);
    let state = site.cluster.ended(&job, PATIENCE);
    assert_ne!(state, "COMPLETED");
    assert!(!site.path("out").exists());
    let next = site.submit(&["--nodes=2", "--ntasks=2"], "srun icpc run slow.icp");
    site.completed(&next);
    assert!(site.log(&next).contains("the run goes on from there"), "{}", site.log(&next));
    site.same_as_plain();
}
