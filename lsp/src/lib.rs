//! Language server for `.icp` recipes, over the queries of [`icpc::session::Session`].
//!
//! ```text
//!  client ─ server ─┬─ did_open, did_change, ... ─ state ── changed! ──┐
//!                   │                                │ snapshot        │
//!                   └─ requests ─ ask ─ features/* ──┘        keep ────┴─ disk: reads what open recipes name
//!                                        convert: bytes ↔ positions     └─ publishes diagnostics
//! ```
//!
//! - A notification changes [`state`] before its first `.await`, so changes have the order of their messages.
//! - A request computes on a thread of its own, on a snapshot that is dropped with the answer. A change makes readers
//!   unwind; they are asked again, at most twice.
//! - Nothing in a handler waits for the client.
//!
//! A feature is one file of [`features`] and one line of its list.

#![forbid(unsafe_code)]

pub mod ask;
pub mod client;
pub mod convert;
pub mod disk;
pub mod document;
pub mod edits;
pub mod features;
pub mod frames;
pub mod keep;
pub mod load;
pub mod markup;
pub mod server;
pub mod state;
pub mod views;
pub mod walk;
pub mod watch;
