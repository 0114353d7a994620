//! The partition: there, up, and open to this job for so long.

use super::{Finding, Subject};
use crate::base::list;

pub(super) fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let Some(cluster) = subject.cluster else { return Vec::new() };
    let names: Vec<&str> = cluster.partitions.iter().map(|partition| partition.name.as_str()).collect();
    let asked = subject.request.partition.as_deref();
    let Some(partition) = subject.partition() else {
        return vec![match asked {
            Some(name) => {
                let close = names.iter().find(|known| known.eq_ignore_ascii_case(name));
                let remedy = close.map_or_else(
                    || "name one of them with `--partition`".to_owned(),
                    |close| format!("spell it `{close}`: Slurm tells capital letters apart"),
                );
                Finding::error(format!("there is no partition `{name}`, only {}", list(&names)), remedy)
            }
            None => Finding::error(
                format!("the cluster has no default partition, only {}", list(&names)),
                "name one of them with `--partition`",
            ),
        }];
    };
    let name = &partition.name;
    let mut found = Vec::new();
    if partition.state != "UP" {
        let up: Vec<&str> =
            cluster.partitions.iter().filter(|p| p.state == "UP").map(|p| p.name.as_str()).collect();
        let remedy = match up.as_slice() {
            [] => "wait until an administrator sets it UP".to_owned(),
            up => format!("name another one with `--partition`: {} up", are(up)),
        };
        found.push(Finding::error(
            format!("partition `{name}` is {}, jobs in it do not start", partition.state),
            remedy,
        ));
    }
    if let Some(most) = partition.max_time
        && subject.resources.time > most
    {
        let remedy =
            format!("give `--time {most}`: a run that the limit interrupts goes on when it is begun again");
        found.push(Finding::error(
            format!("time {} is beyond the MaxTime {most} of partition `{name}`", subject.resources.time),
            remedy,
        ));
    }
    let lists = [
        ("account", &subject.request.account, &partition.accounts),
        ("qos", &subject.request.qos, &partition.qos),
    ];
    for (option, asked, allowed) in lists {
        let only = allowed.only.as_deref().unwrap_or_default();
        match asked {
            Some(asked) if !allowed.allows(asked) => {
                let remedy = if only.is_empty() {
                    format!("give another `--{option}`, or another `--partition`")
                } else {
                    format!("give `--{option}` with one of {}, or another `--partition`", list(only))
                };
                found.push(Finding::error(
                    format!("partition `{name}` does not let {option} `{asked}` in"),
                    remedy,
                ));
            }
            None if !only.is_empty() => found.push(Finding::warning(
                format!("partition `{name}` lets only {option} {} in", list(only)),
                format!("give one with `--{option}`, unless it is the default of this user"),
            )),
            _ => {}
        }
    }
    found
}

fn are(names: &[&str]) -> String {
    format!("{} {}", list(names), if names.len() == 1 { "is" } else { "are" })
}
