//! The tensors of a report as what figures and tables show: each by itself, or those that differ in numbers only as one.

use std::collections::BTreeMap;

use super::svg::Precision;
use crate::report::{RunReport, TensorReport};
use crate::sensitivity::{layer_of, starred};

/// One tensor, or several.
#[derive(Clone, Debug, Default)]
pub(super) struct Cell {
    pub name: String,
    pub tensors: u64,
    pub shape: String,
    pub from: String,
    pub format: String,
    pub before: u64,
    pub after: u64,
    pub elements: u64,
    /// Sum of squared errors; nothing where nothing is lost, or no error was measured.
    pub noise: Option<f64>,
    /// Sum of squares of what was stored.
    pub signal: Option<f64>,
    /// The least.
    pub cosine: Option<f64>,
    /// The largest.
    pub largest_error: Option<f64>,
    pub clipped: u64,
}

impl Cell {
    fn of(t: &TensorReport) -> Cell {
        let elements = t.shape.iter().fold(1u64, |n, d| n.saturating_mul(*d));
        let noise = t.mse.map(|mse| mse * elements as f64);
        let shape: Vec<String> = t.shape.iter().map(u64::to_string).collect();
        Cell {
            name: t.name.clone(),
            tensors: 1,
            shape: shape.join(" × "),
            from: t.dtype.clone(),
            format: t.format.clone(),
            before: t.source_bytes,
            after: t.bytes,
            elements,
            noise,
            signal: noise.zip(t.sqnr_db).map(|(noise, db)| noise * 10f64.powf(db / 10.0)),
            cosine: t.cosine,
            largest_error: t.largest_error,
            clipped: t.clipped.unwrap_or(0),
        }
    }

    fn add(&mut self, other: &Cell) {
        let sum = |a: Option<f64>, b: Option<f64>| a.zip(b).map(|(a, b)| a + b).or(a).or(b);
        let by = |a: Option<f64>, b: Option<f64>, f: fn(f64, f64) -> f64| {
            a.zip(b).map(|(a, b)| f(a, b)).or(a).or(b)
        };
        self.tensors += other.tensors;
        self.before += other.before;
        self.after += other.after;
        self.elements += other.elements;
        self.noise = sum(self.noise, other.noise);
        self.signal = sum(self.signal, other.signal);
        self.cosine = by(self.cosine, other.cosine, f64::min);
        self.largest_error = by(self.largest_error, other.largest_error, f64::max);
        self.clipped += other.clipped;
        if self.shape != other.shape {
            "various".clone_into(&mut self.shape);
        }
        if self.from != other.from {
            "various".clone_into(&mut self.from);
        }
    }

    /// Signal to noise in dB.
    pub(super) fn sqnr(&self) -> Option<f64> {
        let (signal, noise) = self.signal.zip(self.noise)?;
        (noise > 0.0 && signal > 0.0).then(|| 10.0 * (signal / noise).log10())
    }

    /// Bits that an element takes.
    pub(super) fn bits(&self) -> f64 {
        self.after as f64 * 8.0 / self.elements.max(1) as f64
    }

    pub(super) fn precision(&self) -> Precision {
        Precision::of_bits(self.bits())
    }
}

/// One cell for each tensor; where these are more than `most`, one for those that differ in numbers only.
pub(super) fn cells(report: &RunReport, most: usize) -> Vec<Cell> {
    let all = report.tensors.iter().map(Cell::of);
    if report.tensors.len() <= most {
        return all.collect();
    }
    let (mut places, mut out): (BTreeMap<(String, String), usize>, Vec<Cell>) = Default::default();
    for cell in all {
        let key = (starred(&cell.name), cell.format.clone());
        match places.get(&key).and_then(|at| out.get_mut(*at)) {
            Some(known) => known.add(&cell),
            None => {
                places.insert(key.clone(), out.len());
                out.push(Cell { name: key.0, ..cell });
            }
        }
    }
    out
}

/// A cell for each layer, in their order: everything before and behind the layers is one, too.
pub(super) fn layers(report: &RunReport) -> Vec<Cell> {
    let mut out: Vec<Cell> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for tensor in &report.tensors {
        let cell = Cell::of(tensor);
        let layer = layer_of(&tensor.name).unwrap_or_else(|| "beside the layers".to_owned());
        match places.get(&layer).and_then(|at| out.get_mut(*at)) {
            Some(known) => known.add(&cell),
            None => {
                places.insert(layer.clone(), out.len());
                out.push(Cell { name: layer, ..cell });
            }
        }
    }
    out
}
