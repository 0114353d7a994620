//! Answers as text that people can read: positions as `line:column` from 1, ranges as `3:5-3:9`, paths relative to the
//! fixture's folder, short values on one line.

use serde_json::{Map, Value};

/// Widest line on which a list or an object is kept.
const WIDTH: usize = 100;

/// An answer as text. `root` is the URI of the fixture's folder.
pub(crate) fn answer(value: &Value, root: &str) -> String {
    let mut out = String::new();
    write(&mut out, &compact(value, root), 0);
    out.push('\n');
    out
}

/// Published diagnostics as text, one paragraph each.
pub(crate) fn diagnostics(found: &[Value], root: &str) -> String {
    let mut out = String::new();
    for d in found {
        let severity = match d["severity"].as_i64() {
            Some(1) => "error",
            Some(2) => "warning",
            Some(3) => "information",
            _ => "hint",
        };
        let text = plain(&d["message"], root).replace('\n', "\n    ");
        out += &format!("{} {severity} {} {text}\n", plain(&d["range"], root), plain(&d["code"], root));
        for related in d["relatedInformation"].as_array().into_iter().flatten() {
            let at = format!(
                "{} {}",
                plain(&related["location"]["uri"], root),
                plain(&related["location"]["range"], root)
            );
            out += &format!("    at {at}: {}\n", plain(&related["message"], root));
        }
        for tag in d["tags"].as_array().into_iter().flatten() {
            out += &format!("    tag {}\n", if *tag == 1 { "unnecessary" } else { "deprecated" });
        }
        for fix in d["data"]["fixes"].as_array().into_iter().flatten() {
            out += &format!("    fix ({}): {}\n", plain(&fix["certainty"], root), plain(&fix["title"], root));
            for edit in fix["edits"].as_array().into_iter().flatten() {
                let at = format!("{} {}", plain(&edit["uri"], root), plain(&edit["range"], root));
                out += &format!("        {at} {}\n", edit["newText"]);
            }
        }
    }
    out
}

/// Semantic tokens as text, one on a line: place, text, type, modifiers.
pub(crate) fn tokens(answer: &Value, legend: &Value, text: &str) -> String {
    let numbers: Vec<usize> =
        answer["data"].as_array().into_iter().flatten().map(|n| n.as_u64().unwrap_or(0) as usize).collect();
    let lines: Vec<Vec<u16>> = text.lines().map(|l| l.encode_utf16().collect()).collect();
    let (mut line, mut column) = (0, 0);
    let mut out = String::new();
    for token in numbers.chunks(5) {
        let [down, right, length, kind, bits] = token else { return format!("{token:?} is no token\n") };
        line += down;
        column = if *down > 0 { *right } else { column + right };
        let written = String::from_utf16_lossy(&lines[line][column..column + length]);
        out += &format!(
            "{}:{} {written} {}",
            line + 1,
            column + 1,
            legend["tokenTypes"][kind].as_str().unwrap_or("?")
        );
        for (bit, modifier) in legend["tokenModifiers"].as_array().into_iter().flatten().enumerate() {
            if bits & (1 << bit) != 0 {
                out += &format!(" {}", modifier.as_str().unwrap_or("?"));
            }
        }
        out.push('\n');
    }
    out
}

/// Completions, one a line, the first of them.
pub(crate) fn choices(answer: &Value, first: usize) -> String {
    let Some(items) = answer["items"].as_array() else { return format!("{answer}\n") };
    let mut out = String::new();
    if let Some(item) = items.first() {
        out += &plain(&item["textEdit"]["range"], "/");
        out += if answer["isIncomplete"] == true { " incomplete\n" } else { "\n" };
    }
    for item in items.iter().take(first) {
        let text = |name: &str| item[name].as_str().unwrap_or("").to_owned();
        let new = item["textEdit"]["newText"].as_str().unwrap_or("");
        let written = if new == text("label") { String::new() } else { format!(" => {new}") };
        let also = item["additionalTextEdits"].as_array().into_iter().flatten();
        let also: Vec<String> =
            also.map(|edit| format!(" + {} {}", plain(&edit["range"], "/"), edit["newText"])).collect();
        let detail =
            if text("detail").is_empty() { String::new() } else { format!("  ({})", text("detail")) };
        out += &format!("{}{detail}{written}{}\n", text("label"), also.concat());
    }
    if items.len() > first {
        out += &format!("... {} more\n", items.len() - first);
    }
    out
}

/// A signature, with its active parameter marked and described.
pub(crate) fn signature(answer: &Value) -> String {
    let signature = &answer["signatures"][0];
    let Some(label) = signature["label"].as_str() else { return format!("{answer}\n") };
    let active = answer["activeParameter"].as_u64().and_then(|n| usize::try_from(n).ok());
    let parameter = active.map(|n| &signature["parameters"][n]);
    let part = parameter.and_then(|p| p["label"].as_str()).unwrap_or("");
    let marked =
        if part.is_empty() { label.to_owned() } else { label.replacen(part, &format!("«{part}»"), 1) };
    let document = |v: &Value| v["documentation"]["value"].as_str().unwrap_or("").replace("\n\n", " ");
    let lines = [marked, document(signature), parameter.map_or(String::new(), document)];
    lines.iter().filter(|l| !l.is_empty()).map(|l| format!("{l}\n")).collect()
}

fn plain(value: &Value, root: &str) -> String {
    match compact(value, root) {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// Positions, ranges and URIs in their short forms.
fn compact(value: &Value, root: &str) -> Value {
    match value {
        Value::Object(map) => object(map, root),
        Value::Array(items) => Value::Array(items.iter().map(|v| compact(v, root)).collect()),
        Value::String(text) => Value::String(
            text.replace(&format!("{root}/"), "").replace(root.trim_start_matches("file://"), "$PATH"),
        ),
        other => other.clone(),
    }
}

fn object(map: &Map<String, Value>, root: &str) -> Value {
    let position = |v: &Value| Some((v.get("line")?.as_u64()? + 1, v.get("character")?.as_u64()? + 1));
    if let (2, Some((line, column))) = (map.len(), position(&Value::Object(map.clone()))) {
        return Value::String(format!("{line}:{column}"));
    }
    if let (2, Some(start), Some(end)) = (map.len(), map.get("start"), map.get("end"))
        && let (Some(start), Some(end)) = (position(start), position(end))
    {
        return Value::String(format!("{}:{}-{}:{}", start.0, start.1, end.0, end.1));
    }
    Value::Object(
        map.iter()
            .map(|(k, v)| {
                (compact(&k.as_str().into(), root).as_str().unwrap_or(k).to_owned(), compact(v, root))
            })
            .collect(),
    )
}

/// Pretty JSON in which whatever fits is on one line.
fn write(out: &mut String, value: &Value, indent: usize) {
    let flat = flat(value);
    let has_parts = matches!(value, Value::Object(m) if !m.is_empty())
        || matches!(value, Value::Array(a) if !a.is_empty());
    if !has_parts || indent + flat.chars().count() <= WIDTH {
        return out.push_str(&flat);
    }
    let inner = " ".repeat(indent + 2);
    let (open, close) = if value.is_array() { ('[', ']') } else { ('{', '}') };
    out.push(open);
    let mut first = true;
    let mut part = |out: &mut String, key: Option<&String>, value: &Value| {
        out.push_str(if first { "\n" } else { ",\n" });
        first = false;
        out.push_str(&inner);
        if let Some(key) = key {
            out.push_str(&format!("{}: ", Value::from(key.as_str())));
        }
        write(out, value, indent + 2);
    };
    match value {
        Value::Object(map) => map.iter().for_each(|(k, v)| part(out, Some(k), v)),
        Value::Array(items) => items.iter().for_each(|v| part(out, None, v)),
        _ => {}
    }
    out.push_str(&format!("\n{}{close}", " ".repeat(indent)));
}

fn flat(value: &Value) -> String {
    match value {
        Value::Object(map) if !map.is_empty() => {
            let parts: Vec<String> =
                map.iter().map(|(k, v)| format!("{}: {}", Value::from(k.as_str()), flat(v))).collect();
            format!("{{ {} }}", parts.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(flat).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}
