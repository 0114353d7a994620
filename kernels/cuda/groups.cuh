// Groups that share a scale, and the integer codes of a group (`groups.rs`, `scale.rs`).
#pragma once
#include "numbers.cuh"

// Element i of the piece belongs to group ((offset + i) / inner) mod axis. The host renumbers groups, so that offsets stay
// small: divisions of 64-bit numbers that fit in 32 bits are fast.
struct Groups {
    u64 offset;
    u64 axis;
    u64 inner;

    __device__ u64 group_of(u64 index) const
    {
        u64 run = (offset + index) / inner;
        return run < axis ? run : run % axis;
    }
};

// Walks element by element with one division at the start.
struct Walk {
    const Groups &groups;
    u64 group, left;

    __device__ Walk(const Groups &groups, u64 index) : groups(groups)
    {
        u64 position = groups.offset + index, run = position / groups.inner;
        left = groups.inner - (position - run * groups.inner);
        group = run < groups.axis ? run : run % groups.axis;
    }

    // `count` elements further, within the run; true where another run begins.
    __device__ bool step(u64 count)
    {
        left -= count;
        if (left != 0)
            return false;
        left = groups.inner;
        group = group + 1 == groups.axis ? 0 : group + 1;
        return true;
    }
};

// As the host packs it.
struct GroupCode {
    float scale;
    int zero;
    float low;
    float high;
};

template <bool FOUR, bool SYMMETRIC> struct Int {
    static const int TOP = FOUR ? (SYMMETRIC ? 7 : 15) : (SYMMETRIC ? 127 : 255);

    __device__ static int encode(const GroupCode &code, float divisor, float w)
    {
        float quotient = __fdiv_rn(w, divisor);
        if (SYMMETRIC)
            return __float2int_rn(fminf(fmaxf(quotient, -(float)TOP), (float)TOP));
        // beyond ±512 the code is at its end whatever the zero point
        int steps = __float2int_rn(fminf(fmaxf(quotient, -512.0f), 512.0f)) + code.zero;
        return steps < 0 ? 0 : steps > TOP ? TOP : steps;
    }

    __device__ static float decode(const GroupCode &code, int q) { return __fmul_rn((float)(q - code.zero), code.scale); }

    // The number that the low bits of a stored code stand for.
    __device__ static int stored(u32 bits)
    {
        bits &= FOUR ? 15 : 255;
        return SYMMETRIC && bits >= (FOUR ? 8 : 128) ? (int)bits - (FOUR ? 16 : 256) : (int)bits;
    }
};

// What a weight is divided by: infinity when the scale is 0, so that every code is the zero point.
__device__ inline float divisor_of(const GroupCode &code) { return code.scale == 0.0f ? infinity() : code.scale; }

// Bits of the nibble of element `index`: `high` puts the first of two into bits 4..8.
__device__ inline u32 nibble_shift(u64 high, u64 index) { return (index % 2 == 0) == (high != 0) ? 4 : 0; }
