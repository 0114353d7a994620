//! A training under way, as it lies on the disk: the weights, their moments, and what it is of.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::whole;
use crate::checkpoint::{Array, small_safetensors};
use crate::eval::Protocol;
use crate::exec::{RunError, RunErrorKind};
use crate::plan::hash::hex_digest;
use crate::report::{StepLoss, StepPerplexity};

/// What a training is of: what goes on must be equal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Of {
    pub(super) version: String,
    pub(super) plan: String,
    /// SHA-256 of the weights that it began with, and of those of the teacher.
    pub(super) weights: String,
    pub(super) teacher: String,
    pub(super) data: String,
    pub(super) tokenizer: String,
    /// What static scales of activations are measured on, where there are any.
    #[serde(default)]
    pub(super) calibration: String,
    pub(super) device: String,
}

/// What stands beside the weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Facts {
    pub(super) of: Of,
    /// Steps that are done.
    pub(super) step: u64,
    /// Threads that decide the last bits.
    pub(super) threads: usize,
    pub(super) seconds: f64,
    pub(super) losses: Vec<StepLoss>,
    pub(super) perplexities: Vec<StepPerplexity>,
    /// What static scales of activations are made of, as bits, and the step behind which it was measured.
    #[serde(default)]
    pub(super) magnitudes: BTreeMap<String, u32>,
    #[serde(default)]
    pub(super) measured: Option<u64>,
    /// SHA-256 of all numbers.
    pub(super) numbers: String,
}

/// One trained tensor: weight, mean gradient, mean square.
pub(super) type Numbers = [Vec<f32>; 3];

const KEY: &str = "icpc.tune";
const PARTS: [&str; 3] = ["weight", "first", "second"];

/// Writes a state whole.
pub(super) fn write(path: &Path, facts: &Facts, tensors: &[(String, Numbers)]) -> Result<(), RunError> {
    let named: Vec<(String, &Vec<f32>)> = tensors
        .iter()
        .flat_map(|(name, numbers)| {
            PARTS.iter().zip(numbers).map(move |(part, v)| (format!("{name}.{part}"), v))
        })
        .collect();
    let arrays: Vec<Array<'_>> = named.iter().map(|(name, values)| Array::floats(name, values)).collect();
    let all: Vec<u8> = arrays.iter().flat_map(|array| array.bytes.iter().copied()).collect();
    let facts = Facts { numbers: hex_digest(&all), ..facts.clone() };
    // Numbers, strings and lists only: there is nothing that could fail.
    let said = serde_json::to_string(&facts).unwrap_or_default();
    whole::write(path, &small_safetensors(serde_json::json!({ KEY: said }), &arrays))
}

/// Reads a state for tensors of these names and lengths; nothing where there is none.
///
/// # Errors
/// A file that cannot be read, or is none of ours.
pub(super) fn read(
    path: &Path,
    tensors: &[(&str, usize)],
) -> Result<Option<(Facts, Vec<Numbers>)>, RunError> {
    let file = match std::fs::read(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(RunError::io(RunErrorKind::Output, path, "reading", &error)),
    };
    let broken = || {
        RunError::new(RunErrorKind::Output, path, "reading", "it is no state of a training")
            .remedy("remove it: the training begins anew")
    };
    parse(&file, tensors).ok_or_else(broken).map(Some)
}

/// What stands beside the weights of a state; nothing where there is none.
///
/// # Errors
/// As [`read`].
pub(super) fn facts(path: &Path) -> Result<Option<Facts>, RunError> {
    match read(path, &[]) {
        Ok(found) => Ok(found.map(|(facts, _)| facts)),
        Err(error) => Err(error),
    }
}

/// Refuses to go on with a state of another text, teacher or device.
pub(super) fn same(known: &Facts, of: &Of, path: &Path, texts: &Protocol) -> Result<(), RunError> {
    let name = |path: &Option<String>| path.clone().unwrap_or_default();
    let what = if known.of.data != of.data {
        format!("the training under way reads another text: `{}` changed", name(&texts.data))
    } else if known.of.tokenizer != of.tokenizer {
        format!("the training under way reads with another tokenizer: `{}` changed", name(&texts.tokenizer))
    } else if known.of.calibration != of.calibration {
        "the training under way measures its scales on other samples: what `calibrate` names changed"
            .to_owned()
    } else if known.of.teacher != of.teacher {
        "the training under way has another teacher: the checkpoint changed".to_owned()
    } else if known.of.device != of.device {
        format!("the training under way is on {}, not on {}", known.of.device, of.device)
    } else {
        return Ok(());
    };
    let error = RunError::new(RunErrorKind::Changed, path, "going on", what);
    Err(error
        .remedy("restore what changed, or remove the folder that holds this file: the training begins anew"))
}

fn parse(file: &[u8], tensors: &[(&str, usize)]) -> Option<(Facts, Vec<Numbers>)> {
    let length = u64::from_le_bytes(file.get(..8)?.try_into().ok()?);
    let end = usize::try_from(length).ok()?.checked_add(8)?;
    let header: serde_json::Value = serde_json::from_slice(file.get(8..end)?).ok()?;
    let facts: Facts = serde_json::from_str(header.get("__metadata__")?.get(KEY)?.as_str()?).ok()?;
    let data = file.get(end..)?;
    if hex_digest(data) != facts.numbers {
        return None;
    }
    // Arrays stand in the order in which they were written.
    let mut values = data.chunks_exact(4).map(|b| b.try_into().map_or(f32::NAN, f32::from_le_bytes));
    let mut found = Vec::with_capacity(tensors.len());
    for (name, length) in tensors {
        let mut part = |part: &str| {
            let offsets = header.get(format!("{name}.{part}"))?.get("data_offsets")?;
            let bytes = offsets.get(1)?.as_u64()?.checked_sub(offsets.get(0)?.as_u64()?)?;
            (bytes == (*length as u64).checked_mul(4)?).then(|| values.by_ref().take(*length).collect())
        };
        found.push([part("weight")?, part("first")?, part("second")?]);
    }
    (tensors.is_empty() || values.next().is_none()).then_some((facts, found))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        let of = Of {
            version: "1".to_owned(),
            plan: "p".to_owned(),
            weights: "w".to_owned(),
            teacher: String::new(),
            data: "d".to_owned(),
            tokenizer: "t".to_owned(),
            calibration: String::new(),
            device: "torch-cpu".to_owned(),
        };
        Facts {
            of,
            step: 3,
            threads: 2,
            seconds: 1.5,
            losses: vec![StepLoss { step: 1, loss: 2.0, gradient: 0.5 }],
            perplexities: Vec::new(),
            magnitudes: BTreeMap::from([("up".to_owned(), 1.5f32.to_bits())]),
            measured: Some(0),
            numbers: String::new(),
        }
    }

    #[test]
    fn what_was_written_is_read_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.safetensors");
        assert_eq!(read(&path, &[]).unwrap(), None);
        let numbers: Numbers = [vec![1.0, f32::MIN_POSITIVE], vec![-0.0, 2.0], vec![3.0, 4.0]];
        let other: Numbers = [vec![5.0], vec![6.0], vec![7.0]];
        let tensors = vec![("b".to_owned(), numbers), ("a".to_owned(), other)];
        write(&path, &facts(), &tensors).unwrap();
        let (found, values) = read(&path, &[("b", 2), ("a", 1)]).unwrap().unwrap();
        assert_eq!((found.step, &found.of), (3, &facts().of));
        assert_eq!(found.magnitudes, facts().magnitudes);
        assert_eq!(values, tensors.iter().map(|(_, n)| n.clone()).collect::<Vec<_>>());
        for wrong in [&[("b", 1), ("a", 1)][..], &[("b", 2)], &[("b", 2), ("c", 1)]] {
            assert!(read(&path, wrong).is_err(), "{wrong:?}");
        }
        let mut bytes = std::fs::read(&path).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert!(read(&path, &[("b", 2), ("a", 1)]).is_err());
        std::fs::write(&path, &bytes[..40]).unwrap();
        assert!(read(&path, &[("b", 2), ("a", 1)]).is_err());
    }

    #[test]
    fn what_changed_is_named() {
        let texts = Protocol {
            data: Some("text.txt".to_owned()),
            tokenizer: Some("tokenizer.json".to_owned()),
            ..Protocol::default()
        };
        let known = facts();
        let path = Path::new("state.safetensors");
        assert!(same(&known, &known.of, path, &texts).is_ok());
        let of = || known.of.clone();
        let other = || "other".to_owned();
        let cases = [
            (Of { data: other(), ..of() }, "reads another text: `text.txt` changed"),
            (Of { tokenizer: other(), ..of() }, "reads with another tokenizer: `tokenizer.json` changed"),
            (Of { calibration: other(), ..of() }, "what `calibrate` names changed"),
            (Of { teacher: other(), ..of() }, "has another teacher: the checkpoint changed"),
            (Of { device: other(), ..of() }, "is on torch-cpu, not on other"),
        ];
        for (of, expected) in cases {
            let error = same(&known, &of, path, &texts).unwrap_err();
            assert!(error.message.contains(expected), "{error}");
        }
    }
}
