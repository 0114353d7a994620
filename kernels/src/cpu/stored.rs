//! Elements that are rewritten where they lie: loaded as f32, stored as what they were.

use super::lanes::Lanes;
use crate::DType;

/// A type whose elements vectors load and store.
pub(super) trait Stored {
    const DTYPE: DType;

    /// N elements.
    fn load<V: Lanes>(v: V, bytes: &[u8]) -> V::F;

    /// 2 N elements as loaded, or 0.
    fn store<V: Lanes>(v: V, elements: [V::F; 2], bytes: &mut [u8]);
}

pub(super) struct F32;
pub(super) struct Bf16;
pub(super) struct F16;

impl Stored for F32 {
    const DTYPE: DType = DType::F32;

    #[inline(always)]
    fn load<V: Lanes>(v: V, bytes: &[u8]) -> V::F {
        v.load(bytes)
    }

    #[inline(always)]
    fn store<V: Lanes>(v: V, [first, second]: [V::F; 2], bytes: &mut [u8]) {
        v.store(first, &mut bytes[..4 * V::N]);
        v.store(second, &mut bytes[4 * V::N..]);
    }
}

impl Stored for Bf16 {
    const DTYPE: DType = DType::Bf16;

    #[inline(always)]
    fn load<V: Lanes>(v: V, bytes: &[u8]) -> V::F {
        v.load_bf16(bytes)
    }

    #[inline(always)]
    fn store<V: Lanes>(v: V, [first, second]: [V::F; 2], bytes: &mut [u8]) {
        v.store_u16([v.shr(v.bits(first), 16), v.shr(v.bits(second), 16)], bytes);
    }
}

impl Stored for F16 {
    const DTYPE: DType = DType::F16;

    #[inline(always)]
    fn load<V: Lanes>(v: V, bytes: &[u8]) -> V::F {
        v.load_f16(bytes)
    }

    #[inline(always)]
    fn store<V: Lanes>(v: V, [first, second]: [V::F; 2], bytes: &mut [u8]) {
        // every f16 that is finite comes back as it was
        v.store_f16(first, &mut bytes[..2 * V::N]);
        v.store_f16(second, &mut bytes[2 * V::N..]);
    }
}
