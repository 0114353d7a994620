//! Values that no shape tells, and bounds of lengths.

use super::solve::Solved;
use crate::arch::decl::{ArchDecl, DefaultDecl, Limit};
use crate::arch::model::{LengthBound, Origin, Setting, SettingValue};
use crate::checkpoint::{Attribute, ConfigFact, Schema};

/// Settings with the value that holds: of the recipe, else as shapes tell, else of the configuration, else the default.
pub(super) fn settings(
    decl: &ArchDecl,
    schema: &Schema,
    solved: &Solved<'_>,
    overrides: &[(String, SettingValue)],
) -> Vec<Setting> {
    let one = |default: &DefaultDecl| {
        let keys: Vec<&str> = default.config_keys.iter().map(String::as_str).collect();
        let (value, origin) = overridden(default, overrides)
            .or_else(|| from_shapes(default, solved))
            .or_else(|| fact(schema, &keys).and_then(|fact| configured(default, fact)))
            .unwrap_or_else(|| (default.value.clone(), Origin::Default));
        let at_most = default.limit.as_ref().and_then(|l| Some((l.expr.text.clone(), l.largest(solved)?)));
        Setting { name: default.name.clone(), kind: default.kind, value, origin, at_most }
    };
    decl.defaults.iter().map(one).collect()
}

/// Bounds of which the number is known.
pub(super) fn bounds(decl: &ArchDecl, solved: &Solved<'_>) -> Vec<LengthBound> {
    let one = |bound: &crate::arch::decl::BoundDecl| {
        let first = bound.limit.expr.dims().first().copied();
        let origin = first.and_then(|d| solved.origins.get(d).cloned().flatten());
        Some(LengthBound {
            name: bound.name.clone(),
            at_most: bound.limit.largest(solved)?,
            expr: bound.limit.expr.text.clone(),
            origin: origin.unwrap_or(Origin::Default),
        })
    };
    decl.bounds.iter().filter_map(one).collect()
}

impl Limit {
    /// Largest value that it allows.
    fn largest(&self, solved: &Solved<'_>) -> Option<u64> {
        let value = self.expr.value(&solved.values)?;
        if self.strict { value.checked_sub(1) } else { Some(value) }
    }
}

/// The fact under the first of `keys` that there is, at the top of the configuration, else in the one section that has it.
fn fact<'s>(schema: &'s Schema, keys: &[&str]) -> Option<&'s ConfigFact> {
    schema.fact(keys).or_else(|| {
        keys.iter().find_map(|key| {
            let inner =
                |f: &&ConfigFact| f.key.strip_suffix(key).is_some_and(|section| section.ends_with('.'));
            let mut found = schema.config.iter().filter(inner);
            found.next().filter(|_| found.next().is_none())
        })
    })
}

fn overridden(default: &DefaultDecl, overrides: &[(String, SettingValue)]) -> Option<(SettingValue, Origin)> {
    // The last `set` of a name wins, as the last `--set` does.
    let (_, value) = overrides.iter().rev().find(|(name, _)| *name == default.name)?;
    Some((value.clone(), Origin::Recipe))
}

fn from_shapes(default: &DefaultDecl, solved: &Solved<'_>) -> Option<(SettingValue, Origin)> {
    let dim = default.dim?;
    let value = i64::try_from(solved.values.get(dim).copied().flatten()?).ok()?;
    Some((SettingValue::Int(value), solved.origins.get(dim).cloned().flatten()?))
}

/// A fact of the configuration, if it is of the default's kind.
fn configured(default: &DefaultDecl, fact: &ConfigFact) -> Option<(SettingValue, Origin)> {
    let value = match (&default.value, &fact.value) {
        (SettingValue::Int(_), Attribute::Int(n)) => SettingValue::Int(*n),
        (SettingValue::Int(_), _) => return None,
        (SettingValue::Text(_), Attribute::Int(n)) => SettingValue::Text(n.to_string()),
        (SettingValue::Text(_), Attribute::Bool(b)) => SettingValue::Text(b.to_string()),
        // The shortest digits that give the same number, `1e-5` and not `0.00001`.
        (SettingValue::Text(_), Attribute::Float(x)) => SettingValue::Text(format!("{x:?}")),
        (SettingValue::Text(_), Attribute::Text(text)) => SettingValue::Text(text.clone()),
    };
    Some((value, Origin::Config(fact.origin.clone())))
}
