//! A checkpoint by the names of the model: what an output or a packed file stores under several keys is one tensor.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use crate::base::{Shape, checked_bytes};
use crate::checkpoint::{Name, Schema, TensorInfo, TensorReader, open};
use crate::eval::error::EvalError;
use crate::exec::stored::StoredOutput;

/// Where tensors are read from.
pub(super) enum Source {
    /// A checkpoint; its schema, whose tensors have the numbers of the logical ones, the open files, and the weights of linear
    /// layers that PyTorch packed.
    Plain(Arc<Schema>, TensorReader, BTreeSet<String>),
    /// An output of a run; for each logical tensor its number there.
    Output(Box<StoredOutput>, Vec<usize>),
}

impl Source {
    /// What the logical tensor `number` is stored as: equal numbers are one storage.
    pub(super) fn storage(&self, number: usize) -> Option<usize> {
        match self {
            Source::Plain(schema, ..) => Some(schema.kept(number)),
            Source::Output(_, numbers) => numbers.get(number).copied(),
        }
    }
}

/// A checkpoint that is open, and its header by the names of the model.
pub(super) struct Opened {
    pub schema: Arc<Schema>,
    pub source: Source,
}

/// Suffix of the values of a linear layer that PyTorch packed.
const PACKED: &str = "._packed_params._packed_params.";

/// Opens a checkpoint, or the folder of an output.
pub(super) fn open_logical(path: &str) -> Result<Opened, EvalError> {
    // The error names the file, too: it may be another one of the same folder.
    let failed = |error: &dyn std::fmt::Display| {
        let said = error.to_string();
        let message = said.strip_prefix(path).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(&said);
        EvalError::new(path, "opening", message)
    };
    if path.ends_with(".icp") {
        return Err(failed(&"it is a recipe").remedy("name the checkpoint, or the folder of an output"));
    }
    let schema = open(Path::new(path)).map_err(|e| failed(&e))?;
    if schema.entries.iter().any(|e| e.path == "__metadata__.icpc.tensors") {
        let stored = StoredOutput::open(Path::new(path)).map_err(|e| failed(&e))?;
        let (schema, numbers) = of_output(&stored);
        let source = Source::Output(Box::new(stored), numbers);
        return Ok(Opened { schema: Arc::new(schema), source });
    }
    let (schema, packed) = unpacked(schema);
    let schema = Arc::new(schema);
    let reader = TensorReader::open(Path::new(path), &schema).map_err(|e| failed(&e))?;
    Ok(Opened { schema: Arc::clone(&schema), source: Source::Plain(schema, reader, packed) })
}

fn of_output(stored: &StoredOutput) -> (Schema, Vec<usize>) {
    let (mut tensors, mut numbers) = (Vec::new(), Vec::new());
    for (number, tensor) in stored.tensors.iter().enumerate() {
        let kept = u32::try_from(tensors.len()).ok();
        let place = stored.schema.tensors.get(tensor.main).and_then(|t| t.place.clone());
        let names = std::iter::once((&tensor.name, None)).chain(tensor.aliases.iter().map(|a| (a, kept)));
        for (name, tied_to) in names {
            tensors.push(TensorInfo {
                name: Name::from(name.as_str()),
                dtype: tensor.dtype,
                shape: Shape::from(tensor.shape.clone()),
                bytes: checked_bytes(&tensor.shape, tensor.dtype).unwrap_or(0),
                place: place.clone(),
                tied_to,
                quantized: None,
                stored_as: None,
                line: u32::try_from(tensors.len()).unwrap_or(u32::MAX),
            });
            numbers.push(number);
        }
    }
    (Schema { tensors, ..stored.schema.clone() }, numbers)
}

/// Names of packed linear layers as they were before: `x._packed_params._packed_params.0` is `x.weight`, `.1` its bias. The
/// scale and the zero point beside them are those of the results of static layers. With the names of their weights.
fn unpacked(mut schema: Schema) -> (Schema, BTreeSet<String>) {
    let layers: Vec<String> = schema
        .tensors
        .iter()
        .filter_map(|t| t.name.strip_suffix(&format!("{PACKED}0")).map(str::to_owned))
        .collect();
    if layers.is_empty() {
        return (schema, BTreeSet::new());
    }
    let beside = |name: &str| {
        layers.iter().any(|l| {
            name.strip_prefix(l.as_str()).is_some_and(|rest| matches!(rest, ".scale" | ".zero_point"))
        })
    };
    schema.tensors.retain(|t| !beside(&t.name));
    for tensor in &mut schema.tensors {
        let renamed = ["weight", "bias"].iter().zip(["0", "1"]).find_map(|(part, number)| {
            let layer = tensor.name.strip_suffix(&format!("{PACKED}{number}"))?;
            Some(format!("{layer}.{part}"))
        });
        if let Some(name) = renamed {
            tensor.name = Name::from(name);
        }
        // Numbers have moved; a packed file has no ties of its linear layers.
        tensor.tied_to = None;
    }
    let weights = layers.iter().map(|layer| format!("{layer}.weight")).collect();
    (schema, weights)
}
