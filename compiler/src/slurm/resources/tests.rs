//! What is chosen where nothing was asked for.

use super::*;
use crate::hir::recipe::Target;
use crate::plan::ir::Plan;
use crate::plan::{OutputLayout, sample};

/// A plan as large as that of a checkpoint of `gigabytes`, in `files` files.
fn chosen(gigabytes: u64, files: usize, cluster: Option<&Cluster>, request: Request) -> String {
    let mut plan: Plan = sample::moe();
    plan.source.tensor_bytes = gigabytes * 1_000_000_000;
    let mut layout = OutputLayout::of(&plan).unwrap();
    let file = layout.files[0].clone();
    layout.files.resize(files, file);
    let target = Target { name: "a30".into(), cuda: true };
    let work = Work { plan: &plan, layout: &layout, target: Some(&target), listing: false };
    let rates = Rates::Measured {
        read: Some(1e9),
        encode: vec![super::super::estimate::Encoding { format: "nf4".into(), bytes: 924_000, rate: 1e9 }],
    };
    let chosen = Resources::choose(&work, &request, &rates, cluster);
    let gres: Vec<String> = chosen.gres.iter().map(ToString::to_string).collect();
    format!(
        "{} nodes, {} tasks of {} processors, {} MiB, {}, {}\n",
        chosen.nodes,
        chosen.tasks,
        chosen.cpus,
        chosen.memory,
        gres.join(","),
        chosen.time
    )
}

#[test]
fn checkpoints_and_clusters() {
    let ask = Request::default;
    let cluster = |limits: &str| {
        let partition = format!("PartitionName=p Default=YES State=UP {limits}\n");
        let nodes = "NodeName=a CPUTot=6 RealMemory=64000 Gres=gpu:NVIDIA_A30:2 State=IDLE Partitions=p\n\
            NodeName=b CPUTot=64 RealMemory=64000 Gres=gpu:NVIDIA_A30:2 State=IDLE Partitions=p\n\
            NodeName=c CPUTot=64 RealMemory=64000 State=DOWN Partitions=p\n";
        Cluster::read(&partition, nodes, "")
    };
    let mut text = String::new();
    text += "no cluster: small, large in one file, large in files, huge in files\n";
    for (gigabytes, files) in [(1, 1), (140, 1), (140, 28), (1400, 280)] {
        text += &chosen(gigabytes, files, None, ask());
    }
    text += "two nodes that are up\n";
    text += &chosen(140, 28, Some(&cluster("")), ask());
    text += "at most one node, four processors, ten minutes\n";
    text += &chosen(140, 28, Some(&cluster("MaxNodes=1 MaxCPUsPerNode=4 MaxTime=00:10:00")), ask());
    text += "asked for: an array; two nodes; 32 tasks on 4 nodes\n";
    text += &chosen(140, 28, None, Request { array: true, ..ask() });
    text += &chosen(10, 28, None, Request { nodes: Some(2), ..ask() });
    text += &chosen(140, 28, None, Request { nodes: Some(4), tasks: Some(32), ..ask() });
    insta::assert_snapshot!(text);
}

#[test]
fn spellings_are_words() {
    let of =
        |wanted: &str| spelling(wanted, ["A100", "nvidia_a30_pcie", "a3", "NVIDIA_H100_80GB"].into_iter());
    assert_eq!(
        (of("a100"), of("a30"), of("h100"), of("a10")),
        (Some("A100"), Some("nvidia_a30_pcie"), Some("NVIDIA_H100_80GB"), None)
    );
}
