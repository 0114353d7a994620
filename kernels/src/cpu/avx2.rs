//! AVX2 with FMA and F16C: 8 lanes. Only what each operation is; the algorithms are generic.

use super::lanes::{Kernel, Lanes};
use std::arch::x86_64::*;

/// The proof that this processor has AVX2, FMA, F16C and bit manipulation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx2(());

impl Avx2 {
    /// The proof, where it holds.
    pub(crate) fn new() -> Option<Avx2> {
        let has = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("popcnt");
        has.then_some(Avx2(()))
    }

    /// Run a kernel compiled for these instructions.
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(enable = "avx2,fma,f16c,bmi1,bmi2,popcnt")]
        fn enabled<K: Kernel>(proof: Avx2, kernel: K) -> K::Output {
            kernel.with(proof)
        }
        // SAFETY: `self` is only made where every feature that `enabled` needs was detected.
        unsafe { enabled(self, kernel) }
    }
}

/// An intrinsic on registers.
macro_rules! registers {
    ($expression:expr) => {
        // SAFETY: the receiver proves that the processor has the instruction, which touches registers only.
        unsafe { $expression }
    };
}

/// An intrinsic that reads or writes memory.
macro_rules! memory {
    ($bytes:ident, $length:expr, $expression:expr) => {{
        assert!($bytes.len() >= $length);
        // SAFETY: the receiver proves that the processor has the instruction; the slice is at least as long as
        // what it reads or writes, and the instruction asks for no alignment.
        unsafe { $expression }
    }};
}

impl Lanes for Avx2 {
    const N: usize = 8;
    type F = __m256;
    type I = __m256i;
    type D = __m256d;
    type B = __m256i;
    type T = [__m256; 2];

    #[inline(always)]
    fn load(self, bytes: &[u8]) -> __m256 {
        memory!(bytes, 32, _mm256_loadu_ps(bytes.as_ptr().cast()))
    }
    #[inline(always)]
    fn load_bf16(self, bytes: &[u8]) -> __m256 {
        let wide = memory!(bytes, 16, _mm256_cvtepu16_epi32(_mm_loadu_si128(bytes.as_ptr().cast())));
        registers!(_mm256_castsi256_ps(_mm256_slli_epi32::<16>(wide)))
    }
    #[inline(always)]
    fn load_f16(self, bytes: &[u8]) -> __m256 {
        memory!(bytes, 16, _mm256_cvtph_ps(_mm_loadu_si128(bytes.as_ptr().cast())))
    }
    #[inline(always)]
    fn load_i8(self, bytes: &[u8]) -> __m256i {
        memory!(bytes, 8, _mm256_cvtepi8_epi32(_mm_loadl_epi64(bytes.as_ptr().cast())))
    }
    #[inline(always)]
    fn load_u8(self, bytes: &[u8]) -> __m256i {
        memory!(bytes, 8, _mm256_cvtepu8_epi32(_mm_loadl_epi64(bytes.as_ptr().cast())))
    }
    #[inline(always)]
    fn store(self, a: __m256, bytes: &mut [u8]) {
        memory!(bytes, 32, _mm256_storeu_ps(bytes.as_mut_ptr().cast(), a))
    }
    #[inline(always)]
    fn store_f16(self, a: __m256, bytes: &mut [u8]) {
        let half = registers!(_mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(a));
        memory!(bytes, 16, _mm_storeu_si128(bytes.as_mut_ptr().cast(), half))
    }
    #[inline(always)]
    fn store_u16(self, a: [__m256i; 2], bytes: &mut [u8]) {
        let packed = registers!(_mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packus_epi32(a[0], a[1])));
        memory!(bytes, 32, _mm256_storeu_si256(bytes.as_mut_ptr().cast(), packed))
    }

    #[inline(always)]
    fn prefetch(self, bytes: &[u8], at: usize) {
        // SAFETY: a prefetch changes nothing that a program can see, wherever it points; every x86-64 has it.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(bytes.as_ptr().wrapping_add(at).cast()) }
    }
    #[inline(always)]
    fn splat(self, a: f32) -> __m256 {
        registers!(_mm256_set1_ps(a))
    }
    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        registers!(_mm256_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(self, a: __m256, b: __m256) -> __m256 {
        registers!(_mm256_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul(self, a: __m256, b: __m256) -> __m256 {
        registers!(_mm256_mul_ps(a, b))
    }
    #[inline(always)]
    fn div(self, a: __m256, b: __m256) -> __m256 {
        registers!(_mm256_div_ps(a, b))
    }
    #[inline(always)]
    fn min(self, a: __m256, b: __m256) -> __m256 {
        registers!(_mm256_min_ps(a, b))
    }
    #[inline(always)]
    fn max(self, a: __m256, b: __m256) -> __m256 {
        registers!(_mm256_max_ps(a, b))
    }
    #[inline(always)]
    fn about_sub_mul(self, c: __m256, a: __m256, b: __m256) -> __m256 {
        registers!(_mm256_fnmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn mul_add(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        registers!(_mm256_fmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn truncate(self, a: __m256) -> __m256i {
        registers!(_mm256_cvttps_epi32(a))
    }
    #[inline(always)]
    fn round(self, a: __m256) -> __m256i {
        registers!(_mm256_cvtps_epi32(a))
    }
    #[inline(always)]
    fn float(self, a: __m256i) -> __m256 {
        registers!(_mm256_cvtepi32_ps(a))
    }
    #[inline(always)]
    fn bits(self, a: __m256) -> __m256i {
        registers!(_mm256_castps_si256(a))
    }
    #[inline(always)]
    fn of_bits(self, a: __m256i) -> __m256 {
        registers!(_mm256_castsi256_ps(a))
    }

    #[inline(always)]
    fn isplat(self, a: i32) -> __m256i {
        registers!(_mm256_set1_epi32(a))
    }
    #[inline(always)]
    fn iadd(self, a: __m256i, b: __m256i) -> __m256i {
        registers!(_mm256_add_epi32(a, b))
    }
    #[inline(always)]
    fn isub(self, a: __m256i, b: __m256i) -> __m256i {
        registers!(_mm256_sub_epi32(a, b))
    }
    #[inline(always)]
    fn iand(self, a: __m256i, b: __m256i) -> __m256i {
        registers!(_mm256_and_si256(a, b))
    }
    #[inline(always)]
    fn ior(self, a: __m256i, b: __m256i) -> __m256i {
        registers!(_mm256_or_si256(a, b))
    }
    #[inline(always)]
    fn ixor(self, a: __m256i, b: __m256i) -> __m256i {
        registers!(_mm256_xor_si256(a, b))
    }
    #[inline(always)]
    fn imin(self, a: __m256i, b: __m256i) -> __m256i {
        registers!(_mm256_min_epi32(a, b))
    }
    #[inline(always)]
    fn imax(self, a: __m256i, b: __m256i) -> __m256i {
        registers!(_mm256_max_epi32(a, b))
    }
    #[inline(always)]
    fn shr(self, a: __m256i, count: u32) -> __m256i {
        registers!(_mm256_srlv_epi32(a, _mm256_set1_epi32(count as i32)))
    }
    #[inline(always)]
    fn sign(self, a: __m256i) -> __m256i {
        registers!(_mm256_srai_epi32::<31>(a))
    }
    #[inline(always)]
    fn count_gt(self, base: __m256i, a: __m256, b: __m256) -> __m256i {
        registers!(_mm256_sub_epi32(base, _mm256_castps_si256(_mm256_cmp_ps::<_CMP_GT_OQ>(a, b))))
    }
    #[inline(always)]
    fn pick_gt(self, a: __m256i, b: __m256i, yes: __m256i, no: __m256i) -> __m256i {
        registers!(_mm256_blendv_epi8(no, yes, _mm256_cmpgt_epi32(a, b)))
    }
    #[inline(always)]
    fn mask_gt(self, a: __m256i, b: __m256i) -> u32 {
        registers!(_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(a, b)))) as u32
    }
    #[inline(always)]
    fn shuffle_fours<const ORDER: i32>(self, a: __m256i) -> __m256i {
        registers!(_mm256_shuffle_epi32::<ORDER>(a))
    }
    #[inline(always)]
    fn largest(self, a: __m256i) -> i32 {
        registers!({
            let a = _mm_max_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256::<1>(a));
            let a = _mm_max_epi32(a, _mm_shuffle_epi32::<0b01_00_11_10>(a));
            _mm_cvtsi128_si32(_mm_max_epi32(a, _mm_shuffle_epi32::<0b10_11_00_01>(a)))
        })
    }
    #[inline(always)]
    fn largest_of_each(self, vectors: &[__m256i]) -> __m256i {
        registers!({
            // halves of fours of vectors, then the halves together
            let mut fours = [_mm256_setzero_si256(); 2];
            for (four, v) in fours.iter_mut().zip(vectors.as_chunks::<4>().0) {
                let a =
                    _mm256_max_epi32(_mm256_unpacklo_epi32(v[0], v[1]), _mm256_unpackhi_epi32(v[0], v[1]));
                let b =
                    _mm256_max_epi32(_mm256_unpacklo_epi32(v[2], v[3]), _mm256_unpackhi_epi32(v[2], v[3]));
                *four = _mm256_max_epi32(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
            }
            let [a, b] = fours;
            let low = _mm256_permute2x128_si256::<0x20>(a, b);
            _mm256_max_epi32(low, _mm256_permute2x128_si256::<0x31>(a, b))
        })
    }
    #[inline(always)]
    fn total(self, a: __m256i) -> i32 {
        registers!({
            let a = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256::<1>(a));
            let a = _mm_add_epi32(a, _mm_shuffle_epi32::<0b01_00_11_10>(a));
            _mm_cvtsi128_si32(_mm_add_epi32(a, _mm_shuffle_epi32::<0b10_11_00_01>(a)))
        })
    }

    #[inline(always)]
    fn table(self, values: &[f32; 16]) -> [__m256; 2] {
        // SAFETY: `self` proves AVX2; the array holds 16 floats, of which each load reads 8.
        unsafe { [_mm256_loadu_ps(values.as_ptr()), _mm256_loadu_ps(values.as_ptr().add(8))] }
    }
    #[inline(always)]
    fn look_up(self, table: [__m256; 2], index: __m256i) -> __m256 {
        registers!({
            let (low, high) =
                (_mm256_permutevar8x32_ps(table[0], index), _mm256_permutevar8x32_ps(table[1], index));
            // bit 3 of the index, moved to the sign, picks the half
            _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32::<28>(index)))
        })
    }
    #[inline(always)]
    fn look_up_low(self, table: [__m256; 2], index: __m256i) -> __m256 {
        // the instructions look at no more than 4 bits
        self.look_up(table, index)
    }
    #[inline(always)]
    fn splat_halves(self, low: f32, high: f32) -> __m256 {
        registers!(_mm256_set_m128(_mm_set1_ps(high), _mm_set1_ps(low)))
    }
    #[inline(always)]
    fn sum(self, a: __m256) -> f32 {
        registers!({
            let a = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let a = _mm_add_ps(a, _mm_movehl_ps(a, a));
            _mm_cvtss_f32(_mm_add_ss(a, _mm_shuffle_ps::<1>(a, a)))
        })
    }
    #[inline(always)]
    fn sum_halves(self, a: __m256) -> [f32; 2] {
        registers!({
            [_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a)].map(|a| {
                let a = _mm_add_ps(a, _mm_movehl_ps(a, a));
                _mm_cvtss_f32(_mm_add_ss(a, _mm_shuffle_ps::<1>(a, a)))
            })
        })
    }
    #[inline(always)]
    fn look_up_by_sign(self, table: [__m256; 2], index: __m256i, by: __m256) -> __m256 {
        registers!({
            let low = _mm256_permutevar8x32_ps(table[0], index);
            _mm256_blendv_ps(low, _mm256_permutevar8x32_ps(table[1], index), by)
        })
    }

    #[inline(always)]
    fn narrow<const SIGNED: bool>(self, a: [__m256i; 4]) -> __m256i {
        registers!({
            let (low, high) = (_mm256_packs_epi32(a[0], a[1]), _mm256_packs_epi32(a[2], a[3]));
            let packed = if SIGNED { _mm256_packs_epi16(low, high) } else { _mm256_packus_epi16(low, high) };
            // packing works in 128-bit halves: put the groups of four back in order
            _mm256_permutevar8x32_epi32(packed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7))
        })
    }
    #[inline(always)]
    fn load_bytes(self, bytes: &[u8]) -> __m256i {
        memory!(bytes, 32, _mm256_loadu_si256(bytes.as_ptr().cast()))
    }
    #[inline(always)]
    fn store_bytes(self, a: __m256i, bytes: &mut [u8]) {
        memory!(bytes, 32, _mm256_storeu_si256(bytes.as_mut_ptr().cast(), a))
    }
    #[inline(always)]
    fn store_nibbles<const HIGH_FIRST: bool>(self, a: __m256i, bytes: &mut [u8]) {
        let packed = registers!({
            let a = _mm256_and_si256(a, _mm256_set1_epi8(15));
            let weights = _mm256_set1_epi16(if HIGH_FIRST { 0x0110 } else { 0x1001 });
            let pairs = _mm256_maddubs_epi16(a, weights);
            let packed = _mm256_packus_epi16(pairs, pairs);
            _mm256_castsi256_si128(_mm256_permute4x64_epi64::<0b10_00>(packed))
        });
        memory!(bytes, 16, _mm_storeu_si128(bytes.as_mut_ptr().cast(), packed))
    }

    #[inline(always)]
    fn doubles(self, a: __m256) -> [__m256d; 2] {
        registers!([
            _mm256_cvtps_pd(_mm256_castps256_ps128(a)),
            _mm256_cvtps_pd(_mm256_extractf128_ps::<1>(a))
        ])
    }
    #[inline(always)]
    fn dzero(self) -> __m256d {
        registers!(_mm256_setzero_pd())
    }
    #[inline(always)]
    fn dadd(self, a: __m256d, b: __m256d) -> __m256d {
        registers!(_mm256_add_pd(a, b))
    }
    #[inline(always)]
    fn dmul(self, a: __m256d, b: __m256d) -> __m256d {
        registers!(_mm256_mul_pd(a, b))
    }
    #[inline(always)]
    fn dstore(self, a: __m256d, values: &mut [f64]) {
        memory!(values, 4, _mm256_storeu_pd(values.as_mut_ptr(), a))
    }
}
