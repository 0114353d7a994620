// The range of each group (`scale.rs`), as the bits of two magnitudes: of the least value, which is 0 or below, and of the
// largest, which is 0 or above. So both are a maximum of integers, which atomics merge in any order.
#include "groups.cuh"

struct ExtentsParams {
    const u8 *source;
    u32 *extents; // low and high of each group
    u64 elements;
    Groups groups;
    u64 *first;
};

// Most values change nothing: a look is cheaper than an atomic operation.
__device__ inline void raise(u32 *at, u32 bits)
{
    if (bits > *(volatile u32 *)at)
        atomicMax(at, bits);
}

__device__ inline void widen(float w, u32 &low, u32 &high)
{
    low = largest(low, w < 0.0f ? bits_of(w) & MAGNITUDE : 0);
    high = largest(high, w > 0.0f ? bits_of(w) : 0);
}

KERNEL(extents, ExtentsParams)
{
    const u64 NONE = ~0ull;
    u64 index = thread_index() * EACH, group = NONE;
    u32 low = 0, high = 0;
    if (index < p.elements) {
        float w[EACH];
        load(p.source, index, p.elements, w);
        largest_magnitude(w, index, p.first);
        u32 count = p.elements - index < EACH ? (u32)(p.elements - index) : EACH;
        Walk walk(p.groups, index);
        if (walk.left >= count) {
            group = walk.group;
            for (u32 k = 0; k < count; k++)
                widen(w[k], low, high);
        } else {
            for (u32 k = 0; k < count; k++) {
                u32 of_one[2] = {0, 0};
                widen(w[k], of_one[0], of_one[1]);
                raise(p.extents + 2 * walk.group, of_one[0]);
                raise(p.extents + 2 * walk.group + 1, of_one[1]);
                walk.step(1);
            }
        }
    }
    // neighbours of one group are merged; who has none of its group before it writes
    for (u32 distance = 1; distance < 32; distance *= 2) {
        u64 other = __shfl_down_sync(0xffffffffu, group, distance);
        u32 other_low = __shfl_down_sync(0xffffffffu, low, distance);
        u32 other_high = __shfl_down_sync(0xffffffffu, high, distance);
        if (other == group && threadIdx.x % 32 + distance < 32) {
            low = largest(low, other_low);
            high = largest(high, other_high);
        }
    }
    u64 before = __shfl_up_sync(0xffffffffu, group, 1);
    if (group != NONE && (threadIdx.x % 32 == 0 || before != group)) {
        raise(p.extents + 2 * group, low);
        raise(p.extents + 2 * group + 1, high);
    }
}
