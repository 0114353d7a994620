//! Runs that are killed, asked to end or stopped by the file system, with the program itself: the same command goes on,
//! and its output is that of a run that nobody disturbed. `ICPC_CRASHES` says how many kills there are.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const RECIPE: &str = r#"
recipe crash {
    checkpoint "model.safetensors";

    prune heads { keep heads 12 by l2; }

    assign {
        *.skip     => keep
        *.nested   => nf4(double: true)
        *.whole    => int8(scale: tensor)
        *.blocks   => int4(block: 64)
        _          => fp16
    }

    emit "out";
}
"#;

/// A fixed generator of the times at which runs are killed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound.max(1)
    }
}
