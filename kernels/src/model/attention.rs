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

/// The two operations that take the time.
trait Inner: Copy {
    /// Σ a b.
    fn dot(self, a: &[f32], b: &[f32]) -> f32;
    /// `sum += factor × values`
    fn add_scaled(self, sum: &mut [f32], factor: f32, values: &[f32]);
}

#[derive(Clone, Copy)]
struct Scalar;

impl Inner for Scalar {
    fn dot(self, a: &[f32], b: &[f32]) -> f32 {
        scalar::dot(a, b)
    }
    fn add_scaled(self, sum: &mut [f32], factor: f32, values: &[f32]) {
        sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += factor * value);
    }
}

#[derive(Clone, Copy)]
struct Vectors<V>(V);

impl<V: Lanes> Inner for Vectors<V> {
    #[inline(always)]
    fn dot(self, a: &[f32], b: &[f32]) -> f32 {
        let v = self.0;
        let mut sums = [v.splat(0.0); 2];
        let (whole_a, whole_b) = (a.chunks_exact(2 * V::N), b.chunks_exact(2 * V::N));
        let (rest_a, rest_b) = (whole_a.remainder(), whole_b.remainder());
        for (a, b) in whole_a.zip(whole_b) {
            for part in 0..2 {
                let range = part * V::N..(part + 1) * V::N;
                let (a, b) = (super::bytes_of(&a[range.clone()]), super::bytes_of(&b[range]));
                sums[part] = v.mul_add(v.load(a), v.load(b), sums[part]);
            }
        }
        let (last_a, last_b) = (rest_a.chunks_exact(V::N), rest_b.chunks_exact(V::N));
        let (rest_a, rest_b) = (last_a.remainder(), last_b.remainder());
        for (a, b) in last_a.zip(last_b) {
            sums[0] = v.mul_add(v.load(super::bytes_of(a)), v.load(super::bytes_of(b)), sums[0]);
        }
        let mut sum = v.sum(v.add(sums[0], sums[1]));
        for (a, b) in rest_a.iter().zip(rest_b) {
            sum += a * b;
        }
        sum
    }
    #[inline(always)]
    fn add_scaled(self, sum: &mut [f32], factor: f32, values: &[f32]) {
        let (v, wide) = (self.0, self.0.splat(factor));
        let mut whole = sum.chunks_exact_mut(V::N);
        let whole_values = values.chunks_exact(V::N);
        let rest_values = whole_values.remainder();
        for (sum, values) in (&mut whole).zip(whole_values) {
            let sums = v.mul_add(wide, v.load(super::bytes_of(values)), v.load(super::bytes_of(sum)));
            v.store(sums, super::bytes_of_mut(sum));
        }
        for (sum, value) in whole.into_remainder().iter_mut().zip(rest_values) {
            *sum += factor * value;
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

impl Query<'_> {
    #[inline(always)]
    fn run(self, inner: impl Inner) {
        let Query { q, keys, values, stride, visible, scale, y } = self;
        let head = q.len();
        let mut scores = [0.0f32; BLOCK];
        let (mut most, mut total) = (f32::NEG_INFINITY, 0.0f32);
        y.fill(0.0);
        for start in (0..visible).step_by(BLOCK) {
            let scores = &mut scores[..BLOCK.min(visible - start)];
            let mut here = f32::NEG_INFINITY;
            for (number, score) in scores.iter_mut().enumerate() {
                let at = (start + number) * stride;
                *score = inner.dot(q, &keys[at..at + head]) * scale;
                here = if *score > here { *score } else { here };
            }
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
            for (number, &weight) in scores.iter().enumerate() {
                let at = (start + number) * stride;
                total += weight;
                inner.add_scaled(y, weight, &values[at..at + head]);
            }
        }
        for sum in y.iter_mut() {
            *sum /= total;
        }
    }
}
