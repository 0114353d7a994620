//! A file of statistics, read back: what it is of, and the magnitudes in it.

use std::collections::BTreeMap;
use std::path::Path;

use icpc_kernels::DType;
use icpc_kernels::format::Percentile;

use super::calibration::{CALIBRATION_SCHEMA, Calibration, KEY};
use super::error::EvalError;
use super::settings::Protocol;
use super::tokens::Tokens;
use crate::checkpoint::{Schema, TensorReader, open};
use crate::exec::Magnitudes;
use crate::plan::hash::hex_digest;
use crate::report::TextHash;
use crate::system::read_bounded;

/// Largest file that is read: four rows of numbers for each matrix.
const MAX_FILE: u64 = 1 << 30;

/// A file that `icpc calibrate` wrote.
pub(super) struct CalibrationFile {
    path: String,
    pub calibration: Calibration,
    /// Its name and SHA-256.
    pub text: TextHash,
    schema: Schema,
    reader: TensorReader,
}

/// A percentile as the file has it.
pub(super) fn percent(percentile: Percentile) -> f64 {
    f64::from(percentile.billionths()) / 1e7
}

impl CalibrationFile {
    pub(super) fn open(path: &str) -> Result<CalibrationFile, EvalError> {
        let error = |message: String| EvalError::new(path, "reading", message);
        let bytes = read_bounded(path, MAX_FILE).map_err(error)?;
        let schema = open(Path::new(path)).map_err(|e| error(e.to_string()))?;
        let key = format!("__metadata__.{KEY}");
        let said = schema.entries.iter().find(|entry| entry.path == key).ok_or_else(|| {
            error("it holds no statistics".to_owned()).remedy("`icpc calibrate` writes such a file")
        })?;
        let calibration: Calibration = serde_json::from_str(&said.value)
            .map_err(|e| error(format!("its metadata is not what icpc writes: {e}")))?;
        if calibration.schema != CALIBRATION_SCHEMA {
            let message = format!("its version is {}, and this is {CALIBRATION_SCHEMA}", calibration.schema);
            return Err(error(message).remedy("write it again with `icpc calibrate`"));
        }
        let reader = TensorReader::open(Path::new(path), &schema).map_err(|e| error(e.to_string()))?;
        let text = TextHash { name: path.to_owned(), sha256: hex_digest(&bytes) };
        Ok(CalibrationFile { path: path.to_owned(), calibration, text, schema, reader })
    }

    fn refused(&self, message: String) -> EvalError {
        EvalError::new(&self.path, "reading", message)
            .remedy("write it again with `icpc calibrate`, or remove `statistics`")
    }

    /// Refuses statistics of another header, and of other data or another way than `calibrate` asks for.
    pub(super) fn fit(&self, header: Option<&str>, protocol: &Protocol) -> Result<(), EvalError> {
        let found = &self.calibration;
        if header.is_some_and(|header| header != found.model.header_hash) {
            let message = format!("it was made of another checkpoint, `{}`", found.model.path);
            return Err(self.refused(message));
        }
        if let Some(data) = &protocol.data {
            let asked = Tokens::read(data, protocol.tokenizer.as_deref())?;
            for (what, asked, there) in
                [("data", &asked.data, &found.data), ("tokenizer", &asked.tokenizer, &found.tokenizer)]
            {
                if asked.sha256 != there.sha256 || (asked.sha256.is_empty() && asked.name != there.name) {
                    let message = format!("its {what} was `{}`, not `{}`", there.name, asked.name);
                    return Err(self.refused(message));
                }
            }
        }
        let seed = found.seed;
        for (what, asked, there) in [
            ("samples", protocol.samples.map(|n| n as u64), Some(found.samples)),
            ("max_length", protocol.window.map(|n| n as u64), Some(found.max_length)),
            ("seed", protocol.seed, seed),
        ] {
            if let Some(asked) = asked.filter(|asked| Some(*asked) != there) {
                let there = there.map_or("none".to_owned(), |n| n.to_string());
                return Err(self.refused(format!("its `{what}` was {there}, not {asked}")));
            }
        }
        Ok(())
    }

    /// Refuses statistics of other weights under the same header, or of other settings of the architecture.
    pub(super) fn fit_weights(&self, hash: &str, assumed: &[String]) -> Result<(), EvalError> {
        let model = &self.calibration.model;
        if model.weights_hash != hash {
            let message = format!("it was made of other weights, those of `{}`", model.path);
            return Err(self.refused(message));
        }
        if model.assumed != assumed {
            return Err(self.refused("its model had other settings".to_owned()));
        }
        Ok(())
    }

    /// The magnitudes that are wanted; none for matrices that saw nothing.
    pub(super) fn magnitudes(&self, wanted: &BTreeMap<String, Percentile>) -> Result<Magnitudes, EvalError> {
        let by_name = self.schema.by_name();
        let mut found = Magnitudes::new();
        for (name, percentile) in wanted {
            if self.calibration.unseen.contains(name) {
                found.insert(name.clone(), None);
                continue;
            }
            let error = |message: String| self.refused(message).tensor(name);
            let asked = percent(*percentile);
            let place = self.calibration.percentiles.iter().position(|p| *p == asked);
            let place =
                place.ok_or_else(|| error(format!("it does not hold the percentile {percentile}")))?;
            let info = by_name.get(format!("{name}.percentiles").as_str());
            let info = info.and_then(|n| self.schema.tensors.get(*n));
            let info = info.ok_or_else(|| error("it holds no statistics of this matrix".to_owned()))?;
            if info.dtype != DType::F32 || *info.shape.0 != [self.calibration.percentiles.len() as u64] {
                return Err(error("its percentiles are not as many as it says".to_owned()));
            }
            let mut value = [0; 4];
            self.reader
                .read_at(info, place as u64, &mut value)
                .map_err(|e| EvalError::new(&self.path, "reading", e.to_string()))?;
            let value = f32::from_le_bytes(value);
            if !value.is_finite() || value < 0.0 {
                return Err(error(format!("its percentile {percentile} is {value}, which is no magnitude")));
            }
            found.insert(name.clone(), Some(value));
        }
        Ok(found)
    }
}
