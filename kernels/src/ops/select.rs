//! Order statistics of magnitudes ([`crate::select`]).
//!
//! A magnitude is |w| rounded to f32, and its bits are 31: they order as magnitudes do.

use crate::Source;
use crate::groups::Groups;

/// Count one digit of the magnitudes that begin with the digits found so far: one pass of a radix selection.
///
/// For a magnitude's bits `b` in group `g`, with `below = shift + width`:
///
/// - where `b >> below` is `prefixes[g]`, entry `(g << width) + (b >> shift) mod 2^width` of `histogram` grows by 1;
/// - where `shift` is 0 and `b >> below` is larger than `prefixes[g]`, `above[g]` becomes the smaller of itself and `b`.
#[derive(Debug)]
pub struct CountDigitsOp<'a> {
    /// Elements to look at. NaN, infinity and f64 beyond f32 are errors.
    pub source: Source<'a>,
    /// Flat index of the first.
    pub start: u64,
    /// Groups of the tensor.
    pub groups: Groups,
    /// Bits below the digit.
    pub shift: u32,
    /// Bits of the digit: 1 to 16. `shift + width` is at most 31.
    pub width: u32,
    /// The digits found so far; 0 in the first pass, where none are.
    pub prefixes: &'a [u32],
    /// `groups.axis << width` counters, which are added to.
    pub histogram: &'a mut [u64],
    /// One per group; looked at and written when `shift` is 0.
    pub above: &'a mut [u32],
}

/// Count the elements of exactly one magnitude: their number before a chunk says which ties are its own.
#[derive(Debug)]
pub struct CountTiesOp<'a> {
    /// Elements to look at. NaN equals nothing, and is no error.
    pub source: Source<'a>,
    /// The magnitude.
    pub magnitude: f32,
    /// Is added to.
    pub count: &'a mut u64,
}
