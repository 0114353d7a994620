//! How far a result may be from the exact one: one table, and how each entry comes about.
//!
//! u = 2⁻²⁴ is the rounding error of f32. A sum of products in which no product passes through more than m roundings is off
//! by at most m u / (1 - m u) × Σ |products| (Higham 2002, section 3.1); the table gives m, and the tests use m u with room for
//! the denominator. Bounds hold where nothing overflows; [`TINY`] covers what becomes subnormal.
//!
//! | result | bound | why |
//! | --- | --- | --- |
//! | `linear`, up to [`super::FEW`] tokens, k inputs | `few(k) u Σ\|x w\|` | 32 or more partial sums (scalar 32, AVX2 4 × 8, AVX-512 4 × 16), of nibbles 8 at least of which each takes 4 products and then a run's sum: ⌈k/32⌉ + 4; 6 levels of adding up; weight: decoding 2, its scale 1; product, bias 1 each: 16 with room |
//! | `linear`, more | `many(k) u Σ\|x w\|` | at worst one sum of k; decoding 2, product and bias 2 |
//! | `linear_int8` | 0 beside its own definition | integers; three roundings that the reference makes too |
//! | `exp` | `6 u eˣ` | P misses 5e-9; r is off by 2⁻²⁴·0.5 in x = 0.35 and less; 3 roundings of the sum, 1 of the scale |
//! | `gelu(erf)` | `16 u \|x\|` | erf misses 6.1e-8 = u near 0 and 7e-9 beyond; exp(-q) is off by 6 u + q u·4, at q = 1.9 and erfc = 0.16 about 2 u; roundings 6 |
//! | `gelu(tanh)` | `16 u \|x\|` | exp of an argument that is off by 4 u of itself, t/(1 + e^t) ≤ 0.28 |
//! | `silu` | `10 u \|silu\|` | exp 6, sum 1, quotient 1 |
//! | `softplus` | `12 u (softplus)` | exp 6, quotient and series 5, sum 1 |
//! | norms | `4 u (\|y\| + \|b\|) + 8 u (\|x\| + \|mean\|) w / σ` at most | sums in f64 are exact to 1e-12; one rounding each of value, weight, bias |
//! | `softmax` | `10 u y` | exp of x - max (1 rounding of the argument, up to 88 u: see `softmax(range)`), sum in f64, product 1 |
//! | `log_softmax`, `cross_entropy`, divergence | `8 u` and u of the result; f64 1e-12 | the sum of f32 exponentials is off by 6 u + argument; f64 throughout for the other two |
//! | convolution, k taps | `(k + 2) u Σ\|w x\|` | one sum in order |
//! | scans, t tokens | `(10 + steps) u` of the sum of magnitudes, steps = 12 t | each step: exp 6 and its argument, 4 roundings; decays only shrink what was off before |
//! | `attention`, head h, s keys | `(few(h) Σ\|q k\| scale + s + 24) u · max\|v\| · 2` | an error e of a score is a factor 1 + e of its weight; the weights are divided by their sum |

use super::FEW;

/// The rounding error of f32.
pub const U: f64 = 1.0 / (1u64 << 24) as f64;

/// What is smaller than this may be lost to subnormals.
pub const TINY: f64 = 1e-36;

/// Roundings that a product of `linear` with `k` inputs goes through.
pub const fn linear(tokens: usize, k: usize) -> f64 {
    if tokens > FEW { k as f64 + 8.0 } else { k.div_ceil(32) as f64 + 20.0 }
}

/// In units of u, of the result.
pub const EXP: f64 = 6.0;
/// In units of u, of |x|.
pub const GELU: f64 = 16.0;
/// In units of u, of the result.
pub const SILU: f64 = 10.0;
/// In units of u, of the result.
pub const SOFTPLUS: f64 = 12.0;

/// In units of u, of the result: the argument of an exponential is rounded once, and is `range` at most.
pub const fn softmax(range: f64) -> f64 {
    10.0 + range
}

/// In units of u, of the sum of the products' magnitudes.
pub const fn convolution(taps: usize) -> f64 {
    taps as f64 + 2.0
}

/// In units of u, of what the same scan over magnitudes gives.
pub const fn scan(tokens: usize, states: usize) -> f64 {
    16.0 * tokens as f64 + states as f64 + 24.0
}

/// In units of u, of the largest value: `score` is the largest Σ|q k| scale.
pub const fn attention(head: usize, keys: usize, score: f64) -> f64 {
    2.0 * (linear(1, head) * score + keys as f64 + 24.0)
}
