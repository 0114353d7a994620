// Squared errors of the candidates of `clip: mse` (`format/int.rs`): a candidate to a thread, a stretch of elements to a block.
#include "groups.cuh"

const u32 GRID = 52;
const u32 STRETCH = 1024;

struct Extent {
    float low;
    float high;
};

struct GridParams {
    const u8 *source;
    const Extent *extents;
    u64 *sums; // GRID of each group, from 0
    u64 elements;
    Groups groups;
    u64 half; // scales are fp16
    u64 *first;
};

// The code of a group that has to hold an extent; false where its scale is not usable.
template <bool FOUR, bool SYMMETRIC> __device__ bool group_code(float low, float high, bool half, GroupCode &code)
{
    float top = (float)Int<FOUR, SYMMETRIC>::TOP, scale;
    if (SYMMETRIC) {
        float m = fmaxf(high, -low);
        low = -m, high = m;
        scale = __fdiv_rn(m, top);
    } else {
        scale = __double2float_rn(((double)high - (double)low) / (double)top);
    }
    if (half)
        scale = Half::widen(Half::narrow(scale));
    if ((bits_of(scale) & MAGNITUDE) >= INFINITE || (scale == 0.0f && (low < 0.0f || high > 0.0f)))
        return false;
    code.scale = scale;
    code.zero = SYMMETRIC || scale == 0.0f ? 0 : __float2int_rn(fminf(__fdiv_rn(-low, scale), top));
    return true;
}

template <bool FOUR, bool SYMMETRIC> __device__ void grid_errors(const GridParams &p)
{
    __shared__ float weights[STRETCH];
    u64 start = (u64)blockIdx.x * STRETCH;
    u32 count = p.elements - start < STRETCH ? (u32)(p.elements - start) : STRETCH;
    for (u32 from = threadIdx.x * EACH; from < count; from += blockDim.x * EACH) {
        float w[EACH];
        load(p.source, start + from, p.elements, w);
        largest_magnitude(w, start + from, p.first);
        for (u32 k = 0; k < EACH; k++)
            weights[from + k] = w[k];
    }
    __syncthreads();
    if (threadIdx.x >= GRID)
        return;
    float fraction = __fdiv_rn((float)(64 - (int)threadIdx.x), 64.0f);
    Walk walk(p.groups, start);
    for (u32 from = 0; from < count;) {
        u32 end = walk.left < count - from ? from + (u32)walk.left : count;
        Extent extent = p.extents[walk.group];
        float absmax = fmaxf(extent.high, -extent.low);
        u64 *sum = p.sums + walk.group * GRID + threadIdx.x;
        GroupCode code;
        if (absmax != 0.0f) {
            float low = __fmul_rn(extent.low, fraction), high = __fmul_rn(extent.high, fraction);
            if (group_code<FOUR, SYMMETRIC>(low, high, p.half, code)) {
                float divisor = divisor_of(code);
                u64 total = 0;
                for (u32 k = from; k < end; k++) {
                    float w = weights[k];
                    int q = Int<FOUR, SYMMETRIC>::encode(code, divisor, w);
                    float error = fabsf(__fsub_rn(w, Int<FOUR, SYMMETRIC>::decode(code, q)));
                    u64 units = __float2ull_rn(__fmul_rn(__fdiv_rn(error, absmax), 65536.0f));
                    total += units * units;
                }
                atomicAdd(sum, total);
            } else {
                atomicMax(sum, ~0ull);
            }
        }
        walk.step(end - from);
        from = end;
    }
}

KERNEL(grid_int8, GridParams) { grid_errors<false, true>(p); }
KERNEL(grid_int8_asymmetric, GridParams) { grid_errors<false, false>(p); }
KERNEL(grid_int4, GridParams) { grid_errors<true, true>(p); }
KERNEL(grid_int4_asymmetric, GridParams) { grid_errors<true, false>(p); }
