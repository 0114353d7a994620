// Double quantisation of absmax (`format/code4.rs`): a block of 256 threads to a block of 256 values.
#include "codebooks.cuh"

struct NestedParams {
    const float *absmax;
    u8 *codes;
    float *scales;
    u64 count;
    u64 offset; // the bits of an f32
    u64 *first; // takes the number of a block whose differences are not finite
};

struct NestedDecodeParams {
    const u8 *codes;
    const float *scales;
    float *absmax;
    u64 count;
    u64 offset;
};

const u32 NESTED = 256;

KERNEL(nested_encode, NestedParams)
{
    __shared__ float midpoints[256];
    __shared__ u32 of_warp[NESTED / 32];
    u64 index = thread_index();
    midpoints[threadIdx.x] = threadIdx.x < 255 ? of_bits(DYNAMIC_MIDPOINTS[threadIdx.x]) : infinity();
    float step = index < p.count ? __fsub_rn(p.absmax[index], of_bits((u32)p.offset)) : 0.0f;
    u32 most = bits_of(step) & MAGNITUDE;
    for (u32 distance = 16; distance > 0; distance /= 2)
        most = largest(most, __shfl_xor_sync(0xffffffffu, most, distance));
    if (threadIdx.x % 32 == 0)
        of_warp[threadIdx.x / 32] = most;
    __syncthreads();
    for (u32 warp = 0; warp < NESTED / 32; warp++)
        most = largest(most, of_warp[warp]);
    if (threadIdx.x == 0) {
        if (most >= INFINITE)
            report(p.first, blockIdx.x);
        p.scales[blockIdx.x] = of_bits(most);
    }
    if (index >= p.count)
        return;
    float y = __fdiv_rn(step, most == 0 ? infinity() : of_bits(most));
    // how many midpoints it exceeds
    u32 code = 0;
    for (u32 half = 128; half > 0; half /= 2)
        code += y > midpoints[code + half - 1] ? half : 0;
    p.codes[index] = (u8)code;
}

KERNEL(nested_decode, NestedDecodeParams)
{
    u64 index = thread_index();
    if (index >= p.count)
        return;
    float value = __fmul_rn(of_bits(DYNAMIC_MAP[p.codes[index]]), p.scales[index / NESTED]);
    p.absmax[index] = __fadd_rn(value, of_bits((u32)p.offset));
}
