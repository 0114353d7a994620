//! Walks over the values of a pickle: where its tensors are, and what else there is.

use std::borrow::Cow;

use super::super::error::{CheckpointError, Result};
use super::pickle::{Heap, Id, Node};
use super::show::show;
use super::tensor::is_tensor;

/// Deepest nesting of dicts and lists that is walked.
const MAX_DEPTH: u32 = 100;
/// Most values that one walk visits: shared values count each time, so a small file cannot ask for a long walk.
const MAX_VISITS: u32 = 8 << 20;
/// Most bytes of all names together.
const MAX_NAMES: usize = 256 << 20;
/// Most values that are listed beside the tensors.
const MAX_VALUES: usize = 2_000;

/// Number of tensors below each value (by [`Id::index`]), counted along each path, without the cycles.
pub(super) fn tensor_counts(heap: &Heap<'_>, root: Id) -> Vec<u64> {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        Unseen,
        Open,
        Done,
    }
    let mut counts = vec![0u64; heap.len()];
    let mut states = vec![State::Unseen; heap.len()];
    let mut stack = vec![root];
    while let Some(id) = stack.last().copied() {
        let i = id.index();
        let (Some(state), false) = (states.get_mut(i), is_tensor(heap, id)) else {
            set(&mut counts, i, 1);
            stack.pop();
            continue;
        };
        match std::mem::replace(state, State::Done) {
            State::Unseen => {
                *state = State::Open;
                let unseen = |c: &Id| states.get(c.index()) == Some(&State::Unseen);
                stack.extend(below(heap, id).into_iter().filter(unseen));
            }
            State::Open => {
                let children = below(heap, id);
                let each = children.iter().map(|c| counts.get(c.index()).copied().unwrap_or(0));
                let sum = each.fold(0u64, u64::saturating_add);
                set(&mut counts, i, sum);
                stack.pop();
            }
            State::Done => {
                stack.pop();
            }
        }
    }
    counts
}

fn set(counts: &mut [u64], index: usize, value: u64) {
    if let Some(count) = counts.get_mut(index) {
        *count = value;
    }
}

/// Values directly below `id`, in order.
fn below(heap: &Heap<'_>, id: Id) -> Vec<Id> {
    match heap.get(id) {
        Node::List(items) | Node::Tuple(items) | Node::Set(items) => items.clone(),
        Node::Dict(items) => items.iter().map(|(_, value)| *value).collect(),
        Node::Object(object) => {
            let items = object.items.iter().map(|(_, value)| *value);
            let rest = object.list.iter().copied().chain(object.state);
            std::iter::once(object.args).chain(items).chain(rest).collect()
        }
        _ => Vec::new(),
    }
}

/// What a walk found, in the order of the file.
#[derive(Debug, Default)]
pub(super) struct Leaves {
    /// Names and tensors.
    pub(super) tensors: Vec<(String, Id)>,
    /// Paths and values that are no tensors.
    pub(super) values: Vec<(String, Id)>,
    /// Whether there were more values than are listed.
    pub(super) cut: bool,
    visits: u32,
    name_bytes: usize,
}

/// Adds everything below `root` to `leaves`; names begin with `prefix`.
pub(super) fn flatten(
    heap: &Heap<'_>,
    counts: &[u64],
    root: Id,
    prefix: &str,
    leaves: &mut Leaves,
) -> Result<()> {
    let mut stack = vec![(prefix.to_owned(), root, 0)];
    while let Some((name, id, depth)) = stack.pop() {
        if depth > MAX_DEPTH {
            return Err(CheckpointError::limit(format!("dicts and lists nested deeper than {MAX_DEPTH}")));
        }
        if is_tensor(heap, id) {
            leaves.tensors.push((name, id));
            continue;
        }
        let has_tensors = counts.get(id.index()).is_some_and(|n| *n > 0);
        if !has_tensors && leaves.values.len() >= MAX_VALUES {
            leaves.cut = true;
            continue;
        }
        let children = children(heap, id, has_tensors);
        let opaque = matches!(heap.get(id), Node::Object(_)) && heap.items(id).is_none();
        if !has_tensors && (children.is_empty() || opaque) {
            leaves.values.push((name.clone(), id));
        }
        for (segment, child) in children.into_iter().rev() {
            let name = joined(&name, &segment);
            // Counted before they are visited: the stack, too, takes memory.
            leaves.visits += 1;
            leaves.name_bytes = leaves.name_bytes.saturating_add(name.len());
            if leaves.visits > MAX_VISITS || leaves.name_bytes > MAX_NAMES {
                let message = "its dicts and lists unfold to more values than a reader visits";
                return Err(CheckpointError::limit(message));
            }
            stack.push((name, child, depth + 1));
        }
    }
    Ok(())
}

/// `a.b`; an empty side adds nothing.
fn joined(name: &str, segment: &str) -> String {
    match (name.is_empty(), segment.is_empty()) {
        (_, true) => name.to_owned(),
        (true, false) => segment.to_owned(),
        (false, false) => format!("{name}.{segment}"),
    }
}

/// Named values one step below `id`. A segment is empty where Python's own names leave it out.
fn children<'h>(heap: &'h Heap<'_>, id: Id, has_tensors: bool) -> Vec<(Cow<'h, str>, Id)> {
    let named = |(key, value): &(Id, Id)| (segment(heap, *key), *value);
    if let Some(items) = heap.items(id) {
        return items.iter().map(named).collect();
    }
    if let Some(attributes) = heap.attributes(id) {
        let module = attributes.iter().any(|(key, _)| heap.text(*key) == Some("_modules"));
        let named = attributes.iter().map(named);
        return match module {
            false => named.collect(),
            true => named.filter_map(|(name, value)| of_module(heap, name, value)).collect(),
        };
    }
    let numbered = |items: &[Id]| items.iter().enumerate().map(|(i, v)| (i.to_string().into(), *v)).collect();
    match heap.get(id) {
        // Without tensors a list is one value: `[1, 3]`.
        Node::List(items) | Node::Tuple(items) | Node::Set(items) if has_tensors => numbered(items),
        Node::Object(object) if has_tensors => {
            let parts = [object.state, Some(object.args)].into_iter().flatten();
            let parts = parts.map(|part| (Cow::Borrowed(""), part)).chain(numbered(&object.list));
            parts.collect()
        }
        _ => Vec::new(),
    }
}

/// Attributes of a pickled `torch.nn.Module` under the names that its `state_dict` would give.
fn of_module<'h>(heap: &Heap<'_>, name: Cow<'h, str>, value: Id) -> Option<(Cow<'h, str>, Id)> {
    match name.as_ref() {
        "_parameters" | "_buffers" | "_modules" => {
            let empty = heap.items(value).is_none_or(|items| items.is_empty());
            (!empty).then_some((Cow::Borrowed(""), value))
        }
        // Hooks and flags of the base class say nothing about the model.
        name if name.starts_with('_') || name == "training" => None,
        _ => (!matches!(heap.get(value), Node::None)).then_some((name, value)),
    }
}

/// A dict key as one or more segments of a name.
pub(super) fn segment<'h>(heap: &'h Heap<'_>, key: Id) -> Cow<'h, str> {
    match heap.text(key) {
        Some(text) => Cow::Borrowed(text),
        None => Cow::Owned(show(heap, key)),
    }
}
