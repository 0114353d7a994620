//! From written values to typed ones: names are replaced by what they stand for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::decimal::Decimal;
use super::module::Item;
use super::problems::{UNKNOWN_NAME, VALUE_OUT_OF_RANGE};
use super::value::{Value, ValueKind};
use crate::diag::{Diagnostic, Loc};
use crate::syntax::keywords::UNITS;
use crate::syntax::tree;

/// Consts and parameters that are visible.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// By name.
    pub values: BTreeMap<String, Value>,
    /// What they stand in: of a name that both have, the inner value counts.
    pub around: Option<Arc<Scope>>,
}

impl Scope {
    /// An empty one in another.
    pub fn within(around: &Arc<Scope>) -> Scope {
        Scope { values: BTreeMap::new(), around: Some(Arc::clone(around)) }
    }

    /// Value of a name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name).or_else(|| self.around.as_ref()?.get(name))
    }

    /// All names, sorted.
    pub fn names(&self) -> BTreeSet<&str> {
        let mut names = self.around.as_ref().map(|around| around.names()).unwrap_or_default();
        names.extend(self.values.keys().map(String::as_str));
        names
    }
}

/// Evaluates `value`, written in `item`.
pub fn eval(value: &tree::Value, item: &Item, scope: &Scope, problems: &mut Vec<Diagnostic>) -> Value {
    let loc = item.loc(value.span);
    let kind = match &value.kind {
        tree::ValueKind::Int(text) => {
            number(text, &loc, problems, |text| text.parse().ok().map(ValueKind::Int))
        }
        tree::ValueKind::Float(text) => {
            number(text, &loc, problems, |text| Decimal::parse(text).map(ValueKind::Float))
        }
        tree::ValueKind::Percent(text) => {
            number(text, &loc, problems, |text| Decimal::parse(text).map(ValueKind::Percent))
        }
        tree::ValueKind::Ratio(text) => {
            number(text, &loc, problems, |text| Decimal::parse(text).map(ValueKind::Ratio))
        }
        tree::ValueKind::Size { number: text, unit } => match unit_bytes(&unit.text) {
            Some(bytes) => size(text, bytes, &loc, problems),
            None => {
                let known: Vec<&str> = UNITS.iter().map(|(name, _)| *name).collect();
                let at = item.loc(unit.span);
                problems.push(super::problems::unknown_name(at, "unit", &unit.text, &known));
                ValueKind::Broken
            }
        },
        tree::ValueKind::Text(text) => ValueKind::Text(text.clone()),
        tree::ValueKind::Bool(b) => ValueKind::Bool(*b),
        tree::ValueKind::Name(path) => {
            let name = path.segments.iter().map(|s| s.text.as_str()).collect::<Vec<_>>().join("::");
            match scope.get(&name) {
                // Errors in the value point to where it was written, not to each use.
                Some(found) => return found.clone(),
                None if path.segments.len() > 1 => {
                    problems.push(
                        Diagnostic::new(&UNKNOWN_NAME, loc.clone(), format!("no value is called `{name}`"))
                            .help("import the name with `use`, then write it without `::`"),
                    );
                    ValueKind::Broken
                }
                None => ValueKind::Word(name),
            }
        }
        tree::ValueKind::Call { name, args } => {
            let args = args.iter().map(|arg| {
                let name = arg.name.as_ref().map(|n| (n.text.clone(), item.loc(n.span)));
                (name, eval(&arg.value, item, scope, problems))
            });
            ValueKind::Call(name.text.clone(), args.collect())
        }
        tree::ValueKind::Of(a, b) => {
            ValueKind::Of(Box::new(eval(a, item, scope, problems)), Box::new(eval(b, item, scope, problems)))
        }
        tree::ValueKind::Worded(word, v) => {
            ValueKind::Worded(word.text.clone(), Box::new(eval(v, item, scope, problems)))
        }
        tree::ValueKind::List(items) => {
            ValueKind::List(items.iter().map(|v| eval(v, item, scope, problems)).collect())
        }
        tree::ValueKind::Broken => ValueKind::Broken,
    };
    Value { kind, loc }
}

/// A size is whole bytes: rounding one would decide a requirement by a number that nobody wrote.
fn size(text: &str, factor: i128, loc: &Loc, problems: &mut Vec<Diagnostic>) -> ValueKind {
    match Decimal::parse(text) {
        Some(n) if n.times(factor).is_none() => {
            problems.push(
                Diagnostic::new(&VALUE_OUT_OF_RANGE, loc.clone(), "this size is no whole number of bytes")
                    .help("write fewer decimals, or the bytes themselves, such as `1536 B`"),
            );
            ValueKind::Broken
        }
        _ => number(text, loc, problems, |text| {
            let bytes = Decimal::parse(text)?.times(factor)?;
            u64::try_from(bytes).ok().map(ValueKind::Size)
        }),
    }
}

fn number(
    text: &str,
    loc: &Loc,
    problems: &mut Vec<Diagnostic>,
    parse: impl FnOnce(&str) -> Option<ValueKind>,
) -> ValueKind {
    parse(text).unwrap_or_else(|| {
        problems.push(
            Diagnostic::new(&VALUE_OUT_OF_RANGE, loc.clone(), "this number has too many digits")
                .help("at most 18 digits, 15 of them behind the point"),
        );
        ValueKind::Broken
    })
}

/// Bytes of a unit of sizes.
pub fn unit_bytes(unit: &str) -> Option<i128> {
    UNITS.iter().find(|(name, _)| *name == unit).map(|(_, bytes)| i128::from(*bytes))
}
