//! Models are run: logits of other programs are reached.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![cfg(feature = "exec")]

#[path = "model/activations.rs"]
mod activations;
#[path = "model/bench.rs"]
mod bench;
#[path = "shared/bench_data.rs"]
mod bench_data;
#[path = "model/decided.rs"]
mod decided;
#[path = "model/families.rs"]
mod families;
#[path = "model/fixtures.rs"]
mod fixtures;
#[path = "model/outputs.rs"]
mod outputs;
#[path = "model/own.rs"]
mod own;
#[path = "model/pages.rs"]
mod pages;
#[path = "model/perplexity.rs"]
mod perplexity;
#[path = "model/quick.rs"]
mod quick;
#[path = "model/quickstart.rs"]
mod quickstart;
#[path = "model/reference.rs"]
mod reference;
#[path = "model/sensitivity.rs"]
mod sensitivity;
