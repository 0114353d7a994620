//! Architectures: declarations, unified with listings.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "shared/bench_data.rs"]
mod bench_data;
#[path = "arch/families.rs"]
mod families;
#[path = "arch/history.rs"]
mod history;
#[path = "arch/inference.rs"]
mod inference;
#[path = "arch/itera_lite.rs"]
mod itera_lite;
#[path = "arch/library.rs"]
mod library;
#[path = "arch/lowering.rs"]
mod lowering;
#[path = "arch/properties.rs"]
mod properties;

use icpc::arch::{self, ArchDecl, ArchModel, DeclProblem};
use icpc::checkpoint::{Schema, parse_listing};
use icpc::stdlib;
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

/// A declaration of the library.
fn library(name: &str) -> ArchDecl {
    declared(stdlib::text(&format!("std/arch/{name}.icp")).unwrap())
}

fn listing(text: &str) -> Schema {
    parse_listing("listing", text).unwrap()
}

/// The model of an architecture of the library, as text.
fn unified(arch: &str, text: &str) -> String {
    let schema = listing(text);
    let model: ArchModel = arch::unify(&library(arch), &schema, &[]);
    arch::print(&model, &schema)
}
