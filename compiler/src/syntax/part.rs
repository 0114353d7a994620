//! What the tokens of a tree are, each with where it stands: for hover, definition, references and rename. The tree says
//! everything; no text is read a second time.

// Long because every node of the tree is walked once, in one place.

use super::keywords::{self, Keyword};
use super::tree::*;
use crate::base::Span;

/// A token that means something.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part<'t> {
    /// Its bytes, absolute.
    pub span: Span,
    /// Number of the item of the file that it stands in.
    pub item: usize,
    /// Which construct of the item.
    pub within: Within<'t>,
    /// Call that it is an argument of: `int8`, `percentile`.
    pub callee: Option<&'t str>,
    /// Field or argument that it is the value of, or the word before it (`block 64`).
    pub field: Option<&'t str>,
    /// What it is.
    pub token: Token<'t>,
}

/// The construct in which a token stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Within<'t> {
    /// A `use`, or the head of an item.
    Head,
    /// A const's value.
    Const,
    /// A parameter.
    Param,
    /// `extends base(...)`.
    Extends(&'t Extends),
    /// `checkpoint`.
    Checkpoint,
    /// `target`.
    Target,
    /// `casts`.
    Casts,
    /// `set`: the name that is set.
    Set(&'t Ident),
    /// A pruning.
    Prune(&'t Prune),
    /// An arm.
    Arm(&'t Arm),
    /// `calibrate`, `evaluate`, `tune`.
    Settings(&'t Ident),
    /// A requirement.
    Require(&'t Requirement),
    /// `emit`.
    Emit,
    /// An architecture.
    Arch(&'t Arch),
}

/// What has a name of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Named {
    Const,
    Param,
    Recipe,
    Arch,
    Dim,
    Default,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Token<'t> {
    /// A name where it is declared.
    Declared(Named, &'t str),
    /// The path of a `use`.
    Import(&'t Use),
    /// A name that a `use` brings in.
    Imported(&'t Use, &'t str),
    /// The recipe that is extended.
    Base(&'t str),
    /// The architecture behind `for`.
    ArchName(&'t str),
    /// A parameter of the recipe that is extended.
    Argument(&'t str),
    /// A kind, such as `percent`.
    Kind(&'t str),
    /// What is called: a format, `percentile`, a container, `block` with its number.
    Callee(&'t str),
    /// A name before `:`.
    Field(&'t str),
    /// A bare word of a value: a const, a parameter, or a word of the place.
    Word(&'t str),
    /// A number, with its unit.
    Number(&'t Value),
    /// A string.
    Text(&'t str),
    /// What a requirement measures.
    Metric(&'t str),
    /// What a condition asks for.
    Subject(&'t str),
    /// A default of the architecture that is set.
    Setting(&'t str),
    /// A role, in a pattern or in a declaration.
    Role(&'t str),
    /// A dim, used.
    Dim(&'t str),
    /// A segment of a pattern's path.
    Segment(&'t Pattern, &'t Segment),
    /// `_`, or a path as a whole.
    Alternative(&'t Pattern),
    /// The name of a declared tensor.
    TensorName(&'t TensorDecl),
    /// A keyword whose place the tree knows.
    Keyword(&'static Keyword),
}

impl<'t> Token<'t> {
    /// The name that it is, or uses.
    pub fn name(&self) -> Option<&'t str> {
        match self {
            Token::Declared(_, name)
            | Token::Imported(_, name)
            | Token::Base(name)
            | Token::ArchName(name)
            | Token::Argument(name)
            | Token::Word(name)
            | Token::Setting(name)
            | Token::Dim(name) => Some(name),
            _ => None,
        }
    }
}

/// The tokens of a file.
pub fn parts(file: &File) -> Vec<Part<'_>> {
    let mut out = Vec::new();
    for (number, item) in file.items.iter().enumerate() {
        Visitor::new(number, &mut out).item(item);
    }
    out
}

/// The token at `offset`, or the one that ends there; the smallest of those that nest.
pub fn part_at(file: &File, offset: u32) -> Option<Part<'_>> {
    let mut found = Vec::new();
    for (number, item) in file.items.iter().enumerate() {
        let span = match item {
            Item::Use(u) => u.span,
            Item::Const(c) => c.span,
            Item::Recipe(r) => r.span,
            Item::Arch(a) => a.span,
            Item::Derive(d) => d.span,
        };
        if span.touches(offset) {
            Visitor::new(number, &mut found).item(item);
        }
    }
    found.retain(|part| part.span.touches(offset) && !part.span.is_empty());
    found.into_iter().min_by_key(|part| (part.span.end == offset, part.span.len()))
}

struct Visitor<'t, 'o> {
    item: usize,
    within: Within<'t>,
    callee: Option<&'t str>,
    field: Option<&'t str>,
    out: &'o mut Vec<Part<'t>>,
}

impl<'t> Visitor<'t, '_> {
    fn new<'o>(item: usize, out: &'o mut Vec<Part<'t>>) -> Visitor<'t, 'o> {
        Visitor { item, within: Within::Head, callee: None, field: None, out }
    }

    fn add(&mut self, span: Span, token: Token<'t>) {
        let Visitor { item, within, callee, field, .. } = *self;
        self.out.push(Part { span, item, within, callee, field, token });
    }

    fn keyword(&mut self, place: keywords::Place, word: &str, span: Span) {
        if let Some(keyword) = keywords::keywords(place).find(|k| k.word == word) {
            self.add(span, Token::Keyword(keyword));
        }
    }

    /// The keyword with which `span` starts.
    fn starts_with(&mut self, place: keywords::Place, word: &str, span: Span) {
        let end = span.start.saturating_add(Span::new(0, word.len()).end).min(span.end);
        self.keyword(place, word, Span { end, ..span });
    }

    fn item(&mut self, item: &'t Item) {
        let file = keywords::Place::File;
        match item {
            Item::Use(u) => {
                self.starts_with(file, "use", u.span);
                self.import(u);
            }
            Item::Const(c) => {
                self.starts_with(file, "const", c.span);
                self.add(c.name.span, Token::Declared(Named::Const, &c.name.text));
                self.kind(c.kind.as_ref());
                self.within = Within::Const;
                self.value(&c.value);
            }
            Item::Recipe(r) => {
                self.starts_with(file, "recipe", r.span);
                self.recipe(r);
            }
            Item::Arch(a) => {
                self.starts_with(file, "arch", a.span);
                self.add(a.name.span, Token::Declared(Named::Arch, &a.name.text));
                self.within = Within::Arch(a);
                a.items.iter().for_each(|item| self.arch_item(item));
            }
            Item::Derive(d) => {
                self.starts_with(file, "derive", d.span);
                self.add(d.name.span, Token::Declared(Named::Arch, &d.name.text));
                if let Some(base) = d.base.as_ref().and_then(|base| base.segments.last()) {
                    self.add(base.span, Token::ArchName(&base.text));
                }
                for arg in &d.fields {
                    if let Some(name) = &arg.name {
                        self.add(name.span, Token::Field(&name.text));
                    }
                    self.value(&arg.value);
                }
            }
        }
    }

    fn import(&mut self, u: &'t Use) {
        match &u.from {
            UseFrom::File { span, .. } => self.add(*span, Token::Import(u)),
            UseFrom::Path(path) => {
                let (last, before) = match path.segments.split_last() {
                    Some((last, before)) if u.names.is_empty() => (Some(last), before),
                    _ => (None, path.segments.as_slice()),
                };
                before.iter().for_each(|segment| self.add(segment.span, Token::Import(u)));
                if let Some(last) = last {
                    self.add(last.span, Token::Imported(u, &last.text));
                }
            }
        }
        u.names.iter().for_each(|name| self.add(name.span, Token::Imported(u, &name.text)));
    }

    fn kind(&mut self, kind: Option<&'t Ident>) {
        if let Some(kind) = kind {
            self.add(kind.span, Token::Kind(&kind.text));
        }
    }

    fn recipe(&mut self, r: &'t Recipe) {
        self.add(r.name.span, Token::Declared(Named::Recipe, &r.name.text));
        self.within = Within::Param;
        for param in &r.params {
            self.add(param.name.span, Token::Declared(Named::Param, &param.name.text));
            self.kind(param.kind.as_ref());
            if let Some(default) = &param.default {
                self.value(default);
            }
        }
        if let Some(extends) = &r.extends {
            self.within = Within::Extends(extends);
            self.starts_with(keywords::Place::Head, "extends", extends.span);
            if let Some(base) = extends.base.segments.last() {
                self.add(base.span, Token::Base(&base.text));
            }
            for arg in &extends.args {
                if let Some(name) = &arg.name {
                    self.add(name.span, Token::Argument(&name.text));
                }
                self.value(&arg.value);
            }
        }
        self.within = Within::Head;
        if let Some(arch) = &r.arch
            && let Some(name) = arch.segments.last()
        {
            self.add(name.span, Token::ArchName(&name.text));
        }
        r.items.iter().for_each(|item| self.recipe_item(item));
    }

    fn recipe_item(&mut self, item: &'t RecipeItem) {
        let place = keywords::Place::Recipe;
        match item {
            RecipeItem::Checkpoint { keyword, value, .. } => {
                self.within = Within::Checkpoint;
                self.keyword(place, "checkpoint", *keyword);
                self.value(value);
            }
            RecipeItem::Target { keyword, value, .. } => {
                self.within = Within::Target;
                self.keyword(place, "target", *keyword);
                self.value(value);
            }
            RecipeItem::Casts { keyword, value, .. } => {
                self.within = Within::Casts;
                self.keyword(place, "casts", *keyword);
                self.value(value);
            }
            RecipeItem::Set { name, value, span } => {
                self.within = Within::Set(name);
                self.starts_with(place, "set", *span);
                self.add(name.span, Token::Setting(&name.text));
                self.value(value);
            }
            RecipeItem::Prune(prune) => {
                self.within = Within::Prune(prune);
                self.keyword(place, "prune", prune.keyword);
                if let Some(dim) = &prune.dim {
                    self.add(dim.span, Token::Dim(&dim.text));
                }
                self.pattern(&prune.pattern);
                self.args(&prune.fields);
            }
            RecipeItem::Assign { keyword, arms, .. } => {
                self.keyword(place, "assign", *keyword);
                for arm in arms {
                    self.within = Within::Arm(arm);
                    self.pattern(&arm.pattern);
                    self.value(&arm.format);
                }
            }
            RecipeItem::Settings { keyword, fields, .. } => {
                self.within = Within::Settings(keyword);
                self.keyword(place, &keyword.text, keyword.span);
                self.args(fields);
            }
            RecipeItem::Require { keyword, requirements, .. } => {
                self.keyword(place, "require", *keyword);
                for requirement in requirements {
                    self.within = Within::Require(requirement);
                    self.add(requirement.metric.span, Token::Metric(&requirement.metric.text));
                    self.value(&requirement.bound);
                }
            }
            RecipeItem::Emit { keyword, path, container, .. } => {
                self.within = Within::Emit;
                self.keyword(place, "emit", *keyword);
                self.value(path);
                if let Some(container) = container {
                    self.value(container);
                }
            }
        }
        self.within = Within::Head;
    }

    fn pattern(&mut self, pattern: &'t Pattern) {
        for alternative in &pattern.alternatives {
            match alternative {
                Alternative::Path { segments, span } => {
                    self.add(*span, Token::Alternative(pattern));
                    segments.iter().for_each(|s| self.add(s.span, Token::Segment(pattern, s)));
                }
                Alternative::Role { role, span } => self.add(*span, Token::Role(&role.text)),
                Alternative::Rest { span } => self.add(*span, Token::Alternative(pattern)),
            }
        }
        if let Some(filter) = &pattern.filter {
            self.filter(filter);
        }
        if let Some(except) = &pattern.except {
            self.pattern(except);
        }
    }

    fn filter(&mut self, filter: &'t Filter) {
        match filter {
            Filter::And(a, b) | Filter::Or(a, b) => {
                self.filter(a);
                self.filter(b);
            }
            Filter::Not(inner, _) => self.filter(inner),
            Filter::Compare { subject, arg, value, .. } => {
                self.add(subject.span, Token::Subject(&subject.text));
                let outer = self.field.replace(&subject.text);
                if let Some(arg) = arg {
                    self.value(arg);
                }
                // The value of `role` is a role, wherever it stands.
                match &value.kind {
                    ValueKind::Name(path) if subject.text == "role" => {
                        if let [role] = path.segments.as_slice() {
                            self.add(role.span, Token::Role(&role.text));
                        }
                    }
                    _ => self.value(value),
                }
                self.field = outer;
            }
        }
    }

    fn args(&mut self, args: &'t [Arg]) {
        for arg in args {
            if let Some(name) = &arg.name {
                self.add(name.span, Token::Field(&name.text));
            }
            let outer = std::mem::replace(&mut self.field, arg.name.as_ref().map(|n| n.text.as_str()));
            self.value(&arg.value);
            self.field = outer;
        }
    }

    fn value(&mut self, value: &'t Value) {
        match &value.kind {
            ValueKind::Int(_)
            | ValueKind::Float(_)
            | ValueKind::Percent(_)
            | ValueKind::Ratio(_)
            | ValueKind::Size { .. } => self.add(value.span, Token::Number(value)),
            ValueKind::Text(text) => self.add(value.span, Token::Text(text)),
            ValueKind::Bool(value_is) => {
                self.keyword(keywords::Place::Value, if *value_is { "true" } else { "false" }, value.span);
            }
            ValueKind::Name(path) => {
                if let [name] = path.segments.as_slice() {
                    self.add(path.span, Token::Word(&name.text));
                }
            }
            ValueKind::Call { name, args } => {
                self.add(name.span, Token::Callee(&name.text));
                let outer = self.callee.replace(&name.text);
                self.args(args);
                self.callee = outer;
            }
            ValueKind::Of(a, b) => {
                self.value(a);
                self.value(b);
            }
            ValueKind::Worded(word, inner) => {
                self.add(word.span, Token::Callee(&word.text));
                let outer = self.field.replace(&word.text);
                self.value(inner);
                self.field = outer;
            }
            ValueKind::List(items) => items.iter().for_each(|item| self.value(item)),
            ValueKind::Broken => {}
        }
    }

    fn arch_item(&mut self, item: &'t ArchItem) {
        let place = keywords::Place::Arch;
        match item {
            ArchItem::Dims { names, span } => {
                self.starts_with(place, "dim", *span);
                names.iter().for_each(|n| self.add(n.span, Token::Declared(Named::Dim, &n.text)));
            }
            ArchItem::Tensor(tensor) => {
                if let (Some(first), Some(last)) = (tensor.path.first(), tensor.path.last()) {
                    self.add(first.span.cover(last.span), Token::TensorName(tensor));
                }
                self.arch_path(&tensor.path);
                tensor.shape.iter().for_each(|expr| self.expr(expr));
                tensor.roles.iter().for_each(|role| self.add(role.span, Token::Role(&role.text)));
            }
            ArchItem::Block { path, items, .. } => {
                self.arch_path(path);
                items.iter().for_each(|item| self.arch_item(item));
            }
            ArchItem::Either { branches, span } => {
                self.starts_with(place, "either", *span);
                branches.iter().flatten().for_each(|item| self.arch_item(item));
            }
            ArchItem::Tie { alias, target, .. } => {
                self.arch_path(alias);
                self.arch_path(target);
            }
            ArchItem::Property { keyword, names, .. } => {
                self.keyword(place, &keyword.text, keyword.span);
                names.iter().for_each(|n| self.add(n.span, Token::Dim(&n.text)));
            }
            ArchItem::Bound { bound, .. } => self.expr(bound),
            ArchItem::Default { name, kind, value, bound, span, .. } => {
                self.starts_with(place, "default", *span);
                self.add(name.span, Token::Declared(Named::Default, &name.text));
                self.kind(kind.as_ref());
                self.value(value);
                if let Some((_, bound)) = bound {
                    self.expr(bound);
                }
            }
            ArchItem::Forward { span, .. } => self.starts_with(place, "forward", *span),
        }
    }

    fn arch_path(&mut self, path: &'t [ArchSegment]) {
        for segment in path {
            match &segment.kind {
                ArchSegmentKind::Indexed { dim: Some(dim), .. } => self.add(dim.span, Token::Dim(&dim.text)),
                // `experts[e]` counts the dim of its own name.
                ArchSegmentKind::Indexed { name, dim: None, .. } => {
                    self.add(name.span, Token::Dim(&name.text));
                }
                ArchSegmentKind::Name(_) | ArchSegmentKind::Each(_) => {}
            }
        }
    }

    fn expr(&mut self, expr: &'t DimExpr) {
        match &expr.kind {
            DimExprKind::Int(_) => {}
            DimExprKind::Name(name) => self.add(expr.span, Token::Dim(name)),
            DimExprKind::Mul(a, b) | DimExprKind::Add(a, b) => {
                self.expr(a);
                self.expr(b);
            }
        }
    }
}

#[cfg(test)]
mod tests;
