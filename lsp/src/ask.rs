//! How a question is answered: on a thread of its own, on a snapshot, again if a change came in between.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use salsa::Database;
use tokio::sync::{Notify, watch};
use tower_lsp::Client;
use tower_lsp::jsonrpc::{Error, Result};
use tower_lsp::ls_types::Uri;

use crate::convert;
use crate::disk;
use crate::features::Feature;
use crate::state::{State, World};

/// How often a question is asked when changes cancel its answer.
const ATTEMPTS: usize = 3;

/// What handlers and the keeper share.
pub struct Shared {
    state: Mutex<State>,
    /// The way to the client. Never awaited in a handler.
    pub client: Client,
    /// Rung after each change; the keeper listens.
    pub changed: Notify,
    /// Last change whose files have been read.
    pub settled: watch::Sender<u64>,
    /// Whether the folders of the workspace have been looked through.
    pub walked: watch::Sender<bool>,
}

/// How a computation ended.
#[derive(Debug)]
pub enum Outcome<T> {
    /// With a value.
    Done(T),
    /// A change made it worthless.
    Changed,
    /// Nobody waits for it any more.
    Cancelled,
    /// With a bug of ours, which is on standard error.
    Failed,
}

impl Shared {
    /// The state of a new server.
    pub fn new(client: Client) -> Shared {
        Shared {
            state: Mutex::default(),
            client,
            changed: Notify::new(),
            settled: watch::Sender::new(0),
            walked: watch::Sender::new(false),
        }
    }

    /// The state. It is held for moments only, never across an `.await`.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers a request.
    ///
    /// # Errors
    /// `ContentModified` when the document changed since, or changes kept cancelling the answer.
    pub async fn ask<F: Feature>(&self, params: F::Params) -> Result<F::Answer> {
        let path = F::document(&params).map(|uri: &Uri| convert::path_of(uri));
        let params = Arc::new(params);
        let version = {
            let state = self.lock();
            path.as_ref().and_then(|p| state.documents().get(p)).map(|d| d.version)
        };
        // These channels are closed only with the server.
        if F::NEEDS_WORKSPACE {
            let _ = self.walked.subscribe().wait_for(|walked| *walked).await;
        }
        if F::NEEDS_FILES || F::NEEDS_WORKSPACE {
            let generation = self.lock().generation();
            let _ = self.settled.subscribe().wait_for(|settled| *settled >= generation).await;
        }
        let folder = F::folder(&self.lock(), &params);
        let folder = match folder {
            Some(folder) => {
                tokio::task::spawn_blocking(move || disk::inside(&folder)).await.ok().map(Arc::new)
            }
            None => None,
        };
        for _ in 0..ATTEMPTS {
            let mut world = self.lock().world();
            world.folder = folder.clone();
            // Positions are of the text that the client saw.
            if path.as_ref().and_then(|p| world.version(p)) != version {
                return Err(Error::content_modified());
            }
            let params = Arc::clone(&params);
            match run(world, move |world| F::answer(world, &params)).await {
                Outcome::Done(answer) => return answer,
                Outcome::Changed => {}
                Outcome::Cancelled => return Err(Error::request_cancelled()),
                Outcome::Failed => return Err(Error::internal_error()),
            }
        }
        Err(Error::content_modified())
    }
}

/// Runs `compute` on a thread for computations. When the returned future is dropped, the computation is cancelled.
pub async fn run<T: Send + 'static>(
    world: World,
    compute: impl FnOnce(&World) -> T + Send + 'static,
) -> Outcome<T> {
    let guard = CancelOnDrop(world.session.database().cancellation_token());
    let task = tokio::task::spawn_blocking(move || {
        let attached = || world.session.database().attach(|_| compute(&world));
        let outcome = catch_unwind(AssertUnwindSafe(attached));
        // Before anything else: changes wait for it.
        drop(world);
        match outcome {
            Ok(value) => Outcome::Done(value),
            Err(payload) => unwound(payload.as_ref()),
        }
    });
    let outcome = task.await.unwrap_or(Outcome::Failed);
    drop(guard);
    outcome
}

fn unwound<T>(payload: &(dyn Any + Send)) -> Outcome<T> {
    match payload.downcast_ref::<salsa::Cancelled>() {
        Some(salsa::Cancelled::PendingWrite) => Outcome::Changed,
        Some(salsa::Cancelled::Local) => Outcome::Cancelled,
        // The panic hook has written the message.
        _ => Outcome::Failed,
    }
}

/// Cancels the computation of a future that was dropped, as `$/cancelRequest` does.
struct CancelOnDrop(salsa::CancellationToken);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    /// Reads until it is told to stop, as a query does.
    fn read(world: &World) {
        loop {
            world.session.database().unwind_if_revision_cancelled();
            std::thread::sleep(Duration::from_micros(50));
        }
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    #[test]
    fn a_bug_ends_one_request_only() {
        let outcome = block_on(run(State::default().world(), |_| panic!("a test panics")));
        assert!(matches!(outcome, Outcome::<()>::Failed));
    }

    #[test]
    fn a_change_ends_a_reader() {
        let mut state = State::default();
        let uri: Uri = "file:///a.icp".parse().unwrap();
        let outcome = block_on(async {
            let (started, is_reading) = channel();
            let reader = tokio::spawn(run(state.world(), move |world| {
                started.send(()).unwrap();
                read(world);
            }));
            tokio::task::yield_now().await;
            is_reading.recv().unwrap();
            // Waits for the reader: without its unwinding this would never return.
            state.open(uri, 1, "recipe r {}".to_owned());
            reader.await.unwrap()
        });
        assert!(matches!(outcome, Outcome::<()>::Changed));
    }

    #[test]
    fn a_request_that_is_dropped_is_not_computed_to_its_end() {
        let mut state = State::default();
        let (ended, has_ended) = channel();
        /// Tells when the computation is left, however that happens.
        struct Leaving(std::sync::mpsc::Sender<()>);
        impl Drop for Leaving {
            fn drop(&mut self) {
                let _ = self.0.send(());
            }
        }
        block_on(async {
            let (started, is_reading) = channel();
            let request = tokio::spawn(run(state.world(), move |world| {
                let _leaving = Leaving(ended);
                started.send(()).unwrap();
                read(world);
            }));
            tokio::task::yield_now().await;
            is_reading.recv().unwrap();
            request.abort();
            assert!(request.await.unwrap_err().is_cancelled());
        });
        has_ended.recv_timeout(Duration::from_secs(60)).unwrap();
        state.look();
    }
}
