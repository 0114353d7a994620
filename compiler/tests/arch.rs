//! Architectures: declarations, unified with listings.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "arch/declared.rs"]
mod declared;
#[path = "arch/families.rs"]
mod families;
#[path = "arch/itera_lite.rs"]
mod itera_lite;
#[path = "arch/lowering.rs"]
mod lowering;

use icpc::arch::{self, ArchDecl, ArchModel, DeclProblem};
use icpc::checkpoint::{Schema, parse_listing};
use icpc::syntax::{parse, tree};

/// The declaration in `text` and what is wrong with it.
fn lower(text: &str) -> (ArchDecl, Vec<DeclProblem>) {
    let file = parse(text);
    assert!(file.errors.is_empty(), "{:#?}", file.errors);
    let arch = file.items.iter().find_map(|item| match item {
        tree::Item::Arch(arch) => Some(arch),
        _ => None,
    });
    arch::lower(arch.unwrap())
}

/// The declaration in `text`, which is right.
fn declared(text: &str) -> ArchDecl {
    let (decl, problems) = lower(text);
    assert_eq!(problems, []);
    decl
}

fn listing(text: &str) -> Schema {
    parse_listing("listing", text).unwrap()
}

/// The model as text.
fn unified(arch: &str, text: &str) -> String {
    let schema = listing(text);
    let model: ArchModel = arch::unify(&declared(arch), &schema, &[]);
    arch::print(&model, &schema)
}
