//! The partition: there, up, and open to this job for so long.

use super::super::limit::Limit;
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
    found.extend(partition.max_time.and_then(|most| time(subject, name, most)));
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

fn time(subject: &Subject<'_>, partition: &str, most: Limit) -> Option<Finding> {
    let (asked, predicted) = (subject.resources.time, subject.resources.predicted);
    if asked > most {
        return Some(Finding::error(
            format!("time {asked} is beyond the MaxTime {most} of partition `{partition}`"),
            format!("give `--time {most}`: a run that the limit interrupts goes on when it is begun again"),
        ));
    }
    // What is predicted has a factor of safety in it, so one start more is not counted.
    let starts = predicted.seconds().zip(asked.seconds()).map(|(all, one)| all.div_ceil(one.max(1)))?;
    let restarts = u64::from(subject.request.restarts);
    if starts <= 1 {
        return None;
    }
    let says = format!("the plan may take {predicted}, and a job {asked}: {starts} starts");
    Some(if starts > restarts.saturating_add(1) {
        Finding::error(says, format!("give `--restarts {starts}`, or a `--partition` with more time"))
    } else {
        Finding::warning(says, "nothing is to be done: a job that is interrupted begins again and goes on")
    })
}

fn are(names: &[&str]) -> String {
    format!("{} {}", list(names), if names.len() == 1 { "is" } else { "are" })
}
