//! What Slurm says of its partitions and nodes.

use super::ask::{NoAnswer, ask};
use super::fields::{fields, value};
use super::gres::{self, Gres};
use super::limit::Limit;

/// What came of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// There is no Slurm on this machine.
    Absent,
    /// There is, and it does not answer: one clause.
    Silent(String),
    /// The cluster.
    Here(Cluster),
}

impl Answer {
    /// The cluster.
    pub fn cluster(&self) -> Option<&Cluster> {
        match self {
            Answer::Here(cluster) => Some(cluster),
            _ => None,
        }
    }
}

/// A cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cluster {
    /// Slurm's version, where it says one: `22.05.8`.
    pub version: Option<String>,
    /// Tasks that an array may have, counted from 0.
    pub max_array: Option<u64>,
    /// Seconds between SIGTERM and SIGKILL.
    pub kill_wait: Option<u64>,
    /// In Slurm's order.
    pub partitions: Vec<Partition>,
    /// In Slurm's order.
    pub nodes: Vec<Node>,
}

/// A partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Partition {
    /// Its name.
    pub name: String,
    /// Whether jobs that name none go there.
    pub default: bool,
    /// `UP`, `DOWN`, `DRAIN`, `INACTIVE`.
    pub state: String,
    /// Longest time of a job.
    pub max_time: Option<Limit>,
    /// Time of a job that asks for none.
    pub default_time: Option<Limit>,
    /// Nodes that a job may have; as many as there are if `None`.
    pub max_nodes: Option<u64>,
    /// Processors of a node that a job may have.
    pub max_cpus: Option<u64>,
    /// MiB of a node that a job may have.
    pub max_memory: Option<u64>,
    /// Accounts that may use it, or may not.
    pub accounts: Allowed,
    /// Qualities of service that may use it, or may not.
    pub qos: Allowed,
}

/// Who may use a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Only these; everyone if `None`.
    pub only: Option<Vec<String>>,
    /// None of these.
    pub never: Vec<String>,
}

impl Allowed {
    /// Whether `name` may.
    pub fn allows(&self, name: &str) -> bool {
        // Slurm keeps both in lower case.
        let is = |other: &String| other.eq_ignore_ascii_case(name);
        self.only.as_ref().is_none_or(|only| only.iter().any(is)) && !self.never.iter().any(is)
    }
}

/// A node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Its name in Slurm.
    pub name: String,
    /// The name of the machine.
    pub host: String,
    /// Its partitions.
    pub partitions: Vec<String>,
    /// Processors.
    pub cpus: u64,
    /// MiB.
    pub memory: u64,
    /// What it has beside them.
    pub gres: Vec<Gres>,
    /// `IDLE`, `MIXED`, `DOWN*`, `IDLE+DRAIN`, ...
    pub state: String,
}

impl Node {
    /// Whether jobs can start there, now or when it is free.
    pub fn is_up(&self) -> bool {
        // Slurm wakes a node that is powered down. A state that ends with `*` is that of a node which does not answer.
        let bad = ["DOWN", "DRAIN", "FAIL", "NOT_RESPONDING", "ERROR", "UNKNOWN", "FUTURE"];
        let words =
            self.state.split('+').map(|word| word.trim_end_matches(['~', '#', '%', '$', '@', '^', '!', '-']));
        !words.into_iter().any(|word| word.ends_with('*') || bad.iter().any(|bad| word.starts_with(bad)))
    }

    /// How many of a resource it has.
    pub fn has(&self, wanted: &Gres) -> u64 {
        self.gres
            .iter()
            .filter(|gres| gres.serves(wanted))
            .fold(0, |sum, gres| sum.saturating_add(gres.count))
    }
}

impl Cluster {
    /// The partition of this name, or the default one.
    pub fn partition(&self, name: Option<&str>) -> Option<&Partition> {
        match name {
            Some(name) => self.partitions.iter().find(|partition| partition.name == name),
            None => self.partitions.iter().find(|partition| partition.default),
        }
    }

    /// The nodes of a partition.
    pub fn nodes_of<'a>(&'a self, partition: &'a str) -> impl Iterator<Item = &'a Node> {
        self.nodes.iter().filter(move |node| node.partitions.iter().any(|name| name == partition))
    }

    /// Reads what `scontrol --oneliner show` prints of partitions, nodes and the configuration.
    pub fn read(partitions: &str, nodes: &str, configuration: &str) -> Cluster {
        let setting = |key: &str| {
            let found = configuration.lines().filter_map(|line| line.split_once('='));
            found.filter(|(name, _)| name.trim() == key).map(|(_, value)| value.trim()).next()
        };
        let first_number = |text: &str| text.split_whitespace().next()?.parse().ok();
        Cluster {
            version: setting("SLURM_VERSION").map(str::to_owned),
            max_array: setting("MaxArraySize").and_then(first_number),
            kill_wait: setting("KillWait").and_then(first_number),
            partitions: partitions.lines().filter_map(partition).collect(),
            nodes: nodes.lines().filter_map(node).collect(),
        }
    }
}

/// Asks Slurm, with all questions at once.
pub fn look() -> Answer {
    let question =
        |what: &'static str| std::thread::spawn(move || ask("scontrol", &["--oneliner", "show", what]));
    let asked = ["partition", "node", "config"].map(question);
    let mut answers = Vec::new();
    for thread in asked {
        match thread.join() {
            Ok(Ok(text)) => answers.push(text),
            Ok(Err(NoAnswer::Absent)) => return Answer::Absent,
            Ok(Err(NoAnswer::Failed(why))) => return Answer::Silent(why),
            Err(_) => return Answer::Silent("internal error: a question to Slurm failed".to_owned()),
        }
    }
    match answers.as_slice() {
        [partitions, nodes, configuration] => Answer::Here(Cluster::read(partitions, nodes, configuration)),
        _ => Answer::Silent("internal error: a question to Slurm was lost".to_owned()),
    }
}

fn words(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn partition(line: &str) -> Option<Partition> {
    let fields = fields(line);
    let is = |key: &str| value(&fields, key);
    let bounded = |key: &str| is(key).and_then(|text| text.parse().ok());
    let allowed = |allow: &str, deny: &str| Allowed {
        only: is(allow).filter(|list| *list != "ALL").map(words),
        never: is(deny).map(words).unwrap_or_default(),
    };
    Some(Partition {
        name: is("PartitionName")?.to_owned(),
        default: is("Default") == Some("YES"),
        state: is("State").unwrap_or("UP").to_owned(),
        max_time: is("MaxTime").and_then(Limit::parse),
        default_time: is("DefaultTime").and_then(Limit::parse),
        max_nodes: bounded("MaxNodes"),
        max_cpus: bounded("MaxCPUsPerNode"),
        max_memory: bounded("MaxMemPerNode"),
        accounts: allowed("AllowAccounts", "DenyAccounts"),
        qos: allowed("AllowQos", "DenyQos"),
    })
}

fn node(line: &str) -> Option<Node> {
    let fields = fields(line);
    let is = |key: &str| value(&fields, key);
    let count = |key: &str| is(key).and_then(|text| text.parse().ok());
    let name = is("NodeName")?;
    Some(Node {
        name: name.to_owned(),
        host: is("NodeHostName").unwrap_or(name).to_owned(),
        partitions: is("Partitions").map(words).unwrap_or_default(),
        cpus: count("CPUEfctv").or_else(|| count("CPUTot")).unwrap_or(0),
        memory: count("RealMemory").unwrap_or(0),
        gres: is("Gres").map(gres::parse).unwrap_or_default(),
        state: is("State").unwrap_or("UNKNOWN").to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_read_alike() {
        // 20.11 knows no CPUEfctv; 23.11 prints more keys, and DenyQos beside AllowAccounts.
        let partitions = "PartitionName=gpu AllowGroups=ALL AllowAccounts=ml,phys DenyQos=slow Default=NO DefaultTime=01:00:00 \
            MaxNodes=4 MaxTime=2-00:00:00 MaxCPUsPerNode=UNLIMITED Nodes=g[1-2] State=UP MaxMemPerNode=200000\n\
            PartitionName=debug AllowAccounts=ALL AllowQos=ALL Default=YES DefaultTime=NONE MaxTime=UNLIMITED State=DOWN\n\n";
        let nodes = "NodeName=g1 Arch=x86_64 CPUTot=64 Gres=gpu:A30:2(S:0-1) NodeHostName=g1.site OS=Linux 5 #1 SMP x \
            RealMemory=256000 State=IDLE+DRAIN Partitions=gpu,debug Reason=fan is broken [root@2026-01-01]\n\
            NodeName=g2 CPUTot=64 CPUEfctv=60 Gres=(null) RealMemory=256000 State=MIXED Partitions=gpu\n";
        let cluster = Cluster::read(
            partitions,
            nodes,
            "MaxArraySize            = 1001\nKillWait = 30 sec\nSLURM_VERSION = 20.11.9\n",
        );
        assert_eq!((cluster.max_array, cluster.kill_wait), (Some(1001), Some(30)));
        assert_eq!(cluster.version.as_deref(), Some("20.11.9"));
        let gpu = cluster.partition(Some("gpu")).unwrap();
        assert_eq!((gpu.max_nodes, gpu.max_cpus, gpu.max_memory), (Some(4), None, Some(200_000)));
        assert!(gpu.accounts.allows("ML") && !gpu.accounts.allows("bio") && !gpu.qos.allows("slow"));
        assert_eq!(gpu.max_time, Some(Limit::Seconds(172_800)));
        let debug = cluster.partition(None).unwrap();
        assert_eq!((debug.name.as_str(), debug.default_time), ("debug", None));
        assert!(debug.accounts.allows("anyone"));
        let of_gpu: Vec<_> = cluster.nodes_of("gpu").map(|n| (n.name.as_str(), n.cpus, n.is_up())).collect();
        assert_eq!(of_gpu, [("g1", 64, false), ("g2", 60, true)]);
        assert_eq!(cluster.nodes[0].has(&Gres::new("gpu", None, 1)), 2);
        assert_eq!(cluster.nodes[0].has(&Gres::new("gpu", Some("a30"), 1)), 0);
    }

    #[test]
    fn states_of_nodes() {
        let up = |state: &str| Node { state: state.to_owned(), ..Node::default() }.is_up();
        for state in
            ["IDLE", "MIXED", "ALLOCATED", "IDLE~", "IDLE+CLOUD+POWERED_DOWN", "MIXED+PLANNED", "COMPLETING"]
        {
            assert!(up(state), "{state}");
        }
        for state in
            ["DOWN", "DOWN*", "IDLE*", "IDLE+DRAIN", "DRAINED", "FAIL", "DOWN+NOT_RESPONDING", "UNKNOWN*"]
        {
            assert!(!up(state), "{state}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_is_printed_harms(
            text in "((PartitionName|NodeName|State|Gres|MaxTime|Nodes|CPUTot)=[a-z0-9:,()*\\[\\]-]{0,8}[ \n]|\\PC{0,6}){0,12}"
        ) {
            let cluster = Cluster::read(&text, &text, &text);
            let up = cluster.nodes.iter().filter(|node| node.is_up()).count();
            proptest::prop_assert!(up <= cluster.nodes.len());
        }
    }

    #[test]
    fn nonsense_is_no_cluster() {
        assert_eq!(Cluster::read("garbage\n", "x=1 y=2", "?"), Cluster::default());
    }
}
