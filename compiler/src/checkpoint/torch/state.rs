//! Which dict of a `.pt` file holds the weights, and what else the file holds.

use super::super::error::{Result, Shown};
use super::super::schema::{Attribute, ConfigFact, Entry};
use super::pickle::{Heap, Id, Node};
use super::show::show;
use super::tensor::is_tensor;
use super::tree::{self, Leaves};
use crate::base::count;

/// Keys under which training scripts keep the weights, the surest first.
const WEIGHTS: [&str; 4] = ["model_state_dict", "state_dict", "model", "module"];

/// Keys under which they keep what the model was made with.
const CONFIGS: [&str; 8] =
    ["config", "model_config", "args", "model_args", "hparams", "hyper_parameters", "hyperparameters", "cfg"];

/// Deepest nesting of a configuration that becomes facts.
const MAX_CONFIG_DEPTH: u32 = 4;
/// Most items of a list in a configuration that become facts.
const MAX_CONFIG_LIST: usize = 32;
/// Most facts.
const MAX_FACTS: usize = 2_000;

/// The content of a `.pt` file, sorted.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Names and tensors of the weights.
    pub(super) tensors: Vec<(String, Id)>,
    pub(super) entries: Vec<Entry>,
    pub(super) config: Vec<ConfigFact>,
    pub(super) notes: Vec<String>,
    /// What the file holds at its top.
    pub(super) top: String,
}

/// Sorts what lies below `root`. `origin` names the file in facts.
pub(super) fn sort(heap: &Heap<'_>, root: Id, origin: &str) -> Result<State> {
    let counts = tree::tensor_counts(heap, root);
    let tensors_below = |id: Id| counts.get(id.index()).copied().unwrap_or(0);
    let mut state = State { top: show(heap, root), ..State::default() };
    let mut leaves = Leaves::default();
    if is_tensor(heap, root) {
        state.notes.push("the file holds one bare tensor, named `tensor` here".to_owned());
        state.tensors.push(("tensor".to_owned(), root));
        return Ok(state);
    }
    let mut weights = root;
    let mut path = String::new();
    // A trainer's dict may hold a model's dict, which holds the weights.
    for _ in 0..4 {
        let Some((key, inner)) = next_level(heap, weights, &tensors_below) else { break };
        for (other, value) in heap.items(weights).unwrap_or_default().iter() {
            if *value == inner && tree::segment(heap, *other) == key {
                continue;
            }
            let other = joined(&path, &tree::segment(heap, *other));
            left_over(heap, &tensors_below, &counts, &other, *value, origin, &mut state, &mut leaves)?;
        }
        path = joined(&path, &key);
        weights = inner;
    }
    let chosen = heap.items(weights).filter(|_| path.is_empty());
    let (kept, optimizers): (Vec<_>, Vec<_>) = chosen
        .as_deref()
        .unwrap_or_default()
        .iter()
        .partition(|(key, value)| !is_optimizer(&tree::segment(heap, *key)) || is_tensor(heap, *value));
    if optimizers.is_empty() && chosen.is_none() {
        tree::flatten(heap, &counts, weights, "", &mut leaves)?;
    } else {
        for (key, value) in kept {
            let key = tree::segment(heap, key);
            if tensors_below(value) == 0 && CONFIGS.contains(&key.as_ref()) {
                left_over(heap, &tensors_below, &counts, &key, value, origin, &mut state, &mut leaves)?;
            } else {
                tree::flatten(heap, &counts, value, &key, &mut leaves)?;
            }
        }
        for (key, value) in optimizers {
            let key = tree::segment(heap, key);
            left_over(heap, &tensors_below, &counts, &key, value, origin, &mut state, &mut leaves)?;
        }
    }
    if leaves.cut {
        state.notes.push("values beside the tensors are too many to list, the last are left out".to_owned());
    }
    state.tensors = leaves.tensors;
    let values = leaves.values.into_iter();
    state.entries.extend(values.map(|(path, id)| Entry { path, value: show(heap, id) }));
    Ok(state)
}

/// The key and the dict that hold the weights of the dict `id`; `None` when it holds them itself.
fn next_level<'h>(
    heap: &'h Heap<'_>,
    id: Id,
    tensors_below: &impl Fn(Id) -> u64,
) -> Option<(std::borrow::Cow<'h, str>, Id)> {
    let items = heap.items(id)?;
    let direct =
        |value: Id| is_tensor(heap, value) || (heap.tuple(value).is_some() && tensors_below(value) > 0);
    if items.iter().any(|(_, value)| direct(*value)) {
        return None;
    }
    WEIGHTS.into_iter().find_map(|wanted| {
        let found = items.iter().find(|(key, _)| heap.text(*key) == Some(wanted));
        let (key, value) = found.filter(|(_, value)| tensors_below(*value) > 0)?;
        Some((std::borrow::Cow::Owned(tree::segment(heap, *key).into_owned()), *value))
    })
}

fn is_optimizer(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["optim", "scheduler", "scaler", "rng_state"].iter().any(|word| key.contains(word))
}

/// Records a value beside the weights.
#[expect(
    clippy::too_many_arguments,
    reason = "one step of `sort`, apart from it only to be called three times"
)]
fn left_over(
    heap: &Heap<'_>,
    tensors_below: &impl Fn(Id) -> u64,
    counts: &[u64],
    path: &str,
    value: Id,
    origin: &str,
    state: &mut State,
    leaves: &mut Leaves,
) -> Result<()> {
    let tensors = tensors_below(value);
    if tensors > 0 {
        let tensors = count(tensors, "tensor");
        state.notes.push(format!("{tensors} under `{}` left out: not part of the weights", Shown(path)));
        state.entries.push(Entry { path: path.to_owned(), value: format!("{tensors}, left out") });
        return Ok(());
    }
    let key = path.rsplit('.').next().unwrap_or(path);
    if CONFIGS.contains(&key) {
        let origin = format!("entry {path} of {origin}");
        facts(heap, value, "", 0, &origin, &mut state.config);
    }
    tree::flatten(heap, counts, value, path, leaves)
}

/// Adds the scalars of a configuration, nested keys joined with `.`, list items by number.
fn facts(heap: &Heap<'_>, id: Id, key: &str, depth: u32, origin: &str, out: &mut Vec<ConfigFact>) {
    if out.len() >= MAX_FACTS || depth > MAX_CONFIG_DEPTH {
        return;
    }
    if let Some(value) = attribute(heap.get(id)) {
        if !key.is_empty() {
            out.push(ConfigFact { key: key.to_owned(), value, origin: origin.to_owned() });
        }
        return;
    }
    let items = heap.items(id).map(|items| items.into_owned()).or_else(|| heap.attributes(id));
    for (name, value) in items.unwrap_or_default().into_iter().take(MAX_FACTS) {
        facts(heap, value, &joined(key, &tree::segment(heap, name)), depth + 1, origin, out);
    }
    let list = heap.sequence(id).unwrap_or_default();
    if list.len() <= MAX_CONFIG_LIST {
        for (i, value) in list.iter().enumerate() {
            facts(heap, *value, &joined(key, &i.to_string()), depth + 1, origin, out);
        }
    }
}

fn attribute(node: &Node<'_>) -> Option<Attribute> {
    Some(match node {
        Node::Bool(b) => Attribute::Bool(*b),
        Node::Int(n) => Attribute::Int(*n),
        Node::Float(x) => Attribute::Float(*x),
        Node::Text(text) => Attribute::Text(text.to_string()),
        _ => return None,
    })
}

fn joined(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
