//! Checks on clusters that were written down.

use super::*;
use crate::hir::recipe::Target;
use crate::plan::{OutputLayout, sample};
use crate::slurm::estimate::Rates;
use crate::slurm::gres as resource;
use crate::slurm::limit::Limit;

/// Two partitions: one with two kinds of GPU, one without any and closed to most.
fn cluster() -> Cluster {
    let partitions = "PartitionName=gpu AllowAccounts=ALL Default=YES MaxTime=1-00:00:00 DefaultTime=01:00:00 MaxNodes=2 State=UP\n\
        PartitionName=cpu AllowAccounts=ml,phys DenyQos=long Default=NO MaxTime=UNLIMITED State=DRAIN MaxMemPerNode=1000\n";
    let nodes = "NodeName=g1 NodeHostName=g1 CPUTot=16 RealMemory=64000 Gres=gpu:A30:2(S:0) State=IDLE Partitions=gpu\n\
        NodeName=g2 NodeHostName=g2 CPUTot=16 RealMemory=64000 Gres=gpu:v100:4 State=DOWN* Partitions=gpu\n\
        NodeName=c1 NodeHostName=c1 CPUTot=64 RealMemory=256000 Gres=(null) State=IDLE Partitions=cpu\n";
    Cluster::read(partitions, nodes, "MaxArraySize = 11\nKillWait = 1 sec\n")
}

/// What is found for a plan with a target, where nothing is known of files.
fn found(target: Option<&str>, cluster: &Cluster, change: impl FnOnce(&mut Request)) -> String {
    let plan = sample::moe();
    let layout = OutputLayout::of(&plan).unwrap();
    let target = target.map(|name| Target { name: name.to_owned(), cuda: name != "cpu" });
    let work = Work { plan: &plan, layout: &layout, target: target.as_ref(), listing: false };
    let mut request = Request { name: "r".into(), restarts: 3, ..Request::default() };
    change(&mut request);
    let rates = Rates::Reported { report: "r".into(), seconds: 1.0, threads: 1 };
    let resources = Resources::choose(&work, &request, &rates, Some(cluster));
    let paths = Paths::default();
    let subject = Subject {
        work,
        request: &request,
        paths: &paths,
        resources: &resources,
        others: &[],
        host: "login",
        cluster: Some(cluster),
    };
    let mut all = partition::check(&subject);
    all.extend(gres::check(&subject));
    all.extend(nodes::check(&subject));
    all.iter().map(|finding| format!("{finding}\n")).collect()
}

#[test]
fn a_partition_with_little_time() {
    let mut short = quiet();
    short.partitions.iter_mut().for_each(|partition| partition.max_time = Some(Limit::Seconds(120)));
    let mut text = found(None, &short, |_| {});
    text += &found(None, &short, |request| request.restarts = 1);
    text += &found(None, &short, |request| request.time = Some(Limit::Seconds(180)));
    insta::assert_snapshot!(text);
}

fn quiet() -> Cluster {
    Cluster { kill_wait: Some(30), ..cluster() }
}

#[test]
fn a_plan_that_fits_has_nothing_to_say() {
    assert_eq!(found(None, &quiet(), |_| {}), "");
    assert_eq!(found(Some("a30"), &quiet(), |_| {}), "");
}

#[test]
fn everything_at_once() {
    let text = found(Some("a30"), &cluster(), |request| {
        request.time = Some(Limit::Unlimited);
        request.gres = Some(resource::parse("gpu:a30:3"));
        request.memory = Some(65_000);
        request.cpus = Some(17);
        request.tasks = Some(12);
        request.array = true;
    });
    insta::assert_snapshot!(text);
}

#[test]
fn partitions() {
    let mut text = String::new();
    let mut say = |change: fn(&mut Request)| {
        text += &found(None, &quiet(), change);
        text += "--\n";
    };
    say(|request| request.partition = Some("GPU".into()));
    say(|request| request.partition = Some("fast".into()));
    say(|request| request.partition = Some("cpu".into()));
    say(|request| {
        request.partition = Some("cpu".into());
        request.account = Some("bio".into());
        request.qos = Some("long".into());
        request.memory = Some(2000);
    });
    let mut none = quiet();
    none.partitions.iter_mut().for_each(|partition| partition.default = false);
    text += &found(None, &none, |_| {});
    insta::assert_snapshot!(text);
}

#[test]
fn gpus() {
    let mut text = String::new();
    let mut say = |target: &str, gres: Option<&str>| {
        text += &format!("target {target}, --gres {}\n", gres.unwrap_or("left out"));
        text += &found(Some(target), &quiet(), |request| request.gres = gres.map(resource::parse));
    };
    say("a30", Some("gpu:a30:1"));
    say("a30", Some("gpu:A30:3"));
    say("a30", Some("gpu:v100:1"));
    say("a30", Some("gpu:1"));
    say("a30", Some(""));
    say("h100", None);
    say("sm_80", None);
    say("sm_90", None);
    say("cuda:1", None);
    say("cpu", Some("gpu:1"));
    say("cpu", Some("fpga:1"));
    let mut untyped = quiet();
    untyped.nodes.iter_mut().flat_map(|node| &mut node.gres).for_each(|gres| gres.kind = None);
    text += "GPUs without types\n";
    text += &found(Some("a30"), &untyped, |_| {});
    text += &found(Some("a30"), &untyped, |request| request.gres = Some(resource::parse("gpu:a30:1")));
    insta::assert_snapshot!(text);
}

#[test]
fn nodes_that_fit() {
    let mut text = String::new();
    let mut say = |change: fn(&mut Request)| {
        text += &found(None, &quiet(), change);
        text += "--\n";
    };
    // Two nodes fit and one is down; three are beyond the partition.
    say(|request| (request.nodes, request.tasks) = (Some(2), Some(2)));
    say(|request| (request.nodes, request.tasks) = (Some(3), Some(3)));
    say(|request| request.nodes = Some(2));
    say(|request| {
        (request.nodes, request.tasks) = (Some(2), Some(2));
        request.gres = Some(resource::parse("gpu:v100:1"));
    });
    insta::assert_snapshot!(text);
}

mod on_disk {
    use super::*;

    fn files(paths: &Paths, listing: bool, others: &[Other]) -> String {
        let plan = sample::moe();
        let layout = OutputLayout::of(&plan).unwrap();
        let work = Work { plan: &plan, layout: &layout, target: None, listing };
        let request = Request { name: "r".into(), ..Request::default() };
        let rates = Rates::Reported { report: "r".into(), seconds: 1.0, threads: 1 };
        let resources = Resources::choose(&work, &request, &rates, None);
        let subject = Subject {
            work,
            request: &request,
            paths,
            resources: &resources,
            others,
            host: "login",
            cluster: None,
        };
        check(&subject).iter().map(|finding| format!("{finding}\n")).collect()
    }

    #[test]
    fn folders_and_outputs() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let mut paths =
            Paths { logs: at("new/logs"), output: at("out"), checkpoint: at("c"), ..Paths::default() };
        assert_eq!(files(&paths, false, &[]), "");
        assert!(std::path::Path::new(&paths.logs).is_dir(), "the folder of logs is made");
        let other = |name: &str| Other { file: "b.icp".into(), recipe: "b".into(), output: at(name) };
        let mut text = files(&paths, true, &[other("out"), other("out/below"), other("outside")]);
        std::fs::create_dir(&paths.output).unwrap();
        std::fs::write(at("file"), "").unwrap();
        paths.logs = at("file");
        text += &files(&paths, false, &[]);
        insta::assert_snapshot!(text.replace(&at(""), "FOLDER/"));
    }
}
