//! Values of a pickle as one short line.

use super::super::error::Shown;
use super::pickle::{Heap, Id, Node};

/// Longest line, in characters, before it is cut.
const MAX_SHOWN: usize = 120;

/// `id` as text: scalars as they are, lists and tuples of them in brackets, instances as `class (opaque)`.
pub(super) fn show(heap: &Heap<'_>, id: Id) -> String {
    let mut out = String::new();
    write(heap, id, 3, &mut out);
    if out.chars().count() > MAX_SHOWN {
        out = out.chars().take(MAX_SHOWN).collect();
        out.push('…');
    }
    out
}

/// Writes `id`, at most `depth` brackets deep and a little longer than the limit.
fn write(heap: &Heap<'_>, id: Id, depth: u32, out: &mut String) {
    if out.len() > 4 * MAX_SHOWN {
        return;
    }
    match heap.get(id) {
        Node::None => out.push_str("none"),
        Node::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Node::Int(n) => out.push_str(&n.to_string()),
        Node::Wide(text) => out.push_str(text),
        Node::Float(x) => out.push_str(&format!("{x:?}")),
        Node::Text(text) => out.push_str(&Shown(text).to_string()),
        Node::Bytes(bytes) => out.push_str(&format!("{} bytes", bytes.len())),
        Node::List(items) => sequence(heap, items, ["[", "]"], depth, out),
        Node::Tuple(items) => sequence(heap, items, ["(", ")"], depth, out),
        Node::Set(items) => sequence(heap, items, ["{", "}"], depth, out),
        Node::Dict(items) => out.push_str(&format!("dict of {}", items.len())),
        Node::Global(name) => out.push_str(&Shown(name).to_string()),
        Node::Persistent(_) => out.push_str("storage"),
        Node::Object(object) => {
            let class = heap.global(object.class).unwrap_or("unnamed class");
            match heap.items(id) {
                Some(items) => out.push_str(&format!("dict of {}", items.len())),
                None => out.push_str(&format!("{} (opaque)", Shown(class))),
            }
        }
    }
}

fn sequence(heap: &Heap<'_>, items: &[Id], [open, close]: [&str; 2], depth: u32, out: &mut String) {
    out.push_str(open);
    if depth == 0 && !items.is_empty() {
        out.push('…');
    }
    for (i, item) in items.iter().enumerate().take(if depth == 0 { 0 } else { MAX_SHOWN }) {
        if i > 0 {
            out.push_str(", ");
        }
        write(heap, *item, depth - 1, out);
        if out.len() > 4 * MAX_SHOWN {
            break;
        }
    }
    out.push_str(close);
}
