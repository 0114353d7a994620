//! A dump of a tree for people and snapshots: one node a line, no spans, everything else.
//!
//! Two texts with the same dump mean the same; the formatter is tested by that.

use std::fmt::Write as _;

use super::tree::{
    Alternative, Arch, ArchItem, ArchSegment, ArchSegmentKind, Arg, DimExpr, DimExprKind, File, Filter,
    GlobPart, Ident, Item, Path, Pattern, Recipe, RecipeItem, Segment, SegmentKind, SyntaxError, TensorDecl,
    UseFrom, Value, ValueKind,
};

/// Dump of a file, its errors last.
pub fn print(file: &File) -> String {
    let mut printer = Printer::default();
    printer.docs(&file.docs);
    for item in &file.items {
        printer.item(item);
    }
    for SyntaxError { span, headline, .. } in &file.errors {
        printer.line(format_args!("error {}..{}: {headline}", span.start, span.end));
    }
    printer.out
}

#[derive(Default)]
struct Printer {
    out: String,
    depth: usize,
}

impl Printer {
    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.out, "{:width$}{text}", "", width = self.depth * 2);
    }

    fn nested(&mut self, inner: impl FnOnce(&mut Printer)) {
        self.depth += 1;
        inner(self);
        self.depth -= 1;
    }

    fn docs(&mut self, docs: &str) {
        if !docs.is_empty() {
            self.line(format_args!("docs {docs:?}"));
        }
    }

    fn item(&mut self, item: &Item) {
        match item {
            Item::Use(u) => {
                let from = match &u.from {
                    UseFrom::Path(path) => path_text(path),
                    UseFrom::File { path, .. } => format!("file {path:?}"),
                };
                let names =
                    if u.names.is_empty() { String::new() } else { format!(" names {}", words(&u.names)) };
                self.line(format_args!("use {from}{names}"));
            }
            Item::Const(c) => {
                self.line(format_args!(
                    "const {}{} = {}",
                    c.name.text,
                    kind_text(c.kind.as_ref()),
                    value_text(&c.value)
                ));
                self.nested(|p| p.docs(&c.docs));
            }
            Item::Recipe(recipe) => self.recipe(recipe),
            Item::Arch(arch) => self.arch(arch),
            Item::Derive(d) => {
                let base = d.base.as_ref().map(path_text).unwrap_or_default();
                self.line(format_args!("derive {} from {base}", d.name.text));
                self.nested(|p| {
                    p.docs(&d.docs);
                    p.fields(&d.fields);
                });
            }
        }
    }

    fn recipe(&mut self, recipe: &Recipe) {
        self.line(format_args!("recipe {}", recipe.name.text));
        self.nested(|p| {
            p.docs(&recipe.docs);
            for param in &recipe.params {
                let default =
                    param.default.as_ref().map(|v| format!(" = {}", value_text(v))).unwrap_or_default();
                p.line(format_args!("param {}{}{default}", param.name.text, kind_text(param.kind.as_ref())));
            }
            if let Some(extends) = &recipe.extends {
                p.line(format_args!("extends {}({})", path_text(&extends.base), args_text(&extends.args)));
            }
            if let Some(arch) = &recipe.arch {
                p.line(format_args!("for {}", path_text(arch)));
            }
            recipe.items.iter().for_each(|item| p.recipe_item(item));
        });
    }

    fn recipe_item(&mut self, item: &RecipeItem) {
        match item {
            RecipeItem::Checkpoint { value, .. } => {
                self.line(format_args!("checkpoint {}", value_text(value)))
            }
            RecipeItem::Target { value, .. } => self.line(format_args!("target {}", value_text(value))),
            RecipeItem::Casts { value, .. } => self.line(format_args!("casts {}", value_text(value))),
            RecipeItem::Set { name, value, .. } => {
                self.line(format_args!("set {} = {}", name.text, value_text(value)))
            }
            RecipeItem::Prune(prune) => {
                let dim = prune.dim.as_ref().map(|d| format!("dim {} in ", d.text)).unwrap_or_default();
                self.line(format_args!("prune {dim}{}", pattern_text(&prune.pattern)));
                self.nested(|p| p.fields(&prune.fields));
            }
            RecipeItem::Assign { arms, .. } => {
                self.line(format_args!("assign"));
                self.nested(|p| {
                    for arm in arms {
                        p.line(format_args!("{} => {}", pattern_text(&arm.pattern), value_text(&arm.format)));
                    }
                });
            }
            RecipeItem::Settings { keyword, fields, .. } => {
                self.line(format_args!("{}", keyword.text));
                self.nested(|p| p.fields(fields));
            }
            RecipeItem::Require { requirements, .. } => {
                self.line(format_args!("require"));
                self.nested(|p| {
                    for r in requirements {
                        p.line(format_args!("{} {} {}", r.metric.text, r.op.symbol(), value_text(&r.bound)));
                    }
                });
            }
            RecipeItem::Emit { path, container, .. } => {
                let container =
                    container.as_ref().map(|c| format!(" as {}", value_text(c))).unwrap_or_default();
                self.line(format_args!("emit {}{container}", value_text(path)));
            }
        }
    }

    fn fields(&mut self, fields: &[Arg]) {
        for field in fields {
            self.line(format_args!("{}", args_text(std::slice::from_ref(field))));
        }
    }

    fn arch(&mut self, arch: &Arch) {
        self.line(format_args!("arch {}", arch.name.text));
        self.nested(|p| {
            p.docs(&arch.docs);
            arch.items.iter().for_each(|item| p.arch_item(item));
        });
    }

    fn arch_item(&mut self, item: &ArchItem) {
        match item {
            ArchItem::Dims { names, .. } => self.line(format_args!("dim {}", words(names))),
            ArchItem::Tensor(tensor) => self.tensor(tensor),
            ArchItem::Block { path, items, .. } => {
                self.line(format_args!("block {}", arch_path_text(path)));
                self.nested(|p| items.iter().for_each(|item| p.arch_item(item)));
            }
            ArchItem::Either { branches, .. } => {
                self.line(format_args!("either"));
                self.nested(|p| {
                    for branch in branches {
                        p.line(format_args!("branch"));
                        p.nested(|p| branch.iter().for_each(|item| p.arch_item(item)));
                    }
                });
            }
            ArchItem::Tie { alias, target, .. } => {
                self.line(format_args!("tie {} = {}", arch_path_text(alias), arch_path_text(target)));
            }
            ArchItem::Property { keyword, names, .. } => {
                self.line(format_args!("{} {}", keyword.text, words(names)));
            }
            ArchItem::Bound { name, op, bound, .. } => {
                self.line(format_args!("bound {} {} {}", name.text, op.symbol(), dim_text(bound)));
            }
            ArchItem::Default { name, kind, value, bound, config_keys, .. } => {
                let bound = bound
                    .as_ref()
                    .map(|(op, b)| format!(" {} {}", op.symbol(), dim_text(b)))
                    .unwrap_or_default();
                let from = if config_keys.is_empty() {
                    String::new()
                } else {
                    format!(" from {}", words(config_keys))
                };
                let kind = kind_text(kind.as_ref());
                self.line(format_args!("default {}{kind} = {}{bound}{from}", name.text, value_text(value)));
            }
            ArchItem::Forward { text, .. } => {
                self.line(format_args!("forward"));
                self.nested(|p| {
                    for line in text
                        .split(['\n', '\r'])
                        .map(str::trim)
                        .filter(|l| !l.is_empty() && !l.starts_with("//"))
                    {
                        p.line(format_args!("| {line}"));
                    }
                });
            }
        }
    }

    fn tensor(&mut self, tensor: &TensorDecl) {
        let shape: Vec<String> = tensor.shape.iter().map(dim_text).collect();
        let roles: String = tensor.roles.iter().map(|r| format!(" @{}", r.text)).collect();
        let optional = if tensor.optional { " optional" } else { "" };
        self.line(format_args!(
            "tensor {}{optional} [{}]{roles}",
            arch_path_text(&tensor.path),
            shape.join(", ")
        ));
        self.nested(|p| p.docs(&tensor.docs));
    }
}

fn kind_text(kind: Option<&Ident>) -> String {
    kind.map(|k| format!(": {}", k.text)).unwrap_or_default()
}

fn words(names: &[Ident]) -> String {
    names.iter().map(|n| n.text.as_str()).collect::<Vec<_>>().join(" ")
}

fn path_text(path: &Path) -> String {
    path.segments.iter().map(|s| s.text.as_str()).collect::<Vec<_>>().join("::")
}

fn args_text(args: &[Arg]) -> String {
    let arg = |a: &Arg| match &a.name {
        Some(name) => format!("{}: {}", name.text, value_text(&a.value)),
        None => value_text(&a.value),
    };
    args.iter().map(arg).collect::<Vec<_>>().join(", ")
}

/// A value with its kind.
pub fn value_text(value: &Value) -> String {
    match &value.kind {
        ValueKind::Int(n) => format!("int {n}"),
        ValueKind::Float(n) => format!("float {n}"),
        ValueKind::Percent(n) => format!("percent {n}"),
        ValueKind::Ratio(n) => format!("ratio {n}"),
        ValueKind::Size { number, unit } => format!("size {number} {}", unit.text),
        ValueKind::Text(text) => format!("text {text:?}"),
        ValueKind::Bool(b) => format!("bool {b}"),
        ValueKind::Name(path) => format!("name {}", path_text(path)),
        ValueKind::Call { name, args } => format!("{}({})", name.text, args_text(args)),
        ValueKind::Of(part, whole) => format!("{} of {}", value_text(part), value_text(whole)),
        ValueKind::Worded(word, number) => format!("{} {}", word.text, value_text(number)),
        ValueKind::List(values) => {
            format!("[{}]", values.iter().map(value_text).collect::<Vec<_>>().join(", "))
        }
        ValueKind::Broken => "broken".to_owned(),
    }
}

/// A pattern; parentheses show how its filter groups.
pub fn pattern_text(pattern: &Pattern) -> String {
    let alternatives: Vec<String> = pattern.alternatives.iter().map(alternative_text).collect();
    let mut out = if alternatives.is_empty() { "broken".to_owned() } else { alternatives.join(" | ") };
    if pattern.optional.is_some() {
        out.push_str(" optional");
    }
    if let Some(filter) = &pattern.filter {
        let _ = write!(out, " where {}", filter_text(filter));
    }
    if let Some(except) = &pattern.except {
        let _ = write!(out, " except ({})", pattern_text(except));
    }
    out
}

fn alternative_text(alternative: &Alternative) -> String {
    match alternative {
        Alternative::Path { segments, .. } => segments.iter().map(segment_text).collect::<Vec<_>>().join("."),
        Alternative::Role { role, .. } => format!("@{}", role.text),
        Alternative::Rest { .. } => "rest".to_owned(),
    }
}

fn segment_text(segment: &Segment) -> String {
    match &segment.kind {
        SegmentKind::AnyDepth => "**".to_owned(),
        SegmentKind::Quoted(text) => format!("{text:?}"),
        SegmentKind::Glob(parts) => glob_text(parts),
    }
}

fn glob_text(parts: &[GlobPart]) -> String {
    let part = |part: &GlobPart| match part {
        GlobPart::Literal(text) => text.clone(),
        GlobPart::Star => "*".to_owned(),
        GlobPart::One => "?".to_owned(),
        GlobPart::Choice(choices) => {
            format!("{{{}}}", choices.iter().map(|c| glob_text(&c.parts)).collect::<Vec<_>>().join(","))
        }
        GlobPart::Range { from, to: Some(to), .. } => format!("{{{from}..={to}}}"),
        GlobPart::Range { from, to: None, .. } => format!("{{{from}..}}"),
    };
    parts.iter().map(part).collect()
}

fn filter_text(filter: &Filter) -> String {
    match filter {
        Filter::And(left, right) => format!("({} and {})", filter_text(left), filter_text(right)),
        Filter::Or(left, right) => format!("({} or {})", filter_text(left), filter_text(right)),
        Filter::Not(inner, _) => format!("(not {})", filter_text(inner)),
        Filter::Compare { subject, arg, op, value, .. } => {
            let arg = arg.as_ref().map(|a| format!("({})", value_text(a))).unwrap_or_default();
            format!("{}{arg} {} {}", subject.text, op.symbol(), value_text(value))
        }
    }
}

/// A declared name.
pub fn arch_path_text(path: &[ArchSegment]) -> String {
    let segment = |s: &ArchSegment| {
        let name = match &s.kind {
            ArchSegmentKind::Name(name) => name.clone(),
            ArchSegmentKind::Each(names) => format!("{{{}}}", words(names).replace(' ', ",")),
            ArchSegmentKind::Indexed { name, index, dim } => {
                let dim = dim.as_ref().map(|d| format!(" in {}", d.text)).unwrap_or_default();
                format!("{}[{}{dim}]", name.text, index.text)
            }
        };
        name + if s.optional { "?" } else { "" }
    };
    path.iter().map(segment).collect::<Vec<_>>().join(".")
}

/// A size; parentheses where the tree differs from reading from left to right, products first.
pub fn dim_text(dim: &DimExpr) -> String {
    let round = |d: &DimExpr| format!("({})", dim_text(d));
    let factor = |d: &DimExpr| if matches!(d.kind, DimExprKind::Add(..)) { round(d) } else { dim_text(d) };
    match &dim.kind {
        DimExprKind::Int(n) => n.to_string(),
        DimExprKind::Name(name) => name.clone(),
        DimExprKind::Mul(left, right) => {
            let right = if matches!(right.kind, DimExprKind::Mul(..)) { round(right) } else { factor(right) };
            format!("{} * {right}", factor(left))
        }
        DimExprKind::Add(left, right) => {
            let right =
                if matches!(right.kind, DimExprKind::Add(..)) { round(right) } else { dim_text(right) };
            format!("{} + {right}", dim_text(left))
        }
    }
}
