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
use std::ops::Range;

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
    /// Tokens that a token sees, itself included, where it is causal; all before it with 0.
    pub window: usize,
    /// What a score is multiplied by; `1/√head` mostly.
    pub scale: f32,
}

impl Attention {
    /// Causal, with the usual scale.
    pub fn causal(heads: usize, kv_heads: usize, head: usize) -> Attention {
        let scale = (1.0 / (head as f64).sqrt()) as f32;
        Attention { heads, kv_heads, head, causal: true, window: 0, scale }
    }

    /// The keys that query number `token` of `tokens` sees, of `seen` keys.
    pub(crate) fn visible(&self, token: usize, tokens: usize, seen: usize) -> Range<usize> {
        if !self.causal {
            return 0..seen;
        }
        let end = seen - tokens + token + 1;
        match self.window {
            0 => 0..end,
            window => end.saturating_sub(window)..end,
        }
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
/// `[seen, kv_heads, head]`; the queries are those of the last tokens seen. A causal query reads nothing of later tokens, nor
/// of those before its window, not even to multiply it by 0.
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
    let blocks = tokens.div_ceil(BLOCK);
    parallel::pieces(shape.heads * blocks, work, |piece| {
        let (head, block) = (piece / blocks.max(1), piece % blocks.max(1));
        let (tokens, first) = (block * BLOCK..tokens.min((block + 1) * BLOCK), head * shape.head);
        let queries = Queries {
            q: &q[first..],
            keys: &keys[head / group.max(1) * shape.head..],
            values: &values[head / group.max(1) * shape.head..],
            width,
            kv_width,
            visible: tokens.clone().map(|token| shape.visible(token, q.len() / width, seen)).collect(),
            tokens,
            head: shape.head,
            scale: shape.scale,
            y: &y,
            first,
        };
        if cpu.is_vector() {
            cpu.vector(queries);
        } else {
            queries.run(Scalar);
        }
    });
    Ok(())
}

/// One head of some neighbouring tokens.
struct Queries<'a> {
    /// From the head's values of the first token of all on, `width` from token to token.
    q: &'a [f32],
    /// From the head's first key on, `kv_width` from key to key.
    keys: &'a [f32],
    values: &'a [f32],
    width: usize,
    kv_width: usize,
    tokens: Range<usize>,
    /// Keys that each of the tokens sees.
    visible: Vec<Range<usize>>,
    head: usize,
    scale: f32,
    y: &'a Shared<'a>,
    /// Where the head begins in a token's outputs.
    first: usize,
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

impl Kernel for Queries<'_> {
    type Output = ();

    #[inline(always)]
    fn with<V: Lanes>(self, v: V) {
        self.run(Vectors(v));
    }
}

/// What a query has gathered from the keys so far.
struct Gathered {
    /// The largest score.
    most: f32,
    /// The sum of `exp(score - most)`.
    total: f32,
}

/// Rows of a head, `stride` from one to the next.
#[derive(Clone, Copy)]
struct Rows<'a> {
    values: &'a [f32],
    stride: usize,
    head: usize,
}

impl<'a> Rows<'a> {
    #[inline(always)]
    fn row(self, number: usize) -> &'a [f32] {
        &self.values[number * self.stride..number * self.stride + self.head]
    }

    /// Those behind the first ones.
    #[inline(always)]
    fn from(self, first: usize) -> Rows<'a> {
        Rows { values: &self.values[first * self.stride..], ..self }
    }

    /// Four neighbours from one on; the last one again where there are no four.
    #[inline(always)]
    fn four(self, first: usize, count: usize) -> [&'a [f32]; 4] {
        let mut four: [&[f32]; 4] = [&[]; 4];
        for (number, row) in four.iter_mut().enumerate() {
            *row = self.row((first + number).min(count - 1));
        }
        four
    }

    /// The first rows, side by side: in memory they lie a power of two apart mostly and take each other's places in the cache.
    fn copy(self, count: usize, to: &mut Vec<f32>) {
        to.clear();
        (0..count).for_each(|number| to.extend_from_slice(self.row(number)));
    }
}

impl Queries<'_> {
    #[inline(always)]
    fn run(self, inner: impl Inner) {
        let (head, count) = (self.head, self.tokens.len());
        // Of later queries neither the first nor the last key comes before those of earlier ones.
        let first_visible = self.visible.first().map_or(0, |keys| keys.start);
        let most_visible = self.visible.last().map_or(0, |keys| keys.end);
        let mut gathered: Vec<Gathered> =
            (0..count).map(|_| Gathered { most: f32::NEG_INFINITY, total: 0.0 }).collect();
        let mut sums = vec![0.0f32; count * head];
        // worth it from a few queries on
        let copied = count >= 4;
        let (mut key_copy, mut value_copy) = (Vec::new(), Vec::new());
        // Blocks begin at the same keys whatever a query sees.
        for start in (first_visible / BLOCK * BLOCK..most_visible).step_by(BLOCK) {
            let length = BLOCK.min(most_visible - start);
            let rows = |values| Rows { values, stride: self.kv_width, head };
            let (mut keys, mut values) =
                (rows(&self.keys[start * self.kv_width..]), rows(&self.values[start * self.kv_width..]));
            if copied {
                keys.copy(length, &mut key_copy);
                values.copy(length, &mut value_copy);
                keys = Rows { values: &key_copy, stride: head, head };
                values = Rows { values: &value_copy, stride: head, head };
            }
            for (number, state) in gathered.iter_mut().enumerate() {
                let visible = &self.visible[number];
                let from = visible.start.saturating_sub(start).min(length);
                let to = visible.end.saturating_sub(start).min(length);
                if from >= to {
                    continue;
                }
                let at = (self.tokens.start + number) * self.width;
                let sum = &mut sums[number * head..(number + 1) * head];
                let (keys, values) = (keys.from(from), values.from(from));
                state.take(inner, &self.q[at..at + head], keys, values, to - from, self.scale, sum);
            }
        }
        for (number, state) in gathered.iter().enumerate() {
            let at = (self.tokens.start + number) * self.width + self.first;
            // SAFETY: each head of each token is written by one piece.
            let y = unsafe { self.y.part(at, head) };
            y.iter_mut().zip(&sums[number * head..]).for_each(|(y, sum)| *y = sum / state.total);
        }
    }
}

impl Gathered {
    /// Take in the first keys and values of a block.
    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "one step of a loop")]
    fn take(
        &mut self,
        inner: impl Inner,
        q: &[f32],
        keys: Rows<'_>,
        values: Rows<'_>,
        visible: usize,
        scale: f32,
        sum: &mut [f32],
    ) {
        let mut scores = [0.0f32; BLOCK];
        let scores = &mut scores[..visible];
        let mut here = f32::NEG_INFINITY;
        for four in (0..visible).step_by(4) {
            let dots = inner.dots(q, keys.four(four, visible));
            for (score, dot) in scores[four..visible.min(four + 4)].iter_mut().zip(dots) {
                *score = dot * scale;
                here = if *score > here { *score } else { here };
            }
        }
        if here > self.most {
            let shrink = exp_of(self.most - here);
            self.most = here;
            self.total *= shrink;
            for sum in sum.iter_mut() {
                *sum *= shrink;
            }
        }
        for score in scores.iter_mut() {
            *score = exp_of(*score - self.most);
        }
        for &weight in scores.iter() {
            self.total += weight;
        }
        let (fours, rest) = scores.as_chunks::<4>();
        for (number, &weights) in fours.iter().enumerate() {
            inner.add_scaled(sum, weights, values.four(4 * number, visible));
        }
        for (number, &weight) in (4 * fours.len()..).zip(rest) {
            sum.iter_mut().zip(values.row(number)).for_each(|(sum, value)| *sum += weight * value);
        }
    }
}
