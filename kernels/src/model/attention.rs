//! Attention with grouped queries, over keys and values that are kept from token to token.
//!
//! Scores are never more than a block of keys at a time: the largest score so far, the sum of exponentials and the sum of
//! values go along, and are scaled down when a larger score comes.

use super::elementwise::exp_of;
use super::parallel::{self, Shared};
use super::{expect_matrix, product_of, scalar};
use crate::cpu::lanes::{Kernel, Lanes};
use crate::error::expect_length;
use crate::{Cpu, KernelError};

/// Keys whose scores are held at a time.
const BLOCK: usize = 64;

/// The shape of an attention.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attention {
    /// Heads of the queries.
    pub heads: usize,
    /// Heads of keys and values, which divide those of the queries; query head h reads number `h × kv_heads / heads`.
    pub kv_heads: usize,
    /// Values of a head.
    pub head: usize,
    /// Whether a token sees itself and those before it only.
    pub causal: bool,
    /// What a score is multiplied by; `1/√head` mostly.
    pub scale: f32,
}

impl Attention {
    /// Causal, with the usual scale.
    pub fn causal(heads: usize, kv_heads: usize, head: usize) -> Attention {
        let scale = (1.0 / (head as f64).sqrt()) as f32;
        Attention { heads, kv_heads, head, causal: true, scale }
    }
}

/// Keys and values of the tokens so far, `[tokens, kv_heads, head]` of each.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    width: usize,
    keys: Vec<f32>,
    values: Vec<f32>,
}

impl Cache {
    /// An empty one for tokens of `kv_heads × head` values, with room for some.
    pub fn new(width: usize, tokens: usize) -> Cache {
        let room = width.saturating_mul(tokens);
        Cache { width, keys: Vec::with_capacity(room), values: Vec::with_capacity(room) }
    }

    /// Add tokens.
    ///
    /// # Errors
    /// [`KernelError::Length`]: no whole tokens, or not as many values as keys.
    pub fn push(&mut self, keys: &[f32], values: &[f32]) -> Result<(), KernelError> {
        let whole = keys.len().checked_div(self.width).unwrap_or(0) * self.width;
        expect_length("keys", whole, keys.len())?;
        expect_length("values", keys.len(), values.len())?;
        self.keys.extend_from_slice(keys);
        self.values.extend_from_slice(values);
        Ok(())
    }

    /// Tokens.
    pub fn tokens(&self) -> usize {
        self.keys.len().checked_div(self.width).unwrap_or(0)
    }

    /// The keys.
    pub fn keys(&self) -> &[f32] {
        &self.keys
    }

    /// The values.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Forget the tokens from this one on.
    pub fn truncate(&mut self, tokens: usize) {
        self.keys.truncate(tokens.saturating_mul(self.width));
        self.values.truncate(tokens.saturating_mul(self.width));
    }
}

/// `y = softmax(q · kᵀ × scale) · v` for each head. `q` and `y` are `[tokens, heads, head]`, `keys` and `values` are
/// `[seen, kv_heads, head]`; the queries are those of the last tokens seen. A causal query reads nothing of later tokens, not
/// even to multiply it by 0.
///
/// # Errors
/// [`KernelError::Length`]: slices that do not fit, heads that do not divide, or fewer keys than queries where it is causal.
pub fn attention(
    cpu: &Cpu,
    shape: &Attention,
    q: &[f32],
    keys: &[f32],
    values: &[f32],
    y: &mut [f32],
) -> Result<(), KernelError> {
    let width = product_of("heads", shape.heads, shape.head)?;
    let kv_width = product_of("heads", shape.kv_heads, shape.head)?;
    let group = shape.heads.checked_div(shape.kv_heads).unwrap_or(0);
    expect_length("heads of queries", group * shape.kv_heads, shape.heads)?;
    let tokens = q.len().checked_div(width).unwrap_or(0);
    let seen = keys.len().checked_div(kv_width).unwrap_or(0);
    expect_matrix("queries", tokens, width, q)?;
    expect_matrix("keys", seen, kv_width, keys)?;
    expect_length("values", keys.len(), values.len())?;
    expect_length("output of attention", q.len(), y.len())?;
    if shape.causal && seen < tokens {
        return Err(KernelError::Length { what: "keys", expected: tokens as u64, found: seen as u64 });
    }
    let y = Shared::new(y);
    let work = q.len().saturating_mul(seen).saturating_mul(2);
    // a head's queries together: they read the same keys
    let together = BLOCK.min(tokens.max(1));
    let blocks = tokens.div_ceil(together);
    parallel::pieces(shape.heads * blocks, work, |piece| {
        let (head, block) = (piece / blocks.max(1), piece % blocks.max(1));
        for token in block * together..tokens.min((block + 1) * together) {
            let at = token * width + head * shape.head;
            // SAFETY: each head of each token is written once.
            let y = unsafe { y.part(at, shape.head) };
            let visible = if shape.causal { seen - tokens + token + 1 } else { seen };
            let first = head / group.max(1) * shape.head;
            let query = Query {
                q: &q[at..at + shape.head],
                keys: &keys[first..],
                values: &values[first..],
                stride: kv_width,
                visible,
                scale: shape.scale,
                y,
            };
            if cpu.is_vector() {
                cpu.vector(query);
            } else {
                query.run(Scalar);
            }
        }
    });
    Ok(())
}

/// One head of one token.
struct Query<'a> {
    q: &'a [f32],
    /// From the head's first key on.
    keys: &'a [f32],
    values: &'a [f32],
    /// From key to key.
    stride: usize,
    visible: usize,
    scale: f32,
    y: &'a mut [f32],
}

/// The two operations that take the time, with four keys or values at a time.
trait Inner: Copy {
    /// Σ q k for each of four keys.
    fn dots(self, q: &[f32], keys: [&[f32]; 4]) -> [f32; 4];
    /// `sum += weight × values` for one after the other.
    fn add_scaled(self, sum: &mut [f32], weights: [f32; 4], values: [&[f32]; 4]);
}

#[derive(Clone, Copy)]
struct Scalar;

impl Inner for Scalar {
    fn dots(self, q: &[f32], keys: [&[f32]; 4]) -> [f32; 4] {
        keys.map(|key| scalar::dot(q, key))
    }
    fn add_scaled(self, sum: &mut [f32], weights: [f32; 4], values: [&[f32]; 4]) {
        for (weight, values) in weights.into_iter().zip(values) {
            sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += weight * value);
        }
    }
}

#[derive(Clone, Copy)]
struct Vectors<V>(V);

impl<V: Lanes> Inner for Vectors<V> {
    #[inline(always)]
    fn dots(self, q: &[f32], keys: [&[f32]; 4]) -> [f32; 4] {
        let v = self.0;
        let mut sums = [v.splat(0.0); 4];
        let whole = q.len() / V::N * V::N;
        for at in (0..whole).step_by(V::N) {
            let input = v.load(super::bytes_of(&q[at..at + V::N]));
            for key in 0..4 {
                sums[key] = v.mul_add(input, v.load(super::bytes_of(&keys[key][at..at + V::N])), sums[key]);
            }
        }
        let mut totals = [0.0; 4];
        for key in 0..4 {
            totals[key] = v.sum(sums[key]);
            for (a, b) in q[whole..].iter().zip(&keys[key][whole..]) {
                totals[key] += a * b;
            }
        }
        totals
    }
    #[inline(always)]
    fn add_scaled(self, sum: &mut [f32], weights: [f32; 4], values: [&[f32]; 4]) {
        let v = self.0;
        let whole = sum.len() / V::N * V::N;
        for at in (0..whole).step_by(V::N) {
            let mut total = v.load(super::bytes_of(&sum[at..at + V::N]));
            for key in 0..4 {
                let value = v.load(super::bytes_of(&values[key][at..at + V::N]));
                total = v.mul_add(v.splat(weights[key]), value, total);
            }
            v.store(total, super::bytes_of_mut(&mut sum[at..at + V::N]));
        }
        for key in 0..4 {
            for (sum, value) in sum[whole..].iter_mut().zip(&values[key][whole..]) {
                *sum += weights[key] * value;
            }
        }
    }
}

impl Kernel for Query<'_> {
    type Output = ();

    #[inline(always)]
    fn with<V: Lanes>(self, v: V) {
        self.run(Vectors(v));
    }
}

/// Four neighbours from one on; the last one again where there are no four.
#[inline(always)]
fn take(rows: &[f32], first: usize, count: usize, stride: usize, length: usize) -> [&[f32]; 4] {
    let mut four: [&[f32]; 4] = [&[]; 4];
    for (number, row) in four.iter_mut().enumerate() {
        let at = (first + number).min(count - 1) * stride;
        *row = &rows[at..at + length];
    }
    four
}

impl Query<'_> {
    #[inline(always)]
    fn run(self, inner: impl Inner) {
        let Query { q, keys, values, stride, visible, scale, y } = self;
        let head = q.len();
        let mut scores = [0.0f32; BLOCK];
        let (mut most, mut total) = (f32::NEG_INFINITY, 0.0f32);
        y.fill(0.0);
        for start in (0..visible).step_by(BLOCK) {
            let length = BLOCK.min(visible - start);
            let mut here = f32::NEG_INFINITY;
            for four in (0..length).step_by(4) {
                let dots = inner.dots(q, take(keys, start + four, visible, stride, head));
                for (score, dot) in scores[four..length.min(four + 4)].iter_mut().zip(dots) {
                    *score = dot * scale;
                    here = if *score > here { *score } else { here };
                }
            }
            let scores = &mut scores[..length];
            if here > most {
                let shrink = exp_of(most - here);
                most = here;
                total *= shrink;
                for sum in y.iter_mut() {
                    *sum *= shrink;
                }
            }
            for score in scores.iter_mut() {
                *score = exp_of(*score - most);
            }
            for &weight in scores.iter() {
                total += weight;
            }
            let (fours, rest) = scores.as_chunks::<4>();
            for (number, &weights) in fours.iter().enumerate() {
                inner.add_scaled(y, weights, take(values, start + 4 * number, visible, stride, head));
            }
            for (number, &weight) in (start + 4 * fours.len()..).zip(rest) {
                let values = &values[number * stride..number * stride + head];
                y.iter_mut().zip(values).for_each(|(sum, value)| *sum += weight * value);
            }
        }
        for sum in y.iter_mut() {
            *sum /= total;
        }
    }
}
