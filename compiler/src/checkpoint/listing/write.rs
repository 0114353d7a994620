//! From a schema to its canonical listing, and from a line of it to the places of its parts.

use std::borrow::Cow;
use std::fmt::Write;
use std::ops::Range;

use super::super::schema::{Attribute, Schema, TensorInfo};
use super::cursor::Cursor;
use super::needs_quotes;

/// Widest column of names that is still aligned; a longer name pushes its own line only.
const MAX_COLUMN: usize = 72;

/// The canonical listing: tensor `i` on line `i`, then facts, entries and notes.
pub fn write_listing(schema: &Schema) -> String {
    let (column, dtypes) = columns(schema);
    let mut out = String::with_capacity(schema.tensors.len().saturating_mul(column + 24));
    // Writing to a string cannot fail.
    for tensor in &schema.tensors {
        let _ = tensor_line(&mut out, schema, tensor, (column, dtypes));
    }
    for fact in &schema.config {
        let (key, value, origin) = (name(&fact.key), attribute(&fact.value), quote(&fact.origin));
        let _ = writeln!(out, "config {key} = {value} from {origin}");
    }
    for entry in &schema.entries {
        let _ = writeln!(out, "entry {} = {}", name(&entry.path), quote(&entry.value));
    }
    for note in &schema.notes {
        let _ = writeln!(out, "note {}", quote(note));
    }
    out
}

/// Widths of the names and of the dtypes.
pub(super) fn columns(schema: &Schema) -> (usize, usize) {
    let names = schema.tensors.iter().map(|t| first_word(&t.name).chars().count());
    let column = names.filter(|n| *n <= MAX_COLUMN).max().unwrap_or(0);
    let dtypes = schema.tensors.iter().map(|t| t.dtype.name().len()).max().unwrap_or(0);
    (column, dtypes)
}

pub(super) fn tensor_line(
    out: &mut String,
    schema: &Schema,
    tensor: &TensorInfo,
    (column, dtypes): (usize, usize),
) -> std::fmt::Result {
    write!(out, "{:<column$}  ", first_word(&tensor.name))?;
    if let Some(first) = tensor.tied_to.and_then(|first| schema.tensors.get(first as usize)) {
        return writeln!(out, "= {}", name(&first.name));
    }
    write!(out, "{:<dtypes$} {}", tensor.dtype, tensor.shape)?;
    if let Some(stored) = &tensor.stored_as {
        write!(out, " as {stored} in {} bytes", tensor.bytes)?;
    }
    if let Some(q) = &tensor.quantized {
        write!(out, " quantized {}", q.scheme)?;
        if let Some(axis) = q.axis {
            write!(out, " axis {axis}")?;
        }
        write!(out, " scales {:?} zeros {:?}", q.scales, q.zero_points)?;
    }
    writeln!(out)
}

fn name(name: &str) -> Cow<'_, str> {
    if needs_quotes(name) { quote(name).into() } else { name.into() }
}

/// A name that begins a line, where a keyword would be taken for one.
pub(super) fn first_word(word: &str) -> Cow<'_, str> {
    if super::KEYWORDS.contains(&word) { quote(word).into() } else { name(word) }
}

fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn attribute(value: &Attribute) -> String {
    match value {
        Attribute::Bool(b) => b.to_string(),
        Attribute::Int(n) => n.to_string(),
        Attribute::Float(x) => format!("{x:?}"),
        Attribute::Text(text) => quote(text),
    }
}

/// Byte ranges, within one line of a listing, of what a label can point at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineParts {
    /// The name, quotes included.
    pub name: Range<usize>,
    /// The dtype; of an alias, the name that it stands for.
    pub dtype: Range<usize>,
    /// Each extent; none in an alias.
    pub dims: Vec<Range<usize>>,
}

/// Places of the parts of a tensor's line; `None` for any other line.
pub fn line_parts(line: &str) -> Option<LineParts> {
    let line = line.trim_end();
    let mut cursor = Cursor::new(line);
    // A range ends before the white space that the cursor skips behind each part.
    let span = |before: &Cursor<'_>, after: &Cursor<'_>| {
        let (start, end) = (line.len() - before.left(), line.len() - after.left());
        let written = line.get(start..end).unwrap_or("").trim_end();
        start..start + written.len()
    };
    let before = cursor;
    match cursor.at_quote() {
        true => drop(cursor.quoted().ok()?),
        false if super::KEYWORDS.contains(&cursor.bare_name()) => return None,
        false => {}
    }
    let name = span(&before, &cursor);
    if cursor.sign('=') {
        return Some(LineParts { name, dtype: span(&cursor, &Cursor::new("")), dims: Vec::new() });
    }
    let before = cursor;
    crate::base::DType::from_name(cursor.word())?;
    let dtype = span(&before, &cursor);
    let mut dims = Vec::new();
    cursor.expect('[').ok()?;
    while !cursor.sign(']') {
        let before = cursor;
        if cursor.word().is_empty() {
            return None;
        }
        dims.push(span(&before, &cursor));
        cursor.sign(',');
    }
    Some(LineParts { name, dtype, dims })
}
