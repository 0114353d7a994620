// Another float type (`format/cast.rs`): one rounding from the source to the target.
#include "tiles.cuh"

struct CastParams {
    const u8 *source;
    u8 *destination;
    u64 elements;
    u64 saturate;
    u64 *first;
};

struct MeasureParams {
    const u8 *source;
    const u8 *written;
    u64 elements;
    u64 to;
    TileSums *tiles;
};

template <u32 TO> struct Target;
template <> struct Target<F16> { typedef Half N; };
template <> struct Target<BF16> { typedef Brain N; };
template <> struct Target<F8E4M3> { typedef E4m3 N; };
template <> struct Target<F8E5M2> { typedef E5m2 N; };

// The pattern of element `index`, and whether the target cannot hold its value.
template <u32 TO> __device__ u32 narrowed(float w, const u8 *source, u64 index, bool saturate, bool &beyond)
{
    typedef typename Target<TO>::N N;
    float value = SOURCE == F64 ? round_to_odd(((const double *)source)[index]) : w;
    u32 pattern = N::narrow(value);
    beyond = !N::is_finite(pattern);
    return beyond && saturate ? N::saturated(value < 0.0f) : pattern;
}
template <> __device__ u32 narrowed<F32>(float w, const u8 *, u64, bool saturate, bool &beyond)
{
    beyond = (bits_of(w) & MAGNITUDE) >= INFINITE;
    return beyond && saturate ? (bits_of(w) & ~MAGNITUDE) | (INFINITE - 1) : bits_of(w);
}

__device__ inline bool source_is_finite(float w, const u8 *source, u64 index)
{
    if (SOURCE == F64)
        return (((const u64 *)source)[index] >> 52 & 0x7ff) != 0x7ff;
    return (bits_of(w) & MAGNITUDE) < INFINITE;
}

template <u32 TO> __device__ void cast(const CastParams &p)
{
    u64 index = thread_index() * EACH;
    if (index >= p.elements)
        return;
    float w[EACH];
    load(p.source, index, p.elements, w);
    u32 patterns[EACH], bad = EACH;
    u32 count = p.elements - index < EACH ? (u32)(p.elements - index) : EACH;
    for (u32 k = 0; k < EACH; k++) {
        patterns[k] = 0;
        if (k >= count)
            continue;
        bool beyond;
        patterns[k] = narrowed<TO>(w[k], p.source, index + k, p.saturate, beyond);
        if (bad == EACH && ((beyond && !p.saturate) || !source_is_finite(w[k], p.source, index + k)))
            bad = k;
    }
    if (bad != EACH)
        report(p.first, index + bad);
    if (count < EACH) {
        for (u32 k = 0; k < count; k++) {
            if (TO == F32)
                ((u32 *)p.destination)[index + k] = patterns[k];
            else if (TO == F16 || TO == BF16)
                ((u16 *)p.destination)[index + k] = (u16)patterns[k];
            else
                p.destination[index + k] = (u8)patterns[k];
        }
    } else if (TO == F32) {
        uint4 *at = (uint4 *)(p.destination + 4 * index);
        at[0] = make_uint4(patterns[0], patterns[1], patterns[2], patterns[3]);
        at[1] = make_uint4(patterns[4], patterns[5], patterns[6], patterns[7]);
    } else if (TO == F16 || TO == BF16) {
        *(uint4 *)(p.destination + 2 * index) =
            make_uint4(patterns[0] | patterns[1] << 16, patterns[2] | patterns[3] << 16,
                       patterns[4] | patterns[5] << 16, patterns[6] | patterns[7] << 16);
    } else {
        *(uint2 *)(p.destination + index) =
            make_uint2(patterns[0] | patterns[1] << 8 | patterns[2] << 16 | patterns[3] << 24,
                       patterns[4] | patterns[5] << 8 | patterns[6] << 16 | patterns[7] << 24);
    }
}

KERNEL(cast_f32, CastParams) { cast<F32>(p); }
KERNEL(cast_f16, CastParams) { cast<F16>(p); }
KERNEL(cast_bf16, CastParams) { cast<BF16>(p); }
KERNEL(cast_f8_e4m3, CastParams) { cast<F8E4M3>(p); }
KERNEL(cast_f8_e5m2, CastParams) { cast<F8E5M2>(p); }

// Of what was written, and whether it was saturated: the pattern alone does not tell.
struct CastPairs {
    const MeasureParams &p;

    __device__ float x(u64 index) const { return float_at(SOURCE, p.source, index); }

    __device__ bool beyond(float w, u64 index) const
    {
        bool beyond = false;
        switch (p.to) {
        case F32: narrowed<F32>(w, p.source, index, false, beyond); break;
        case F16: narrowed<F16>(w, p.source, index, false, beyond); break;
        case BF16: narrowed<BF16>(w, p.source, index, false, beyond); break;
        case F8E4M3: narrowed<F8E4M3>(w, p.source, index, false, beyond); break;
        default: narrowed<F8E5M2>(w, p.source, index, false, beyond); break;
        }
        return beyond;
    }

    __device__ void pair(u64 index, float &x, float &e, bool &clipped) const
    {
        x = this->x(index);
        if (SOURCE == F64)
            e = __double2float_rn(double_at(F64, p.source, index) - double_at((u32)p.to, p.written, index));
        else
            e = __fsub_rn(x, float_at((u32)p.to, p.written, index));
        clipped = beyond(x, index);
    }
};

KERNEL(measure_cast, MeasureParams)
{
    CastPairs pairs = {p};
    sum_tiles(pairs, p.elements, p.tiles);
}
