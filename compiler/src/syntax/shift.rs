//! Moves every span of an item: how an item is made relative to its start.

use super::tree::*;
use crate::base::Span;

/// Calls `f` on every span of `item`.
pub fn shift(item: &mut Item, f: &mut dyn FnMut(&mut Span)) {
    match item {
        Item::Use(u) => {
            match &mut u.from {
                UseFrom::Path(path) => path_spans(path, f),
                UseFrom::File { span, .. } => f(span),
            }
            idents(&mut u.names, f);
            f(&mut u.span);
        }
        Item::Const(c) => {
            f(&mut c.name.span);
            maybe(&mut c.kind, f);
            value(&mut c.value, f);
            f(&mut c.span);
        }
        Item::Recipe(r) => recipe(r, f),
        Item::Arch(a) => {
            f(&mut a.name.span);
            arch_items(&mut a.items, f);
            f(&mut a.span);
        }
        Item::Derive(d) => {
            f(&mut d.name.span);
            if let Some(base) = &mut d.base {
                path_spans(base, f);
            }
            args(&mut d.fields, f);
            f(&mut d.span);
        }
    }
}

type Visit<'a> = &'a mut dyn FnMut(&mut Span);

fn idents(list: &mut [Ident], f: Visit<'_>) {
    for ident in list {
        f(&mut ident.span);
    }
}

fn maybe(ident: &mut Option<Ident>, f: Visit<'_>) {
    if let Some(ident) = ident {
        f(&mut ident.span);
    }
}

fn path_spans(path: &mut Path, f: Visit<'_>) {
    idents(&mut path.segments, f);
    f(&mut path.span);
}

fn value(v: &mut Value, f: Visit<'_>) {
    f(&mut v.span);
    match &mut v.kind {
        ValueKind::Size { unit, .. } => f(&mut unit.span),
        ValueKind::Name(path) => path_spans(path, f),
        ValueKind::Call { name, args: list } => {
            f(&mut name.span);
            args(list, f);
        }
        ValueKind::Of(a, b) => {
            value(a, f);
            value(b, f);
        }
        ValueKind::Worded(word, v) => {
            f(&mut word.span);
            value(v, f);
        }
        ValueKind::List(items) => items.iter_mut().for_each(|v| value(v, f)),
        ValueKind::Int(_)
        | ValueKind::Float(_)
        | ValueKind::Percent(_)
        | ValueKind::Ratio(_)
        | ValueKind::Text(_)
        | ValueKind::Bool(_)
        | ValueKind::Broken => {}
    }
}

fn args(list: &mut [Arg], f: Visit<'_>) {
    for arg in list {
        maybe(&mut arg.name, f);
        value(&mut arg.value, f);
        f(&mut arg.span);
    }
}

fn recipe(r: &mut Recipe, f: Visit<'_>) {
    f(&mut r.name.span);
    for p in &mut r.params {
        f(&mut p.name.span);
        maybe(&mut p.kind, f);
        if let Some(v) = &mut p.default {
            value(v, f);
        }
        f(&mut p.span);
    }
    if let Some(e) = &mut r.extends {
        path_spans(&mut e.base, f);
        args(&mut e.args, f);
        f(&mut e.span);
    }
    if let Some(path) = &mut r.arch {
        path_spans(path, f);
    }
    for item in &mut r.items {
        recipe_item(item, f);
    }
    f(&mut r.span);
}

fn recipe_item(item: &mut RecipeItem, f: Visit<'_>) {
    match item {
        RecipeItem::Checkpoint { keyword, value: v, span }
        | RecipeItem::Target { keyword, value: v, span }
        | RecipeItem::Casts { keyword, value: v, span } => {
            f(keyword);
            value(v, f);
            f(span);
        }
        RecipeItem::Set { name, value: v, span } => {
            f(&mut name.span);
            value(v, f);
            f(span);
        }
        RecipeItem::Prune(p) => {
            f(&mut p.keyword);
            maybe(&mut p.dim, f);
            pattern(&mut p.pattern, f);
            args(&mut p.fields, f);
            f(&mut p.span);
        }
        RecipeItem::Assign { keyword, arms, span } => {
            f(keyword);
            for arm in arms {
                pattern(&mut arm.pattern, f);
                value(&mut arm.format, f);
                f(&mut arm.span);
            }
            f(span);
        }
        RecipeItem::Settings { keyword, fields, span } => {
            f(&mut keyword.span);
            args(fields, f);
            f(span);
        }
        RecipeItem::Require { keyword, requirements, span } => {
            f(keyword);
            for r in requirements {
                f(&mut r.metric.span);
                value(&mut r.bound, f);
                f(&mut r.span);
            }
            f(span);
        }
        RecipeItem::Emit { keyword, path, container, span } => {
            f(keyword);
            value(path, f);
            if let Some(v) = container {
                value(v, f);
            }
            f(span);
        }
    }
}

/// Calls `f` on every span of `p`.
pub fn shift_pattern(p: &mut Pattern, f: &mut dyn FnMut(&mut Span)) {
    pattern(p, f);
}

fn pattern(p: &mut Pattern, f: Visit<'_>) {
    f(&mut p.span);
    for alternative in &mut p.alternatives {
        match alternative {
            Alternative::Path { segments, span } => {
                for segment in segments {
                    f(&mut segment.span);
                    if let SegmentKind::Glob(parts) = &mut segment.kind {
                        glob(parts, f);
                    }
                }
                f(span);
            }
            Alternative::Role { role, span } => {
                f(&mut role.span);
                f(span);
            }
            Alternative::Rest { span } => f(span),
        }
    }
    if let Some(span) = &mut p.optional {
        f(span);
    }
    if let Some(condition) = &mut p.filter {
        filter(condition, f);
    }
    if let Some(except) = &mut p.except {
        pattern(except, f);
    }
}

fn glob(parts: &mut [GlobPart], f: Visit<'_>) {
    for part in parts {
        match part {
            GlobPart::Choice(choices) => {
                for choice in choices {
                    f(&mut choice.span);
                    glob(&mut choice.parts, f);
                }
            }
            GlobPart::Range { span, .. } => f(span),
            GlobPart::Literal(_) | GlobPart::Star | GlobPart::One => {}
        }
    }
}

fn filter(condition: &mut Filter, f: Visit<'_>) {
    match condition {
        Filter::And(a, b) | Filter::Or(a, b) => {
            filter(a, f);
            filter(b, f);
        }
        Filter::Not(inner, span) => {
            filter(inner, f);
            f(span);
        }
        Filter::Compare { subject, arg, value: v, span, .. } => {
            f(&mut subject.span);
            if let Some(arg) = arg {
                value(arg, f);
            }
            value(v, f);
            f(span);
        }
    }
}

fn arch_items(items: &mut [ArchItem], f: Visit<'_>) {
    for item in items {
        match item {
            ArchItem::Dims { names, span } => {
                idents(names, f);
                f(span);
            }
            ArchItem::Tensor(t) => {
                segments(&mut t.path, f);
                t.shape.iter_mut().for_each(|e| dim(e, f));
                idents(&mut t.roles, f);
                f(&mut t.span);
            }
            ArchItem::Block { path, items, span } => {
                segments(path, f);
                arch_items(items, f);
                f(span);
            }
            ArchItem::Either { branches, span } => {
                branches.iter_mut().for_each(|b| arch_items(b, f));
                f(span);
            }
            ArchItem::Tie { alias, target, span } => {
                segments(alias, f);
                segments(target, f);
                f(span);
            }
            ArchItem::Property { keyword, names, span } => {
                f(&mut keyword.span);
                idents(names, f);
                f(span);
            }
            ArchItem::Bound { name, bound, span, .. } => {
                f(&mut name.span);
                dim(bound, f);
                f(span);
            }
            ArchItem::Default { name, kind, value: v, bound, span, .. } => {
                f(&mut name.span);
                maybe(kind, f);
                value(v, f);
                if let Some((_, e)) = bound {
                    dim(e, f);
                }
                f(span);
            }
            ArchItem::Forward { span, .. } => f(span),
        }
    }
}

fn segments(path: &mut [ArchSegment], f: Visit<'_>) {
    for segment in path {
        match &mut segment.kind {
            ArchSegmentKind::Each(names) => idents(names, f),
            ArchSegmentKind::Indexed { name, index, dim } => {
                f(&mut name.span);
                f(&mut index.span);
                maybe(dim, f);
            }
            ArchSegmentKind::Name(_) => {}
        }
        f(&mut segment.span);
    }
}

fn dim(e: &mut DimExpr, f: Visit<'_>) {
    if let DimExprKind::Mul(a, b) | DimExprKind::Add(a, b) = &mut e.kind {
        dim(a, f);
        dim(b, f);
    }
    f(&mut e.span);
}
