//! A model as it is run: prompts of 128 tokens and single tokens, of the quickstart checkpoint and of those named in
//! `ICPC_MODELS` (separated by `:`).

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a benchmark")]

use std::time::Instant;

use icpc::eval::{Model, State};

const QUICKSTART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/quickstart/itera_quickstart.pt");

/// The fastest of some runs, in milliseconds.
fn best(runs: usize, mut f: impl FnMut()) -> f64 {
    let one = |_| {
        let start = Instant::now();
        f();
        start.elapsed().as_secs_f64() * 1e3
    };
    (0..runs).map(one).fold(f64::INFINITY, f64::min)
}

fn main() {
    // `cargo test --benches` runs this, too; a figure is only worth its time when it is asked for.
    if !std::env::args().any(|a| a == "--bench") {
        return;
    }
    let named = std::env::var("ICPC_MODELS").unwrap_or_default();
    for path in std::iter::once(QUICKSTART).chain(named.split(':').filter(|p| !p.is_empty())) {
        let model = Model::open(path).unwrap();
        let vocabulary = u32::try_from(model.vocabulary().unwrap()).unwrap();
        let ids: Vec<u32> = (0..128).map(|i| i * 7 % vocabulary).collect();
        let prompt = best(30, || drop(model.logits(&ids).unwrap()));
        let tokens = best(5, || {
            let mut state = State::new();
            for id in &ids {
                model.next(&[*id], &mut state).unwrap();
            }
        });
        let name = path.rsplit('/').next().unwrap();
        let bytes = model.weight_bytes();
        println!(
            "{name}: {bytes} B; 128 tokens at once {prompt:.2} ms, one at a time {:.3} ms each",
            tokens / 128.0
        );
    }
}
