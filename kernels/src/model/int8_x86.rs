//! Sums of products of 8-bit integers with AVX2 and with VNNI.

use std::arch::x86_64::*;

/// The proof that this processor has AVX2.
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx2(());

/// The proof that this processor has VNNI on 512 bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vnni(());

impl Avx2 {
    pub(super) fn new() -> Option<Avx2> {
        is_x86_feature_detected!("avx2").then_some(Avx2(()))
    }

    /// Σ x w; of `x` no value is -128.
    #[inline(always)]
    pub(super) fn dot(self, x: &[i8], w: &[u8]) -> i32 {
        // SAFETY: `self` is only made where AVX2 was detected.
        unsafe { dot_avx2(x, w) }
    }
}

impl Vnni {
    pub(super) fn new() -> Option<Vnni> {
        let has = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vnni");
        has.then_some(Vnni(()))
    }

    /// Σ x w.
    #[inline(always)]
    pub(super) fn dot(self, x: &[i8], w: &[u8]) -> i32 {
        // SAFETY: `self` is only made where the features were detected.
        unsafe { dot_vnni(x, w) }
    }
}

#[target_feature(enable = "avx2")]
fn dot_avx2(x: &[i8], w: &[u8]) -> i32 {
    let mut sums = [_mm256_setzero_si256(); 2];
    let ones = _mm256_set1_epi16(1);
    let (whole_x, whole_w) = (x.as_chunks::<32>(), w.as_chunks::<32>());
    for (x, w) in whole_x.0.chunks(2).zip(whole_w.0.chunks(2)) {
        for (sum, (x, w)) in sums.iter_mut().zip(x.iter().zip(w)) {
            // SAFETY: both arrays are 32 bytes, and the loads ask for no alignment.
            let (x, w) =
                unsafe { (_mm256_loadu_si256(x.as_ptr().cast()), _mm256_loadu_si256(w.as_ptr().cast())) };
            // |w| is 128 at most and x within ±127: two products fit in 16 bits
            let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
            *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(pairs, ones));
        }
    }
    let sum = _mm256_add_epi32(sums[0], sums[1]);
    let sum = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum));
    let sum = _mm_add_epi32(sum, _mm_shuffle_epi32::<0b00_00_11_10>(sum));
    let sum = _mm_add_epi32(sum, _mm_shuffle_epi32::<1>(sum));
    _mm_cvtsi128_si32(sum) + rest(whole_x.1, whole_w.1)
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn dot_vnni(x: &[i8], w: &[u8]) -> i32 {
    // the instruction multiplies unsigned by signed: x + 128 is taken, and 128 Σ w taken off again
    let mut sums = [_mm512_setzero_si512(); 4];
    let mut weights = [_mm512_setzero_si512(); 2];
    let (flip, ones) = (_mm512_set1_epi8(-128), _mm512_set1_epi8(1));
    let (whole_x, whole_w) = (x.as_chunks::<64>(), w.as_chunks::<64>());
    for (number, (x, w)) in whole_x.0.iter().zip(whole_w.0).enumerate() {
        // SAFETY: both arrays are 64 bytes, and the loads ask for no alignment.
        let (x, w) =
            unsafe { (_mm512_loadu_si512(x.as_ptr().cast()), _mm512_loadu_si512(w.as_ptr().cast())) };
        let shifted = _mm512_xor_si512(x, flip);
        sums[number % 4] = _mm512_dpbusd_epi32(sums[number % 4], shifted, w);
        weights[number % 2] = _mm512_dpbusd_epi32(weights[number % 2], ones, w);
    }
    let sum = _mm512_add_epi32(_mm512_add_epi32(sums[0], sums[1]), _mm512_add_epi32(sums[2], sums[3]));
    let weights = _mm512_slli_epi32::<7>(_mm512_add_epi32(weights[0], weights[1]));
    // additions that wrap around cancel: the difference fits
    _mm512_reduce_add_epi32(_mm512_sub_epi32(sum, weights)).wrapping_add(rest(whole_x.1, whole_w.1))
}

fn rest(x: &[i8], w: &[u8]) -> i32 {
    x.iter().zip(w).map(|(&x, &w)| i32::from(x) * i32::from(w as i8)).sum()
}
