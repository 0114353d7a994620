// Zeros by magnitude, and sums that rank slices (`ops/prune.rs`).
#include "numbers.cuh"

struct ZeroParams {
    u8 *elements_in_place;
    u32 *ties;    // of each block of threads: their number, and then how many may become zero
    u64 *zeroed;
    u64 elements;
    u64 threshold; // the bits of an f32
    u64 *first;
};

struct KeepParams {
    const u8 *source;
    u8 *destination;
    u64 *zeroed;
    u64 elements;
    u64 n;
    u64 m;
    u64 *first;
};

struct NormsParams {
    const u8 *source;
    double *sums; // of |w| and of its square, of each piece
    u64 elements;
    u64 offset; // of the first element in its run
    u64 inner;
    u64 slots;
};

__device__ inline void set_zero(u8 *elements, u64 index)
{
    switch (width_of(SOURCE)) {
    case 8: ((u64 *)elements)[index] = 0; break;
    case 4: ((u32 *)elements)[index] = 0; break;
    case 2: ((u16 *)elements)[index] = 0; break;
    default: elements[index] = 0; break;
    }
}

// Adds over a warp; a lane gets the sum of those before it, too.
__device__ inline u32 sum_of_warp(u32 own, u32 &before)
{
    u32 lane = threadIdx.x % 32, sum = own;
    for (u32 distance = 1; distance < 32; distance *= 2) {
        u32 other = __shfl_up_sync(0xffffffffu, sum, distance);
        sum += lane >= distance ? other : 0;
    }
    before = sum - own;
    return __shfl_sync(0xffffffffu, sum, 31);
}

// The ties of each block of threads, and the first value that is not finite.
KERNEL(find_ties, ZeroParams)
{
    __shared__ u32 total;
    if (threadIdx.x == 0)
        total = 0;
    __syncthreads();
    u64 index = thread_index() * EACH;
    float w[EACH];
    load(p.elements_in_place, index, p.elements, w);
    largest_magnitude(w, index, p.first);
    u32 ties = 0, before;
    for (u32 k = 0; k < EACH; k++)
        ties += index + k < p.elements && fabsf(w[k]) == of_bits((u32)p.threshold);
    ties = sum_of_warp(ties, before);
    if (threadIdx.x % 32 == 0)
        atomicAdd(&total, ties);
    __syncthreads();
    if (threadIdx.x == 0)
        p.ties[blockIdx.x] = total;
}

// All below the threshold, and of a block's ties as many as it may, in their order.
KERNEL(zero_below, ZeroParams)
{
    __shared__ u32 of_warp[16];
    u64 index = thread_index() * EACH;
    float w[EACH], threshold = of_bits((u32)p.threshold);
    load(p.elements_in_place, index, p.elements, w);
    u32 own = 0, before, zeroed = 0;
    for (u32 k = 0; k < EACH; k++)
        own += index + k < p.elements && fabsf(w[k]) == threshold;
    u32 sum = sum_of_warp(own, before);
    if (threadIdx.x % 32 == 0)
        of_warp[threadIdx.x / 32] = sum;
    __syncthreads();
    for (u32 warp = 0; warp < threadIdx.x / 32; warp++)
        before += of_warp[warp];
    u32 may = p.ties[blockIdx.x];
    for (u32 k = 0; k < EACH && index + k < p.elements; k++) {
        bool tie = fabsf(w[k]) == threshold;
        if (fabsf(w[k]) < threshold || (tie && before < may)) {
            set_zero(p.elements_in_place, index + k);
            zeroed++;
        }
        before += tie;
    }
    u32 unused;
    zeroed = sum_of_warp(zeroed, unused);
    if (threadIdx.x % 32 == 0 && zeroed != 0)
        atomicAdd(p.zeroed, (u64)zeroed);
}

// An element to a thread: it stays when fewer than n of its m neighbours come before it.
KERNEL(keep_n_of_m, KeepParams)
{
    u64 index = thread_index();
    u32 gone = 0, unused;
    if (index < p.elements) {
        u32 own = bits_of(float_at(SOURCE, p.source, index)) & MAGNITUDE;
        if (own >= INFINITE)
            report(p.first, index);
        u64 start = index / p.m * p.m, before = 0;
        for (u64 k = start; k < start + p.m; k++) {
            u32 other = bits_of(float_at(SOURCE, p.source, k)) & MAGNITUDE;
            before += other > own || (other == own && k < index);
        }
        gone = before >= p.n;
        switch (width_of(SOURCE)) {
        case 8: ((u64 *)p.destination)[index] = gone ? 0 : ((const u64 *)p.source)[index]; break;
        case 4: ((u32 *)p.destination)[index] = gone ? 0 : ((const u32 *)p.source)[index]; break;
        case 2: ((u16 *)p.destination)[index] = gone ? 0 : ((const u16 *)p.source)[index]; break;
        default: p.destination[index] = gone ? 0 : p.source[index]; break;
        }
    }
    gone = sum_of_warp(gone, unused);
    if (threadIdx.x % 32 == 0 && gone != 0)
        atomicAdd(p.zeroed, (u64)gone);
}

struct GatherParams {
    const u8 *source; // from byte `window` of the tensor on
    const u64 *keep;
    u8 *destination;
    u64 bytes;
    u64 start; // of the piece in the result
    u64 slice; // bytes of an index of the axis
    u64 kept;
    u64 axis;
    u64 window;
};

KERNEL(gather, GatherParams)
{
    u64 index = thread_index() * EACH;
    for (u32 k = 0; k < EACH && index + k < p.bytes; k++) {
        u64 at = p.start + index + k, number = at / p.slice;
        u64 from = number / p.kept * p.axis + p.keep[number % p.kept];
        p.destination[index + k] = p.source[from * p.slice + at % p.slice - p.window];
    }
}

struct CheckParams {
    const u8 *source;
    u64 elements;
    u64 *first;
};

KERNEL(check, CheckParams)
{
    u64 index = thread_index() * EACH;
    if (index >= p.elements)
        return;
    float w[EACH];
    load(p.source, index, p.elements, w);
    largest_magnitude(w, index, p.first);
}

const u32 TILE = 1024;

// A piece to a thread: terms are added in the order of their indices.
KERNEL(norms, NormsParams)
{
    u64 slot = thread_index(), start = slot / p.slots * TILE, piece = slot % p.slots;
    if (start >= p.elements)
        return;
    u64 left = p.inner - (p.offset + start) % p.inner;
    u64 length = p.elements - start < TILE ? p.elements - start : TILE;
    u64 from = piece == 0 ? 0 : left + (piece - 1) * p.inner, to = left + piece * p.inner;
    double first = 0.0, second = 0.0;
    for (u64 k = from; k < to && k < length; k++) {
        double w = (double)float_at(SOURCE, p.source, start + k);
        first = first + fabs(w);
        second = second + w * w;
    }
    p.sums[2 * slot] = first;
    p.sums[2 * slot + 1] = second;
}
