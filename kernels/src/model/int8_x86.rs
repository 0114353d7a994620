//! Sums of products of 8-bit integers with AVX2 and with VNNI: four rows of a weight at a time with up to four tokens.

use crate::model::dots::AHEAD;
use std::arch::x86_64::*;

/// Ask for what lies [`AHEAD`] of rows that follow each other: in themselves or in those that are taken after them.
#[inline(always)]
fn prefetch<const R: usize>(w: [&[u8]; R], at: usize) {
    let later = if at + AHEAD < w[0].len() { AHEAD } else { AHEAD + (R - 1) * w[0].len() };
    for row in w {
        // SAFETY: a prefetch reads nothing that a program can see, and what is no memory of ours it leaves alone.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(row.as_ptr().wrapping_add(at + later).cast()) };
    }
}

/// The proof that this processor has AVX2.
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx2(());

/// The proof that this processor has VNNI on 512 bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vnni(());

/// R rows with M tokens, of which none has -128.
trait Tile {
    fn tile<const R: usize, const M: usize>(self, w: [&[u8]; R], x: [&[i8]; M]) -> [[i32; M]; R];
}

/// Cut into tiles.
#[inline(always)]
fn tiles<T: Tile + Copy>(tile: T, columns: usize, x: &[i8], w: &[u8], sums: &mut [i32]) {
    let (tokens, rows) = (x.len() / columns, w.len() / columns);
    let mut row = 0;
    while row + 4 <= rows {
        strip::<T, 4>(tile, columns, x, &w[row * columns..], &mut sums[row * tokens..]);
        row += 4;
    }
    while row < rows {
        strip::<T, 1>(tile, columns, x, &w[row * columns..], &mut sums[row * tokens..]);
        row += 1;
    }
}

/// R rows with all tokens.
#[inline(always)]
fn strip<T: Tile + Copy, const R: usize>(tile: T, columns: usize, x: &[i8], w: &[u8], sums: &mut [i32]) {
    let tokens = x.len() / columns;
    let mut rows: [&[u8]; R] = [&[]; R];
    for (row, bytes) in rows.iter_mut().enumerate() {
        *bytes = &w[row * columns..(row + 1) * columns];
    }
    let mut token = 0;
    while token < tokens {
        let at = |number: usize| &x[(token + number) * columns..(token + number + 1) * columns];
        if token + 4 <= tokens {
            put(tokens, token, tile.tile(rows, [at(0), at(1), at(2), at(3)]), sums);
            token += 4;
        } else {
            put(tokens, token, tile.tile(rows, [at(0)]), sums);
            token += 1;
        }
    }
}

#[inline(always)]
fn put<const R: usize, const M: usize>(tokens: usize, token: usize, tile: [[i32; M]; R], sums: &mut [i32]) {
    for (row, tile) in tile.into_iter().enumerate() {
        sums[row * tokens + token..row * tokens + token + M].copy_from_slice(&tile);
    }
}

impl Avx2 {
    pub(super) fn new() -> Option<Avx2> {
        is_x86_feature_detected!("avx2").then_some(Avx2(()))
    }

    pub(super) fn all(self, columns: usize, x: &[i8], w: &[u8], sums: &mut [i32]) {
        #[target_feature(enable = "avx2")]
        fn enabled(proof: Avx2, columns: usize, x: &[i8], w: &[u8], sums: &mut [i32]) {
            tiles(proof, columns, x, w, sums);
        }
        // SAFETY: `self` is only made where AVX2 was detected.
        unsafe { enabled(self, columns, x, w, sums) }
    }
}

impl Tile for Avx2 {
    #[inline(always)]
    fn tile<const R: usize, const M: usize>(self, w: [&[u8]; R], x: [&[i8]; M]) -> [[i32; M]; R] {
        let length = w[0].len();
        let whole = length / 32 * 32;
        let mut totals = [[0; M]; R];
        // SAFETY: `self` proves AVX2; the slices are cut to the 32 bytes that a load reads, at any alignment.
        unsafe {
            let mut sums = [[_mm256_setzero_si256(); M]; R];
            for at in (0..whole).step_by(32) {
                prefetch(w, at);
                for row in 0..R {
                    let w = _mm256_loadu_si256(w[row][at..at + 32].as_ptr().cast());
                    let magnitudes = _mm256_abs_epi8(w);
                    for token in 0..M {
                        let x = _mm256_loadu_si256(x[token][at..at + 32].as_ptr().cast());
                        // |w| is 128 at most and x within ±127: two products fit in 16 bits
                        let pairs = _mm256_maddubs_epi16(magnitudes, _mm256_sign_epi8(x, w));
                        let fours = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
                        sums[row][token] = _mm256_add_epi32(sums[row][token], fours);
                    }
                }
            }
            for row in 0..R {
                for token in 0..M {
                    let sum = sums[row][token];
                    let sum = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum));
                    let sum = _mm_add_epi32(sum, _mm_shuffle_epi32::<0b00_00_11_10>(sum));
                    let sum = _mm_add_epi32(sum, _mm_shuffle_epi32::<1>(sum));
                    totals[row][token] =
                        _mm_cvtsi128_si32(sum).wrapping_add(rest(&x[token][whole..], &w[row][whole..]));
                }
            }
        }
        totals
    }
}

impl Vnni {
    pub(super) fn new() -> Option<Vnni> {
        let has = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vnni");
        has.then_some(Vnni(()))
    }

    pub(super) fn all(self, columns: usize, x: &[i8], w: &[u8], sums: &mut [i32]) {
        #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
        fn enabled(proof: Vnni, columns: usize, x: &[i8], w: &[u8], sums: &mut [i32]) {
            tiles(proof, columns, x, w, sums);
        }
        // SAFETY: `self` is only made where the features were detected.
        unsafe { enabled(self, columns, x, w, sums) }
    }
}

impl Tile for Vnni {
    /// The instruction multiplies unsigned by signed: x + 128 is taken, and 128 Σ w taken off again.
    #[inline(always)]
    fn tile<const R: usize, const M: usize>(self, w: [&[u8]; R], x: [&[i8]; M]) -> [[i32; M]; R] {
        let length = w[0].len();
        let whole = length / 64 * 64;
        let mut totals = [[0; M]; R];
        // SAFETY: `self` proves the features; the slices are cut to the 64 bytes that a load reads, at any alignment.
        unsafe {
            let (flip, ones) = (_mm512_set1_epi8(-128), _mm512_set1_epi8(1));
            let mut sums = [[_mm512_setzero_si512(); M]; R];
            let mut weights = [_mm512_setzero_si512(); R];
            for at in (0..whole).step_by(64) {
                prefetch(w, at);
                let mut inputs = [flip; M];
                for token in 0..M {
                    let x = _mm512_loadu_si512(x[token][at..at + 64].as_ptr().cast());
                    inputs[token] = _mm512_xor_si512(x, flip);
                }
                for row in 0..R {
                    let w = _mm512_loadu_si512(w[row][at..at + 64].as_ptr().cast());
                    weights[row] = _mm512_dpbusd_epi32(weights[row], ones, w);
                    for token in 0..M {
                        sums[row][token] = _mm512_dpbusd_epi32(sums[row][token], inputs[token], w);
                    }
                }
            }
            for row in 0..R {
                let shift = _mm512_slli_epi32::<7>(weights[row]);
                for token in 0..M {
                    // additions that wrap around cancel: the difference fits
                    let sum = _mm512_reduce_add_epi32(_mm512_sub_epi32(sums[row][token], shift));
                    totals[row][token] = sum.wrapping_add(rest(&x[token][whole..], &w[row][whole..]));
                }
            }
        }
        totals
    }
}

fn rest(x: &[i8], w: &[u8]) -> i32 {
    x.iter().zip(w).map(|(&x, &w)| i32::from(x) * i32::from(w as i8)).sum()
}
