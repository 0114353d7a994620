// Two neighbouring order statistics of the magnitudes of each group: radix selection. Bits of non-negative floats order as
// the floats do.
#include "numbers.cuh"

struct PercentileParams {
    const u8 *source;
    u32 *orders; // the magnitude of the rank, and of the next one
    u64 length;
    u64 rank;
    u64 groups;
    u64 *first;
};

const u32 TINY = 8;
const u32 SHORT = 256;
const u32 BINS = 256;

// Groups of TINY elements at most: a thread to a group. The value is the one that has its rank.
KERNEL(percentile_tiny, PercentileParams)
{
    u64 group = thread_index(), start = group * p.length;
    if (group >= p.groups)
        return;
    u32 bits[TINY], value = 0, next = ~0u;
    for (u32 k = 0; k < TINY; k++) {
        bits[k] = ~0u; // above all magnitudes
        if (k < p.length) {
            bits[k] = bits_of(float_at(SOURCE, p.source, start + k)) & MAGNITUDE;
            if (bits[k] >= INFINITE)
                report(p.first, start + k);
        }
    }
    for (u32 k = 0; k < TINY; k++) {
        u32 below = 0, up_to = 0;
        for (u32 other = 0; other < TINY; other++)
            below += bits[other] < bits[k], up_to += bits[other] <= bits[k];
        if (below <= p.rank && p.rank < up_to)
            value = bits[k];
        if (below <= p.rank + 1 && p.rank + 1 < up_to)
            next = bits[k];
    }
    p.orders[2 * group] = value;
    p.orders[2 * group + 1] = next == ~0u ? value : next;
}

__device__ inline u32 least_of_warp(u32 value)
{
    for (u32 distance = 16; distance > 0; distance /= 2)
        value = least(value, __shfl_xor_sync(0xffffffffu, value, distance));
    return value;
}

// Groups of SHORT elements at most: a warp to a group, which it holds in registers, bit by bit.
KERNEL(percentile_short, PercentileParams)
{
    u64 group = thread_index() / 32, start = group * p.length;
    u32 lane = threadIdx.x % 32, rows = ((u32)p.length + 31) / 32, bits[SHORT / 32];
    for (u32 k = 0; k < SHORT / 32; k++) {
        u32 index = 32 * k + lane;
        bits[k] = ~0u; // above all magnitudes
        if (group < p.groups && index < p.length) {
            bits[k] = bits_of(float_at(SOURCE, p.source, start + index)) & MAGNITUDE;
            if (bits[k] >= INFINITE)
                report(p.first, start + index);
        }
    }
    u32 value = 0, rank = (u32)p.rank, left = (u32)p.length, up_to = 0, next = ~0u;
    int bit = 30;
    for (; bit >= 0 && left > 1; bit--) {
        // those that begin as the value does, and have a 0 here
        u32 zeros = 0;
        for (u32 k = 0; k < rows; k++)
            zeros += __popc(__ballot_sync(0xffffffffu, bits[k] >> bit == value >> bit));
        if (rank >= zeros)
            rank -= zeros, left -= zeros, value |= 1u << bit;
        else
            left = zeros;
    }
    // where one is left, it is the value, whatever its other bits
    u32 begin = value >> (bit + 1);
    value = ~0u;
    for (u32 k = 0; k < rows; k++)
        value = bits[k] >> (bit + 1) == begin ? bits[k] : value;
    value = least_of_warp(value);
    for (u32 k = 0; k < rows; k++) {
        up_to += __popc(__ballot_sync(0xffffffffu, bits[k] <= value));
        next = bits[k] > value ? least(next, bits[k]) : next;
    }
    next = least_of_warp(next);
    if (lane == 0 && group < p.groups) {
        p.orders[2 * group] = value;
        p.orders[2 * group + 1] = up_to > p.rank + 1 || next == ~0u ? value : next;
    }
}

// Longer groups: a block of threads to a group. Each pass counts one digit of the magnitudes that begin with the digits
// found so far; the last one looks for the next larger magnitude.

KERNEL(percentile, PercentileParams)
{
    __shared__ u32 bins[BINS];
    __shared__ u64 below;
    __shared__ u32 prefix, equal, next;
    u64 start = blockIdx.x * p.length;
    if (threadIdx.x == 0)
        below = 0, prefix = 0;
    for (u32 shift = 23, width = 8;;) {
        for (u32 k = threadIdx.x; k < BINS; k += blockDim.x)
            bins[k] = 0;
        __syncthreads();
        u32 wanted = prefix;
        for (u64 k = threadIdx.x; k < p.length; k += blockDim.x) {
            u32 bits = bits_of(float_at(SOURCE, p.source, start + k)) & MAGNITUDE;
            if (bits >= INFINITE)
                report(p.first, start + k);
            if (bits >> (shift + width) == wanted)
                atomicAdd(&bins[bits >> shift & ((1u << width) - 1)], 1u);
        }
        __syncthreads();
        // the first warp finds the bin that holds the rank, 8 bins to a lane
        if (threadIdx.x < 32) {
            u32 lane = threadIdx.x, own = 0;
            for (u32 k = 0; k < 8; k++)
                own += bins[8 * lane + k];
            u32 sum = own;
            for (u32 distance = 1; distance < 32; distance *= 2) {
                u32 other = __shfl_up_sync(0xffffffffu, sum, distance);
                sum += lane >= distance ? other : 0;
            }
            u64 start_of_lane = below + (sum - own);
            __syncwarp();
            if (start_of_lane <= p.rank && p.rank < start_of_lane + own) {
                u32 bin = 8 * lane;
                for (; start_of_lane + bins[bin] <= p.rank; bin++)
                    start_of_lane += bins[bin];
                below = start_of_lane, equal = bins[bin], prefix = prefix << width | bin;
            }
        }
        __syncthreads();
        if (shift == 0)
            break;
        width = shift == 7 ? 7 : 8;
        shift -= width;
    }
    u32 value = prefix;
    if (below + equal > p.rank + 1) {
        if (threadIdx.x == 0)
            p.orders[2 * blockIdx.x] = value, p.orders[2 * blockIdx.x + 1] = value;
        return;
    }
    if (threadIdx.x == 0)
        next = ~0u;
    __syncthreads();
    u32 least_above = ~0u;
    for (u64 k = threadIdx.x; k < p.length; k += blockDim.x) {
        u32 bits = bits_of(float_at(SOURCE, p.source, start + k)) & MAGNITUDE;
        if (bits > value)
            least_above = least(least_above, bits);
    }
    atomicMin(&next, least_above);
    __syncthreads();
    if (threadIdx.x == 0)
        p.orders[2 * blockIdx.x] = value, p.orders[2 * blockIdx.x + 1] = next == ~0u ? value : next;
}
