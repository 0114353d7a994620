//! What is said before a job waits in a queue, and that Slurm would have said the same, or nothing.

use icpc_tests::slurm::Nodes;

use super::Site;

fn site() -> Option<Site> {
    let conf = "PartitionName=short Nodes=n1 MaxTime=00:02:00 DefaultTime=1 State=UP\n\
                PartitionName=closed Nodes=n2 State=DOWN\n\
                PartitionName=lab Nodes=ALL AllowAccounts=ml State=UP";
    let nodes = Nodes { nodes: 2, gpus: 2, gpu: "A30", conf: conf.to_owned(), ..Nodes::default() };
    Site::new(&nodes)
}

#[test]
fn problems_are_found_together_and_nothing_is_submitted() {
    let Some(site) = site() else { return };
    site.recipe("gpu.icp", &[("target cpu", "target h100"), ("out/quickstart", "out/gpu")]);
    let mut text = String::new();
    for arguments in [
        &["mixed.icp", "--gres", "gpu:a30:1"][..],
        &["mixed.icp", "--partition", "short", "--time", "3"],
        &["mixed.icp", "--partition", "short", "--restarts", "0"],
        &["mixed.icp", "--mem", "1T", "--cpus", "5"],
        &["mixed.icp", "--partition", "Short", "--time", "1"],
        &["mixed.icp", "--partition", "closed"],
        &["mixed.icp", "--partition", "lab", "--account", "bio"],
        &["mixed.icp", "--nodes", "3", "--tasks", "3"],
        &["gpu.icp"],
        &["gpu.icp", "--gres", "gpu:A30:1"],
        &[
            "mixed.icp",
            "--partition",
            "short",
            "--gres",
            "gpu:A30:3",
            "--mem",
            "8G",
            "--log-dir",
            "mixed.icp/x",
        ],
    ] {
        let mut command = vec!["slurm"];
        command.extend(arguments);
        command.push("--submit");
        let said = site.icpc(&command);
        assert_eq!((said.code, said.out.as_str()), (3, ""), "{arguments:?}: {}", said.err);
        assert!(said.err.ends_with("not submitted\n"), "{}", said.err);
        text += &format!("{}\n{}", arguments.join(" "), said.findings(&site));
    }
    insta::assert_snapshot!(text);
    assert_eq!(site.cluster.ask("squeue", &["--noheader"]), "");
}

#[test]
fn a_recipe_with_errors_yields_no_script() {
    let Some(site) = site() else { return };
    site.recipe("wrong.icp", &[("layers.*.ssm.**", "layers.*.smm.**")]);
    let said = site.icpc(&["slurm", "wrong.icp", "--submit", "--message-format", "short"]);
    assert_eq!(said.code, 1, "{}", said.err);
    assert!(said.out.contains("unmatched-pattern") && !said.out.contains("#SBATCH"), "{}", said.out);
    assert!(!site.file("logs").exists());
}

#[test]
fn the_check_takes_less_than_a_second() {
    let Some(site) = site() else { return };
    let said = site.icpc(&["slurm", "mixed.icp", "-v"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let line =
        said.err.lines().find(|line| line.starts_with("note: ") && line.contains(" ms: plan")).unwrap();
    let took: u64 = line.trim_start_matches("note: ").split(' ').next().unwrap().parse().unwrap();
    eprintln!("{line}");
    // The machine may be busy with other tests.
    assert!(took < 3000, "{line}");
}

#[test]
fn a_cluster_spells_its_gpus() {
    let Some(site) = site() else { return };
    site.recipe("gpu.icp", &[("target cpu", "target a30"), ("out/quickstart", "out/gpu")]);
    let said = site.icpc(&["slurm", "gpu.icp"]);
    assert_eq!((said.code, said.findings(&site)), (0, String::new()));
    assert!(said.out.contains("\n#SBATCH --gres=gpu:A30:1\n"), "{}", said.out);
    // What the check passes, Slurm passes.
    std::fs::write(site.file("job.sh"), &said.out).unwrap();
    let script = site.file("job.sh").display().to_string();
    let job = site.cluster.ask("sbatch", &["--parsable", "--hold", &script]);
    assert_eq!(site.cluster.state(&job), "PENDING");
}
