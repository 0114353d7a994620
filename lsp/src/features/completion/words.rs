//! Words of the language and what calls and blocks take, all from the compiler's tables.

use icpc::graph::{OpDecl, ops};
use icpc::hir::filter::SUBJECTS;
use icpc::hir::format::FORMATS;
use icpc::hir::items::{self, BASELINE, CONTAINERS, METRICS};
use icpc::hir::signature::{self, Parameter, Signature, Takes};
use icpc::hir::value::Kind;
use icpc::hir::vocabulary::describe;
use icpc::syntax::keywords::{KEYWORDS, Keyword, Place as Of, UNITS, keywords};
use icpc::syntax::place::{Callee, Slot};
use icpc::syntax::tree::CompareOp;
use tower_lsp::ls_types::CompletionItemKind;

use super::{At, Choice, names, tensors};

/// A keyword with its construct.
pub(super) fn keyword(k: &Keyword) -> Choice {
    let choice = Choice::new(k.word, CompletionItemKind::KEYWORD);
    choice.detail(if k.form == k.word { "" } else { k.form }).say(k.doc)
}

/// Operations of a forward.
pub(super) fn operations() -> impl Iterator<Item = Choice> {
    let operation =
        |op: &&OpDecl| Choice::new(op.name, CompletionItemKind::FUNCTION).detail(op.form()).say(op.docs);
    ops::ALL.iter().map(operation)
}

/// One keyword, wherever it stands.
pub(super) fn one_keyword(word: &str) -> Vec<Choice> {
    KEYWORDS.iter().find(|k| k.word == word).map(keyword).into_iter().collect()
}

/// The `dim` behind `prune`.
pub(super) fn dim_of_a_pruning() -> Choice {
    let form = keywords(Of::Recipe).find(|k| k.word == "prune").map_or("", |k| k.form);
    Choice::new("dim", CompletionItemKind::KEYWORD).detail(form).say("Cuts all tensors that share a dim.")
}

fn pattern_keywords(wanted: &[&str]) -> Vec<Choice> {
    keywords(Of::Pattern).filter(|k| wanted.contains(&k.word)).map(keyword).collect()
}

/// Behind a pattern.
pub(super) fn after_pattern(filter: bool) -> Vec<Choice> {
    pattern_keywords(if filter { &["where", "except"] } else { &["except"] })
}

/// Behind a condition.
pub(super) fn after_condition() -> Vec<Choice> {
    pattern_keywords(&["and", "or", "except"])
}

fn word(word: &str, of: &str, kind: CompletionItemKind) -> Choice {
    Choice::new(word, kind).say(describe(of, word).unwrap_or(""))
}

/// What a condition can ask for.
pub(super) fn subjects() -> Vec<Choice> {
    let subject = |name: &&str| {
        let choice = word(name, "where", CompletionItemKind::PROPERTY);
        // The one with an argument.
        if *name == "dim" { choice.insert("dim(0)").snippet("dim(${1:0})") } else { choice }
    };
    SUBJECTS.iter().map(subject).chain(pattern_keywords(&["not"])).collect()
}

/// Comparisons; of a condition's subject, or of a metric.
pub(super) fn comparisons(subject: Option<&str>) -> Vec<Choice> {
    use CompareOp::{Eq, Ge, Gt, Le, Lt, Ne};
    let all: &[CompareOp] = match subject {
        // They have no order.
        Some("dtype" | "role") => &[Eq, Ne],
        Some(_) => &[Eq, Ne, Lt, Le, Gt, Ge],
        None => &[Le, Ge, Lt, Gt],
    };
    all.iter().map(|op| Choice::new(op.symbol(), CompletionItemKind::OPERATOR)).collect()
}

/// Kinds of consts and parameters.
pub(super) fn kinds() -> Vec<Choice> {
    Kind::ALL
        .iter()
        .map(|k| word(k.name(), "kind", CompletionItemKind::TYPE_PARAMETER).detail(k.example()))
        .collect()
}

/// Devices.
pub(super) fn targets() -> Vec<Choice> {
    items::targets().map(|t| word(t, "target", CompletionItemKind::ENUM_MEMBER)).collect()
}

/// Who converts types.
pub(super) fn casts() -> Vec<Choice> {
    vec![word(items::AUTO, "casts", CompletionItemKind::ENUM_MEMBER)]
}

/// Containers of the output.
pub(super) fn containers() -> Vec<Choice> {
    CONTAINERS.iter().map(|(name, _)| word(name, "container", CompletionItemKind::ENUM_MEMBER)).collect()
}

/// What a requirement can measure.
pub(super) fn metrics() -> Vec<Choice> {
    METRICS.iter().map(|(name, _)| word(name, "require", CompletionItemKind::PROPERTY)).collect()
}

/// Text for a snippet, as it is.
fn escaped(text: &str) -> String {
    text.chars().flat_map(|c| matches!(c, '\\' | '$' | '}').then_some('\\').into_iter().chain([c])).collect()
}

/// `${1|64,128|}`, the default first.
fn place_for(parameter: &Parameter, number: usize) -> String {
    let mut values = parameter.takes.values();
    let is_default = |v: &str| parameter.default.is_some_and(|d| v == d);
    values.sort_by_key(|v| !is_default(v));
    match (&parameter.takes, values.as_slice()) {
        (Takes::Path, _) => format!("\"${number}\""),
        (_, []) => format!("${number}"),
        (_, [one]) => format!("${{{number}:{}}}", escaped(one)),
        (_, several) => {
            let shown: Vec<String> =
                several.iter().map(|v| escaped(v).replace(',', "\\,").replace('|', "\\|")).collect();
            format!("${{{number}|{}|}}", shown.join(","))
        }
    }
}

/// Formats, and consts and parameters that hold one.
pub(super) fn formats(at: &At<'_>) -> Vec<Choice> {
    let mut out = Vec::new();
    for (name, _) in FORMATS {
        let Some(signature) = signature::call(name) else { continue };
        let detail = signature.parameters.iter().map(|p| p.name).collect::<Vec<_>>().join(", ");
        let choice = Choice::new(*name, CompletionItemKind::FUNCTION).detail(detail).say(signature.doc);
        if signature.parameters.is_empty() {
            out.push(choice);
            continue;
        }
        out.push(choice.clone());
        // Few arguments are all laid out, of many the first: the others come at its comma.
        let laid_out = if signature.parameters.len() <= 2 { signature.parameters.len() } else { 1 };
        let arguments: Vec<String> = signature
            .parameters
            .iter()
            .take(laid_out)
            .zip(1..)
            .map(|(p, number)| format!("{}: {}", p.name, place_for(p, number)))
            .collect();
        let call = Choice { label: format!("{name}(...)"), filter: (*name).to_owned(), ..choice };
        out.push(call.insert(format!("{name}(")).snippet(format!("{name}({})", arguments.join(", "))));
    }
    out.extend(names::in_scope(at, &[Kind::Format]));
    out
}

/// What the innermost call or block takes.
fn signature_of(at: &At<'_>) -> Option<Signature> {
    match at.cursor.call.as_ref()?.callee {
        Callee::Word(name) => signature::call(name),
        Callee::Block(name) => signature::block(name),
        Callee::Base(_) => None,
    }
}

/// `takes`, and what holds without.
fn detail(parameter: &Parameter) -> String {
    let default = parameter.default.map_or(String::new(), |d| format!(" = {d}"));
    format!("{}{default}", parameter.takes.text())
}

/// Names of arguments that are not given yet; where a value needs no name, values.
pub(super) fn arguments(at: &At<'_>) -> Vec<Choice> {
    let Some(call) = &at.cursor.call else { return Vec::new() };
    if let Callee::Base(base) = call.callee {
        let parameters = names::parameters_of(at.world, at.path, base).into_iter();
        let choice = |(name, kind, default): (String, Option<Kind>, String)| {
            let kind = kind.map_or("", Kind::name);
            let default = if default.is_empty() { default } else { format!(" = {default}") };
            let insert = format!("{name}: ");
            Choice::new(name, CompletionItemKind::PROPERTY).detail(format!("{kind}{default}")).insert(insert)
        };
        return parameters.filter(|(name, ..)| !call.given.contains(&name.as_str())).map(choice).collect();
    }
    let Some(signature) = signature_of(at) else { return Vec::new() };
    if signature.parameters.iter().any(|p| p.name.is_empty()) {
        return values(at, Slot::Bare);
    }
    let choice = |p: &Parameter| {
        let choice = Choice::new(p.name, CompletionItemKind::PROPERTY).detail(detail(p)).say(p.doc);
        choice.insert(format!("{}: ", p.name)).snippet(format!("{}: {}", p.name, place_for(p, 1)))
    };
    signature.parameters.iter().filter(|p| !call.given.contains(&p.name)).map(choice).collect()
}

/// Kinds of a value that an argument takes.
fn kinds_of(takes: &Takes) -> &'static [Kind] {
    match takes {
        Takes::Bool => &[Kind::Bool],
        Takes::Int(_) => &[Kind::Int],
        Takes::Number(_) => &[Kind::Int, Kind::Float],
        Takes::Percent(_) => &[Kind::Percent],
        Takes::Size(_) => &[Kind::Size],
        Takes::Path => &[Kind::Text],
        Takes::Words(_) => &[],
        Takes::Forms(_) => &[Kind::Int, Kind::Percent],
    }
}

fn of_parameter(at: &At<'_>, parameter: &Parameter) -> Vec<Choice> {
    let mut out = Vec::new();
    for value in parameter.takes.values() {
        let first = value.split([' ', '(']).next().unwrap_or(value);
        let doc = describe(parameter.name, first).unwrap_or("");
        let default = parameter.default == Some(value);
        let choice = Choice::new(value, CompletionItemKind::VALUE).say(doc);
        out.push(choice.detail(if default { "default" } else { "" }));
    }
    // Words are no values of a const: those of `per` cannot be kept in one.
    let kinds = kinds_of(&parameter.takes);
    let no_words = !parameter.takes.values().iter().all(|v| v.starts_with(|c: char| c.is_ascii_alphabetic()));
    if !kinds.is_empty() && (no_words || parameter.takes == Takes::Bool || parameter.takes == Takes::Path) {
        out.extend(names::in_scope(at, kinds));
    }
    out
}

/// Values of a slot.
pub(super) fn values(at: &At<'_>, slot: Slot<'_>) -> Vec<Choice> {
    match slot {
        Slot::Declared(kind) => match kind.and_then(Kind::from_name) {
            Some(kind) => of_kind(at, kind),
            // Anything may be meant; what has no name in a table is typed faster than chosen.
            None => {
                formats(at).into_iter().chain(names::in_scope(at, &[])).fold(Vec::new(), |mut all, choice| {
                    if !all.contains(&choice) {
                        all.push(choice);
                    }
                    all
                })
            }
        },
        Slot::Setting(name) => {
            let value = tensors::setting_value(at, name)
                .map(|v| Choice::new(v, CompletionItemKind::VALUE).detail("now"));
            value.into_iter().chain(names::in_scope(at, &[Kind::Int, Kind::Float])).collect()
        }
        Slot::Path => names::in_scope(at, &[Kind::Text]),
        Slot::Argument(name) => match at.cursor.call.as_ref().map(|c| c.callee) {
            Some(Callee::Base(base)) => {
                let parameters = names::parameters_of(at.world, at.path, base);
                match parameters.into_iter().find(|(n, ..)| n == name) {
                    Some((_, Some(kind), _)) => of_kind(at, kind),
                    Some((_, None, _)) => names::in_scope(at, &[]),
                    None => Vec::new(),
                }
            }
            _ => {
                let parameter =
                    signature_of(at).and_then(|s| s.parameters.into_iter().find(|p| p.name == name));
                parameter.map(|p| of_parameter(at, &p)).unwrap_or_default()
            }
        },
        Slot::Bare => {
            let parameter =
                signature_of(at).and_then(|s| s.parameters.into_iter().find(|p| p.name.is_empty()));
            parameter.map(|p| of_parameter(at, &p)).unwrap_or_default()
        }
        Slot::Bound(metric) => names::in_scope(at, bound_kinds(metric)),
        Slot::Share(_) => vec![word(BASELINE, "of", CompletionItemKind::KEYWORD)],
    }
}

/// Kinds that a metric is compared with.
fn bound_kinds(metric: &str) -> &'static [Kind] {
    match metric {
        "size" | "memory" => &[Kind::Size],
        "compression" => &[Kind::Ratio],
        "clipped" => &[Kind::Percent],
        _ => &[Kind::Int, Kind::Float],
    }
}

fn of_kind(at: &At<'_>, kind: Kind) -> Vec<Choice> {
    let mut out = match kind {
        Kind::Bool => {
            Takes::Bool.values().iter().map(|v| Choice::new(*v, CompletionItemKind::VALUE)).collect()
        }
        Kind::Format => return formats(at),
        _ => vec![Choice::new(kind.example(), CompletionItemKind::VALUE).detail("for example")],
    };
    out.extend(names::in_scope(at, &[kind]));
    out
}

/// Behind a number: a unit of sizes, or `of`.
pub(super) fn units(at: &At<'_>, slot: Slot<'_>, percent: bool) -> Vec<Choice> {
    let (size, of) = match slot {
        Slot::Bound(metric) => (bound_kinds(metric) == [Kind::Size], percent),
        Slot::Declared(kind) => (kind.is_none_or(|k| k == Kind::Size.name()), false),
        Slot::Argument(name) => {
            let parameter = signature_of(at).and_then(|s| s.parameters.into_iter().find(|p| p.name == name));
            let takes = parameter.map(|p| p.takes);
            let size = matches!(takes, Some(Takes::Size(_)));
            let of = takes.is_some_and(|t| t.values().iter().any(|v| v.contains(" of ")));
            (size, of && !percent)
        }
        // `where bytes > 3 MB`
        Slot::Bare => (at.cursor.call.is_none(), false),
        Slot::Setting(_) | Slot::Path | Slot::Share(_) => (false, false),
    };
    let mut out = Vec::new();
    if size && !percent {
        out.extend(UNITS.iter().map(|(unit, bytes)| {
            Choice::new(*unit, CompletionItemKind::UNIT)
                .detail(format!("{} B", icpc::base::with_thousands(*bytes)))
        }));
    }
    if of {
        out.extend(one_keyword("of"));
    }
    out
}
