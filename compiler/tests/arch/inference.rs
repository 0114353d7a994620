//! Which architecture a checkpoint has.

use icpc::arch::{self, ArchDecl};
use icpc::stdlib;

use crate::families::{MAMBA_130M, TINY_LLAMA};
use crate::itera_lite::MICRO;
use crate::{declared, listing};

/// The architecture that fits, else what the best ones lack.
fn chosen(text: &str) -> String {
    let decls: Vec<ArchDecl> = stdlib::FILES.iter().map(|(_, text)| declared(text)).collect();
    let choice = arch::choose(&decls.iter().collect::<Vec<_>>(), &listing(text));
    match choice.fits {
        Some((arch, model)) => {
            assert_eq!(decls[arch].name, model.name);
            model.name
        }
        None => {
            let tried = choice.tried.iter().take(2).map(|t| {
                format!(
                    "{}: {} found, {} unknown, {} missing, {} conflicts",
                    t.name, t.found, t.unknown, t.missing, t.conflicts
                )
            });
            tried.collect::<Vec<_>>().join("\n")
        }
    }
}

#[test]
fn the_one_that_fits() {
    assert_eq!(chosen(MICRO), "itera_lite");
    assert_eq!(chosen(TINY_LLAMA), "llama");
    assert_eq!(chosen(MAMBA_130M), "mamba");
}

#[test]
fn the_nearest_when_none_fits() {
    insta::assert_snapshot!(chosen(&MICRO.replace(".moe.layer.", ".moe.moe.")), @"
    itera_lite: 49 found, 12 unknown, 0 missing, 1 conflicts
    transformer_baseline: 5 found, 56 unknown, 0 missing, 1 conflicts
    ");
    insta::assert_snapshot!(chosen("anything.at.all f32 [4]\n"), @"
    mamba: 0 found, 1 unknown, 9 missing, 0 conflicts
    llama: 0 found, 1 unknown, 11 missing, 0 conflicts
    ");
}
