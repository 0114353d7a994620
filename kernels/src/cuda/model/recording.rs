//! The launches of one token, written down once and done again: on a GPU a CUDA graph. What changes from token to token (the id, how
//! many tokens there were) lies on the device at addresses that stay, and is replaced before each time.

use super::Device;
use crate::KernelError;

/// Launches that were written down, with memory of their own.
pub struct Recording<T> {
    device: Device,
    number: u64,
    owner: u64,
    /// What they yield, at the same place each time; dropped before the memory.
    result: Option<T>,
}

impl<T> Recording<T> {
    /// Do it all again; results are where they were.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    pub fn replay(&self) -> Result<&T, KernelError> {
        self.device.state().lane.replay(self.number)?;
        self.result.as_ref().ok_or_else(|| KernelError::Device {
            what: "internal error: a recording without a result".to_owned(),
        })
    }
}

impl<T> Drop for Recording<T> {
    fn drop(&mut self) {
        self.result = None;
        let mut guard = self.device.state();
        let state = &mut *guard;
        state.lane.forget(self.number);
        state.memory.recordings -= 1;
        state.memory.free_owner(state.lane.as_mut(), self.owner);
    }
}

impl<T> std::fmt::Debug for Recording<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recording").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Device {
    /// Write down what `ask` asks for, which is not done yet. It must not copy to the device or from it, and everything that it
    /// makes on first use (kernels, decoded vectors) must have been made: so the same was asked for once before. Nobody else may
    /// use the device meanwhile. What it reads and was dropped is read all the same, with whatever lies there then.
    ///
    /// # Errors
    /// What `ask` fails with, and [`KernelError::Device`].
    pub fn record<T, E: From<KernelError>>(
        &self,
        ask: impl FnOnce() -> Result<T, E>,
    ) -> Result<Recording<T>, E> {
        let owner = {
            let mut state = self.state();
            state.lane.record()?;
            state.memory.recordings += 1;
            state.memory.last_owner += 1;
            state.memory.owner = state.memory.last_owner;
            state.memory.owner
        };
        let asked = ask();
        let recorded = {
            let mut state = self.state();
            state.memory.owner = 0;
            state.lane.recorded()
        };
        // a recording that failed is ended all the same, or the stream would be of no use
        match (asked, recorded) {
            (Ok(result), Ok(number)) => {
                Ok(Recording { device: self.clone(), number, owner, result: Some(result) })
            }
            (Err(error), recorded) => {
                let mut guard = self.state();
                let state = &mut *guard;
                if let Ok(number) = recorded {
                    state.lane.forget(number);
                }
                state.memory.recordings -= 1;
                state.memory.free_owner(state.lane.as_mut(), owner);
                Err(error)
            }
            (Ok(_), Err(error)) => {
                self.state().memory.recordings -= 1;
                Err(error.into())
            }
        }
    }
}
