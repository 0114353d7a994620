//! Properties of dims, bounds of lengths, defaults.

use super::Lowering;
use super::dims::all_items;
use crate::arch::decl::{BoundDecl, DefaultDecl, Limit};
use crate::arch::expr::lower_expr;
use crate::arch::model::SettingValue;
use crate::base::Span;
use crate::hir::value::Kind;
use crate::syntax::tree::{ArchItem, CompareOp, DimExpr, Ident, Value, ValueKind};

impl Lowering<'_> {
    pub(super) fn values(&mut self, items: &[ArchItem]) {
        for item in all_items(items) {
            match item {
                ArchItem::Property { keyword, names, .. } => self.property(keyword, names),
                ArchItem::Bound { name, op, bound, span } => {
                    if let Some(limit) = self.limit(*op, bound, *span) {
                        self.decl.bounds.push(BoundDecl { name: name.text.clone(), limit });
                    }
                }
                ArchItem::Default { name, kind, value, bound, config_keys, span } => {
                    let written = kind_of(kind.as_ref(), value);
                    let Some(value) = self.default_value(kind.as_ref(), value) else { continue };
                    let limit = bound.as_ref().and_then(|(op, bound)| self.limit(*op, bound, *span));
                    let mut keys: Vec<String> = config_keys.iter().map(|k| k.text.clone()).collect();
                    if keys.is_empty() {
                        keys.push(name.text.clone());
                    }
                    self.decl.defaults.push(DefaultDecl {
                        name: name.text.clone(),
                        dim: None,
                        kind: written,
                        value,
                        limit,
                        config_keys: keys,
                    });
                }
                _ => {}
            }
        }
        // Only now: a bound further below may be the place where a default becomes a dim.
        for i in 0..self.decl.defaults.len() {
            let dim = self.decl.defaults.get(i).and_then(|d| self.decl.dim(&d.name));
            if let Some(default) = self.decl.defaults.get_mut(i) {
                default.dim = dim;
            }
        }
    }

    fn property(&mut self, keyword: &Ident, names: &[Ident]) {
        for name in names {
            let dim = self.decl.dims.iter_mut().find(|d| d.name == name.text);
            match (dim, keyword.text.as_str()) {
                (Some(dim), "recurrent") => dim.recurrent = true,
                (Some(dim), "residual") => dim.residual = true,
                (Some(_), other) => {
                    self.problem(
                        keyword.span,
                        format!("`{other}` is no property of a dim"),
                        "`recurrent`, `residual`",
                    );
                }
                (None, _) => {
                    let headline = format!("`{}` is no dim of `{}`", name.text, self.decl.name);
                    self.problem(name.span, headline, "declared nowhere");
                }
            }
        }
    }

    fn limit(&mut self, op: CompareOp, bound: &DimExpr, span: Span) -> Option<Limit> {
        let strict = match op {
            CompareOp::Le => false,
            CompareOp::Lt => true,
            other => {
                self.problem(span, format!("`{}` is no upper bound", other.symbol()), "write `<=` or `<`");
                return None;
            }
        };
        match lower_expr(bound, &mut |name| self.dim_in_shape(name)) {
            Ok(expr) => Some(Limit { expr, strict }),
            Err(error) => {
                self.expression_problem(error);
                None
            }
        }
    }

    fn default_value(&mut self, kind: Option<&Ident>, value: &Value) -> Option<SettingValue> {
        let lowered = match &value.kind {
            ValueKind::Int(text) => match text.parse() {
                Ok(n) => SettingValue::Int(n),
                Err(_) => {
                    self.problem(value.span, format!("{text} is beyond 64 bits"), "");
                    return None;
                }
            },
            ValueKind::Float(text) | ValueKind::Text(text) => SettingValue::Text(text.clone()),
            ValueKind::Bool(flag) => SettingValue::Text(flag.to_string()),
            ValueKind::Name(path) => {
                let names: Vec<&str> = path.segments.iter().map(|s| s.text.as_str()).collect();
                SettingValue::Text(names.join("::"))
            }
            ValueKind::Broken => return None,
            _ => {
                self.problem(value.span, "a default is a number, a string, a name or a flag", "");
                return None;
            }
        };
        if let (Some(kind), SettingValue::Text(text)) = (kind.filter(|k| k.text == "int"), &lowered) {
            self.problem(value.span, format!("`{text}` is no {}", kind.text), "");
            return None;
        }
        Some(lowered)
    }
}

/// Kind of a default as it is declared, else as its value is written.
fn kind_of(declared: Option<&Ident>, value: &Value) -> Option<Kind> {
    let written = match &value.kind {
        ValueKind::Int(_) => Some(Kind::Int),
        ValueKind::Float(_) => Some(Kind::Float),
        ValueKind::Text(_) => Some(Kind::Text),
        ValueKind::Bool(_) => Some(Kind::Bool),
        _ => None,
    };
    declared.map_or(written, |kind| Kind::from_name(&kind.text))
}
