//! The presets of the library: what they make of published models, and that the program holds them.
//!
//! `icpc test stdlib/presets --accept` takes what is said now: read it before committing.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;

use icpc::library::{State, World, outcomes, stray};
use icpc::stdlib;
use icpc_tests::repository;

#[test]
fn presets_make_of_published_models_what_they_made() {
    let world = World::read(&repository::root().join("stdlib/presets")).unwrap();
    let all = outcomes(&world).unwrap();
    let wrong = all.iter().filter(|o| o.state != State::Passed);
    let wrong: Vec<String> = wrong.map(|o| format!("{}\n{}", o.name, o.problems.join("\n"))).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert_eq!(stray(&world).unwrap(), Vec::<String>::new());
    assert!(all.len() >= 31, "{} tests", all.len());
}

#[test]
fn the_library_that_is_tested_is_the_one_inside() {
    for (folder, inside) in [("arch", stdlib::ARCHITECTURES), ("presets", stdlib::PRESETS)] {
        let below = format!("stdlib/{folder}");
        let on_disk: BTreeSet<String> = repository::files(&below, "icp").into_iter().collect();
        let named = inside.iter().map(|(path, _)| path.replace("std/", "stdlib/"));
        assert_eq!(named.collect::<BTreeSet<String>>(), on_disk, "compiler/src/stdlib.rs and {below}");
    }
}

/// Every model has its three, so that a user need not look.
#[test]
fn every_file_has_safe_balanced_and_small() {
    for (path, text) in stdlib::PRESETS {
        for name in ["safe", "balanced", "small"] {
            assert!(text.contains(&format!("recipe {name}(")), "{path} has no `{name}`");
        }
    }
}
