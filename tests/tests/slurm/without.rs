//! Where Slurm is absent, or does not answer.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use icpc_tests::slurm::program;

use super::{Said, quickstart};

/// `icpc` with nothing in PATH but `bin` of the folder.
fn icpc(folder: &Path, arguments: &[&str]) -> Said {
    let mut command = Command::new(program("icpc").unwrap());
    let path = folder.join("bin");
    Said::of(command.args(arguments).current_dir(folder).env("PATH", path).output().unwrap())
}

#[test]
fn without_slurm_a_script_is_printed_and_nothing_is_submitted() {
    let folder = tempfile::tempdir().unwrap();
    quickstart(folder.path());
    let printed = icpc(folder.path(), &["slurm", "mixed.icp"]);
    assert_eq!(printed.code, 0, "{}", printed.err);
    assert!(printed.out.starts_with("#!/bin/bash\n"), "{}", printed.out);
    assert_eq!(printed.err, "note: not checked against a cluster: Slurm's client is not in PATH\n");
    assert!(folder.path().join("logs").is_dir(), "the folder of logs is there before a job is");
    let offline = icpc(folder.path(), &["slurm", "mixed.icp", "--offline"]);
    assert_eq!(offline.err, "note: not checked against a cluster, as `--offline` asks for\n");
    let submitted = icpc(folder.path(), &["slurm", "mixed.icp", "--submit"]);
    assert_eq!((submitted.code, submitted.out.as_str()), (3, ""));
    assert!(submitted.err.contains("submit on a node of the cluster"), "{}", submitted.err);
    assert_eq!(icpc(folder.path(), &["slurm", "mixed.icp", "--offline", "--submit"]).code, 2);
}

#[test]
fn a_silent_controller_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    quickstart(folder.path());
    fs::create_dir(folder.path().join("bin")).unwrap();
    let scontrol = folder.path().join("bin/scontrol");
    fs::write(&scontrol, "#!/bin/sh\nexec /bin/sleep 60\n").unwrap();
    fs::set_permissions(&scontrol, fs::Permissions::from_mode(0o755)).unwrap();
    let begin = Instant::now();
    let said = icpc(folder.path(), &["slurm", "mixed.icp", "--submit"]);
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    assert_eq!(said.code, 3, "{}", said.err);
    assert!(said.err.contains("`scontrol` gives no answer within 5 s"), "{}", said.err);
}
