//! `icpc slurm` with a real Slurm (`tests/slurm/cluster.sh`), and without one.
//!
//! Where Slurm is not installed these tests are passed over with a word, unless `ICPC_REQUIRE_SLURM=1`. The program is the
//! one that cargo built last beside the tests.

#![cfg(target_os = "linux")]
#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    reason = "all of this is a test; clippy knows only the functions that are marked"
)]

#[path = "slurm/checks.rs"]
mod checks;
#[path = "slurm/jobs.rs"]
mod jobs;
#[path = "slurm/tasks.rs"]
mod tasks;
#[path = "slurm/without.rs"]
mod without;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use icpc_tests::repository;
use icpc_tests::slurm::{Cluster, Nodes, program};

/// A cluster with the quickstart in a folder whose name shells trip over.
struct Site {
    cluster: Cluster,
    folder: PathBuf,
    icpc: PathBuf,
}

/// What a command said.
struct Said {
    out: String,
    err: String,
    code: i32,
}

impl Site {
    fn new(nodes: &Nodes) -> Option<Site> {
        let icpc = program("icpc").unwrap();
        let cluster = Cluster::start(nodes)?;
        let folder = cluster.folder().join("ada's $HOME");
        quickstart(&folder);
        Some(Site { cluster, folder, icpc })
    }

    fn icpc(&self, arguments: &[&str]) -> Said {
        let output = self.cluster.command(&self.icpc).args(arguments).current_dir(&self.folder).output();
        Said::of(output.unwrap())
    }

    /// The log of a job, for messages.
    fn log(&self, job: &str) -> String {
        let log = self.folder.join(format!("logs/mixed-{job}.log"));
        fs::read_to_string(&log).unwrap_or_else(|error| format!("{}: {error}", log.display()))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A second recipe, with words of the first one replaced.
    fn recipe(&self, name: &str, changes: &[(&str, &str)]) {
        let mut text = fs::read_to_string(self.file("mixed.icp")).unwrap();
        for (from, to) in changes {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        fs::write(self.file(name), text).unwrap();
    }
}

impl Said {
    fn of(output: Output) -> Said {
        Said {
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code().unwrap_or(-1),
        }
    }

    /// The number of the submitted job.
    fn job(&self) -> String {
        assert_eq!(self.code, 0, "{}", self.err);
        self.out.trim().to_owned()
    }

    /// Lines that say an error or a warning, with the site's folder left out.
    fn findings(&self, site: &Site) -> String {
        let lines = self.err.lines().filter(|line| line.starts_with("error") || line.starts_with("warning"));
        lines.map(|line| line.replace(&site.folder.display().to_string(), "FOLDER") + "\n").collect()
    }
}

/// The quickstart, copied.
fn quickstart(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for entry in fs::read_dir(repository::root().join("examples/quickstart")).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), folder.join(entry.file_name())).unwrap();
        }
    }
}
