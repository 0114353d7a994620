//! Scripts, and what bash makes of them.

use std::process::Command;

use super::*;
use crate::hir::recipe::Target;
use crate::plan::{OutputLayout, sample};
use crate::slurm::cluster::Cluster;
use crate::slurm::estimate::{Encoding, Rates};
use crate::slurm::limit::Limit;

fn paths() -> Paths {
    Paths {
        folder: "/home/ada/models".into(),
        icpc: "/opt/icpc".into(),
        file: "/home/ada/models/moe.icp".into(),
        recipe: vec!["--recipe=moe".into(), "moe.icp".into()],
        checkpoint: "/home/ada/models/moe.safetensors".into(),
        output: "/home/ada/models/out/moe".into(),
        logs: "/home/ada/models/logs".into(),
    }
}

fn made(
    target: Option<&str>,
    cluster: Option<&Cluster>,
    request: &Request,
    paths: &Paths,
) -> Result<String, String> {
    let plan = sample::moe();
    let layout = OutputLayout::of(&plan).unwrap();
    let target = target.map(|name| Target { name: name.to_owned(), cuda: name != "cpu" });
    let work = Work { plan: &plan, layout: &layout, target: target.as_ref(), listing: false };
    let rates = Rates::Measured {
        read: Some(5e8),
        encode: vec![Encoding { format: "nf4(block: 64)".into(), bytes: 924_000, rate: 1e9 }],
    };
    let resources = Resources::choose(&work, request, &rates, cluster);
    let version = env!("CARGO_PKG_VERSION");
    script(&work, request, paths, &resources).map(|text| text.replace(version, "VERSION"))
}

fn request(name: &str) -> Request {
    Request { name: name.into(), restarts: 20, ..Request::default() }
}

#[test]
fn the_simplest() {
    insta::assert_snapshot!(made(None, None, &request("moe"), &paths()).unwrap());
}

#[test]
fn everything() {
    let request = Request {
        partition: Some("gpu".into()),
        account: Some("ml".into()),
        qos: Some("normal".into()),
        time: Some(Limit::Seconds(180)),
        tasks: Some(4),
        nodes: Some(2),
        modules: vec!["GCC/12.3.0".into(), "CUDA/12.2".into()],
        ..request("moe")
    };
    let nodes = "NodeName=g1 CPUTot=16 RealMemory=64000 Gres=gpu:A30:2 State=IDLE Partitions=gpu\n";
    let cluster = Cluster::read("PartitionName=gpu State=UP\n", nodes, "");
    insta::assert_snapshot!(made(Some("a30"), Some(&cluster), &request, &paths()).unwrap());
}

#[test]
fn an_array() {
    let request = Request { array: true, tasks: Some(3), ..request("moe") };
    insta::assert_snapshot!(made(None, None, &request, &paths()).unwrap());
}

#[test]
fn what_no_line_can_hold() {
    let of = |change: fn(&mut Request, &mut Paths)| {
        let (mut request, mut paths) = (request("moe"), paths());
        change(&mut request, &mut paths);
        made(None, None, &request, &paths).unwrap_err()
    };
    let said = [
        of(|request, _| request.name = "a\nb".into()),
        of(|request, _| request.partition = Some("a\n#SBATCH --wrap=x".into())),
        of(|_, paths| paths.logs = "/a\nb".into()),
        of(|_, paths| paths.logs = "/a\\b".into()),
    ];
    insta::assert_snapshot!(said.join("\n"));
}

/// A folder with names that shells trip over, in which `srun`, `scontrol` and icpc write down how they are called.
struct Stage {
    folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Stage {
        let folder = tempfile::tempdir().unwrap();
        let stage = Stage { folder };
        std::fs::create_dir_all(stage.path("work")).unwrap();
        std::fs::create_dir_all(stage.path("logs")).unwrap();
        stage.program("bin/srun", "while [[ $1 == --* ]]; do shift; done; exec \"$@\"");
        stage.program("bin/scontrol", "echo \"scontrol $*\"; exit ${REQUEUE:-0}");
        let icpc = "case $1 in --version) echo icpc 1;; *) printf '[%s]' \"$@\"; echo \" in $PWD\";; esac; \
            [ \"$1\" != run ] || { [ -n \"${CODE:-}\" ] || touch \"$OUTPUT\"; exit \"${CODE:-0}\"; }";
        stage.program("bin/ic pc", icpc);
        stage
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join("it's $HOME \"x\"\n`y` \\ *").join(name).display().to_string()
    }

    fn program(&self, name: &str, body: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.path(name);
        std::fs::create_dir_all(std::path::Path::new(&path).parent().unwrap()).unwrap();
        std::fs::write(&path, format!("#!/bin/bash\n{body}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// What a script says, with its exit code.
    fn run(&self, variables: &[(&str, &str)]) -> String {
        let paths = Paths {
            folder: self.path("work"),
            icpc: self.path("bin/ic pc"),
            file: self.path("work/r.icp"),
            recipe: vec!["--set=x=\"a b\"".into(), "--out=$(touch oops)".into(), self.path("r.icp")],
            checkpoint: self.path("c"),
            output: self.path("out"),
            // Slurm's own line cannot hold the folder above.
            logs: self.folder.path().join("lo gs").display().to_string(),
        };
        std::fs::create_dir_all(&paths.logs).unwrap();
        let text = made(Some("a30"), None, &Request { restarts: 2, ..request("moe") }, &paths).unwrap();
        let mut bash = Command::new("bash");
        let path = format!("{}:{}", self.path("bin"), std::env::var("PATH").unwrap());
        bash.args(["-c", &text]).env("PATH", path).env_remove("SLURM_RESTART_COUNT");
        let job = [
            ("SLURM_JOB_ID", "7"),
            ("SLURM_JOB_NODELIST", "n1"),
            ("SLURM_JOB_NUM_NODES", "1"),
            ("SLURM_CPUS_PER_TASK", "2"),
        ];
        bash.env("OUTPUT", self.path("out")).envs(job).envs(variables.iter().copied());
        let output = bash.output().unwrap();
        let mut said = String::from_utf8(output.stdout).unwrap();
        let own = |line: &&str| line.contains("exit code") || line.contains("restarts");
        let complaint = String::from_utf8(output.stderr).unwrap();
        let lines: Vec<&str> = complaint.lines().filter(own).collect();
        for line in lines {
            said += line.split_once(" job ").map_or(line, |(_, behind)| behind);
            said.push('\n');
        }
        assert!(!std::path::Path::new(&self.path("work/oops")).exists(), "a name was run");
        said += &format!("code {}\n", output.status.code().unwrap());
        said.replace(&self.path(""), "FOLDER/")
    }
}

#[test]
fn bash_runs_it() {
    let stage = Stage::new();
    let mut text = String::new();
    for variables in [
        &[("CODE", "3")][..],
        &[("CODE", "0")],
        &[("CODE", "5")],
        &[("CODE", "5"), ("SLURM_RESTART_COUNT", "2")],
        &[("CODE", "138"), ("SLURM_RESTART_COUNT", "1")],
        &[("CODE", "5"), ("REQUEUE", "1")],
    ] {
        text += &format!("== {variables:?}\n{}", stage.run(variables));
    }
    text += &format!("== []\n{}", stage.run(&[]));
    // Begun again after the output was whole: only looked at.
    text += &format!("== whole\n{}", stage.run(&[("SLURM_RESTART_COUNT", "1")]));
    insta::assert_snapshot!(text);
}

#[test]
fn shellcheck_has_nothing_to_say() {
    let Ok(version) = Command::new("shellcheck").arg("--version").output() else {
        eprintln!("not run: shellcheck is not installed");
        return;
    };
    assert!(version.status.success());
    let folder = tempfile::tempdir().unwrap();
    for (number, array) in [false, true].into_iter().enumerate() {
        let request = Request { array, modules: vec!["a b".into()], ..request("it's") };
        let path = folder.path().join(format!("{number}.sh"));
        std::fs::write(&path, made(Some("a30"), None, &request, &paths()).unwrap()).unwrap();
        let output = Command::new("shellcheck").arg(&path).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}
