//! Attention over keys and values that stay on the device, and rotary positions.

use super::super::sources::ATTENTION;
use super::memory::{Floats, Ids};
use super::{Call, Device};
use crate::KernelError;
use crate::error::expect_length;
use crate::model::{Attention, product_of};

/// Queries of a block.
const QUERIES: u64 = 8;
const THREADS: u32 = 256;
/// The longest head that a kernel takes.
const MOST_HEAD: usize = 256;
/// Tokens for which there is room at first.
const ROOM: usize = 64;

/// Cosines and sines of rotary positions from 0 on, on a device.
#[derive(Clone, Debug)]
pub struct Turns {
    positions: usize,
    pairs: usize,
    cosines: Floats,
    sines: Floats,
}

impl Turns {
    /// Positions that are there.
    pub const fn positions(&self) -> usize {
        self.positions
    }
}

/// Keys and values of the tokens so far: `[room, kv_heads, head]` of each.
#[derive(Clone, Debug)]
pub struct KeyValues {
    width: usize,
    room: usize,
    tokens: usize,
    keys: Floats,
    values: Floats,
}

impl KeyValues {
    /// Tokens.
    pub const fn tokens(&self) -> usize {
        self.tokens
    }

    /// Tokens for which there is room at the same addresses.
    pub const fn room(&self) -> usize {
        self.room
    }

    /// Tokens that a recording has added.
    pub fn advance(&mut self, tokens: usize) {
        self.tokens += tokens;
    }
}

impl Device {
    /// Angle `position × frequency` for each pair, in f64 and rounded once, as [`crate::model::Rotary`] has them.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    pub fn turns(&self, frequencies: &[f64], positions: usize) -> Result<Turns, KernelError> {
        product_of("rotary positions", positions, frequencies.len())?;
        let angles = (0..positions).flat_map(|p| frequencies.iter().map(move |f| p as f64 * f));
        let (cosines, sines): (Vec<f32>, Vec<f32>) =
            angles.map(|angle| (angle.cos() as f32, angle.sin() as f32)).unzip();
        let (cosines, sines) = (self.upload(&cosines)?, self.upload(&sines)?);
        Ok(Turns { positions, pairs: frequencies.len(), cosines, sines })
    }

    /// An empty cache for tokens of `kv_heads × head` values, with room for some.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    pub fn key_values(&self, width: usize, room: usize) -> Result<KeyValues, KernelError> {
        let room = room.max(ROOM);
        let (keys, values) = (self.matrix(room, width)?, self.matrix(room, width)?);
        Ok(KeyValues { width, room, tokens: 0, keys, values })
    }

    /// Turn `x`, `[tokens, heads, head]`, whose first token stands at the position in `past`, or at 0.
    ///
    /// # Errors
    /// [`KernelError::Length`], [`KernelError::Device`].
    pub fn turn(
        &self,
        turns: &Turns,
        heads: usize,
        head: usize,
        past: Option<&Ids>,
        x: &Floats,
    ) -> Result<Floats, KernelError> {
        let y = self.room(x.len())?;
        self.turn_to(Some(turns), [heads, head], past, x, &y, false)?;
        Ok(y)
    }

    fn turn_to(
        &self,
        turns: Option<&Turns>,
        [heads, head]: [usize; 2],
        past: Option<&Ids>,
        x: &Floats,
        y: &Floats,
        append: bool,
    ) -> Result<(), KernelError> {
        let pairs = turns.map_or(0, |turns| turns.pairs);
        if head < 2 * pairs {
            return expect_length("head that turns", 2 * pairs, head);
        }
        let width = product_of("heads", heads, head)?;
        let tokens = x.len().checked_div(width).unwrap_or(0);
        expect_length("tokens to turn", tokens * width, x.len())?;
        let address = |of: fn(&Turns) -> &Floats| turns.map_or(0, |turns| of(turns).address());
        let mut words = vec![x.address(), y.address(), address(|t| &t.cosines), address(|t| &t.sines)];
        words.extend([past.map_or(0, Ids::address), tokens as u64, heads as u64, head as u64]);
        let room = y.len() / width.max(1);
        let positions = turns.map_or(0, |turns| turns.positions);
        words.extend([pairs as u64, u64::from(append), positions as u64, room as u64]);
        self.launch_each(ATTENTION, "turn", tokens * heads * (head - pairs), &words)
    }

    /// Put keys, turned, and values behind those that the cache has; `past` holds how many that are. Where there is no room the
    /// cache moves, which no recording sees.
    ///
    /// # Errors
    /// [`KernelError::Length`], [`KernelError::Device`].
    pub fn append(
        &self,
        cache: &mut KeyValues,
        turns: Option<&Turns>,
        head: usize,
        past: &Ids,
        keys: &Floats,
        values: &Floats,
    ) -> Result<(), KernelError> {
        let tokens = keys.len().checked_div(cache.width).unwrap_or(0);
        expect_length("keys", tokens * cache.width, keys.len())?;
        expect_length("values", keys.len(), values.len())?;
        let needed = cache.tokens + tokens;
        if needed > cache.room {
            let mut larger = self.key_values(cache.width, needed.max(2 * cache.room))?;
            larger.tokens = cache.tokens;
            let words = cache.tokens * cache.width;
            self.copy_words(cache.keys.address(), larger.keys.address(), words)?;
            self.copy_words(cache.values.address(), larger.values.address(), words)?;
            *cache = larger;
        }
        if let Some(turns) = turns {
            expect_positions(turns, needed)?;
        }
        let heads = cache.width.checked_div(head).unwrap_or(0);
        expect_length("heads of keys", heads * head, cache.width)?;
        self.turn_to(turns, [heads, head], Some(past), keys, &cache.keys, true)?;
        self.turn_to(None, [heads, head], Some(past), values, &cache.values, true)?;
        cache.tokens = needed;
        Ok(())
    }

    /// As [`crate::model::attention`], of queries that are the last of the cache's tokens; `past` holds how many tokens there were
    /// before them.
    ///
    /// # Errors
    /// [`KernelError::Length`], [`KernelError::Device`].
    pub fn attention_cached(
        &self,
        shape: &Attention,
        past: &Ids,
        q: &Floats,
        cache: &KeyValues,
    ) -> Result<Floats, KernelError> {
        self.attention_over(shape, Some(past), q, &cache.keys, &cache.values)
    }

    /// As [`crate::model::attention`], of a whole sequence.
    ///
    /// # Errors
    /// [`KernelError::Length`], [`KernelError::Device`].
    pub fn attention(
        &self,
        shape: &Attention,
        q: &Floats,
        keys: &Floats,
        values: &Floats,
    ) -> Result<Floats, KernelError> {
        self.attention_over(shape, None, q, keys, values)
    }

    fn attention_over(
        &self,
        shape: &Attention,
        past: Option<&Ids>,
        q: &Floats,
        keys: &Floats,
        values: &Floats,
    ) -> Result<Floats, KernelError> {
        let (heads, kv_heads, head) = (shape.heads, shape.kv_heads, shape.head);
        let (width, kv_width) = (product_of("heads", heads, head)?, product_of("heads", kv_heads, head)?);
        let group = heads.checked_div(kv_heads).unwrap_or(0);
        expect_length("heads of queries", group * kv_heads, heads)?;
        if head > MOST_HEAD {
            let what = format!(
                "heads of {head} numbers are more than the {MOST_HEAD} that attention takes on a CUDA device: \
                 run this model on the native backend"
            );
            return Err(KernelError::Device { what });
        }
        let tokens = q.len().checked_div(width).unwrap_or(0);
        let seen = keys.len().checked_div(kv_width).unwrap_or(0);
        expect_length("queries", tokens * width, q.len())?;
        expect_length("keys", seen * kv_width, keys.len())?;
        expect_length("values", keys.len(), values.len())?;
        if seen < tokens || (past.is_none() && seen != tokens) {
            return Err(KernelError::Length { what: "keys", expected: tokens as u64, found: seen as u64 });
        }
        let y = self.room(q.len())?;
        let mut words: Vec<u64> = [q, keys, values, &y].map(Floats::address).to_vec();
        words.push(past.map_or(0, Ids::address));
        words.extend([tokens, heads, kv_heads, head].map(|n| n as u64));
        words.extend([u64::from(shape.causal), u64::from(shape.scale.to_bits()), seen as u64]);
        words.push(shape.window as u64);
        let few = tokens < 4;
        let kernel = if few { "attention_one" } else { "attention" };
        let blocks = heads as u64 * if few { tokens as u64 } else { (tokens as u64).div_ceil(QUERIES) };
        let blocks = if y.is_empty() { 0 } else { blocks };
        self.launch(&Call { family: ATTENTION, kernel, blocks, threads: THREADS, words: &words })?;
        Ok(y)
    }
}

fn expect_positions(turns: &Turns, needed: usize) -> Result<(), KernelError> {
    if needed <= turns.positions {
        return Ok(());
    }
    let (index, limit) = (needed as u64 - 1, turns.positions as u64);
    Err(KernelError::OutOfRange { what: "rotary position", position: 0, index, limit })
}
