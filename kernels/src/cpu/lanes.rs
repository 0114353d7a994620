//! The vector operations that the generic algorithms are written in, and an emulation of them without vectors.
//!
//! A value of a [`Lanes`] type is the proof that the processor has its instructions, so that the methods are safe. They
//! are small and always inlined into functions that enable those instructions (see `avx2.rs`). Slices shorter than what
//! an operation reads or writes panic; the algorithms cut exact pieces.
//!
//! Floats are IEEE f32, rounding to nearest even, subnormals kept; nothing is fused but `mul_add`, so every implementation
//! gives the same bits.

/// [`Lanes::N`] f32 or i32 side by side.
pub(crate) trait Lanes: Copy {
    /// Number of lanes: 8 or 16.
    const N: usize;
    /// Whether there are registers for 16 sums beside their operands.
    #[cfg_attr(not(feature = "model"), expect(dead_code, reason = "for running models only"))]
    const ROOMY: bool = false;
    /// N floats.
    type F: Copy;
    /// N signed integers.
    type I: Copy;
    /// N/2 doubles.
    type D: Copy;
    /// 4 N bytes.
    type B: Copy;
    /// A table of 16 floats.
    type T: Copy;

    fn load(self, bytes: &[u8]) -> Self::F;
    fn load_bf16(self, bytes: &[u8]) -> Self::F;
    fn load_f16(self, bytes: &[u8]) -> Self::F;
    /// N bytes, sign- or zero-extended.
    fn load_i8(self, bytes: &[u8]) -> Self::I;
    fn load_u8(self, bytes: &[u8]) -> Self::I;
    fn store(self, a: Self::F, bytes: &mut [u8]);
    fn store_f16(self, a: Self::F, bytes: &mut [u8]);
    /// The low halves of 2 N integers that are 0..=65535.
    fn store_u16(self, a: [Self::I; 2], bytes: &mut [u8]);

    /// Ask for the cache line of byte `at`, which may lie beyond the last one; into the cache behind the first: that one would be
    /// full of lines that wait, and takes the rest fast enough.
    fn prefetch(self, bytes: &[u8], at: usize);

    fn splat(self, a: f32) -> Self::F;
    fn add(self, a: Self::F, b: Self::F) -> Self::F;
    fn sub(self, a: Self::F, b: Self::F) -> Self::F;
    fn mul(self, a: Self::F, b: Self::F) -> Self::F;
    fn div(self, a: Self::F, b: Self::F) -> Self::F;
    /// `if a < b { a } else { b }`
    fn min(self, a: Self::F, b: Self::F) -> Self::F;
    /// `if a > b { a } else { b }`
    fn max(self, a: Self::F, b: Self::F) -> Self::F;
    /// About `c - a * b`, fused or not: only for what no rounding can change.
    fn about_sub_mul(self, c: Self::F, a: Self::F, b: Self::F) -> Self::F;
    /// `a * b + c`, rounded once.
    fn mul_add(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// The larger of `|a|` and `b`, which is positive; no NaN.
    #[inline(always)]
    fn max_magnitude(self, a: Self::F, b: Self::F) -> Self::F {
        self.max(self.of_bits(self.iand(self.bits(a), self.isplat(0x7fff_ffff))), b)
    }
    /// Towards zero; the values fit.
    fn truncate(self, a: Self::F) -> Self::I;
    /// To nearest even; the values fit.
    fn round(self, a: Self::F) -> Self::I;
    fn float(self, a: Self::I) -> Self::F;
    fn bits(self, a: Self::F) -> Self::I;
    fn of_bits(self, a: Self::I) -> Self::F;

    fn isplat(self, a: i32) -> Self::I;
    fn iadd(self, a: Self::I, b: Self::I) -> Self::I;
    fn isub(self, a: Self::I, b: Self::I) -> Self::I;
    fn iand(self, a: Self::I, b: Self::I) -> Self::I;
    fn ior(self, a: Self::I, b: Self::I) -> Self::I;
    fn ixor(self, a: Self::I, b: Self::I) -> Self::I;
    fn imin(self, a: Self::I, b: Self::I) -> Self::I;
    fn imax(self, a: Self::I, b: Self::I) -> Self::I;
    /// Logical shift right.
    fn shr(self, a: Self::I, count: u32) -> Self::I;
    /// Arithmetic shift right by 31: -1 where negative.
    fn sign(self, a: Self::I) -> Self::I;
    /// `base + 1` where `a > b`.
    fn count_gt(self, base: Self::I, a: Self::F, b: Self::F) -> Self::I;
    /// `yes` where `a > b`.
    fn pick_gt(self, a: Self::I, b: Self::I, yes: Self::I, no: Self::I) -> Self::I;
    /// Bit i is set where lane i has `a > b`.
    fn mask_gt(self, a: Self::I, b: Self::I) -> u32;
    /// Of each four lanes, lane i takes what lane `(ORDER >> 2 i) mod 4` had.
    fn shuffle_fours<const ORDER: i32>(self, a: Self::I) -> Self::I;
    fn largest(self, a: Self::I) -> i32;
    /// Lane i is the largest of vector i; N vectors.
    fn largest_of_each(self, vectors: &[Self::I]) -> Self::I;
    fn total(self, a: Self::I) -> i32;

    fn table(self, values: &[f32; 16]) -> Self::T;
    /// Entry `index` (0..=15) of a table.
    fn look_up(self, table: Self::T, index: Self::I) -> Self::F;

    /// Entry `index` of a table; of the index the low 4 bits count.
    #[cfg_attr(not(feature = "model"), expect(dead_code, reason = "for running models only"))]
    #[inline(always)]
    fn look_up_low(self, table: Self::T, index: Self::I) -> Self::F {
        self.look_up(table, self.iand(index, self.isplat(15)))
    }

    /// `low` in the first half of the lanes, `high` in the second.
    #[cfg_attr(not(feature = "model"), expect(dead_code, reason = "for running models only"))]
    fn splat_halves(self, low: f32, high: f32) -> Self::F;
    /// All lanes together: the halves are added, then the halves of that, and so on.
    #[cfg_attr(not(feature = "model"), expect(dead_code, reason = "for running models only"))]
    fn sum(self, a: Self::F) -> f32;
    /// The first half of the lanes together and the second, each as [`Lanes::sum`] does it.
    #[cfg_attr(not(feature = "model"), expect(dead_code, reason = "for running models only"))]
    fn sum_halves(self, a: Self::F) -> [f32; 2];

    /// A table of 32 floats.
    #[inline(always)]
    fn wide_table(self, values: &[f32; 32]) -> [Self::T; 2] {
        let (mut low, mut high) = ([0.0; 16], [0.0; 16]);
        low.copy_from_slice(&values[..16]);
        high.copy_from_slice(&values[16..]);
        [self.table(&low), self.table(&high)]
    }
    /// Entry `index` of a table of 32; of the index the low 5 bits count.
    #[inline(always)]
    fn look_up_wide(self, table: [Self::T; 2], index: Self::I) -> Self::F {
        let within = self.iand(index, self.isplat(15));
        let [low, high] = table.map(|half| self.bits(self.look_up(half, within)));
        let second = self.iand(index, self.isplat(16));
        self.of_bits(self.pick_gt(second, self.isplat(0), high, low))
    }

    /// Entry `index` (0..=7) of the first half of a table, or of the second where `by` has its sign bit set.
    fn look_up_by_sign(self, table: Self::T, index: Self::I, by: Self::F) -> Self::F;

    /// 4 N integers as bytes: -128..=127 when `SIGNED`, else 0..=255.
    fn narrow<const SIGNED: bool>(self, a: [Self::I; 4]) -> Self::B;
    fn load_bytes(self, bytes: &[u8]) -> Self::B;
    fn store_bytes(self, a: Self::B, bytes: &mut [u8]);
    /// 2 N bytes, each of two neighbours' low nibbles.
    fn store_nibbles<const HIGH_FIRST: bool>(self, a: Self::B, bytes: &mut [u8]);

    /// 2 N bytes of 4 N integers that are 0..=15, the first of two neighbours in the high nibble.
    #[inline(always)]
    fn store_codes(self, a: [Self::I; 4], bytes: &mut [u8]) {
        self.store_nibbles::<true>(self.narrow::<false>(a), bytes);
    }

    fn doubles(self, a: Self::F) -> [Self::D; 2];
    fn dzero(self) -> Self::D;
    fn dadd(self, a: Self::D, b: Self::D) -> Self::D;
    fn dmul(self, a: Self::D, b: Self::D) -> Self::D;
    /// N/2 doubles.
    fn dstore(self, a: Self::D, values: &mut [f64]);
}

/// An algorithm over any lanes. `with` is `#[inline(always)]`, so that it is compiled for the instructions of the function
/// that calls it.
pub(crate) trait Kernel {
    type Output;
    fn with<V: Lanes>(self, v: V) -> Self::Output;
}
