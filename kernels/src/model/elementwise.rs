//! Functions of one element, in place. The same bits on every variant.
//!
//! exp: x = n ln 2 + r with |r| ≤ (ln 2) / 2, then 1 + r + r² P(r) with P of degree 5, times 2ⁿ in two steps, so that subnormals
//! and infinity come out right. erf and log1p: polynomials of their own. All coefficients interpolate the function at
//! Chebyshev points in 200 bits; what they miss is in [`super::bounds`].

use super::parallel::{self, Plain};
use crate::error::expect_length;
use crate::{Cpu, KernelError};

/// Which GELU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gelu {
    /// `x/2 (1 + erf(x/√2))`.
    Erf,
    /// `x/2 (1 + tanh(√(2/π) (x + 0.044715 x³)))`.
    Tanh,
}

/// eˣ.
#[inline(always)]
pub(super) fn exp_of(x: f32) -> f32 {
    // comparisons, so that NaN stays; beyond them the result is 0 or infinity anyway
    let x = if x > 104.0 { 104.0 } else { x };
    let x = if x < -104.0 { -104.0 } else { x };
    // the sum's last bits are the nearest integer
    let shifted = x * std::f32::consts::LOG2_E + 12_582_912.0;
    let n = shifted - 12_582_912.0;
    // ln 2 in two parts, of which n times the first is exact
    let r = x - n * 0.693_359_4 - n * -2.121_944_4e-4;
    let p = 0.000_198_919_8;
    let p = p * r + 0.001_393_454_2;
    let p = p * r + 0.008_333_31;
    let p = p * r + 0.041_666_456;
    let p = p * r + 0.166_666_67;
    let p = p * r + 0.5;
    let fraction = 1.0 + (r + r * r * p);
    let n = (shifted.to_bits() as i32).wrapping_sub(0x4b40_0000);
    let half = n >> 1;
    fraction * power_of_two(half) * power_of_two(n.wrapping_sub(half))
}

#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) << 23) as u32)
}

/// `1 + erf(u)`.
#[inline(always)]
fn one_plus_erf(u: f32) -> f32 {
    let a = u.abs();
    let z = u * u;
    let p = 7.875_875e-5;
    let p = p * z - 8.016_864_3e-4;
    let p = p * z + 0.005_189_087;
    let p = p * z - 0.026_854_211;
    let p = p * z + 0.112_835_94;
    let p = p * z - 0.376_126_26;
    let p = p * z + std::f32::consts::FRAC_2_SQRT_PI;
    let near = 1.0 + u * p;
    // erfc(a) = exp(-q(a)) for 1 <= a <= 4
    let q = -1.658_320_6e-6;
    let q = q * a + 4.645_992_5e-5;
    let q = q * a - 6.000_555e-4;
    let q = q * a + 0.004_774_191;
    let q = q * a - 0.026_460_879;
    let q = q * a + 0.110_147_18;
    let q = q * a + 0.631_757_56;
    let q = q * a + 1.130_272;
    let q = q * a - 3.293_570_8e-4;
    let tail = exp_of(-q);
    let tail = if a > 4.0 { 0.0 } else { tail };
    let far = if u < 0.0 { tail } else { 2.0 - tail };
    if a >= 1.0 { far } else { near }
}

trait Function: Copy + Sync {
    /// Multiplications that a value costs, about.
    const COST: usize;
    fn of(self, x: f32) -> f32;
}

#[derive(Clone, Copy)]
struct Exp;
#[derive(Clone, Copy)]
struct GeluErf;
#[derive(Clone, Copy)]
struct GeluTanh;
#[derive(Clone, Copy)]
struct Silu;
#[derive(Clone, Copy)]
struct Softplus;
#[derive(Clone, Copy)]
struct Scale(f32);

impl Function for Exp {
    const COST: usize = 8;
    #[inline(always)]
    fn of(self, x: f32) -> f32 {
        exp_of(x)
    }
}

impl Function for GeluErf {
    const COST: usize = 32;
    #[inline(always)]
    fn of(self, x: f32) -> f32 {
        0.5 * x * one_plus_erf(x * std::f32::consts::FRAC_1_SQRT_2)
    }
}

impl Function for GeluTanh {
    const COST: usize = 16;
    #[inline(always)]
    fn of(self, x: f32) -> f32 {
        // (1 + tanh(u)) / 2 = 1 / (1 + exp(-2 u)), which loses nothing near 0
        let twice = 1.595_769 * (x + 0.044_715 * x * x * x);
        x / (1.0 + exp_of(-twice))
    }
}

impl Function for Silu {
    const COST: usize = 16;
    #[inline(always)]
    fn of(self, x: f32) -> f32 {
        x / (1.0 + exp_of(-x))
    }
}

impl Function for Softplus {
    const COST: usize = 32;
    #[inline(always)]
    fn of(self, x: f32) -> f32 {
        // max(x, 0) + log1p(t) with t = exp(-|x|); log1p(t) = 2 atanh(t / (2 + t))
        let t = exp_of(-x.abs());
        let s = t / (2.0 + t);
        let z = s * s;
        let p = 0.116_121_65;
        let p = p * z + 0.108_532_876;
        let p = p * z + 0.142_961_79;
        let p = p * z + 0.199_998_53;
        let p = p * z + 0.333_333_34;
        let log = 2.0 * (s + s * z * p);
        let above = if x > 0.0 { x } else { 0.0 };
        if x > 20.0 { x } else { above + log }
    }
}

impl Function for Scale {
    const COST: usize = 1;
    #[inline(always)]
    fn of(self, x: f32) -> f32 {
        x * self.0
    }
}

struct Map<'a, F>(&'a mut [f32], F);

impl<F: Function> Plain for Map<'_, F> {
    #[inline(always)]
    fn run(self) {
        for value in self.0 {
            *value = self.1.of(*value);
        }
    }
}

fn map<F: Function>(cpu: &Cpu, values: &mut [f32], function: F) {
    parallel::runs(values, 1 << 12, F::COST, |_, values| parallel::run(cpu, Map(values, function)));
}

/// eˣ of each value.
pub fn exp(cpu: &Cpu, values: &mut [f32]) {
    map(cpu, values, Exp);
}

/// GELU of each value.
pub fn gelu(cpu: &Cpu, kind: Gelu, values: &mut [f32]) {
    match kind {
        Gelu::Erf => map(cpu, values, GeluErf),
        Gelu::Tanh => map(cpu, values, GeluTanh),
    }
}

/// `x / (1 + e⁻ˣ)` of each value.
pub fn silu(cpu: &Cpu, values: &mut [f32]) {
    map(cpu, values, Silu);
}

/// `ln(1 + eˣ)` of each value, and x above 20.
pub fn softplus(cpu: &Cpu, values: &mut [f32]) {
    map(cpu, values, Softplus);
}

/// Each value times `factor`.
pub fn scale(cpu: &Cpu, factor: f32, values: &mut [f32]) {
    map(cpu, values, Scale(factor));
}

struct Zip<'a, const PRODUCT: bool>(&'a mut [f32], &'a [f32]);

impl<const PRODUCT: bool> Plain for Zip<'_, PRODUCT> {
    #[inline(always)]
    fn run(self) {
        for (value, other) in self.0.iter_mut().zip(self.1) {
            *value = if PRODUCT { *value * other } else { *value + other };
        }
    }
}

/// Add `other` to the values; where it is shorter it is repeated, as a vector is for each row.
///
/// # Errors
/// [`KernelError::Length`] when its length does not divide theirs.
pub fn add(cpu: &Cpu, values: &mut [f32], other: &[f32]) -> Result<(), KernelError> {
    zip::<false>(cpu, values, other)
}

/// Multiply the values by `other`; where it is shorter it is repeated, as a vector is for each row.
///
/// # Errors
/// [`KernelError::Length`] when its length does not divide theirs.
pub fn mul(cpu: &Cpu, values: &mut [f32], other: &[f32]) -> Result<(), KernelError> {
    zip::<true>(cpu, values, other)
}

fn zip<const PRODUCT: bool>(cpu: &Cpu, values: &mut [f32], other: &[f32]) -> Result<(), KernelError> {
    if values.is_empty() {
        return Ok(());
    }
    if other.is_empty() || !values.len().is_multiple_of(other.len()) {
        return expect_length("second operand", values.len(), other.len());
    }
    if values.len() > other.len() {
        parallel::runs(values, other.len(), 1, |_, row| parallel::run(cpu, Zip::<PRODUCT>(row, other)));
        return Ok(());
    }
    let unit = 1 << 14;
    parallel::runs(values, unit, 1, |run, piece| {
        let other = &other[run * unit..run * unit + piece.len()];
        parallel::run(cpu, Zip::<PRODUCT>(piece, other));
    });
    Ok(())
}
