//! Recipes, and the small items of a file.

use super::inline::{path_text, words};
use super::rows::Row;
use super::{Formatter, WIDTH};
use crate::base::Span;
use crate::syntax::tree::{
    Arg, Arm, Const, Derive, Ident, Param, Prune, Recipe, RecipeItem, Requirement, Use, UseFrom, Value,
};

impl Formatter<'_> {
    pub(super) fn use_item(&mut self, item: &Use, next: usize) {
        let from = match &item.from {
            UseFrom::Path(path) => path_text(path),
            UseFrom::File { span, .. } => self.slice(*span).to_owned(),
        };
        let names =
            if item.names.is_empty() { String::new() } else { format!("::{{{}}}", words(&item.names)) };
        self.row(item.span, next, Row::cells([format!("use {from}{names};")]));
    }

    pub(super) fn const_item(&mut self, item: &Const, next: usize) {
        let head = format!("const {}{} = ", item.name.text, kind(item.kind.as_ref()));
        self.statement(item.span, next, &head, &item.value, "");
    }

    /// `head value tail;`, its value broken where the line is too long.
    fn statement(&mut self, span: Span, next: usize, head: &str, value: &Value, tail: &str) {
        let room = WIDTH.saturating_sub(self.indent * 4 + tail.len() + 1);
        let mut lines = self.value_lines(value, head.len(), room);
        if let Some(first) = lines.first_mut() {
            first.insert_str(0, head);
        }
        if let Some(last) = lines.last_mut() {
            last.push_str(tail);
            last.push(';');
        }
        self.row(span, next, Row::lines(lines));
    }

    pub(super) fn derive(&mut self, derive: &Derive, next: usize) {
        let base = derive.base.as_ref().map(path_text).unwrap_or_default();
        let end = derive.base.as_ref().map_or(derive.name.span, |base| base.span);
        let head = format!("derive {} from {base}", derive.name.text);
        self.fields(&head, derive.span, end.range().end, &derive.fields, next);
    }

    pub(super) fn recipe(&mut self, recipe: &Recipe, next: usize) {
        let mut head = format!("recipe {}", recipe.name.text);
        let mut end = recipe.name.span;
        if let Some(last) = recipe.params.last() {
            let params: Vec<String> = recipe.params.iter().map(|p| self.param(p)).collect();
            head.push_str(&format!("({})", params.join(", ")));
            end = end.cover(last.span);
        }
        if let Some(extends) = &recipe.extends {
            let args = if extends.args.is_empty() {
                String::new()
            } else {
                format!("({})", self.args(&extends.args))
            };
            head.push_str(&format!(" extends {}{args}", path_text(&extends.base)));
            end = end.cover(extends.span);
        }
        if let Some(arch) = &recipe.arch {
            head.push_str(&format!(" for {}", path_text(arch)));
            end = end.cover(arch.span);
        }
        let (open, close) =
            (self.find(end.range().end, recipe.span.range().end, ['{']), recipe.span.range().end - 1);
        self.block(head, recipe.span.range().start, open, close, next, |f, close| {
            for (i, item) in recipe.items.iter().enumerate() {
                let next = recipe.items.get(i + 1).map_or(close, |n| item_span(n).range().start);
                f.leading(item_span(item).range().start);
                f.recipe_item(item, next);
            }
        });
    }

    fn param(&self, param: &Param) -> String {
        let default = param.default.as_ref().map(|v| format!(" = {}", self.value(v))).unwrap_or_default();
        format!("{}{}{default}", param.name.text, kind(param.kind.as_ref()))
    }

    fn recipe_item(&mut self, item: &RecipeItem, next: usize) {
        match item {
            RecipeItem::Checkpoint { value, span, .. } => {
                self.statement(*span, next, "checkpoint ", value, "")
            }
            RecipeItem::Target { value, span, .. } => self.statement(*span, next, "target ", value, ""),
            RecipeItem::Casts { value, span, .. } => self.statement(*span, next, "casts ", value, ""),
            RecipeItem::Set { name, value, span } => {
                self.statement(*span, next, &format!("set {} = ", name.text), value, "");
            }
            RecipeItem::Emit { path, container, span, .. } => match container {
                Some(container) => {
                    let head = format!("emit {} as ", self.value(path));
                    self.statement(*span, next, &head, container, "");
                }
                None => self.statement(*span, next, "emit ", path, ""),
            },
            RecipeItem::Prune(prune) => self.prune(prune, next),
            RecipeItem::Settings { keyword, fields, span } => {
                self.fields(&keyword.text, *span, keyword.span.range().end, fields, next);
            }
            RecipeItem::Assign { keyword, arms, span } => {
                let open = self.find(keyword.range().end, span.range().end, ['{']);
                let close = span.range().end - 1;
                self.block("assign".to_owned(), span.range().start, open, close, next, |f, close| {
                    f.arms(arms, close)
                });
            }
            RecipeItem::Require { keyword, requirements, span } => {
                let open = self.find(keyword.range().end, span.range().end, ['{']);
                let close = span.range().end - 1;
                self.block("require".to_owned(), span.range().start, open, close, next, |f, close| {
                    f.requirements(requirements, close);
                });
            }
        }
    }

    fn prune(&mut self, prune: &Prune, next: usize) {
        let dim = prune.dim.as_ref().map(|d| format!("dim {} in ", d.text)).unwrap_or_default();
        let head = format!("prune {dim}{}", self.pattern(&prune.pattern));
        self.fields(&head, prune.span, prune.pattern.span.range().end, &prune.fields, next);
    }

    /// Fields in one line if they were written so and fit, else one a line.
    fn fields(&mut self, head: &str, span: Span, head_end: usize, fields: &[Arg], next: usize) {
        let open = self.find(head_end, span.range().end, ['{']);
        let close = span.range().end - 1;
        let line = format!("{head} {{ {} }}", self.args(fields));
        let first = fields.first().map_or(close, |f| f.span.range().start);
        let as_written = self.text.get(open..first).is_some_and(|gap| !gap.contains('\n'));
        let fits = Row::cells([line.clone()]).width(self.indent) <= WIDTH;
        if !fields.is_empty() && as_written && fits && !self.comments.any_before(span.range().end) {
            self.row(span, next, Row::cells([line]));
            return;
        }
        self.block(head.to_owned(), span.range().start, open, close, next, |f, close| {
            for (i, field) in fields.iter().enumerate() {
                let next = fields.get(i + 1).map_or(close, |n| n.span.range().start);
                f.leading(field.span.range().start);
                let mut lines = f.arg_lines(field, WIDTH.saturating_sub(f.indent * 4 + 1));
                if let Some(last) = lines.last_mut() {
                    last.push(',');
                }
                f.row(field.span, next, Row::lines(lines));
            }
        });
    }

    fn arms(&mut self, arms: &[Arm], close: usize) {
        for (i, arm) in arms.iter().enumerate() {
            let next = arms.get(i + 1).map_or(close, |n| n.span.range().start);
            self.leading(arm.span.range().start);
            let row = Row::cells([self.pattern(&arm.pattern), format!("=> {},", self.value(&arm.format))]);
            let row = if row.width(self.indent) > WIDTH { self.long_arm(arm) } else { row };
            self.row(arm.span, next, row);
        }
    }

    /// One alternative a line, and the format's arguments too if that is not enough.
    fn long_arm(&self, arm: &Arm) -> Row {
        let mut lines = self.alternatives(&arm.pattern);
        if let Some(last) = lines.last_mut() {
            last.push_str(&self.pattern_tail(&arm.pattern));
            last.push_str(" => ");
        }
        let used = lines.last().map_or(0, |l| super::rows::columns(l));
        let mut value =
            self.value_lines(&arm.format, used, WIDTH.saturating_sub(self.indent * 4 + 1)).into_iter();
        if let (Some(last), Some(first)) = (lines.last_mut(), value.next()) {
            last.push_str(&first);
        }
        lines.extend(value);
        if let Some(last) = lines.last_mut() {
            last.push(',');
        }
        Row::lines(lines)
    }

    fn requirements(&mut self, requirements: &[Requirement], close: usize) {
        for (i, r) in requirements.iter().enumerate() {
            let next = requirements.get(i + 1).map_or(close, |n| n.span.range().start);
            self.leading(r.span.range().start);
            let bound = format!("{} {};", r.op.symbol(), self.value(&r.bound));
            self.row(r.span, next, Row::cells([r.metric.text.clone(), bound]));
        }
    }
}

pub(super) fn kind(kind: Option<&Ident>) -> String {
    kind.map(|k| format!(": {}", k.text)).unwrap_or_default()
}

fn item_span(item: &RecipeItem) -> Span {
    match item {
        RecipeItem::Checkpoint { span, .. }
        | RecipeItem::Target { span, .. }
        | RecipeItem::Casts { span, .. }
        | RecipeItem::Set { span, .. }
        | RecipeItem::Assign { span, .. }
        | RecipeItem::Settings { span, .. }
        | RecipeItem::Require { span, .. }
        | RecipeItem::Emit { span, .. } => *span,
        RecipeItem::Prune(prune) => prune.span,
    }
}
