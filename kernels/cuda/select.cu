// Order statistics of magnitudes (`ops/select.rs`): one digit of a radix selection, and ties.
#include "groups.cuh"

struct DigitsParams {
    const u8 *source;
    const u32 *prefixes;
    u32 *counts; // 2^width of each group, from 0
    u32 *above;  // of each group, from the largest number
    u64 elements;
    Groups groups;
    u64 shift;
    u64 width;
    u64 *first;
};

struct TiesParams {
    const u8 *source;
    u64 *count;
    u64 elements;
    u64 magnitude; // the bits of an f32
};

KERNEL(count_digits, DigitsParams)
{
    u64 index = thread_index() * EACH;
    if (index >= p.elements)
        return;
    float w[EACH];
    load(p.source, index, p.elements, w);
    largest_magnitude(w, index, p.first);
    u32 count = p.elements - index < EACH ? (u32)(p.elements - index) : EACH;
    u32 shift = (u32)p.shift, width = (u32)p.width;
    Walk walk(p.groups, index);
    u32 prefix = p.prefixes[walk.group], equal = 0;
    u64 place = 0;
    for (u32 k = 0; k < count; k++) {
        u32 bits = bits_of(w[k]) & MAGNITUDE, leading = bits >> (shift + width);
        if (leading == prefix) {
            u64 own = (walk.group << width) + (bits >> shift & ((1u << width) - 1));
            // neighbours are often equal: zeros above all
            if (equal != 0 && own != place) {
                atomicAdd(p.counts + place, equal);
                equal = 0;
            }
            place = own;
            equal++;
        } else if (shift == 0 && leading > prefix) {
            u32 *above = p.above + walk.group;
            if (bits < *(volatile u32 *)above)
                atomicMin(above, bits);
        }
        if (k + 1 < count && walk.step(1))
            prefix = p.prefixes[walk.group];
    }
    if (equal != 0)
        atomicAdd(p.counts + place, equal);
}

KERNEL(count_ties, TiesParams)
{
    u64 index = thread_index() * EACH;
    float w[EACH];
    load(p.source, index, p.elements, w);
    u32 ties = 0;
    for (u32 k = 0; k < EACH; k++)
        ties += index + k < p.elements && fabsf(w[k]) == of_bits((u32)p.magnitude);
    for (u32 distance = 16; distance > 0; distance /= 2)
        ties += __shfl_xor_sync(0xffffffffu, ties, distance);
    if (threadIdx.x % 32 == 0 && ties != 0)
        atomicAdd(p.count, (u64)ties);
}
