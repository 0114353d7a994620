//! Which dims there are.

use std::collections::BTreeMap;

use super::Lowering;
use crate::arch::decl::DimDecl;
use crate::base::Span;
use crate::syntax::tree::{ArchItem, ArchSegment, ArchSegmentKind};

impl<'t> Lowering<'t> {
    /// Declares all dims: explicit ones where they are declared, families' where they are first counted.
    pub(super) fn collect_dims(&mut self, items: &'t [ArchItem]) {
        let mut explicit = BTreeMap::new();
        visit(items, &mut |item| match item {
            ArchItem::Dims { names, .. } => {
                for name in names {
                    if explicit.insert(name.text.as_str(), name.span).is_some() {
                        self.problem(
                            name.span,
                            format!("dim `{}` is declared twice", name.text),
                            "declared above",
                        );
                    }
                }
            }
            ArchItem::Default { name, .. }
                if self.defaults.insert(name.text.as_str(), name.span).is_some() =>
            {
                self.problem(
                    name.span,
                    format!("default `{}` is declared twice", name.text),
                    "declared above",
                );
            }
            _ => {}
        });
        visit(items, &mut |item| match item {
            ArchItem::Dims { names, .. } => {
                for name in names {
                    self.add_dim(&name.text, name.span, false);
                }
            }
            ArchItem::Block { path, .. } => self.counted(path, &explicit),
            ArchItem::Tensor(tensor) => self.counted(&tensor.path, &explicit),
            _ => {}
        });
    }

    fn counted(&mut self, path: &[ArchSegment], explicit: &BTreeMap<&str, Span>) {
        for segment in path {
            if let ArchSegmentKind::Indexed { name, dim, .. } = &segment.kind {
                let dim = dim.as_ref().unwrap_or(name);
                if !explicit.contains_key(dim.text.as_str()) {
                    self.add_dim(&dim.text, dim.span, true);
                }
            }
        }
    }

    fn add_dim(&mut self, name: &str, span: Span, implicit: bool) {
        if !name.is_empty() && self.decl.dim(name).is_none() {
            let name = name.to_owned();
            self.decl.dims.push(DimDecl { name, span, implicit, recurrent: false, residual: false });
        }
    }

    /// The dim `name`; a `default` of that name becomes a dim because it stands in a shape.
    pub(super) fn dim_in_shape(&mut self, name: &str) -> Option<usize> {
        if let Some(at) = self.defaults.get(name).copied() {
            self.add_dim(name, at, true);
        }
        self.decl.dim(name)
    }
}

/// All items, blocks and branches entered, in source order; deep nesting is refused where the blocks are lowered.
fn visit<'t>(items: &'t [ArchItem], f: &mut dyn FnMut(&'t ArchItem)) {
    let mut open: Vec<&ArchItem> = items.iter().rev().collect();
    while let Some(item) = open.pop() {
        f(item);
        match item {
            ArchItem::Block { items, .. } => open.extend(items.iter().rev()),
            ArchItem::Either { branches, .. } => open.extend(branches.iter().flatten().rev()),
            _ => {}
        }
    }
}

/// All items, blocks and branches entered, in source order.
pub(super) fn all_items(items: &[ArchItem]) -> Vec<&ArchItem> {
    let mut all = Vec::new();
    visit(items, &mut |item| all.push(item));
    all
}
