// Lane sums of tiles for error statistics, in the order that `stats.rs` fixes: half a warp works on a tile.
#pragma once
#include "numbers.cuh"

const u32 TILE = 1024;
const u32 LANES = 16;

// What the host adds of a tile.
struct TileSums {
    float scale;
    u32 clipped;
    float signal[LANES], error[LANES], cross[LANES], largest[LANES];
};

// The power of two that scales a tile, from the bits of its largest magnitude.
__device__ inline float tile_scale(u32 bits)
{
    u32 exponent = bits >> 23;
    if (bits == 0 || (exponent >= 95 && exponent <= 159))
        return 1.0f;
    return of_bits((254 - least(largest(exponent, 1), 253)) << 23);
}

// `Pairs` gives of element `index` its value `x(index)`, and `pair(index, x, e, clipped)`: the value, what it lost, and
// whether it was clipped.
template <class Pairs> __device__ void sum_tiles(const Pairs &pairs, u64 elements, TileSums *tiles)
{
    u64 tile = thread_index() / LANES, start = tile * TILE;
    u32 lane = threadIdx.x % LANES, clipped = 0, most = 0;
    u32 count = start >= elements ? 0 : elements - start < TILE ? (u32)(elements - start) : TILE;
    for (u32 k = lane; k < count; k += LANES)
        most = largest(most, bits_of(pairs.x(start + k)) & MAGNITUDE);
    for (u32 distance = LANES / 2; distance > 0; distance /= 2)
        most = largest(most, __shfl_xor_sync(0xffffffffu, most, distance));
    float scale = tile_scale(most), signal = 0.0f, error = 0.0f, cross = 0.0f, worst = 0.0f;
    for (u32 k = lane; k < count; k += LANES) {
        float x, e;
        bool cut = false;
        pairs.pair(start + k, x, e, cut);
        clipped += cut;
        worst = fmaxf(worst, fabsf(e));
        x = __fmul_rn(x, scale), e = __fmul_rn(e, scale);
        signal = __fmaf_rn(x, x, signal);
        error = __fmaf_rn(e, e, error);
        cross = __fmaf_rn(x, e, cross);
    }
    for (u32 distance = LANES / 2; distance > 0; distance /= 2)
        clipped += __shfl_xor_sync(0xffffffffu, clipped, distance);
    if (count == 0)
        return;
    TileSums &sums = tiles[tile];
    sums.signal[lane] = signal, sums.error[lane] = error, sums.cross[lane] = cross, sums.largest[lane] = worst;
    if (lane == 0)
        sums.scale = scale, sums.clipped = clipped;
}
