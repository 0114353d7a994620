//! Formats, arguments, words and numbers.

use icpc::base::{Shape, count, human_bytes, with_thousands};
use icpc::check::length_beyond_positions::longest;
use icpc::check::percentile_cuts_nothing::{group_of, highest_that_cuts};
use icpc::checkpoint::TensorInfo;
use icpc::hir::Decimal;
use icpc::hir::vocabulary::describe;
use icpc::syntax::keywords::UNITS;
use icpc::syntax::part::{Part, Token, Within};
use icpc::syntax::tree::{Value, ValueKind};

use super::pattern::{cost, infos, ratio, shape, unknown};
use super::{model, names, require};
use crate::features::target::{Seen, Target};
use crate::markup::{Text, name};

/// A kind of values.
pub(super) fn kind(kind: &str) -> Option<Text> {
    Some(Text::new(format!("{}: {}", name(kind), describe("kind", kind)?)))
}

/// A token of a value or of a condition.
pub(super) fn show(target: &Target<'_>, part: &Part<'_>) -> Option<Text> {
    match part.token {
        Token::Word(word) => match names::show(target, part) {
            // What it stands for is held to the range of the place.
            Some(text) => {
                Some(text.say(range(target, part, part.field.or(part.callee)?).unwrap_or_default()))
            }
            None => named(target, part, word),
        },
        Token::Callee(callee) => named(target, part, callee),
        Token::Subject(subject) => {
            let text = Text::new(format!("{}: {}", name(subject), describe("where", subject)?));
            Some(text.say(spread(target, part, subject).unwrap_or_default()))
        }
        Token::Field(field) => {
            let of = match part.within {
                Within::Prune(_) => "prune",
                Within::Settings(keyword) => &keyword.text,
                _ => part.callee?,
            };
            let text = Text::new(format!("{}: {}", name(field), describe(of, field)?));
            Some(text.say(range(target, part, field).unwrap_or_default()))
        }
        Token::Number(value) => number(target, part, value),
        _ => None,
    }
}

/// A word of the language's own, by the place that it stands in.
fn named(target: &Target<'_>, part: &Part<'_>, word: &str) -> Option<Text> {
    let outermost = part.callee.is_none() && part.field.is_none();
    let of = match (part.field, part.within) {
        (Some(field), _) => field,
        (None, Within::Emit) => "container",
        (None, Within::Target) => "target",
        (None, Within::Casts) => "casts",
        (None, Within::Require(_)) => "of",
        (None, _) => "format",
    };
    let doc = match describe(of, word) {
        Some(doc) => doc,
        None if of == "target" => "A GPU.",
        None => return None,
    };
    let Within::Arm(arm) = part.within else { return Some(Text::new(format!("{}: {doc}", name(word)))) };
    let seen = target.seen(part.item)?;
    let number = seen.arm(&target.path, &target.tree, part.item, arm.span)?;
    let format = seen.recipe.arms.get(number)?.format.as_ref();
    match format.filter(|_| outermost && of == "format") {
        None => {
            let text = Text::new(format!("{}: {doc}", name(word)));
            Some(text.say(of_format(&seen, number, word, "").unwrap_or_default()))
        }
        Some(format) => Some(
            Text::new(format!("{}: {doc}", name(&format.to_string()))).say(exact_cost(target, &seen, number)),
        ),
    }
}

/// What the format costs here, to the byte.
fn exact_cost(target: &Target<'_>, seen: &Seen, number: usize) -> String {
    let Some((before, cost)) = cost(target, seen, number) else {
        return match seen.checked {
            Some(_) => "This arm owns no tensor.".to_owned(),
            None => format!("Its cost: {}", unknown(target, seen)),
        };
    };
    let Some(cost) = cost else { return format!("{} before.", human_bytes(before)) };
    let bytes = |n: u64| format!("{} B", with_thousands(n));
    let parts: Vec<String> =
        cost.parts.iter().map(|(role, n)| format!("{} {}", role.name(), bytes(*n))).collect();
    let parts = if parts.len() > 1 { format!(": {}", parts.join(" + ")) } else { String::new() };
    format!(
        "{}: {} → {}{}{parts}.",
        count(cost.tensors, "tensor"),
        bytes(before),
        bytes(cost.bytes),
        ratio(before, cost.bytes)
    )
}

/// A number: what it is, and what it may be.
fn number(target: &Target<'_>, part: &Part<'_>, value: &Value) -> Option<Text> {
    let mut text = Text::default();
    if let ValueKind::Size { .. } = &value.kind
        && let Some(bytes) = bytes_of(target.slice(value.span))
    {
        text = text.say(format!("{} = {} B.", name(target.slice(value.span)), with_thousands(bytes)));
    }
    let field = part.field.or(part.callee).unwrap_or("");
    let range = match part.within {
        Within::Require(_) => require::actual(target, part),
        Within::Set(setting) => {
            let seen = model::seen(target, part)?;
            let found = seen.model()?.settings.iter().find(|s| s.name == setting.text);
            found.and_then(|setting| model::limit(&seen, setting))
        }
        Within::Arm(_) if describe("where", field).is_some() => spread(target, part, field),
        _ => range(target, part, field),
    };
    let text = text.say(range.unwrap_or_default());
    (!text.is_empty()).then_some(text)
}

/// `3 MB` as bytes.
fn bytes_of(text: &str) -> Option<u64> {
    let compact: String = text.chars().filter(|c| !c.is_whitespace() && *c != '_').collect();
    let unit = compact.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = (compact.get(..unit)?, compact.get(unit..)?);
    let (_, factor) = UNITS.iter().find(|(known, _)| *known == unit)?;
    u64::try_from(Decimal::parse(number)?.times(i128::from(*factor))?).ok()
}

/// Which values of a field are legal here, and why.
fn range(target: &Target<'_>, part: &Part<'_>, field: &str) -> Option<String> {
    match part.within {
        Within::Settings(_) => Some(match field {
            "data" | "tokenizer" | "statistics" => return None,
            "seed" => "0 or more.".to_owned(),
            "max_length" | "window" => lengths(target, part).unwrap_or_else(|| "1 or more.".to_owned()),
            _ => "1 or more.".to_owned(),
        }),
        Within::Emit => (field == "shards").then(|| "1 MB or more.".to_owned()),
        Within::Prune(prune) => match field {
            "sparsity" => Some("Above 0% and below 100%, with at most 4 decimals.".to_owned()),
            "keep" => Some(kept(target, part, prune.span)),
            _ => None,
        },
        Within::Arm(arm) => {
            let seen = target.seen(part.item)?;
            let number = seen.arm(&target.path, &target.tree, part.item, arm.span)?;
            of_format(&seen, number, part.callee?, field)
        }
        _ => None,
    }
}

fn lengths(target: &Target<'_>, part: &Part<'_>) -> Option<String> {
    let seen = target.seen(part.item)?;
    let schema = seen.schema.as_deref()?;
    if let Some(bound) = seen.model().and_then(|m| m.bounds.iter().find(|b| b.name == "sequence")) {
        let from = model::origin(&bound.origin, schema);
        return Some(format!("1..={}: {} is {}, {from}.", bound.at_most, name(&bound.expr), bound.at_most));
    }
    let (most, fact) = longest(schema)?;
    Some(format!("1..={most}: {} in {}.", name(&fact.key), name(&fact.origin)))
}

fn kept(target: &Target<'_>, part: &Part<'_>, span: icpc::base::Span) -> String {
    let general = "A number, a share above 0% and below 100%, or n of m with 1 ≤ n < m ≤ 64.";
    let here = || {
        let seen = target.seen(part.item)?;
        let number = seen.prune(&target.path, &target.tree, part.item, span)?;
        let checked = seen.checked.as_deref()?;
        let mut ours = checked.pruned.selections.iter();
        let first = ours.find(|s| checked.pruned.pruning_of(&s.dim) == Some(number))?;
        let dim = seen.model().and_then(|m| m.dim(&first.dim));
        let from = dim.and_then(|d| d.origin.as_ref()).zip(seen.schema.as_deref());
        let from = from.map_or(String::new(), |(o, schema)| format!(", {}", model::origin(o, schema)));
        Some(format!("1..{}: {} is {}{from}.", first.of, name(&first.dim), first.of))
    };
    here().unwrap_or_else(|| general.to_owned())
}

/// Arguments of formats, as far as the arm's tensors decide.
fn of_format(seen: &Seen, number: usize, callee: &str, field: &str) -> Option<String> {
    let (checked, schema) = (seen.checked.as_deref(), seen.schema.as_deref());
    let claimed =
        checked.and_then(|a| a.ownership.claimed.get(number)).map(Vec::as_slice).unwrap_or_default();
    // Shapes behind the prunings, with the first tensor of each.
    let tensors = schema.into_iter().flat_map(|schema| infos(schema, claimed));
    let tensors = tensors.map(|(n, info)| (checked.map_or(&info.shape.0[..], |a| shape(a, n, info)), info));
    let least = |by: &dyn Fn(&[u64]) -> Option<u64>| -> Option<(u64, &TensorInfo)> {
        tensors.clone().filter_map(|(shape, info)| Some((by(shape)?, info))).min_by_key(|(n, _)| *n)
    };
    match (callee, field) {
        ("nf4" | "fp4", "block") => Some("A power of two in 64..=4096.".to_owned()),
        ("int8" | "int4", "block") => {
            let mut common: Option<(u64, (&[u64], &TensorInfo))> = None;
            for (shape, info) in tensors {
                let Some(length) = shape.last() else { continue };
                common = match common {
                    Some((known, first)) => {
                        let both = greatest_common(known, *length);
                        Some(if both < known { (both, (shape, info)) } else { (known, first) })
                    }
                    None => Some((*length, (shape, info))),
                };
            }
            Some(match common {
                Some((n, (shape, info))) => format!(
                    "Divides {n}, the greatest common divisor of the last axes of this arm's tensors, fixed by {} {}.",
                    name(&info.name),
                    Shape(shape.into())
                ),
                None => "1..=1048576, and a divisor of the last axis of every tensor.".to_owned(),
            })
        }
        ("int8" | "int4", "axis") => Some(match least(&|shape| Some(shape.len() as u64)) {
            Some((rank, info)) => format!("0..{rank}: the rank of {} is {rank}.", name(&info.name)),
            None => "0 or more, below the rank of every tensor.".to_owned(),
        }),
        ("percentile", _) => {
            let whole = "Above 0% and at most 100%, with at most 7 decimals.";
            let format = seen.recipe.arms.get(number)?.format.as_ref();
            let group = least(&|shape| group_of(format?, shape).filter(|n| *n > 0));
            Some(match group.and_then(|(n, info)| Some((n, info, highest_that_cuts(n)?))) {
                Some((n, info, highest)) => format!(
                    "{whole} Up to {highest} it cuts something off in every group: the smallest has {}, in {}.",
                    count(n, "value"),
                    name(&info.name)
                ),
                None => whole.to_owned(),
            })
        }
        _ => None,
    }
}

fn greatest_common(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common(b, a % b) }
}

/// What the checkpoint's tensors have where a condition asks for a number.
fn spread(target: &Target<'_>, part: &Part<'_>, subject: &str) -> Option<String> {
    let seen = target.seen(part.item)?;
    let schema = seen.schema.as_deref()?;
    let of = |info: &TensorInfo| match subject {
        "rank" => Some(info.shape.rank() as u64),
        "params" => info.shape.len(),
        "bytes" => Some(info.bytes),
        _ => None,
    };
    let (mut least, mut most) = (None::<u64>, None::<u64>);
    for n in schema.tensors.iter().filter_map(of) {
        least = Some(least.map_or(n, |known| known.min(n)));
        most = Some(most.map_or(n, |known| known.max(n)));
    }
    let (least, most) = (with_thousands(least?), with_thousands(most?));
    Some(format!("{least} to {most} in {}.", name(&schema.source)))
}
