//! From the syntax tree of an `arch` to a declaration whose names are resolved.

mod dims;
mod names;
mod ties;
mod values;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::names::Place;
use super::decl::{ArchDecl, BranchRef, DeclProblem, EitherDecl, Expr, PathStep, TensorDecl};
use super::expr::{ExprError, lower_expr};
use crate::base::Span;
use crate::syntax::tree::{Arch, ArchItem, DimExpr, TensorDecl as TensorTree};

/// Tensors of one declaration with all braces multiplied out; real ones have a few hundred.
const MAX_TENSORS: usize = 20_000;
/// Blocks in blocks.
const MAX_DEPTH: usize = 64;

/// Resolves `tree`; what is wrong with it is left out of the declaration and listed, in source order.
pub fn lower(tree: &Arch) -> (ArchDecl, Vec<DeclProblem>) {
    let mut lowering = Lowering::default();
    lowering.decl.name = tree.name.text.clone();
    lowering.decl.docs = tree.docs.clone();
    lowering.collect_dims(&tree.items);
    lowering.items(&tree.items, &Place::default(), 0);
    lowering.ties();
    lowering.values(&tree.items);
    let mut problems = lowering.problems;
    problems.sort_by_key(|p| p.span);
    // Braces multiply a line out, and with it what is wrong with the line.
    problems.dedup();
    (lowering.decl, problems)
}

#[derive(Default)]
struct Lowering<'t> {
    decl: ArchDecl,
    problems: Vec<DeclProblem>,
    /// Tensors by path: the same path may stand in different branches.
    paths: BTreeMap<Vec<PathStep>, Vec<usize>>,
    /// Names of `default`s, and where: in a shape they are dims.
    defaults: BTreeMap<&'t str, Span>,
    ties: Vec<ties::Tie<'t>>,
    overflowed: bool,
}

impl<'t> Lowering<'t> {
    fn problem(&mut self, span: Span, headline: impl Into<String>, label: impl Into<String>) {
        self.problems.push(DeclProblem { span, headline: headline.into(), label: label.into() });
    }

    fn items(&mut self, items: &'t [ArchItem], place: &Place, depth: usize) {
        for item in items {
            match item {
                ArchItem::Tensor(tensor) => self.tensor(tensor, place),
                ArchItem::Block { span, .. } | ArchItem::Either { span, .. } if depth >= MAX_DEPTH => {
                    self.problem(*span, format!("more than {MAX_DEPTH} blocks in blocks"), "");
                }
                ArchItem::Block { path, items, .. } => {
                    for inner in self.places(place, path) {
                        self.items(items, &inner, depth + 1);
                    }
                }
                ArchItem::Either { branches, .. } => self.either(branches, place, depth),
                ArchItem::Tie { alias, target, span } => {
                    for alias in self.places(place, alias) {
                        self.ties.push(ties::Tie { alias, target, place: place.clone(), span: *span });
                    }
                }
                // Dims come first, values last, whatever the order they are written in; forward is given meaning
                // by the model graph.
                ArchItem::Dims { .. }
                | ArchItem::Property { .. }
                | ArchItem::Bound { .. }
                | ArchItem::Default { .. }
                | ArchItem::Forward { .. } => {}
            }
        }
    }

    /// A single branch is no choice; the parser has said so.
    fn either(&mut self, branches: &'t [Vec<ArchItem>], place: &Place, depth: usize) {
        let either = self.decl.eithers.len();
        self.decl.eithers.push(EitherDecl {
            branches: branches.len().max(1),
            path: place.path.clone(),
            within: place.within,
            inside: place.inside.clone(),
        });
        for (branch, items) in branches.iter().enumerate() {
            let mut inner = place.clone();
            inner.inside.push(BranchRef { either, branch });
            self.items(items, &inner, depth + 1);
        }
    }

    fn tensor(&mut self, tree: &TensorTree, place: &Place) {
        let mut path = tree.path.clone();
        let optional =
            path.last_mut().is_some_and(|last| std::mem::take(&mut last.optional)) || tree.optional;
        let shape: Vec<Expr> = tree.shape.iter().map(|axis| self.axis(axis)).collect();
        let mut roles: Vec<String> = tree.roles.iter().map(|r| r.text.clone()).collect();
        roles.sort();
        roles.dedup();
        let roles: Arc<[String]> = roles.into();
        for place in self.places(place, &path) {
            let tensor = TensorDecl {
                path: place.path,
                within: place.within,
                inside: place.inside,
                optional,
                shape: shape.clone(),
                roles: Arc::clone(&roles),
                span: tree.span,
                alias_of: None,
            };
            self.declare(tensor);
        }
    }

    /// Adds a tensor unless it is there already.
    fn declare(&mut self, tensor: TensorDecl) -> Option<usize> {
        if self.decl.tensors.len() >= MAX_TENSORS {
            if !std::mem::replace(&mut self.overflowed, true) {
                let headline = format!("the architecture declares more than {MAX_TENSORS} tensors");
                self.problem(tensor.span, headline, "braces multiply out to too many names");
            }
            return None;
        }
        let same = self.paths.entry(tensor.path.clone()).or_default();
        let together = |other: &usize| {
            self.decl.tensors.get(*other).is_some_and(|other| !exclusive(&other.inside, &tensor.inside))
        };
        if same.iter().any(together) {
            let headline = format!("`{}` is declared twice", self.decl.pattern(&tensor.path));
            self.problem(tensor.span, headline, "declared above");
            return None;
        }
        same.push(self.decl.tensors.len());
        self.decl.tensors.push(tensor);
        Some(self.decl.tensors.len() - 1)
    }

    fn axis(&mut self, tree: &DimExpr) -> Expr {
        let lowered = lower_expr(tree, &mut |name| self.dim_in_shape(name));
        lowered.unwrap_or_else(|error| {
            self.expression_problem(error);
            Expr { text: "?".to_owned(), terms: Vec::new() }
        })
    }

    fn expression_problem(&mut self, error: ExprError) {
        match error {
            ExprError::Unknown(name, span) => {
                self.problem(span, format!("`{name}` is no dim of `{}`", self.decl.name), "declared nowhere");
            }
            ExprError::TooLong(span) => {
                self.problem(span, "the expression is too long", "more than 64 factors")
            }
            ExprError::Interleaved(span) => {
                self.problem(
                    span,
                    "a dim times a sum is no length of an axis",
                    "write the sum's terms one by one",
                );
            }
        }
    }
}

/// Whether two tensors stand in different branches of one `either`, so that never both are there.
fn exclusive(a: &[BranchRef], b: &[BranchRef]) -> bool {
    a.iter().any(|a| b.iter().any(|b| a.either == b.either && a.branch != b.branch))
}
