//! Jobs that share an output, are interrupted, are preempted: the bytes are those of a plain run.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use icpc_tests::slurm::Nodes;

use super::Site;

const PATIENCE: Duration = Duration::from_secs(120);

/// Tensors of the large checkpoint, and elements of each.
const TENSORS: u64 = 40;
const ELEMENTS: u64 = 1 << 21;

/// Files of an output that the plan and the weights decide.
fn weights(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let decided = |path: &Path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name.ends_with(".safetensors") || name.ends_with("index.json")).then_some(name)
    };
    entries.filter_map(|path| Some((decided(&path)?, fs::read(&path).unwrap()))).collect()
}

/// A checkpoint that keeps one thread busy for some seconds, and a recipe for it that writes several files.
fn large(site: &Site) {
    let mut header = serde_json::Map::new();
    for number in 0..TENSORS {
        let offsets = [number * ELEMENTS * 4, (number + 1) * ELEMENTS * 4];
        let tensor =
            serde_json::json!({"dtype": "F32", "shape": [1024, ELEMENTS / 1024], "data_offsets": offsets});
        header.insert(format!("layers.{number}.weight"), tensor);
    }
    let header = serde_json::to_vec(&header).unwrap();
    let mut file = fs::File::create(site.file("large.safetensors")).unwrap();
    file.write_all(&(header.len() as u64).to_le_bytes()).unwrap();
    file.write_all(&header).unwrap();
    let mut state = 1u32;
    let mut value = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1u32 << 24) as f32 - 0.5
    };
    let values: Vec<u8> = (0..ELEMENTS + TENSORS).flat_map(|_| value().to_le_bytes()).collect();
    for number in 0..TENSORS {
        // Each begins one value later than the one before.
        let begin = (number * 4) as usize;
        file.write_all(values.get(begin..begin + (ELEMENTS * 4) as usize).unwrap()).unwrap();
    }
    let recipe = "recipe large {\n    checkpoint \"large.safetensors\";\n    target cpu;\n    \
        assign { _ => int8(per: channel, clip: mse) }\n    emit \"out/large\" as safetensors(shards: 20 MB);\n}\n";
    fs::write(site.file("large.icp"), recipe).unwrap();
}

/// Waits until the journals of `output` speak of two tensors.
fn begun(site: &Site, output: &str) {
    let begin = Instant::now();
    loop {
        let journal = site.file(&format!("out/.{output}.journal"));
        let files = fs::read_dir(journal).into_iter().flatten().flatten();
        let texts = files.filter_map(|entry| fs::read_to_string(entry.path()).ok());
        if texts.map(|text| text.matches("{\"tensor\":{").count()).sum::<usize>() > 1 {
            return;
        }
        assert!(begin.elapsed() < PATIENCE, "no tensor of `{output}` is done");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The log of a job, whatever its name.
fn log(site: &Site, name: &str, job: &str) -> String {
    fs::read_to_string(site.file(&format!("logs/{name}-{job}.log"))).unwrap_or_default()
}

fn restarts(site: &Site, job: &str) -> String {
    let shown = site.cluster.ask("scontrol", &["--oneliner", "show", "job", job]);
    shown.split_whitespace().find_map(|word| word.strip_prefix("Restarts=")).unwrap_or_default().to_owned()
}

#[test]
fn tasks_on_three_nodes_and_an_array_write_what_one_writes() {
    let Some(site) = Site::new(&Nodes { nodes: 3, ..Nodes::default() }) else { return };
    let recipe = "recipe mixed {\n    checkpoint \"itera_quickstart.pt\";\n    target cpu;\n    \
        assign { ** where rank == 1 => keep, _ => fp32 }\n    \
        emit \"out/quickstart\" as safetensors(shards: 1 MB);\n}\n";
    fs::write(site.file("shards.icp"), recipe).unwrap();
    let plain = site.icpc(&["run", "shards.icp", "--quiet", "--out", "plain"]);
    assert_eq!(plain.code, 0, "{}", plain.err);
    let expected = weights(&site.file("plain"));
    assert!(expected.len() > 3, "{:?}", expected.keys());

    let steps =
        site.icpc(&["slurm", "shards.icp", "--submit", "--tasks", "3", "--nodes", "3", "--cpus", "1"]).job();
    assert_eq!(site.cluster.ended(&steps, PATIENCE), "COMPLETED", "{}", site.log(&steps));
    assert!(weights(&site.file("out/quickstart")) == expected, "{}", site.log(&steps));
    assert!(site.log(&steps).contains("is as planned"), "{}", site.log(&steps));

    let array = site.icpc(&[
        "slurm",
        "shards.icp",
        "--submit",
        "--array",
        "--tasks",
        "3",
        "--cpus",
        "1",
        "--out",
        "out/array",
    ]);
    let array = array.job();
    for task in 0..3 {
        let task = format!("{array}_{task}");
        assert_eq!(site.cluster.ended(&task, PATIENCE), "COMPLETED", "{}", site.log(&task));
    }
    let logs: String = (0..3).map(|task| site.log(&format!("{array}_{task}"))).collect();
    assert!(weights(&site.file("out/array")) == expected, "{logs}");
    assert!(logs.contains("is as planned"), "{logs}");
}

#[test]
fn a_run_that_is_told_to_end_is_begun_again_and_goes_on() {
    let Some(site) = Site::new(&Nodes::default()) else { return };
    large(&site);
    let job = site.icpc(&["slurm", "large.icp", "--submit", "--cpus", "1"]).job();
    begun(&site, "large");
    let status = site.icpc(&["slurm", "status", "large.icp"]);
    assert!(
        status.out.contains("RUNNING on n1") && status.out.contains("0 of 5 files whole"),
        "{}",
        status.out
    );
    assert!(!status.out.contains("no run is at it"), "{}", status.out);
    // As Slurm does before the time limit: the steps get it, the script does not.
    site.cluster.ask("scancel", &["--signal=USR1", &job]);
    assert_eq!(site.cluster.ended(&job, PATIENCE), "COMPLETED", "{}", log(&site, "large", &job));
    assert_eq!(restarts(&site, &job), "1");
    let said = log(&site, "large", &job);
    assert!(said.contains("begun again as restart 1 of 20") && said.contains("is as planned"), "{said}");
    assert!(!site.file(&format!("logs/large-{job}.failed")).exists());
    let report = fs::read_to_string(site.file("out/large/report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let workers = report["provenance"]["workers"].as_array().unwrap();
    let jobs: Vec<_> =
        workers.iter().map(|worker| (&worker["job"]["id"], &worker["job"]["restarts"])).collect();
    assert!(jobs.len() == 2 && jobs.iter().all(|(id, _)| **id == *job.as_str()), "{workers:?}");
    let plain = site.icpc(&["run", "large.icp", "--quiet", "--out", "plain"]);
    assert_eq!(plain.code, 0, "{}", plain.err);
    assert!(weights(&site.file("out/large")) == weights(&site.file("plain")));
}

#[test]
fn a_preempted_job_goes_on_when_its_nodes_are_free() {
    let conf = "PreemptType=preempt/partition_prio\nPreemptMode=REQUEUE\n\
        PartitionName=low Nodes=ALL PriorityTier=1 State=UP\n\
        PartitionName=high Nodes=ALL PriorityTier=10 State=UP";
    let Some(site) = Site::new(&Nodes { conf: conf.to_owned(), ..Nodes::default() }) else { return };
    large(&site);
    let job = site.icpc(&["slurm", "large.icp", "--submit", "--cpus", "1", "--partition", "low"]).job();
    begun(&site, "large");
    let urgent = ["--parsable", "--partition=high", "--exclusive", "--output=urgent.log", "--wrap=sleep 1"];
    let urgent = site.cluster.ask("sbatch", &urgent);
    assert_eq!(site.cluster.ended(&urgent, PATIENCE), "COMPLETED");
    assert_eq!(site.cluster.ended(&job, PATIENCE), "COMPLETED", "{}", log(&site, "large", &job));
    assert_eq!(restarts(&site, &job), "1");
    let plain = site.icpc(&["run", "large.icp", "--quiet", "--out", "plain"]);
    assert_eq!(plain.code, 0, "{}", plain.err);
    assert!(weights(&site.file("out/large")) == weights(&site.file("plain")));
    assert!(!site.file(&format!("logs/large-{job}.failed")).exists());
}

#[test]
fn a_cancelled_job_stays_cancelled() {
    let Some(site) = Site::new(&Nodes::default()) else { return };
    large(&site);
    let job = site.icpc(&["slurm", "large.icp", "--submit", "--cpus", "1"]).job();
    begun(&site, "large");
    site.cluster.ask("scancel", &[&job]);
    assert_eq!(site.cluster.ended(&job, PATIENCE), "CANCELLED", "{}", log(&site, "large", &job));
    assert!(!site.file("out/large").exists());
    let status = site.icpc(&["slurm", "status", "out/large"]);
    assert!(status.out.contains("CANCELLED") && status.out.contains("no run is at it"), "{}", status.out);
    // The same command goes on.
    let again = site.icpc(&["slurm", "large.icp", "--submit"]).job();
    assert_eq!(site.cluster.ended(&again, PATIENCE), "COMPLETED", "{}", log(&site, "large", &again));
}

#[test]
fn a_lost_node_costs_what_it_had_in_hand() {
    let Some(site) = Site::new(&Nodes { nodes: 3, ..Nodes::default() }) else { return };
    large(&site);
    let asked = ["slurm", "large.icp", "--submit", "--cpus", "1", "--tasks", "2", "--nodes", "2"];
    let job = site.icpc(&asked).job();
    begun(&site, "large");
    // Not the one on which the script runs.
    site.cluster.ask("scontrol", &["update", "nodename=n2", "state=down", "reason=lost"]);
    assert_eq!(site.cluster.ended(&job, PATIENCE), "COMPLETED", "{}", log(&site, "large", &job));
    assert_eq!(restarts(&site, &job), "1", "{}", log(&site, "large", &job));
    let plain = site.icpc(&["run", "large.icp", "--quiet", "--out", "plain"]);
    assert_eq!(plain.code, 0, "{}", plain.err);
    assert!(weights(&site.file("out/large")) == weights(&site.file("plain")));
}
