//! AVX-512 (F, BW, DQ, VL): 16 lanes. Only what each operation is; the algorithms are generic.

use super::lanes::{Kernel, Lanes};
use std::arch::x86_64::*;

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

/// The proof that this processor has AVX-512 F, BW, DQ and VL, and bit manipulation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx512(());

impl Avx512 {
    /// The proof, where it holds.
    pub(crate) fn new() -> Option<Avx512> {
        let has = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("f16c")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("popcnt");
        has.then_some(Avx512(()))
    }

    #[inline(always)]
    fn halves(self, a: __m512) -> [__m256; 2] {
        registers!([_mm512_castps512_ps256(a), _mm512_extractf32x8_ps::<1>(a)])
    }

    /// The halves are added, then the halves of that, and so on.
    #[inline(always)]
    fn sum_of_eight(self, a: __m256) -> f32 {
        registers!({
            let a = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let a = _mm_add_ps(a, _mm_movehl_ps(a, a));
            _mm_cvtss_f32(_mm_add_ss(a, _mm_shuffle_ps::<1>(a, a)))
        })
    }

    /// Run a kernel compiled for these instructions.
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,f16c,bmi1,bmi2,popcnt")]
        fn enabled<K: Kernel>(proof: Avx512, kernel: K) -> K::Output {
            kernel.with(proof)
        }
        // SAFETY: `self` is only made where every feature that `enabled` needs was detected.
        unsafe { enabled(self, kernel) }
    }
}

impl Lanes for Avx512 {
    const N: usize = 16;
    const ROOMY: bool = true;
    type F = __m512;
    type I = __m512i;
    type D = __m512d;
    type B = __m512i;
    type T = __m512;

    #[inline(always)]
    fn load(self, bytes: &[u8]) -> __m512 {
        memory!(bytes, 64, _mm512_loadu_ps(bytes.as_ptr().cast()))
    }
    #[inline(always)]
    fn load_bf16(self, bytes: &[u8]) -> __m512 {
        let wide = memory!(bytes, 32, _mm512_cvtepu16_epi32(_mm256_loadu_si256(bytes.as_ptr().cast())));
        registers!(_mm512_castsi512_ps(_mm512_slli_epi32::<16>(wide)))
    }
    #[inline(always)]
    fn load_f16(self, bytes: &[u8]) -> __m512 {
        memory!(bytes, 32, _mm512_cvtph_ps(_mm256_loadu_si256(bytes.as_ptr().cast())))
    }
    #[inline(always)]
    fn load_i8(self, bytes: &[u8]) -> __m512i {
        memory!(bytes, 16, _mm512_cvtepi8_epi32(_mm_loadu_si128(bytes.as_ptr().cast())))
    }
    #[inline(always)]
    fn load_u8(self, bytes: &[u8]) -> __m512i {
        memory!(bytes, 16, _mm512_cvtepu8_epi32(_mm_loadu_si128(bytes.as_ptr().cast())))
    }
    #[inline(always)]
    fn store(self, a: __m512, bytes: &mut [u8]) {
        memory!(bytes, 64, _mm512_storeu_ps(bytes.as_mut_ptr().cast(), a))
    }
    #[inline(always)]
    fn store_f16(self, a: __m512, bytes: &mut [u8]) {
        let half = registers!(_mm512_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(a));
        memory!(bytes, 32, _mm256_storeu_si256(bytes.as_mut_ptr().cast(), half))
    }
    #[inline(always)]
    fn store_u16(self, a: [__m512i; 2], bytes: &mut [u8]) {
        let [low, high] = registers!([_mm512_cvtepi32_epi16(a[0]), _mm512_cvtepi32_epi16(a[1])]);
        let packed = registers!(_mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high));
        memory!(bytes, 64, _mm512_storeu_si512(bytes.as_mut_ptr().cast(), packed))
    }

    #[inline(always)]
    fn prefetch(self, bytes: &[u8], at: usize) {
        // SAFETY: a prefetch changes nothing that a program can see, wherever it points; every x86-64 has it.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(bytes.as_ptr().wrapping_add(at).cast()) }
    }
    #[inline(always)]
    fn splat(self, a: f32) -> __m512 {
        registers!(_mm512_set1_ps(a))
    }
    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        registers!(_mm512_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        registers!(_mm512_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        registers!(_mm512_mul_ps(a, b))
    }
    #[inline(always)]
    fn div(self, a: __m512, b: __m512) -> __m512 {
        registers!(_mm512_div_ps(a, b))
    }
    #[inline(always)]
    fn min(self, a: __m512, b: __m512) -> __m512 {
        registers!(_mm512_min_ps(a, b))
    }
    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        registers!(_mm512_max_ps(a, b))
    }
    #[inline(always)]
    fn about_sub_mul(self, c: __m512, a: __m512, b: __m512) -> __m512 {
        registers!(_mm512_fnmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        registers!(_mm512_fmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn max_magnitude(self, a: __m512, b: __m512) -> __m512 {
        // the larger magnitude, without its sign
        registers!(_mm512_range_ps::<0b1011>(a, b))
    }
    #[inline(always)]
    fn truncate(self, a: __m512) -> __m512i {
        registers!(_mm512_cvttps_epi32(a))
    }
    #[inline(always)]
    fn round(self, a: __m512) -> __m512i {
        registers!(_mm512_cvtps_epi32(a))
    }
    #[inline(always)]
    fn float(self, a: __m512i) -> __m512 {
        registers!(_mm512_cvtepi32_ps(a))
    }
    #[inline(always)]
    fn bits(self, a: __m512) -> __m512i {
        registers!(_mm512_castps_si512(a))
    }
    #[inline(always)]
    fn of_bits(self, a: __m512i) -> __m512 {
        registers!(_mm512_castsi512_ps(a))
    }

    #[inline(always)]
    fn isplat(self, a: i32) -> __m512i {
        registers!(_mm512_set1_epi32(a))
    }
    #[inline(always)]
    fn iadd(self, a: __m512i, b: __m512i) -> __m512i {
        registers!(_mm512_add_epi32(a, b))
    }
    #[inline(always)]
    fn isub(self, a: __m512i, b: __m512i) -> __m512i {
        registers!(_mm512_sub_epi32(a, b))
    }
    #[inline(always)]
    fn iand(self, a: __m512i, b: __m512i) -> __m512i {
        registers!(_mm512_and_si512(a, b))
    }
    #[inline(always)]
    fn ior(self, a: __m512i, b: __m512i) -> __m512i {
        registers!(_mm512_or_si512(a, b))
    }
    #[inline(always)]
    fn ixor(self, a: __m512i, b: __m512i) -> __m512i {
        registers!(_mm512_xor_si512(a, b))
    }
    #[inline(always)]
    fn imin(self, a: __m512i, b: __m512i) -> __m512i {
        registers!(_mm512_min_epi32(a, b))
    }
    #[inline(always)]
    fn imax(self, a: __m512i, b: __m512i) -> __m512i {
        registers!(_mm512_max_epi32(a, b))
    }
    #[inline(always)]
    fn shr(self, a: __m512i, count: u32) -> __m512i {
        registers!(_mm512_srlv_epi32(a, _mm512_set1_epi32(count as i32)))
    }
    #[inline(always)]
    fn sign(self, a: __m512i) -> __m512i {
        registers!(_mm512_srai_epi32::<31>(a))
    }
    #[inline(always)]
    fn count_gt(self, base: __m512i, a: __m512, b: __m512) -> __m512i {
        registers!({
            let above = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b);
            _mm512_mask_add_epi32(base, above, base, _mm512_set1_epi32(1))
        })
    }
    #[inline(always)]
    fn pick_gt(self, a: __m512i, b: __m512i, yes: __m512i, no: __m512i) -> __m512i {
        registers!(_mm512_mask_blend_epi32(_mm512_cmpgt_epi32_mask(a, b), no, yes))
    }
    #[inline(always)]
    fn mask_gt(self, a: __m512i, b: __m512i) -> u32 {
        u32::from(registers!(_mm512_cmpgt_epi32_mask(a, b)))
    }
    #[inline(always)]
    fn shuffle_fours<const ORDER: i32>(self, a: __m512i) -> __m512i {
        registers!(_mm512_shuffle_epi32::<ORDER>(a))
    }
    #[inline(always)]
    fn largest(self, a: __m512i) -> i32 {
        registers!(_mm512_reduce_max_epi32(a))
    }
    #[inline(always)]
    fn largest_of_each(self, vectors: &[__m512i]) -> __m512i {
        registers!({
            // quarters of fours of vectors, then the quarters together
            let mut fours = [_mm512_setzero_si512(); 4];
            for (four, v) in fours.iter_mut().zip(vectors.as_chunks::<4>().0) {
                let a =
                    _mm512_max_epi32(_mm512_unpacklo_epi32(v[0], v[1]), _mm512_unpackhi_epi32(v[0], v[1]));
                let b =
                    _mm512_max_epi32(_mm512_unpacklo_epi32(v[2], v[3]), _mm512_unpackhi_epi32(v[2], v[3]));
                *four = _mm512_max_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
            }
            let [a, b, c, d] = fours;
            let (ab, ab_odd) = (_mm512_shuffle_i32x4::<0x88>(a, b), _mm512_shuffle_i32x4::<0xdd>(a, b));
            let (cd, cd_odd) = (_mm512_shuffle_i32x4::<0x88>(c, d), _mm512_shuffle_i32x4::<0xdd>(c, d));
            let (ab, cd) = (_mm512_max_epi32(ab, ab_odd), _mm512_max_epi32(cd, cd_odd));
            _mm512_max_epi32(_mm512_shuffle_i32x4::<0x88>(ab, cd), _mm512_shuffle_i32x4::<0xdd>(ab, cd))
        })
    }
    #[inline(always)]
    fn total(self, a: __m512i) -> i32 {
        registers!(_mm512_reduce_add_epi32(a))
    }

    #[inline(always)]
    fn table(self, values: &[f32; 16]) -> __m512 {
        // SAFETY: `self` proves AVX-512 F; the array holds the 16 floats that the load reads.
        unsafe { _mm512_loadu_ps(values.as_ptr()) }
    }
    #[inline(always)]
    fn look_up(self, table: __m512, index: __m512i) -> __m512 {
        registers!(_mm512_permutexvar_ps(index, table))
    }
    #[inline(always)]
    fn look_up_wide(self, table: [__m512; 2], index: __m512i) -> __m512 {
        registers!(_mm512_permutex2var_ps(table[0], index, table[1]))
    }
    #[inline(always)]
    fn look_up_low(self, table: __m512, index: __m512i) -> __m512 {
        // the instruction looks at no more than 4 bits
        self.look_up(table, index)
    }
    #[inline(always)]
    fn splat_halves(self, low: f32, high: f32) -> __m512 {
        registers!(_mm512_mask_blend_ps(0xff00, _mm512_set1_ps(low), _mm512_set1_ps(high)))
    }
    #[inline(always)]
    fn sum(self, a: __m512) -> f32 {
        let halves = self.halves(a);
        self.sum_of_eight(registers!(_mm256_add_ps(halves[0], halves[1])))
    }
    #[inline(always)]
    fn sum_halves(self, a: __m512) -> [f32; 2] {
        self.halves(a).map(|half| self.sum_of_eight(half))
    }
    #[inline(always)]
    fn look_up_by_sign(self, table: __m512, index: __m512i, by: __m512) -> __m512 {
        registers!({
            let sign = _mm512_srli_epi32::<28>(_mm512_castps_si512(by));
            // index | (sign & 8)
            let index = _mm512_ternarylogic_epi32::<0b1111_1000>(index, sign, _mm512_set1_epi32(8));
            _mm512_permutexvar_ps(index, table)
        })
    }

    #[inline(always)]
    fn narrow<const SIGNED: bool>(self, a: [__m512i; 4]) -> __m512i {
        registers!({
            let (low, high) = (_mm512_packs_epi32(a[0], a[1]), _mm512_packs_epi32(a[2], a[3]));
            let packed = if SIGNED { _mm512_packs_epi16(low, high) } else { _mm512_packus_epi16(low, high) };
            // packing works in 128-bit quarters: put the groups of four back in order
            let order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
            _mm512_permutexvar_epi32(order, packed)
        })
    }
    #[inline(always)]
    fn load_bytes(self, bytes: &[u8]) -> __m512i {
        memory!(bytes, 64, _mm512_loadu_si512(bytes.as_ptr().cast()))
    }
    #[inline(always)]
    fn store_bytes(self, a: __m512i, bytes: &mut [u8]) {
        memory!(bytes, 64, _mm512_storeu_si512(bytes.as_mut_ptr().cast(), a))
    }
    #[inline(always)]
    fn store_nibbles<const HIGH_FIRST: bool>(self, a: __m512i, bytes: &mut [u8]) {
        let packed = registers!({
            let a = _mm512_and_si512(a, _mm512_set1_epi8(15));
            let weights = _mm512_set1_epi16(if HIGH_FIRST { 0x0110 } else { 0x1001 });
            _mm512_cvtepi16_epi8(_mm512_maddubs_epi16(a, weights))
        });
        memory!(bytes, 32, _mm256_storeu_si256(bytes.as_mut_ptr().cast(), packed))
    }

    #[inline(always)]
    fn store_codes(self, a: [__m512i; 4], bytes: &mut [u8]) {
        let packed = registers!({
            let (low, high) = (_mm512_packs_epi32(a[0], a[1]), _mm512_packs_epi32(a[2], a[3]));
            let pairs = _mm512_maddubs_epi16(_mm512_packus_epi16(low, high), _mm512_set1_epi16(0x0110));
            let packed = _mm512_packus_epi16(pairs, pairs);
            // each 128-bit quarter now holds two bytes of each of the four: gather those of the first, the second, ...
            let order = _mm256_setr_epi16(0, 8, 16, 24, 1, 9, 17, 25, 2, 10, 18, 26, 3, 11, 19, 27);
            _mm512_castsi512_si256(_mm512_permutexvar_epi16(_mm512_castsi256_si512(order), packed))
        });
        memory!(bytes, 32, _mm256_storeu_si256(bytes.as_mut_ptr().cast(), packed))
    }

    #[inline(always)]
    fn doubles(self, a: __m512) -> [__m512d; 2] {
        registers!([
            _mm512_cvtps_pd(_mm512_castps512_ps256(a)),
            _mm512_cvtps_pd(_mm512_extractf32x8_ps::<1>(a))
        ])
    }
    #[inline(always)]
    fn dzero(self) -> __m512d {
        registers!(_mm512_setzero_pd())
    }
    #[inline(always)]
    fn dadd(self, a: __m512d, b: __m512d) -> __m512d {
        registers!(_mm512_add_pd(a, b))
    }
    #[inline(always)]
    fn dmul(self, a: __m512d, b: __m512d) -> __m512d {
        registers!(_mm512_mul_pd(a, b))
    }
    #[inline(always)]
    fn dstore(self, a: __m512d, values: &mut [f64]) {
        memory!(values, 8, _mm512_storeu_pd(values.as_mut_ptr(), a))
    }
}
