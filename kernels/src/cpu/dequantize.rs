//! Codes back to floats.

use super::cast::narrow_tile;
use super::lanes::{Kernel, Lanes};
use super::tile::{Buffer, set_value, value};
use crate::backend::{DequantizeCode4Op, DequantizeIntOp};
use crate::format::{IntBits, Pack};
use crate::reference::put_decoded;
use crate::stats::TILE;
use crate::{DType, KernelError};

/// [`DequantizeIntOp`], its lengths checked.
pub(super) struct DequantizeInt<'a>(pub(super) DequantizeIntOp<'a>);

impl Kernel for DequantizeInt<'_> {
    type Output = Result<(), KernelError>;

    #[inline(always)]
    fn with<V: Lanes>(self, v: V) -> Self::Output {
        let DequantizeIntOp { codes, start, elements, groups, int, group_codes, to, destination } = self.0;
        let width = to.width() as usize;
        let (mut buffer, mut nibbles) = (Buffer::new(), [0u8; TILE]);
        for from in (0..elements).step_by(TILE) {
            let length = TILE.min(elements - from);
            let tile = match int.bits {
                IntBits::Eight => &codes[from..from + length],
                IntBits::Four => {
                    unpack(&codes[from / 2..], int.pack, &mut nibbles[..length]);
                    if int.symmetric {
                        // sign of a nibble: 8..=15 are -8..=-1
                        nibbles.iter_mut().for_each(|code| *code = (*code ^ 8).wrapping_sub(8));
                    }
                    &nibbles[..length]
                }
            };
            let values = buffer.values(length);
            for run in groups.runs(start + from as u64, length) {
                let code = &group_codes[run.group];
                let (low, high) = (run.offset, run.offset + run.length);
                let (tile, values) = (&tile[low..high], &mut values[4 * low..4 * high]);
                let (scale, zero) = (v.splat(code.scale), v.isplat(code.zero));
                for (codes, values) in tile.chunks_exact(V::N).zip(values.chunks_exact_mut(4 * V::N)) {
                    let codes = if int.symmetric { v.load_i8(codes) } else { v.load_u8(codes) };
                    v.store(v.mul(v.float(v.isub(codes, zero)), scale), values);
                }
                for (index, &byte) in tile.iter().enumerate().skip(tile.len() / V::N * V::N) {
                    let byte = if int.symmetric { i32::from(byte as i8) } else { i32::from(byte) };
                    set_value(values, index, code.decode(byte));
                }
            }
            let destination = &mut destination[from * width..(from + length) * width];
            write(v, to, values, start + from as u64, destination)?;
        }
        Ok(())
    }
}

/// [`DequantizeCode4Op`], its lengths checked.
pub(super) struct DequantizeCode4<'a>(pub(super) DequantizeCode4Op<'a>);

impl Kernel for DequantizeCode4<'_> {
    type Output = Result<(), KernelError>;

    #[inline(always)]
    fn with<V: Lanes>(self, v: V) -> Self::Output {
        let DequantizeCode4Op { codes, start, elements, kind, block, absmax, to, destination } = self.0;
        let width = to.width() as usize;
        let (book, table) = (kind.codebook(), v.table(&kind.codebook()));
        let (mut buffer, mut nibbles) = (Buffer::new(), [0u8; TILE]);
        for from in (0..elements).step_by(TILE) {
            let length = TILE.min(elements - from);
            unpack(&codes[from / 2..], Pack::High, &mut nibbles[..length]);
            let values = buffer.values(length);
            let mut low = 0;
            while low < length {
                let number = (from + low) / block;
                let high = length.min((number + 1) * block - from);
                let (tile, values) = (&nibbles[low..high], &mut values[4 * low..4 * high]);
                let largest = v.splat(absmax[number]);
                for (codes, values) in tile.chunks_exact(V::N).zip(values.chunks_exact_mut(4 * V::N)) {
                    v.store(v.mul(v.look_up(table, v.load_u8(codes)), largest), values);
                }
                for (index, &code) in tile.iter().enumerate().skip(tile.len() / V::N * V::N) {
                    set_value(values, index, book[usize::from(code)] * absmax[number]);
                }
                low = high;
            }
            let destination = &mut destination[from * width..(from + length) * width];
            write(v, to, values, start + from as u64, destination)?;
        }
        Ok(())
    }
}

/// One unsigned nibble per byte.
#[inline(always)]
fn unpack(packed: &[u8], order: Pack, nibbles: &mut [u8]) {
    let (first, second) = match order {
        Pack::Low => (0, 4),
        Pack::High => (4, 0),
    };
    for (pair, byte) in nibbles.chunks_mut(2).zip(packed) {
        match pair {
            [one, two] => {
                *one = byte >> first & 15;
                *two = byte >> second & 15;
            }
            [one] => *one = byte >> first & 15,
            _ => {}
        }
    }
}

#[inline(always)]
fn write<V: Lanes>(
    v: V,
    to: DType,
    values: &[u8],
    start: u64,
    destination: &mut [u8],
) -> Result<(), KernelError> {
    if narrow_tile(v, to, values, destination) {
        return Ok(());
    }
    for (index, element) in destination.chunks_exact_mut(to.width() as usize).enumerate() {
        put_decoded(to, value(values, index), start + index as u64, element)?;
    }
    Ok(())
}
