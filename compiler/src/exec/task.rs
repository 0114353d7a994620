//! One of several processes that share a run: which files of the output are its own.
//!
//! Every task works out the same shares from the plan and their number, so that none waits for another or asks it.

use std::fmt;

use crate::base::checked_bytes;
use crate::plan::ir::Plan;
use crate::plan::layout::OutputLayout;

/// A task and how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Task {
    rank: usize,
    size: usize,
}

impl Task {
    /// The only task.
    pub const ALONE: Task = Task { rank: 0, size: 1 };

    /// Task `rank` of `size`, counted from 0; nothing when there is no such one.
    pub fn new(rank: usize, size: usize) -> Option<Task> {
        (rank < size).then_some(Task { rank, size })
    }

    /// Its number, from 0.
    pub fn rank(self) -> usize {
        self.rank
    }

    /// How many tasks there are.
    pub fn size(self) -> usize {
        self.size
    }

    /// Numbers of the files that are its own, ascending: the largest file that is left goes to the task with least to do.
    pub(super) fn share(self, plan: &Plan, layout: &OutputLayout) -> Vec<usize> {
        let mut work: Vec<u64> = layout.files.iter().map(|file| file.bytes).collect();
        for (tensor, parts) in plan.tensors.iter().zip(layout.by_tensor()) {
            let read = checked_bytes(&tensor.shape, tensor.dtype).unwrap_or(0);
            if let Some(slot) = parts.first().and_then(|(file, _)| work.get_mut(*file)) {
                *slot = slot.saturating_add(read);
            }
        }
        let mut order: Vec<(usize, u64)> = work.into_iter().enumerate().collect();
        order.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        let mut loads = vec![0u64; self.size];
        let mut share = Vec::new();
        for (file, bytes) in order {
            let least = loads.iter_mut().enumerate().min_by_key(|(rank, load)| (**load, *rank));
            let Some((rank, load)) = least else { continue };
            *load = load.saturating_add(bytes);
            if rank == self.rank {
                share.push(file);
            }
        }
        share.sort_unstable();
        share
    }
}

/// As people count: `task 1 of 8` is the first.
impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {} of {}", self.rank.saturating_add(1), self.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::sample::{cast, plan, tensor};
    use icpc_kernels::DType;

    #[test]
    fn every_file_belongs_to_one_task() {
        let tensors = (1..=9u64).map(|n| tensor(&format!("t{n}"), DType::F32, &[n * 100], cast(DType::F16)));
        let plan = Plan { shard_bytes: Some(2600), ..plan(tensors.collect()) };
        let layout = OutputLayout::of(&plan).unwrap();
        assert!(layout.files.len() > 4, "{}", layout.files.len());
        for size in 1..=12 {
            let shares = (0..size).map(|rank| Task::new(rank, size).unwrap().share(&plan, &layout));
            let mut all: Vec<usize> = shares.flatten().collect();
            all.sort_unstable();
            assert_eq!(all, (0..layout.files.len()).collect::<Vec<_>>(), "{size} tasks");
        }
        assert_eq!(Task::new(3, 3), None);
    }
}
