//! Lanes of all devices: as many operations at a time as there are, each on the device that has the fewest.

use super::launch::{Devices, Lane};
use crate::KernelError;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Lanes of a device: enough that copies in, copies out, kernels and the work of their callers overlap.
const LANES: usize = 8;

/// The lanes of one device.
struct Device<L> {
    idle: Vec<L>,
    busy: usize,
}

/// All lanes.
pub(super) struct Pool<D: Devices> {
    devices: D,
    state: Mutex<Vec<Device<D::Lane>>>,
    freed: Condvar,
}

/// A lane that one operation has. It goes back when this is dropped.
pub(super) struct Taken<'p, D: Devices> {
    pool: &'p Pool<D>,
    device: usize,
    lane: Option<D::Lane>,
}

impl<D: Devices> Pool<D> {
    pub(super) fn new(devices: D) -> Pool<D> {
        let empty = (0..devices.count()).map(|_| Device { idle: Vec::new(), busy: 0 }).collect();
        Pool { devices, state: Mutex::new(empty), freed: Condvar::new() }
    }

    pub(super) fn devices(&self) -> &D {
        &self.devices
    }

    fn state(&self) -> MutexGuard<'_, Vec<Device<D::Lane>>> {
        // a panic elsewhere leaves the lists as they were
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A lane of the least busy device; waits where all are in use.
    pub(super) fn take(&self) -> Result<Taken<'_, D>, KernelError> {
        let mut state = self.state();
        loop {
            let least = state.iter_mut().enumerate().min_by_key(|(_, device)| device.busy);
            match least {
                Some((number, device)) if device.busy < LANES => {
                    device.busy += 1;
                    let mut taken = Taken { pool: self, device: number, lane: device.idle.pop() };
                    drop(state);
                    if taken.lane.is_none() {
                        taken.lane = Some(self.devices.open(number)?);
                    }
                    return Ok(taken);
                }
                _ => state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

impl<D: Devices> Taken<'_, D> {
    /// The lane.
    pub(super) fn lane(&mut self) -> Result<&mut D::Lane, KernelError> {
        self.lane.as_mut().ok_or_else(|| KernelError::Device {
            what: "internal error: a lane is used after it was given up".to_owned(),
        })
    }

    /// Give back the memory of the device's idle lanes.
    pub(super) fn free_idle(&self) {
        let idle = match self.pool.state().get_mut(self.device) {
            Some(device) => std::mem::take(&mut device.idle),
            None => Vec::new(),
        };
        drop(idle);
    }

    /// Close the lane: after a failure nothing is known of it.
    pub(super) fn give_up(&mut self) {
        self.lane = None;
    }
}

impl<D: Devices> Drop for Taken<'_, D> {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(lane) = &mut self.lane
        {
            lane.release();
        }
        let lane = self.lane.take();
        if let Some(device) = self.pool.state().get_mut(self.device) {
            device.busy -= 1;
            device.idle.extend(lane);
        }
        self.pool.freed.notify_one();
    }
}
