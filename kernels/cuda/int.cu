// int8 and int4 with given scales (`format/int.rs`). EACH neighbours to a thread.
#include "groups.cuh"
#include "tiles.cuh"

struct IntParams {
    const u8 *source;
    u8 *codes;
    const GroupCode *of_group;
    u64 elements;
    Groups groups;
    u64 high; // int4: the first of two is in the high nibble
    u64 *first;
};

struct DecodeParams {
    const u8 *codes;
    const GroupCode *of_group;
    u8 *destination;
    u64 elements;
    Groups groups;
    u64 high;
    u64 to;
    u64 *first;
};

struct MeasureIntParams {
    const u8 *source;
    const u8 *codes;
    const GroupCode *of_group;
    u64 elements;
    Groups groups;
    u64 high;
    TileSums *tiles;
};

template <bool FOUR, bool SYMMETRIC> __device__ void quantize(const IntParams &p)
{
    u64 index = thread_index() * EACH;
    if (index >= p.elements)
        return;
    float w[EACH];
    load(p.source, index, p.elements, w);
    largest_magnitude(w, index, p.first);
    u32 count = p.elements - index < EACH ? (u32)(p.elements - index) : EACH;
    Walk walk(p.groups, index);
    GroupCode code = p.of_group[walk.group];
    float divisor = divisor_of(code);
    u64 word = 0;
    for (u32 k = 0; k < EACH; k++) {
        u64 q = (u64)(u32)Int<FOUR, SYMMETRIC>::encode(code, divisor, w[k]);
        if (k < count)
            word |= FOUR ? (q & 15) << (8 * (k / 2) + nibble_shift(p.high, k)) : (q & 255) << (8 * k);
        if (k + 1 < count && walk.step(1)) {
            code = p.of_group[walk.group];
            divisor = divisor_of(code);
        }
    }
    u32 bytes = FOUR ? (count + 1) / 2 : count;
    u8 *at = p.codes + (FOUR ? index / 2 : index);
    if (count < EACH) {
        for (u32 k = 0; k < bytes; k++)
            at[k] = (u8)(word >> (8 * k));
    } else if (FOUR) {
        *(u32 *)at = (u32)word;
    } else {
        *(u64 *)at = word;
    }
}

KERNEL(quantize_int8, IntParams) { quantize<false, true>(p); }
KERNEL(quantize_int8_asymmetric, IntParams) { quantize<false, false>(p); }
KERNEL(quantize_int4, IntParams) { quantize<true, true>(p); }
KERNEL(quantize_int4_asymmetric, IntParams) { quantize<true, false>(p); }

template <bool FOUR, bool SYMMETRIC> __device__ void dequantize(const DecodeParams &p)
{
    u64 index = thread_index() * EACH;
    if (index >= p.elements)
        return;
    u32 count = p.elements - index < EACH ? (u32)(p.elements - index) : EACH;
    const u8 *at = p.codes + (FOUR ? index / 2 : index);
    u64 word = 0;
    if (count < EACH) {
        for (u32 k = 0; k < (FOUR ? (count + 1) / 2 : count); k++)
            word |= (u64)at[k] << (8 * k);
    } else {
        word = FOUR ? *(const u32 *)at : *(const u64 *)at;
    }
    Walk walk(p.groups, index);
    GroupCode code = p.of_group[walk.group];
    float v[EACH];
    for (u32 k = 0; k < EACH; k++) {
        u32 bits = (u32)(word >> (FOUR ? 8 * (k / 2) + nibble_shift(p.high, k) : 8 * k));
        v[k] = Int<FOUR, SYMMETRIC>::decode(code, Int<FOUR, SYMMETRIC>::stored(bits));
        if (k + 1 < count && walk.step(1))
            code = p.of_group[walk.group];
    }
    u32 bad = store((u32)p.to, p.destination, index, p.elements, v);
    if (bad != EACH)
        report(p.first, index + bad);
}

KERNEL(dequantize_int8, DecodeParams) { dequantize<false, true>(p); }
KERNEL(dequantize_int8_asymmetric, DecodeParams) { dequantize<false, false>(p); }
KERNEL(dequantize_int4, DecodeParams) { dequantize<true, true>(p); }
KERNEL(dequantize_int4_asymmetric, DecodeParams) { dequantize<true, false>(p); }

template <bool FOUR, bool SYMMETRIC> struct IntPairs {
    const MeasureIntParams &p;

    __device__ float x(u64 index) const { return float_at(SOURCE, p.source, index); }

    __device__ void pair(u64 index, float &x, float &e, bool &clipped) const
    {
        x = this->x(index);
        GroupCode code = p.of_group[p.groups.group_of(index)];
        u32 bits = FOUR ? p.codes[index / 2] >> nibble_shift(p.high, index) : p.codes[index];
        e = __fsub_rn(x, Int<FOUR, SYMMETRIC>::decode(code, Int<FOUR, SYMMETRIC>::stored(bits)));
        clipped = x < code.low || x > code.high;
    }
};

template <bool FOUR, bool SYMMETRIC> __device__ void measure(const MeasureIntParams &p)
{
    IntPairs<FOUR, SYMMETRIC> pairs = {p};
    sum_tiles(pairs, p.elements, p.tiles);
}

KERNEL(measure_int8, MeasureIntParams) { measure<false, true>(p); }
KERNEL(measure_int8_asymmetric, MeasureIntParams) { measure<false, false>(p); }
KERNEL(measure_int4, MeasureIntParams) { measure<true, true>(p); }
KERNEL(measure_int4_asymmetric, MeasureIntParams) { measure<true, false>(p); }
