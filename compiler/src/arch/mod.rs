//! Architectures: declarations in `.icp`, unified with the names and shapes of a checkpoint.

pub mod model;
// STUB-BEGIN
pub use model::ArchModel;
#[derive(Clone, Debug, PartialEq)]
pub struct ArchDecl;
#[derive(Clone, Debug, PartialEq)]
pub struct DeclProblem { pub span: crate::base::Span, pub headline: String, pub label: String }
pub fn lower(_: &crate::syntax::tree::Arch) -> (ArchDecl, Vec<DeclProblem>) { (ArchDecl, vec![]) }
pub fn unify(_: &ArchDecl, s: &crate::checkpoint::Schema, _: &[(String, model::SettingValue)]) -> ArchModel {
    ArchModel { name: "stub".into(), dims: vec![], tensors: vec![None; s.tensors.len()], families: vec![], settings: vec![], bounds: vec![], conflicts: vec![] }
}
pub fn print(_: &ArchModel, _: &crate::checkpoint::Schema) -> String { String::new() }
// STUB-END
