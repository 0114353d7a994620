//! `icp.toml`: what a library of recipes is called, what it needs, and which of its recipes are tested on which listings.
//!
//! ```toml
//! name = "recipes"
//! version = "0.1.0"
//! language = 1
//!
//! [dependencies]
//! common = { path = "../common" }
//!
//! [[test]]
//! recipe = "small.icp"
//! only = ["small"]
//! listings = ["listings/*.txt"]
//! set = ["clip=99.9%"]
//! expect = ["size <= 3 MB"]
//! ```

mod find;
mod parse;

pub use find::{FILE, Finder, closure, deciding, read, seen};
pub use parse::parse;

use std::collections::BTreeMap;

/// Version of the language that this compiler speaks. It speaks the ones before it, too.
pub const LANGUAGE: u32 = 1;

/// A manifest that was read and is right by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// Name as a `use` gives it: letters, digits and `_`.
    pub name: String,
    /// Version of the library; three numbers.
    pub version: String,
    /// Version of the language that it is written in, [`LANGUAGE`] at most.
    pub language: u32,
    /// Libraries that it imports from, by name.
    pub dependencies: BTreeMap<String, Dependency>,
    /// Recipes and the listings that they are tested on.
    pub tests: Vec<Test>,
}

/// A library that another one imports from.
#[derive(Clone, Debug, PartialEq)]
pub struct Dependency {
    /// Its folder, relative to that of the manifest.
    pub path: String,
    /// Line of the manifest, from 1.
    pub line: usize,
}

/// One `[[test]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    /// File with recipes, relative to the manifest's folder.
    pub recipe: String,
    /// Names of its recipes that are tested; all when there is none.
    pub only: Vec<String>,
    /// Listings; a `*` in the last part of a path stands for any text.
    pub listings: Vec<String>,
    /// Parameters, each `name=value`.
    pub set: Vec<String>,
    /// What must hold for each pair, beside its snapshot, with the line of each.
    pub expect: Vec<(usize, String)>,
    /// Line of the manifest, from 1.
    pub line: usize,
}
