//! A model as text, for `icpc inspect` and tests.

use std::fmt::Write as _;

use super::model::{ArchModel, Conflict, Family, Origin, SettingValue};
use crate::base::count;
use crate::checkpoint::Schema;

/// Dims with their origins, families, settings, bounds and conflicts; one line each, ends with a newline.
pub fn print(model: &ArchModel, schema: &Schema) -> String {
    let mut out = format!("arch {}\n", model.name);
    let width = |names: &mut dyn Iterator<Item = usize>| names.max().unwrap_or(0);
    let wide = width(&mut model.dims.iter().map(|d| d.name.len()));
    for dim in &model.dims {
        let value = dim.value.map_or_else(|| "?".to_owned(), |v| v.to_string());
        let from = dim.origin.as_ref().map_or_else(String::new, |o| format!(" ({})", origin(o, schema)));
        let mut notes = String::new();
        for (holds, word) in [(dim.recurrent, "recurrent"), (dim.residual, "residual")] {
            if holds {
                notes = format!("{notes}, {word}");
            }
        }
        if !dim.scope.is_empty() {
            notes = format!("{notes}, in {}", dim.scope);
        }
        line(&mut out, &format!("  dim {:wide$} = {value}{from}{notes}", dim.name));
    }
    for (path, dim, members) in grouped(&model.families) {
        line(&mut out, &format!("  family {path} = {members} ({dim})"));
    }
    for setting in &model.settings {
        let value = match &setting.value {
            SettingValue::Int(n) => n.to_string(),
            SettingValue::Text(text) => text.clone(),
        };
        let most = setting.at_most.as_ref().map_or_else(String::new, |(e, n)| format!(", at most {e} = {n}"));
        let from = origin(&setting.origin, schema);
        line(&mut out, &format!("  setting {} = {value} ({from}){most}", setting.name));
    }
    for bound in &model.bounds {
        let from = origin(&bound.origin, schema);
        line(&mut out, &format!("  bound {} <= {} = {} ({from})", bound.name, bound.expr, bound.at_most));
    }
    for (alias, target) in &model.untied {
        line(&mut out, &format!("  untied {} and {}", name(*alias, schema), name(*target, schema)));
    }
    for text in conflicts(model, schema) {
        line(&mut out, &format!("  conflict {text}"));
    }
    out
}

/// Conflicts, one clause each; unknown tensors are counted together.
pub fn conflicts(model: &ArchModel, schema: &Schema) -> Vec<String> {
    let mut shown = Vec::new();
    let mut unknown = Vec::new();
    for conflict in &model.conflicts {
        match conflict {
            Conflict::Unknown { tensor } => unknown.push(*tensor),
            other => shown.push(clause(other, schema)),
        }
    }
    if let Some(first) = unknown.first() {
        let others = unknown.len() as u64 - 1;
        let more = if others > 0 { format!(" and {others} more") } else { String::new() };
        shown.push(format!("nothing declares {}{more}", name(*first, schema)));
    }
    shown
}

fn clause(conflict: &Conflict, schema: &Schema) -> String {
    match conflict {
        Conflict::Dim { dim, first, second } => {
            let other = second.0.map_or_else(|| "no whole number".to_owned(), |n| n.to_string());
            let (here, there) = (origin(&first.1, schema), origin(&second.1, schema));
            format!("{dim} = {} ({here}), {other} ({there})", first.0)
        }
        Conflict::Rank { tensor, declared } => {
            let shape = schema.tensors.get(*tensor).map(|t| t.shape.to_string()).unwrap_or_default();
            format!("{} is {shape}, declared [{}]", name(*tensor, schema), declared.join(", "))
        }
        Conflict::Axis { tensor, axis, expr } => {
            let extent = schema.tensors.get(*tensor).and_then(|t| t.shape.dim(*axis)).unwrap_or(0);
            format!("{} axis {axis} is {extent}, declared {expr}", name(*tensor, schema))
        }
        Conflict::Missing { name, others: 0, .. } => format!("{name} is missing"),
        Conflict::Missing { name, others, .. } => format!("{name} is missing, and {others} like it"),
        Conflict::Unknown { tensor } => format!("nothing declares {}", name(*tensor, schema)),
        Conflict::Gap { family, missing } => format!("{family}.{missing} is missing"),
        Conflict::Branch { prefix, lacking } => {
            format!("no branch fits below {prefix}, which lacks {}", lacking.join(" and "))
        }
    }
}

/// Where a number comes from: `embedding.weight axis 0`, `4 members of layers`.
pub fn origin(origin: &Origin, schema: &Schema) -> String {
    match origin {
        Origin::Axis { tensor, axis, expr } if expr.contains([' ', '*', '+']) => {
            format!("{} axis {axis}: {expr}", name(*tensor, schema))
        }
        Origin::Axis { tensor, axis, .. } => format!("{} axis {axis}", name(*tensor, schema)),
        Origin::Members { family, .. } => format!("members of {family}"),
        Origin::Config(at) => at.clone(),
        Origin::Default => "default".to_owned(),
        Origin::Recipe => "recipe".to_owned(),
    }
}

fn name(tensor: usize, schema: &Schema) -> &str {
    schema.tensors.get(tensor).map_or("?", |t| t.name.as_str())
}

fn line(out: &mut String, text: &str) {
    let _ = writeln!(out, "{text}");
}

/// Families of one pattern and size as one line: `layers.{1,3}.moe.layer.experts`.
fn grouped(families: &[Family]) -> Vec<(String, &str, u64)> {
    let mut groups: Vec<(String, &Family, u64)> = Vec::new();
    for family in families {
        let pattern: Vec<&str> = family
            .path
            .split('.')
            .map(|s| if s.bytes().all(|b| b.is_ascii_digit()) { "*" } else { s })
            .collect();
        let pattern = pattern.join(".");
        match groups.iter_mut().find(|(p, f, _)| *p == pattern && f.members == family.members) {
            Some((_, _, times)) => *times += 1,
            None => groups.push((pattern, family, 1)),
        }
    }
    let shown = groups.into_iter().map(|(pattern, family, times)| {
        let path = match times {
            1 => family.path.clone(),
            n => format!("{pattern} ({})", count(n, "family")),
        };
        (path, family.dim.as_str(), family.members)
    });
    shown.collect()
}
