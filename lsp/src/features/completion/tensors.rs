//! Names of tensors, roles, dims and settings: from the checkpoint, or as the architecture declares them without one.

use std::collections::BTreeMap;

use icpc::arch::ArchDecl;
use icpc::arch::decl::PathStep;
use icpc::arch::model::SettingValue;
use icpc::base::{DType, Shape, count};
use icpc::checkpoint::Schema;
use icpc::db::TensorNames;
use icpc::hir::value::Kind;
use icpc::matching::{Continuation, ContinuationKind, Index, continuations};
use icpc::syntax::place::{PatternOf, Segment};
use icpc::syntax::tree::{ArchItem, ArchSegmentKind, GlobPart, Item, SegmentKind};
use icpc::syntax::{path, tree};
use tower_lsp::ls_types::CompletionItemKind;

use super::{At, Choice, names, words};

/// Numbers that are listed one by one; of more, only once a digit is typed.
const FEW_NUMBERS: usize = 16;
/// Shapes that are named beside a segment.
const SHAPES: usize = 3;

/// What a recipe can name.
enum Known {
    Checkpoint(TensorNames),
    Declared(std::sync::Arc<ArchDecl>),
}

fn known(at: &At<'_>) -> Option<Known> {
    let recipe = at.recipe()?;
    let session = &at.world.session;
    let names = session.tensor_names(at.path, recipe).map(Known::Checkpoint);
    names.or_else(|| session.declaration(at.path, recipe).map(Known::Declared))
}

/// What a segment of a pattern may be, and whether there is more once a digit is typed.
pub(super) fn segments(at: &At<'_>, segment: &Segment<'_>) -> (Vec<Choice>, bool) {
    let known = known(at);
    let stem = segment.braces.as_ref().map(|(stem, _)| *stem);
    let mut incomplete = false;
    let mut out = match (&known, path(segment.prefix)) {
        (Some(Known::Checkpoint(names)), Some(prefix)) => {
            let mut found = continuations(&prefix, stem, &names.index);
            let numbers = found.iter().filter(|c| matches!(c.kind, ContinuationKind::Number(_))).count();
            if numbers > FEW_NUMBERS && !at.cursor.typed.starts_with(|c: char| c.is_ascii_digit()) {
                found.retain(|c| !matches!(c.kind, ContinuationKind::Number(_)));
                incomplete = true;
            }
            found.iter().map(|c| stored(c, &names.schema)).collect()
        }
        (Some(Known::Declared(decl)), Some(prefix)) => declared(decl, prefix, stem),
        _ => Vec::new(),
    };
    if let Some((_, given)) = &segment.braces {
        out.retain(|c: &Choice| !given.contains(&c.label.as_str()));
        // A range beside alternatives would repeat them.
        out.retain(|c| given.is_empty() || !c.label.contains(['.', ',']));
        return (out, incomplete);
    }
    if segment.prefix.is_empty() {
        if out.is_empty() {
            out.extend(["*", "**"].map(|star| Choice::new(star, CompletionItemKind::KEYWORD)));
        }
        if segment.of == PatternOf::Prune(true) {
            out.push(words::dim_of_a_pruning());
        }
        if segment.of == PatternOf::Arm {
            let role = |(role, tensors): (String, String)| {
                Choice::new(format!("@{role}"), CompletionItemKind::ENUM_MEMBER).detail(tensors)
            };
            out.extend(known_roles(known.as_ref()).into_iter().map(role));
        }
        if segment.alone && segment.of == PatternOf::Arm {
            out.push(Choice::new("_", CompletionItemKind::KEYWORD).detail("all that is left"));
        }
    }
    (out, incomplete)
}

fn kind_of(kind: ContinuationKind, ends: bool) -> CompletionItemKind {
    match kind {
        ContinuationKind::Name if ends => CompletionItemKind::FIELD,
        ContinuationKind::Name => CompletionItemKind::MODULE,
        ContinuationKind::Number(_) => CompletionItemKind::VALUE,
        ContinuationKind::Numbers | ContinuationKind::One | ContinuationKind::Depth => {
            CompletionItemKind::KEYWORD
        }
    }
}

/// A segment with the tensors of the checkpoint behind it.
fn stored(found: &Continuation, schema: &Schema) -> Choice {
    let mut shapes: Vec<(DType, &Shape)> = Vec::new();
    let mut more = false;
    for tensor in found.ends.iter().filter_map(|t| schema.tensors.get(*t as usize)) {
        let facts = (tensor.dtype, &tensor.shape);
        if shapes.contains(&facts) {
            continue;
        }
        if shapes.len() == SHAPES {
            more = true;
            break;
        }
        shapes.push(facts);
    }
    let mut detail = count(u64::from(found.tensors), "tensor");
    if found.kind == ContinuationKind::Name && !shapes.is_empty() {
        let shown: Vec<String> =
            shapes.iter().map(|(dtype, shape)| format!("{} {shape}", dtype.name())).collect();
        detail = format!("{detail} · {}{}", shown.join(", "), if more { ", ..." } else { "" });
    }
    Choice::new(&found.text, kind_of(found.kind, !found.ends.is_empty())).detail(detail)
}

/// A segment as the architecture declares it.
fn declared(decl: &ArchDecl, mut prefix: Vec<tree::Segment>, stem: Option<&str>) -> Vec<Choice> {
    // How many members a family has is not known: each is as good as the other.
    for segment in &mut prefix {
        if is_number(&segment.kind) {
            segment.kind = SegmentKind::Glob(vec![GlobPart::Star]);
        }
    }
    let mut names: Vec<String> = Vec::new();
    let mut tensors = Vec::new();
    for tensor in &decl.tensors {
        for name in spelled(&tensor.path) {
            names.push(name);
            tensors.push(tensor);
        }
    }
    let index = Index::of_names(names.iter().map(String::as_str));
    let choice = |found: Continuation| {
        if matches!(found.kind, ContinuationKind::Number(_) | ContinuationKind::Numbers) {
            return None;
        }
        let ends = found.ends.first().and_then(|t| tensors.get(*t as usize));
        let shape = ends.map(|t| t.shape.iter().map(|e| e.text.as_str()).collect::<Vec<_>>().join(", "));
        let detail = match shape {
            Some(shape) if found.kind == ContinuationKind::Name => format!("[{shape}] by `{}`", decl.name),
            _ => format!("by `{}`", decl.name),
        };
        Some(Choice::new(&found.text, kind_of(found.kind, !found.ends.is_empty())).detail(detail))
    };
    continuations(&prefix, stem, &index).into_iter().filter_map(choice).collect()
}

fn is_number(kind: &SegmentKind) -> bool {
    let SegmentKind::Glob(parts) = kind else { return false };
    match parts.as_slice() {
        [GlobPart::Literal(text)] => text.bytes().all(|b| b.is_ascii_digit()),
        [GlobPart::Range { .. }] => true,
        [GlobPart::Choice(choices)] => choices.iter().all(|c| is_number(&SegmentKind::Glob(c.parts.clone()))),
        _ => false,
    }
}

/// Names that a declared path may have: with its optional segments and without each of them.
fn spelled(steps: &[PathStep]) -> Vec<String> {
    let mut out = vec![Vec::new()];
    for step in steps {
        let (text, optional) = match step {
            PathStep::Name(name) => (name.as_str(), false),
            PathStep::Optional { name, .. } => (name.as_str(), true),
            PathStep::Index { .. } => ("0", false),
        };
        let with: Vec<Vec<&str>> = out.iter().map(|o: &Vec<&str>| [o.as_slice(), &[text]].concat()).collect();
        // Nobody declares many; an absurd declaration is not multiplied out.
        out = if optional && out.len() < 16 { out.into_iter().chain(with).collect() } else { with };
    }
    out.into_iter().map(|o| o.join(".")).collect()
}

/// Roles and how many tensors have each.
fn known_roles(known: Option<&Known>) -> Vec<(String, String)> {
    match known {
        Some(Known::Checkpoint(names)) => {
            // The tensors of a declaration share one list.
            let mut lists: BTreeMap<usize, (&[String], u64)> = BTreeMap::new();
            let model = names.model.as_ref().map(|m| m.tensors.as_slice()).unwrap_or_default();
            for facts in model.iter().flatten() {
                let list = lists.entry(facts.roles.as_ptr().addr()).or_insert((&facts.roles, 0));
                list.1 += 1;
            }
            let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
            for (roles, n) in lists.into_values() {
                roles.iter().for_each(|role| *counts.entry(role).or_default() += n);
            }
            counts.into_iter().map(|(role, n)| (role.to_owned(), count(n, "tensor"))).collect()
        }
        Some(Known::Declared(decl)) => {
            let mut roles: Vec<&String> = decl.tensors.iter().flat_map(|t| t.roles.iter()).collect();
            roles.sort();
            roles.dedup();
            roles.into_iter().map(|role| (role.clone(), format!("by `{}`", decl.name))).collect()
        }
        None => Vec::new(),
    }
}

/// Roles behind `@`: those of the checkpoint, or those that the architecture around the cursor gives already.
pub(super) fn roles(at: &At<'_>) -> Vec<Choice> {
    let mut found = known_roles(known(at).as_ref());
    if let Some(arch) = arch_around(at) {
        let mut given: Vec<String> = Vec::new();
        each_tensor(&arch.items, &mut |t| given.extend(t.roles.iter().map(|r| r.text.clone())));
        given.sort();
        given.dedup();
        found.extend(given.into_iter().map(|role| (role, String::new())));
    }
    let choice = |(role, detail)| Choice::new(role, CompletionItemKind::ENUM_MEMBER).detail(detail);
    found.into_iter().map(choice).collect()
}

/// What a condition's subject is compared with.
pub(super) fn subject_values(at: &At<'_>, subject: &str) -> Vec<Choice> {
    match subject {
        "role" => roles(at),
        "dtype" => {
            let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
            if let Some(Known::Checkpoint(names)) = known(at) {
                for tensor in &names.schema.tensors {
                    *counts.entry(tensor.dtype.name()).or_default() += 1;
                }
            }
            let mut all: Vec<(&str, u64)> =
                DType::ALL.iter().map(|d| (d.name(), counts.get(d.name()).copied().unwrap_or(0))).collect();
            // Those that occur come first.
            all.sort_by_key(|(_, n)| *n == 0);
            let choice = |(name, n): (&str, u64)| {
                let detail = if n > 0 { count(n, "tensor") } else { String::new() };
                Choice::new(name, CompletionItemKind::ENUM_MEMBER).detail(detail)
            };
            all.into_iter().map(choice).collect()
        }
        "bytes" => names::in_scope(at, &[Kind::Int, Kind::Size]),
        _ => names::in_scope(at, &[Kind::Int]),
    }
}

/// Dims that may be pruned.
pub(super) fn prunable_dims(at: &At<'_>) -> Vec<Choice> {
    let choice = |name: &str, detail: String| Choice::new(name, CompletionItemKind::VARIABLE).detail(detail);
    match known(at) {
        Some(Known::Checkpoint(names)) => {
            let dims = names.model.as_ref().map(|m| m.dims.as_slice()).unwrap_or_default();
            let dims = dims.iter().filter(|d| !d.recurrent && !d.residual && d.value.is_some());
            dims.map(|d| {
                let value = d.value.map_or(String::new(), |v| format!("= {v}"));
                let scope = if d.scope.is_empty() { String::new() } else { format!(" in {}", d.scope) };
                choice(&d.name, format!("{value}{scope}"))
            })
            .collect()
        }
        Some(Known::Declared(decl)) => {
            let dims = decl.dims.iter().filter(|d| !d.recurrent && !d.residual);
            dims.map(|d| choice(&d.name, format!("by `{}`", decl.name))).collect()
        }
        None => Vec::new(),
    }
}

/// What `set` can set, as `(name, value)`.
fn known_settings(at: &At<'_>) -> Vec<(String, SettingValue)> {
    match known(at) {
        Some(Known::Checkpoint(names)) => {
            let settings = names.model.as_ref().map(|m| m.settings.as_slice()).unwrap_or_default();
            settings.iter().map(|s| (s.name.clone(), s.value.clone())).collect()
        }
        Some(Known::Declared(decl)) => {
            decl.defaults.iter().map(|d| (d.name.clone(), d.value.clone())).collect()
        }
        None => Vec::new(),
    }
}

fn shown(value: &SettingValue) -> String {
    match value {
        SettingValue::Int(n) => n.to_string(),
        SettingValue::Text(text) => text.clone(),
    }
}

/// Defaults of the architecture.
pub(super) fn settings(at: &At<'_>) -> Vec<Choice> {
    let choice = |(name, value): (String, SettingValue)| {
        let insert = format!("{name} = ");
        Choice::new(name, CompletionItemKind::PROPERTY).detail(format!("= {}", shown(&value))).insert(insert)
    };
    known_settings(at).into_iter().map(choice).collect()
}

/// What a setting is without `set`.
pub(super) fn setting_value(at: &At<'_>, name: &str) -> Option<String> {
    known_settings(at).into_iter().find(|(n, _)| n == name).map(|(_, value)| shown(&value))
}

/// The architecture in which the cursor is, as it is written.
fn arch_around(at: &At<'_>) -> Option<tree::Arch> {
    let (_, name) = at.cursor.item.filter(|(keyword, _)| *keyword == "arch")?;
    let tree = at.world.session.tree(at.path)?;
    tree.items.iter().find_map(|item| match item {
        Item::Arch(a) if a.name.text == name => Some(a.clone()),
        _ => None,
    })
}

fn each_tensor<'a>(items: &'a [ArchItem], then: &mut dyn FnMut(&'a tree::TensorDecl)) {
    for item in items {
        match item {
            ArchItem::Tensor(t) => then(t),
            ArchItem::Block { items, .. } => each_tensor(items, then),
            ArchItem::Either { branches, .. } => branches.iter().for_each(|b| each_tensor(b, then)),
            _ => {}
        }
    }
}

fn dims_in(items: &[ArchItem], out: &mut Vec<String>) {
    let counted = |path: &[tree::ArchSegment], out: &mut Vec<String>| {
        for segment in path {
            if let ArchSegmentKind::Indexed { name, dim, .. } = &segment.kind {
                out.push(dim.as_ref().unwrap_or(name).text.clone());
            }
        }
    };
    for item in items {
        match item {
            ArchItem::Dims { names, .. } => out.extend(names.iter().map(|n| n.text.clone())),
            ArchItem::Default { name, .. } => out.push(name.text.clone()),
            ArchItem::Tensor(t) => counted(&t.path, out),
            ArchItem::Block { path, items, .. } => {
                counted(path, out);
                dims_in(items, out);
            }
            ArchItem::Either { branches, .. } => branches.iter().for_each(|b| dims_in(b, out)),
            _ => {}
        }
    }
}

/// Dims of the architecture in which the cursor is.
pub(super) fn declared_dims(at: &At<'_>) -> Vec<Choice> {
    let Some(arch) = arch_around(at) else { return Vec::new() };
    let mut dims = Vec::new();
    dims_in(&arch.items, &mut dims);
    let mut seen: Vec<String> = Vec::new();
    for dim in dims {
        if !seen.contains(&dim) {
            seen.push(dim);
        }
    }
    seen.into_iter().map(|dim| Choice::new(dim, CompletionItemKind::VARIABLE)).collect()
}
