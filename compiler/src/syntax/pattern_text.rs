//! A pattern as text in one line: its name in plans and reports, and its identity for caching.

use super::tree::*;
use crate::base::Span;

/// Canonical text of `pattern`.
pub fn pattern_text(pattern: &Pattern) -> String {
    let mut out = String::new();
    write_pattern(pattern, &mut out);
    out
}

fn write_pattern(pattern: &Pattern, out: &mut String) {
    for (i, alternative) in pattern.alternatives.iter().enumerate() {
        if i > 0 {
            out.push_str(" | ");
        }
        match alternative {
            Alternative::Path { segments, .. } => {
                for (i, segment) in segments.iter().enumerate() {
                    if i > 0 {
                        out.push('.');
                    }
                    write_segment(segment, out);
                }
            }
            Alternative::Role { role, .. } => {
                out.push('@');
                out.push_str(&role.text);
            }
            Alternative::Rest { .. } => out.push('_'),
        }
    }
    if pattern.optional.is_some() {
        out.push_str(" ?");
    }
    if let Some(filter) = &pattern.filter {
        out.push_str(" where ");
        write_filter(filter, false, out);
    }
    if let Some(except) = &pattern.except {
        out.push_str(" except ");
        write_pattern(except, out);
    }
}

/// Text of one segment.
pub fn segment_text(segment: &Segment) -> String {
    let mut out = String::new();
    write_segment(segment, &mut out);
    out
}

/// A segment of a tensor's name as a pattern writes it: in quotes where it would mean something else, or nothing.
pub fn written_segment(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name != "_" && name.chars().all(plain) && !name.contains("--") {
        return name.to_owned();
    }
    let mut out = String::new();
    write_segment(&Segment { kind: SegmentKind::Quoted(name.to_owned()), span: Span::default() }, &mut out);
    out
}

fn write_segment(segment: &Segment, out: &mut String) {
    match &segment.kind {
        SegmentKind::AnyDepth => out.push_str("**"),
        SegmentKind::Glob(parts) => write_glob(parts, out),
        SegmentKind::Quoted(text) => {
            out.push('"');
            for c in text.chars() {
                match c {
                    '\n' => out.push_str("\\n"),
                    '"' | '\\' => out.extend(['\\', c]),
                    c => out.push(c),
                }
            }
            out.push('"');
        }
    }
}

fn write_glob(parts: &[GlobPart], out: &mut String) {
    for part in parts {
        match part {
            GlobPart::Literal(text) => out.push_str(text),
            GlobPart::Star => out.push('*'),
            GlobPart::One => out.push('?'),
            GlobPart::Choice(choices) => {
                out.push('{');
                for (i, choice) in choices.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    write_glob(&choice.parts, out);
                }
                out.push('}');
            }
            GlobPart::Range { from, to, .. } => {
                out.push('{');
                out.push_str(&from.to_string());
                match to {
                    Some(to) => out.push_str(&format!("..={to}")),
                    None => out.push_str(".."),
                }
                out.push('}');
            }
        }
    }
}

fn write_filter(filter: &Filter, inner: bool, out: &mut String) {
    match filter {
        Filter::And(a, b) | Filter::Or(a, b) => {
            let word = if matches!(filter, Filter::And(..)) { " and " } else { " or " };
            if inner {
                out.push('(');
            }
            write_filter(a, true, out);
            out.push_str(word);
            write_filter(b, true, out);
            if inner {
                out.push(')');
            }
        }
        Filter::Not(inner, _) => {
            out.push_str("not ");
            write_filter(inner, true, out);
        }
        Filter::Compare { subject, arg, op, value, .. } => {
            out.push_str(&subject.text);
            if let Some(arg) = arg {
                out.push_str(&format!("({})", value_text(arg)));
            }
            out.push_str(&format!(" {} {}", op.symbol(), value_text(value)));
        }
    }
}

fn value_text(value: &Value) -> String {
    match &value.kind {
        ValueKind::Int(t) | ValueKind::Float(t) => t.clone(),
        ValueKind::Percent(t) => format!("{t}%"),
        ValueKind::Ratio(t) => format!("{t}x"),
        ValueKind::Size { number, unit } => format!("{number} {}", unit.text),
        ValueKind::Text(t) => format!("{t:?}"),
        ValueKind::Bool(b) => b.to_string(),
        ValueKind::Name(path) => path.segments.iter().map(|s| s.text.as_str()).collect::<Vec<_>>().join("::"),
        // Other kinds are refused by the filter's checks; their text only has to differ from the valid ones.
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_written_so_that_it_is_read_again() {
        for name in [
            "w", "0", "a-b", "-", "_", "__", "a--b", "->", "é", "odd name", "a\"b\\", "x\ny", "*", "{a}",
            "where", "//", "",
        ] {
            let text = format!("recipe r {{ assign {{ {} => keep }} }}", written_segment(name));
            let file = super::super::parse(&text);
            assert_eq!(file.errors, [], "{text}");
            let [Item::Recipe(recipe)] = file.items.as_slice() else { panic!("{text}") };
            let [RecipeItem::Assign { arms, .. }] = recipe.items.as_slice() else { panic!("{text}") };
            let [Alternative::Path { segments, .. }] = arms[0].pattern.alternatives.as_slice() else {
                panic!("{text}")
            };
            let read = match &segments[0].kind {
                SegmentKind::Quoted(read) => read,
                SegmentKind::Glob(parts) => match parts.as_slice() {
                    [GlobPart::Literal(read)] => read,
                    _ => panic!("{text}"),
                },
                SegmentKind::AnyDepth => panic!("{text}"),
            };
            assert_eq!((read.as_str(), segments.len()), (name, 1), "{text}");
        }
    }
}
