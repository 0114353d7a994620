//! [`Lanes`] without vectors, for tests: any width's algorithm runs on any machine.

use super::lanes::Lanes;
use crate::narrow::NARROW_F16;
use half::{bf16, f16};

/// `N` emulated lanes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Emulated<const N: usize>;

fn read<const W: usize>(bytes: &[u8], lane: usize) -> [u8; W] {
    std::array::from_fn(|byte| bytes[lane * W + byte])
}

fn write<const W: usize>(bytes: &mut [u8], lane: usize, value: [u8; W]) {
    bytes[lane * W..(lane + 1) * W].copy_from_slice(&value);
}

fn zip<A: Copy, B: Copy, C, const N: usize>(a: [A; N], b: [B; N], f: impl Fn(A, B) -> C) -> [C; N] {
    std::array::from_fn(|lane| f(a[lane], b[lane]))
}

// What products are made of is not inlined: a register is an array here, and the code of a tile would be thousands of lines.
impl<const N: usize> Lanes for Emulated<N> {
    const N: usize = N;
    type F = [f32; N];
    type I = [i32; N];
    type D = [f64; N];
    type B = [[u8; N]; 4];
    type T = [f32; 16];

    #[inline(never)]
    fn load(self, bytes: &[u8]) -> [f32; N] {
        std::array::from_fn(|lane| f32::from_le_bytes(read(bytes, lane)))
    }
    #[inline(never)]
    fn load_bf16(self, bytes: &[u8]) -> [f32; N] {
        std::array::from_fn(|lane| bf16::from_le_bytes(read(bytes, lane)).to_f32())
    }
    #[inline(never)]
    fn load_f16(self, bytes: &[u8]) -> [f32; N] {
        std::array::from_fn(|lane| f16::from_le_bytes(read(bytes, lane)).to_f32())
    }
    #[inline(never)]
    fn load_i8(self, bytes: &[u8]) -> [i32; N] {
        std::array::from_fn(|lane| i32::from(bytes[lane] as i8))
    }
    #[inline(never)]
    fn load_u8(self, bytes: &[u8]) -> [i32; N] {
        std::array::from_fn(|lane| i32::from(bytes[lane]))
    }
    fn store(self, a: [f32; N], bytes: &mut [u8]) {
        a.iter().enumerate().for_each(|(lane, a)| write(bytes, lane, a.to_le_bytes()));
    }
    fn store_f16(self, a: [f32; N], bytes: &mut [u8]) {
        a.iter()
            .enumerate()
            .for_each(|(lane, &a)| write(bytes, lane, (NARROW_F16.narrow(a) as u16).to_le_bytes()));
    }
    fn store_u16(self, a: [[i32; N]; 2], bytes: &mut [u8]) {
        a.iter().flatten().enumerate().for_each(|(lane, &a)| write(bytes, lane, (a as u16).to_le_bytes()));
    }

    fn prefetch(self, _bytes: &[u8], _at: usize) {}
    fn splat(self, a: f32) -> [f32; N] {
        [a; N]
    }
    fn add(self, a: [f32; N], b: [f32; N]) -> [f32; N] {
        zip(a, b, |a, b| a + b)
    }
    fn sub(self, a: [f32; N], b: [f32; N]) -> [f32; N] {
        zip(a, b, |a, b| a - b)
    }
    fn mul(self, a: [f32; N], b: [f32; N]) -> [f32; N] {
        zip(a, b, |a, b| a * b)
    }
    fn div(self, a: [f32; N], b: [f32; N]) -> [f32; N] {
        zip(a, b, |a, b| a / b)
    }
    fn min(self, a: [f32; N], b: [f32; N]) -> [f32; N] {
        zip(a, b, |a, b| if a < b { a } else { b })
    }
    fn max(self, a: [f32; N], b: [f32; N]) -> [f32; N] {
        zip(a, b, |a, b| if a > b { a } else { b })
    }
    fn about_sub_mul(self, c: [f32; N], a: [f32; N], b: [f32; N]) -> [f32; N] {
        self.sub(c, self.mul(a, b))
    }
    #[inline(never)]
    fn mul_add(self, a: [f32; N], b: [f32; N], c: [f32; N]) -> [f32; N] {
        std::array::from_fn(|lane| a[lane].mul_add(b[lane], c[lane]))
    }
    fn truncate(self, a: [f32; N]) -> [i32; N] {
        a.map(|a| a as i32)
    }
    fn round(self, a: [f32; N]) -> [i32; N] {
        a.map(|a| a.round_ties_even() as i32)
    }
    fn float(self, a: [i32; N]) -> [f32; N] {
        a.map(|a| a as f32)
    }
    fn bits(self, a: [f32; N]) -> [i32; N] {
        a.map(|a| a.to_bits() as i32)
    }
    fn of_bits(self, a: [i32; N]) -> [f32; N] {
        a.map(|a| f32::from_bits(a as u32))
    }

    fn isplat(self, a: i32) -> [i32; N] {
        [a; N]
    }
    fn iadd(self, a: [i32; N], b: [i32; N]) -> [i32; N] {
        zip(a, b, i32::wrapping_add)
    }
    fn isub(self, a: [i32; N], b: [i32; N]) -> [i32; N] {
        zip(a, b, i32::wrapping_sub)
    }
    fn iand(self, a: [i32; N], b: [i32; N]) -> [i32; N] {
        zip(a, b, |a, b| a & b)
    }
    fn ior(self, a: [i32; N], b: [i32; N]) -> [i32; N] {
        zip(a, b, |a, b| a | b)
    }
    fn ixor(self, a: [i32; N], b: [i32; N]) -> [i32; N] {
        zip(a, b, |a, b| a ^ b)
    }
    fn imin(self, a: [i32; N], b: [i32; N]) -> [i32; N] {
        zip(a, b, i32::min)
    }
    fn imax(self, a: [i32; N], b: [i32; N]) -> [i32; N] {
        zip(a, b, i32::max)
    }
    fn shr(self, a: [i32; N], count: u32) -> [i32; N] {
        a.map(|a| (a as u32 >> count) as i32)
    }
    fn sign(self, a: [i32; N]) -> [i32; N] {
        a.map(|a| a >> 31)
    }
    fn count_gt(self, base: [i32; N], a: [f32; N], b: [f32; N]) -> [i32; N] {
        std::array::from_fn(|lane| base[lane] + i32::from(a[lane] > b[lane]))
    }
    fn pick_gt(self, a: [i32; N], b: [i32; N], yes: [i32; N], no: [i32; N]) -> [i32; N] {
        std::array::from_fn(|lane| if a[lane] > b[lane] { yes[lane] } else { no[lane] })
    }
    fn mask_gt(self, a: [i32; N], b: [i32; N]) -> u32 {
        (0..N).fold(0, |mask, lane| mask | u32::from(a[lane] > b[lane]) << lane)
    }
    fn shuffle_fours<const ORDER: i32>(self, a: [i32; N]) -> [i32; N] {
        std::array::from_fn(|lane| a[lane / 4 * 4 + (ORDER >> (lane % 4 * 2) & 3) as usize])
    }
    fn largest(self, a: [i32; N]) -> i32 {
        a.into_iter().fold(i32::MIN, i32::max)
    }
    fn largest_of_each(self, vectors: &[[i32; N]]) -> [i32; N] {
        std::array::from_fn(|lane| self.largest(vectors[lane]))
    }
    fn total(self, a: [i32; N]) -> i32 {
        a.into_iter().fold(0, i32::wrapping_add)
    }

    fn table(self, values: &[f32; 16]) -> [f32; 16] {
        *values
    }
    #[inline(never)]
    fn look_up(self, table: [f32; 16], index: [i32; N]) -> [f32; N] {
        index.map(|index| table[index as usize])
    }
    fn splat_halves(self, low: f32, high: f32) -> [f32; N] {
        std::array::from_fn(|lane| if lane < N / 2 { low } else { high })
    }
    fn sum(self, mut a: [f32; N]) -> f32 {
        let mut half = N / 2;
        while half > 0 {
            (0..half).for_each(|lane| a[lane] += a[lane + half]);
            half /= 2;
        }
        a[0]
    }
    fn sum_halves(self, a: [f32; N]) -> [f32; 2] {
        [0, N / 2].map(|first| {
            self.sum(std::array::from_fn(|lane| if lane < N / 2 { a[first + lane] } else { 0.0 }))
        })
    }
    fn look_up_by_sign(self, table: [f32; 16], index: [i32; N], by: [f32; N]) -> [f32; N] {
        std::array::from_fn(|lane| {
            table[index[lane] as usize + if by[lane].is_sign_negative() { 8 } else { 0 }]
        })
    }

    fn narrow<const SIGNED: bool>(self, a: [[i32; N]; 4]) -> [[u8; N]; 4] {
        a.map(|a| a.map(|a| a as u8))
    }
    fn load_bytes(self, bytes: &[u8]) -> [[u8; N]; 4] {
        std::array::from_fn(|row| std::array::from_fn(|lane| bytes[row * N + lane]))
    }
    fn store_bytes(self, a: [[u8; N]; 4], bytes: &mut [u8]) {
        a.iter().enumerate().for_each(|(row, a)| bytes[row * N..(row + 1) * N].copy_from_slice(a));
    }
    fn store_nibbles<const HIGH_FIRST: bool>(self, a: [[u8; N]; 4], bytes: &mut [u8]) {
        for (byte, pair) in bytes[..2 * N].iter_mut().zip(a.as_flattened().chunks_exact(2)) {
            let (first, second) = (pair[0] & 15, pair[1] & 15);
            *byte = if HIGH_FIRST { first << 4 | second } else { first | second << 4 };
        }
    }

    fn doubles(self, a: [f32; N]) -> [[f64; N]; 2] {
        let half = |from: usize| {
            std::array::from_fn(|lane| if lane < N / 2 { f64::from(a[from + lane]) } else { 0.0 })
        };
        [half(0), half(N / 2)]
    }
    fn dzero(self) -> [f64; N] {
        [0.0; N]
    }
    fn dadd(self, a: [f64; N], b: [f64; N]) -> [f64; N] {
        zip(a, b, |a, b| a + b)
    }
    fn dmul(self, a: [f64; N], b: [f64; N]) -> [f64; N] {
        zip(a, b, |a, b| a * b)
    }
    fn dstore(self, a: [f64; N], values: &mut [f64]) {
        values[..N / 2].copy_from_slice(&a[..N / 2]);
    }
}
