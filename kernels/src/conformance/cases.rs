//! Inputs: every element type, lengths around tiles and blocks, and values that hurt.

use crate::DType;
use crate::format::code4::{fp4_thresholds, nf4_thresholds};
use crate::narrow::{Narrow, round_to_odd};
use std::fmt;

/// Element types that kernels read.
pub const SOURCES: [DType; 6] =
    [DType::F32, DType::Bf16, DType::F16, DType::F64, DType::F8E4M3, DType::F8E5M2];

/// Lengths around vectors, blocks and tiles.
pub const LENGTHS: [usize; 9] = [0, 1, 15, 63, 64, 65, 130, 1025, 4099];

/// Kinds of values.
pub const PATTERNS: [&str; 10] =
    ["normal", "zeros", "outlier", "subnormal", "ties", "wide", "large", "nan", "infinity", "equal"];

/// One input.
#[derive(Clone, Debug)]
pub struct Case {
    /// Element type.
    pub dtype: DType,
    /// One of [`PATTERNS`].
    pub pattern: &'static str,
    /// Elements.
    pub elements: usize,
    /// The elements as stored.
    pub bytes: Vec<u8>,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} values of {}", self.elements, self.pattern, self.dtype)
    }
}

/// All inputs, the same ones on every machine.
pub fn cases() -> impl Iterator<Item = Case> {
    let kinds =
        SOURCES.into_iter().flat_map(|dtype| PATTERNS.into_iter().map(move |pattern| (dtype, pattern)));
    kinds.flat_map(|(dtype, pattern)| {
        LENGTHS.into_iter().map(move |length| Case {
            dtype,
            pattern,
            elements: length,
            bytes: elements(dtype, pattern, length),
        })
    })
}

/// `length` elements of a pattern as stored.
pub fn elements(dtype: DType, pattern: &str, length: usize) -> Vec<u8> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ length as u64);
    (0..length).flat_map(|index| store(dtype, value(pattern, index, length, &mut random))).collect()
}

fn value(pattern: &str, index: usize, length: usize, random: &mut Random) -> f64 {
    let normal = random.normal() * 0.02;
    let late = length / 2 + length / 3;
    match pattern {
        "zeros" if index % 128 < 100 => 0.0,
        "zeros" => -0.0,
        "outlier" if index == late => -50.0,
        "subnormal" if index.is_multiple_of(3) => normal * 1e-37,
        "subnormal" => f64::from(f32::from_bits(random.next() as u32 & 0x8000_00ff)),
        "ties" => tie(index, random),
        "wide" => normal.signum() * 2f64.powi((random.next() % 60) as i32 - 45),
        "large" => random.normal() * 3e4,
        "nan" if index == late => f64::NAN,
        "infinity" if index == late => f64::NEG_INFINITY,
        "infinity" if index == late + 1 => f64::NAN,
        "equal" => 0.25,
        _ => normal,
    }
}

/// Thresholds of codebooks at absmax 1, their neighbours, and halves of integers.
fn tie(index: usize, random: &mut Random) -> f64 {
    let (nf4, fp4) = (nf4_thresholds(), fp4_thresholds());
    let near = [-1, 0, 1][(random.next() % 3) as usize];
    let step = |value: f32| f64::from(f32::from_bits(value.to_bits().wrapping_add_signed(near)));
    match index % 64 {
        0 => 1.0,
        at @ 1..=15 => step(nf4[at - 1]),
        at @ 16..=22 => step(fp4[at - 16]),
        at @ 23..=29 => -step(fp4[at - 23]),
        at => (at as f64 - 46.5) / 127.0,
    }
}

fn store(dtype: DType, value: f64) -> Vec<u8> {
    match (dtype, Narrow::of(dtype)) {
        (DType::F64, _) => value.to_le_bytes().to_vec(),
        (_, Some(narrow)) => {
            let mut pattern = narrow.narrow(round_to_odd(value));
            if value.is_finite() && !narrow.is_finite(pattern) {
                pattern = narrow.largest() | (pattern & !narrow.magnitude_mask());
            }
            pattern.to_le_bytes()[..dtype.width() as usize].to_vec()
        }
        _ => (value as f32).to_le_bytes().to_vec(),
    }
}

/// A generator of our own (splitmix64): the cases may never change with a dependency.
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A sum of 12 uniforms: near enough to normal, and exact arithmetic on every machine.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| (self.next() >> 11) as f64 / (1u64 << 53) as f64).sum::<f64>() - 6.0
    }
}
