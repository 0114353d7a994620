//! The model of the quickstart, and what it is run on.

use icpc::eval::{Model, Tokens};

pub(crate) const QUICKSTART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/quickstart");

pub(crate) fn quickstart() -> Model {
    Model::open(&format!("{QUICKSTART}/itera_quickstart.pt")).unwrap()
}

pub(crate) fn text() -> Tokens {
    let at = |name: &str| format!("{QUICKSTART}/{name}");
    Tokens::read(&at("corpus_heldout.txt"), Some(&at("tokenizer.json"))).unwrap()
}

pub(crate) fn ids_of(length: u32) -> Vec<u32> {
    (0..length).map(|i| i * 37 % 640).collect()
}
