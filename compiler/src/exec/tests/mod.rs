//! Whole runs on small checkpoints.

mod bytes;
mod failures;
mod pruning;
mod reading;
mod resuming;
