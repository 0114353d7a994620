//! A pattern as text in one line: its name in plans and reports, and its identity for caching.

use super::tree::*;

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

fn write_segment(segment: &Segment, out: &mut String) {
    match &segment.kind {
        SegmentKind::AnyDepth => out.push_str("**"),
        SegmentKind::Glob(parts) => write_glob(parts, out),
        SegmentKind::Quoted(text) => {
            out.push('"');
            for c in text.chars() {
                if matches!(c, '"' | '\\') {
                    out.push('\\');
                }
                out.push(c);
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
