//! Which architecture a checkpoint has.

use icpc::arch::model::SettingValue;
use icpc::arch::{self, ArchDecl};
use icpc::stdlib;

use crate::families::{MAMBA_130M, TINY_LLAMA};
use crate::itera_lite::MICRO;
use crate::{declared, listing};

/// The architecture that fits.
fn chosen(text: &str) -> Option<String> {
    let decls: Vec<ArchDecl> = stdlib::ARCHITECTURES.iter().map(|(_, text)| declared(text)).collect();
    let (arch, model) = arch::choose(&decls.iter().collect::<Vec<_>>(), &listing(text), &[])?;
    assert_eq!(decls[arch].name, model.name);
    assert!(model.fits());
    Some(model.name)
}

#[test]
fn the_one_that_fits() {
    assert_eq!(chosen(MICRO).as_deref(), Some("itera_lite"));
    assert_eq!(chosen(TINY_LLAMA).as_deref(), Some("llama"));
    assert_eq!(chosen(MAMBA_130M).as_deref(), Some("mamba"));
}

#[test]
fn none_fits() {
    assert_eq!(chosen(&MICRO.replace(".moe.layer.", ".moe.moe.")), None);
    assert_eq!(chosen("anything.at.all f32 [4]\n"), None);
}

#[test]
fn settings_choose_nothing() {
    let decl = declared(stdlib::text("std/arch/llama.icp").unwrap());
    let heads = [("heads".to_owned(), SettingValue::Int(7))];
    let (_, model) = arch::choose(&[&decl], &listing(TINY_LLAMA), &heads).unwrap();
    assert!(!model.fits(), "7 heads do not divide the rows");
    assert_eq!(arch::unify(&decl, &listing(TINY_LLAMA), &heads), model);
}
