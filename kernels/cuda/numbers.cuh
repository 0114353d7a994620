// Element types in integer arithmetic: no header of the CUDA toolkit is needed, and the processor gives the same bits.
//
// SOURCE is the element type of the source, fixed when a file is compiled; types of outputs are parameters.
#pragma once

// A kernel takes one struct of 8-byte words, `p`. The shim for the processor has a definition of its own.
#ifndef KERNEL
#define KERNEL(name, Params) \
    extern "C" __global__ void __launch_bounds__(512) name(const __grid_constant__ Params p)
#endif

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

// As in `sources.rs`.
enum Type : u32 { F32, F16, BF16, F8E4M3, F8E5M2, F64 };

const u32 MAGNITUDE = 0x7fffffffu;
const u32 INFINITE = 0x7f800000u;
// A thread works on so many neighbours, which make a vector of 8 bytes or more.
const u32 EACH = 8;

__device__ inline u32 bits_of(float value) { return __float_as_uint(value); }
__device__ inline float of_bits(u32 bits) { return __uint_as_float(bits); }
__device__ inline float infinity() { return of_bits(INFINITE); }
__device__ inline u32 least(u32 a, u32 b) { return a < b ? a : b; }
__device__ inline u32 largest(u32 a, u32 b) { return a > b ? a : b; }

// A float type with fewer than 23 mantissa bits, as `narrow.rs` describes it.
template <u32 MANTISSA, u32 EXPONENT, u32 LARGEST, bool INFINITIES> struct Narrow {
    static const u32 SIGN = 1u << (MANTISSA + EXPONENT);
    static const u32 BIAS = (1u << (EXPONENT - 1)) - 1;

    __device__ static float widen(u32 pattern)
    {
        u32 magnitude = pattern & (SIGN - 1), sign = pattern & SIGN ? ~MAGNITUDE : 0;
        if (magnitude > LARGEST)
            return of_bits((INFINITIES && magnitude == LARGEST + 1 ? INFINITE : 0x7fc00000u) | sign);
        // the bits mean 2^(BIAS - 127) times the value, subnormals included
        float scaled = of_bits(magnitude << (23 - MANTISSA));
        return of_bits(bits_of(__fmul_rn(scaled, of_bits((254 - BIAS) << 23))) | sign);
    }

    // To nearest, ties to even; LARGEST + 1 beyond the range.
    __device__ static u32 narrow(float value)
    {
        u32 bits = bits_of(value), magnitude = bits & MAGNITUDE, sign = (bits >> 31) * SIGN, rounded;
        if (magnitude > INFINITE)
            return sign | (SIGN - 1);
        const u32 dropped = 23 - MANTISSA, smallest_normal = 128 - BIAS;
        u32 exponent = magnitude >> 23;
        if (exponent >= smallest_normal) {
            u32 half = (1u << (dropped - 1)) - 1 + (magnitude >> dropped & 1);
            rounded = ((magnitude + half) >> dropped) - ((smallest_normal - 1) << MANTISSA);
        } else {
            u32 fraction = exponent == 0 ? magnitude : (magnitude & 0x7fffffu) | 0x800000u;
            u32 shift = smallest_normal - (exponent == 0 ? 1 : exponent) + dropped;
            u32 half = shift > 25 ? 0 : (1u << (shift - 1)) - 1 + (fraction >> shift & 1);
            rounded = shift > 25 ? 0 : (fraction + half) >> shift;
        }
        return sign | least(rounded, LARGEST + 1);
    }

    __device__ static bool is_finite(u32 pattern) { return (pattern & (SIGN - 1)) <= LARGEST; }
    __device__ static u32 saturated(bool negative) { return LARGEST | (negative ? SIGN : 0); }
};

typedef Narrow<10, 5, 0x7bff, true> Half;
typedef Narrow<7, 8, 0x7f7f, true> Brain;
typedef Narrow<3, 4, 0x7e, false> E4m3;
typedef Narrow<2, 5, 0x7b, true> E5m2;

__device__ inline u32 width_of(u32 type) { return type == F64 ? 8 : type == F32 ? 4 : type == F16 || type == BF16 ? 2 : 1; }

// Element `index` exactly; in f64, of which only f64 itself needs more than f32.
__device__ inline float float_at(u32 type, const u8 *data, u64 index)
{
    switch (type) {
    case F32: return ((const float *)data)[index];
    case F16: return Half::widen(((const u16 *)data)[index]);
    case BF16: return of_bits((u32)((const u16 *)data)[index] << 16);
    case F8E4M3: return E4m3::widen(data[index]);
    case F8E5M2: return E5m2::widen(data[index]);
    default: return __double2float_rn(((const double *)data)[index]);
    }
}

__device__ inline double double_at(u32 type, const u8 *data, u64 index)
{
    return type == F64 ? ((const double *)data)[index] : (double)float_at(type, data, index);
}

// A value rounded to f32 towards the odd mantissa, so that one more rounding is as if done at once.
__device__ inline float round_to_odd(double value)
{
    float nearest = __double2float_rn(value);
    if ((double)nearest == value || nearest != nearest)
        return nearest;
    u32 bits = bits_of(nearest);
    if (fabs((double)nearest) > fabs(value))
        bits -= 1;
    return of_bits(bits | 1);
}

// Elements `index` to `index + EACH` of the source in f32; 0 beyond the end. `index` is a multiple of EACH.
__device__ inline void load(const u8 *source, u64 index, u64 elements, float (&w)[EACH])
{
    if (index + EACH > elements) {
        for (u32 k = 0; k < EACH; k++)
            w[k] = index + k < elements ? float_at(SOURCE, source, index + k) : 0.0f;
        return;
    }
    const u8 *at = source + index * width_of(SOURCE);
    if (SOURCE == F32) {
        for (u32 k = 0; k < 2; k++) {
            float4 v = ((const float4 *)at)[k];
            w[4 * k] = v.x, w[4 * k + 1] = v.y, w[4 * k + 2] = v.z, w[4 * k + 3] = v.w;
        }
    } else if (SOURCE == F16 || SOURCE == BF16) {
        uint4 v = *(const uint4 *)at;
        u32 pairs[4] = {v.x, v.y, v.z, v.w};
        for (u32 k = 0; k < 4; k++) {
            w[2 * k] = SOURCE == F16 ? Half::widen(pairs[k] & 0xffff) : of_bits(pairs[k] << 16);
            w[2 * k + 1] = SOURCE == F16 ? Half::widen(pairs[k] >> 16) : of_bits(pairs[k] & 0xffff0000u);
        }
    } else if (SOURCE == F64) {
        for (u32 k = 0; k < 4; k++) {
            double2 v = ((const double2 *)at)[k];
            w[2 * k] = __double2float_rn(v.x), w[2 * k + 1] = __double2float_rn(v.y);
        }
    } else {
        uint2 v = *(const uint2 *)at;
        for (u32 k = 0; k < EACH; k++) {
            u32 pattern = (k < 4 ? v.x : v.y) >> (8 * (k % 4)) & 0xff;
            w[k] = SOURCE == F8E4M3 ? E4m3::widen(pattern) : E5m2::widen(pattern);
        }
    }
}

// Write EACH values as f32, f16 or bf16, and nothing beyond the end. Gives the first place that is not finite there, or EACH.
__device__ inline u32 store(u32 type, u8 *destination, u64 index, u64 elements, const float (&v)[EACH])
{
    u32 first = EACH, words[EACH];
    for (u32 k = 0; k < EACH; k++) {
        words[k] = type == F16 ? Half::narrow(v[k]) : type == BF16 ? Brain::narrow(v[k]) : bits_of(v[k]);
        bool finite = type == F16    ? Half::is_finite(words[k])
                      : type == BF16 ? Brain::is_finite(words[k])
                                     : (words[k] & MAGNITUDE) < INFINITE;
        if (!finite && first == EACH)
            first = k;
    }
    u8 *at = destination + index * width_of(type);
    if (index + EACH > elements) {
        for (u32 k = 0; k < EACH && index + k < elements; k++) {
            if (type == F32)
                ((u32 *)at)[k] = words[k];
            else
                ((u16 *)at)[k] = (u16)words[k];
        }
        return index + first < elements ? first : EACH;
    }
    if (type == F32) {
        ((uint4 *)at)[0] = make_uint4(words[0], words[1], words[2], words[3]);
        ((uint4 *)at)[1] = make_uint4(words[4], words[5], words[6], words[7]);
    } else {
        *(uint4 *)at = make_uint4(words[0] | words[1] << 16, words[2] | words[3] << 16,
                                  words[4] | words[5] << 16, words[6] | words[7] << 16);
    }
    return first;
}

__device__ inline u64 thread_index() { return (u64)blockIdx.x * blockDim.x + threadIdx.x; }

// The least index of a value that ends the operation: threads come in any order.
__device__ inline void report(u64 *first, u64 index) { atomicMin(first, index); }

// The largest magnitude's bits among EACH values; reports the first that is not finite.
__device__ inline u32 largest_magnitude(const float (&w)[EACH], u64 index, u64 *first)
{
    u32 most = 0;
    for (u32 k = 0; k < EACH; k++)
        most = largest(most, bits_of(w[k]) & MAGNITUDE);
    if (most >= INFINITE) {
        // from the last to the first, with known places: an array that is indexed by a variable leaves its registers
        u32 at = 0;
        for (u32 k = EACH; k-- > 0;)
            at = (bits_of(w[k]) & MAGNITUDE) >= INFINITE ? k : at;
        report(first, index + at);
    }
    return most;
}
