// Two neighbouring order statistics of the magnitudes of each group: radix selection, a block of threads to a group.
//
// Bits of non-negative floats order as the floats do. Each pass counts one digit of the magnitudes that begin with the
// digits found so far; the last one looks for the next larger magnitude.
#include "numbers.cuh"

struct PercentileParams {
    const u8 *source;
    u32 *orders; // the magnitude of the rank, and of the next one
    u64 length;
    u64 rank;
    u64 *first;
};

const u32 BINS = 256;

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
