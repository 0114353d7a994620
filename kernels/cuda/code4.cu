// nf4 and fp4 (`format/code4.rs`). EACH neighbours of a block to a thread; all threads of a block have the same absmax.
//
// Values are cut into 32 even bins that hold one threshold at most: one look-up says how many thresholds lie below a bin,
// one comparison decides on the one inside (see `cpu/code4.rs`). A table of 32 words lies in the 32 banks of shared memory,
// so a warp looks up without conflicts.
#include "codebooks.cuh"
#include "tiles.cuh"

struct Code4Params {
    const u8 *source;
    u8 *codes;
    float *absmax;
    u64 elements;
    u64 shift; // a block has 2^shift elements
    u64 *first;
};

struct Decode4Params {
    const u8 *codes;
    const float *absmax;
    u8 *destination;
    u64 elements;
    u64 shift;
    u64 to;
    u64 *first;
};

struct Measure4Params {
    const u8 *source;
    const u8 *codes;
    const float *absmax;
    u64 elements;
    u64 shift;
    TileSums *tiles;
};

template <bool NF4> __device__ u32 code(float y, const float *thresholds, const u32 *codes)
{
    if (NF4) {
        // the low bits of the sum are the bin's number
        u32 bin = bits_of(__fmaf_rn(NF4_SLOPE, y, NF4_SHIFT)) & 31;
        return codes[bin] + (y > thresholds[bin]);
    }
    float u = fabsf(y);
    u32 bin = least((u32)__fmul_rn(u, 16.0f), 15);
    // the code below the threshold, and above it the one above
    u32 found = u > thresholds[bin] ? codes[bin] >> 8 : codes[bin] & 0xff;
    return found | (y < 0.0f ? 8 : 0);
}

template <bool NF4> __device__ void quantize(const Code4Params &p)
{
    __shared__ float thresholds[32];
    __shared__ u32 codes[32];
    __shared__ u32 of_warp[16];
    if (threadIdx.x < 32) {
        u32 k = threadIdx.x;
        thresholds[k] = of_bits(NF4 ? NF4_THRESHOLDS[k] : FP4_THRESHOLDS[k % 16]);
        codes[k] = NF4 ? NF4_BELOW[k] : FP4_BELOW[k % 16] | FP4_ABOVE[k % 16] << 8;
    }
    u64 index = thread_index() * EACH;
    float w[EACH];
    load(p.source, index, p.elements, w);
    u32 most = largest_magnitude(w, index, p.first);
    u32 threads = (1u << p.shift) / EACH;
    for (u32 distance = least(threads, 32) / 2; distance > 0; distance /= 2)
        most = largest(most, __shfl_xor_sync(0xffffffffu, most, distance));
    if (threads > 32 && threadIdx.x % 32 == 0)
        of_warp[threadIdx.x / 32] = most;
    __syncthreads();
    if (threads > 32) {
        u32 warps = threads / 32, from = threadIdx.x / threads * warps;
        for (u32 warp = from; warp < from + warps; warp++)
            most = largest(most, of_warp[warp]);
    }
    if (index >= p.elements)
        return;
    float absmax = of_bits(most), divisor = fmaxf(absmax, LEAST_ABSMAX);
    u64 block = index >> p.shift;
    if ((index & ((1ull << p.shift) - 1)) == 0)
        p.absmax[block] = absmax;
    bool full = ((block + 1) << p.shift) <= p.elements;
    float inverse = __fdiv_rn(1.0f, divisor);
    u32 word = 0;
    for (u32 k = 0; k < EACH; k++) {
        // what lies beyond the end is 0, whose code fills up the last byte
        float y = full ? __fmul_rn(w[k], inverse) : __fdiv_rn(w[k], divisor);
        word = word << 4 | code<NF4>(y, thresholds, codes);
    }
    word = __byte_perm(word, 0, 0x0123);
    if (index + EACH <= p.elements) {
        *(u32 *)(p.codes + index / 2) = word;
    } else {
        for (u64 k = 0; index + 2 * k < p.elements; k++)
            p.codes[index / 2 + k] = (u8)(word >> (8 * k));
    }
}

KERNEL(quantize_nf4, Code4Params) { quantize<true>(p); }
KERNEL(quantize_fp4, Code4Params) { quantize<false>(p); }

__device__ inline u32 code_at(const u8 *codes, u64 index) { return codes[index / 2] >> (4 * (1 - index % 2)) & 15; }

template <bool NF4> __device__ void dequantize(const Decode4Params &p)
{
    __shared__ float book[16];
    if (threadIdx.x < 16)
        book[threadIdx.x] = of_bits(NF4 ? NF4_VALUES[threadIdx.x] : FP4_VALUES[threadIdx.x]);
    __syncthreads();
    u64 index = thread_index() * EACH;
    if (index >= p.elements)
        return;
    u32 word = 0;
    if (index + EACH <= p.elements) {
        word = *(const u32 *)(p.codes + index / 2);
    } else {
        for (u64 k = 0; index + 2 * k < p.elements; k++)
            word |= (u32)p.codes[index / 2 + k] << (8 * k);
    }
    word = __byte_perm(word, 0, 0x0123);
    float absmax = p.absmax[index >> p.shift], v[EACH];
    for (u32 k = 0; k < EACH; k++)
        v[k] = __fmul_rn(book[word >> (28 - 4 * k) & 15], absmax);
    u32 bad = store((u32)p.to, p.destination, index, p.elements, v);
    if (bad != EACH)
        report(p.first, index + bad);
}

KERNEL(dequantize_nf4, Decode4Params) { dequantize<true>(p); }
KERNEL(dequantize_fp4, Decode4Params) { dequantize<false>(p); }

template <bool NF4> struct Code4Pairs {
    const Measure4Params &p;
    const float *book;

    __device__ float x(u64 index) const { return float_at(SOURCE, p.source, index); }

    __device__ void pair(u64 index, float &x, float &e, bool &) const
    {
        x = this->x(index);
        e = __fsub_rn(x, __fmul_rn(book[code_at(p.codes, index)], p.absmax[index >> p.shift]));
    }
};

template <bool NF4> __device__ void measure(const Measure4Params &p)
{
    __shared__ float book[16];
    if (threadIdx.x < 16)
        book[threadIdx.x] = of_bits(NF4 ? NF4_VALUES[threadIdx.x] : FP4_VALUES[threadIdx.x]);
    __syncthreads();
    Code4Pairs<NF4> pairs = {p, book};
    sum_tiles(pairs, p.elements, p.tiles);
}

KERNEL(measure_nf4, Measure4Params) { measure<true>(p); }
KERNEL(measure_fp4, Measure4Params) { measure<false>(p); }
