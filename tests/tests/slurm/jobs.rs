//! Jobs that run to their ends.

use std::fs;
use std::time::Duration;

use icpc_tests::slurm::Nodes;

use super::Site;

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_submitted_job_runs_to_its_end_and_is_verified() {
    let Some(site) = Site::new(&Nodes::default()) else { return };
    let said = site.icpc(&["slurm", "mixed.icp", "--submit"]);
    let job = said.job();
    assert!(
        site.file("logs/mixed.sbatch").is_file()
            && site.file(&format!("logs/mixed-{job}.job.json")).is_file()
    );
    assert_eq!(site.cluster.ended(&job, PATIENCE), "COMPLETED", "{}", site.log(&job));
    let log = site.log(&job);
    assert!(log.starts_with(&format!("job {job} on n1, restart 0")), "{log}");
    assert!(log.trim_end().ends_with("hashed") && log.contains("is as planned"), "{log}");
    assert!(site.file("out/quickstart/report.json").is_file());
    // The same bytes as a run without Slurm.
    let plain = site.icpc(&["run", "mixed.icp", "--quiet", "--out", "plain"]);
    assert_eq!(plain.code, 0, "{}", plain.err);
    let weights = |folder: &str| fs::read(site.file(folder).join("model.safetensors")).unwrap();
    assert!(weights("out/quickstart") == weights("plain"));
    for what in
        [&["slurm", "status"][..], &["slurm", "status", "mixed.icp"], &["slurm", "status", "out/quickstart/"]]
    {
        let status = site.icpc(what);
        assert!(
            status.out.contains("COMPLETED on n1") && status.out.contains(&job),
            "{}{}",
            status.out,
            status.err
        );
    }
    let again = site.icpc(&["slurm", "mixed.icp", "--submit"]);
    assert!(again.code == 3 && again.err.contains("is the output of this plan"), "{}", again.err);
}

#[test]
fn a_run_that_fails_fails_the_job_and_leaves_a_record() {
    let Some(site) = Site::new(&Nodes::default()) else { return };
    // Checked, and then changed before it begins.
    let script = site.icpc(&["slurm", "mixed.icp", "--output", "job.sh"]);
    assert_eq!(script.code, 0, "{}", script.err);
    fs::remove_file(site.file("itera_quickstart.pt")).unwrap();
    let path = site.file("job.sh").display().to_string();
    let job = site.cluster.ask("sbatch", &["--parsable", &path]);
    assert_eq!(site.cluster.ended(&job, PATIENCE), "FAILED", "{}", site.log(&job));
    let record = fs::read_to_string(site.file(&format!("logs/mixed-{job}.failed"))).unwrap();
    assert!(record.contains(&format!("job {job} on n1, restart 0: exit code 3")), "{record}");
}

#[test]
fn a_gpu_that_is_not_there_stops_the_job_before_the_run() {
    let Some(site) = Site::new(&Nodes { gpus: 1, ..Nodes::default() }) else { return };
    if !site.icpc(&["doctor"]).out.contains("CUDA       absent") {
        eprintln!("not run: this machine has a GPU");
        return;
    }
    site.recipe("gpu.icp", &[("target cpu", "target a30"), ("out/quickstart", "out/gpu")]);
    let job = site.icpc(&["slurm", "gpu.icp", "--submit"]).job();
    assert_eq!(site.cluster.ended(&job, PATIENCE), "FAILED", "{}", site.log(&job));
    let log = site.log(&job);
    assert!(log.contains("target a30") && !log.contains("wrote `"), "{log}");
    assert!(!site.file("out/gpu").exists());
}

#[test]
fn names_that_slurm_and_shells_read_otherwise() {
    let Some(site) = Site::new(&Nodes::default()) else { return };
    let logs = "50% #1 \"lo'gs\"";
    let arguments =
        ["slurm", "mixed.icp", "--submit", "--log-dir", logs, "--job-name=-a b #%j $x", "--out", "o $(x)"];
    let said = site.icpc(&arguments);
    let job = said.job();
    assert_eq!(site.cluster.ended(&job, PATIENCE), "COMPLETED", "{}", said.err);
    let name = site.cluster.ask("squeue", &["--noheader", "--states=all", "--format=%j", "--jobs", &job]);
    assert_eq!(name, "-a b #%j $x");
    let log = site.file(&format!("{logs}/-a_b___j__x-{job}.log"));
    assert!(said.err.contains(&log.display().to_string()), "{}", said.err);
    let text = fs::read_to_string(&log).unwrap();
    assert!(text.contains("is as planned"), "{text}");
    let status = site.icpc(&["slurm", "status", "--log-dir", logs, "o $(x)"]);
    assert!(status.out.contains("COMPLETED"), "{}{}", status.out, status.err);
}
