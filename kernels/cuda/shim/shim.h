// CUDA on the processor, for tests: each thread of a block is a fiber that yields at barriers and at operations of its warp.
// Blocks run one after the other, so that atomics are plain, and every other launch runs blocks and warps from the last to the
// first: what depends on their order shows. Launches have one dimension and static shared memory.
//
// Stricter than a device: an operation of a warp or a barrier that some thread does not reach ends the program, and so does
// one that waits for ever.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#define __device__
// one launch at a time
#define __shared__ static

struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(16) double2 { double x, y; };
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

namespace shim {

struct Index { unsigned x; };
enum class Wait { Nothing, Warp, Block, Done };

struct Fiber {
    void *stack_pointer;
    Index thread;
    Wait wait;
    unsigned turn; // which of two sets of places its next exchange uses
};

struct Machine {
    std::vector<Fiber> fibers;
    std::vector<unsigned char> stacks;
    std::vector<uint64_t> places; // 2 sets of 32 a warp
    std::vector<unsigned> fragments; // 2 sets of 32 × 6 a warp
    Fiber *current;
    void *scheduler;
    Index block, block_dim, grid_dim;
    bool backward; // blocks and warps run from the last to the first
    void (*kernel)(const void *);
    const void *params;
};

extern Machine machine;

void yield(Wait wait);
[[noreturn]] void fail(const char *what);

// The value that lane `from` of the warp gave; every lane gives one.
template <class T> T exchange(T value, unsigned from)
{
    Fiber &self = *machine.current;
    uint64_t *places = &machine.places[self.thread.x / 32 * 64 + (self.turn++ % 2) * 32];
    uint64_t word = 0;
    std::memcpy(&word, &value, sizeof value);
    places[self.thread.x % 32] = word;
    yield(Wait::Warp);
    std::memcpy(&value, &places[from], sizeof value);
    return value;
}

// One bit for each lane.
inline unsigned votes(bool vote)
{
    Fiber &self = *machine.current;
    uint64_t &bits = machine.places[self.thread.x / 32 * 64 + (self.turn++ % 2) * 32];
    unsigned lane = self.thread.x % 32;
    // lanes come in their order
    bits = (lane == 0 ? 0 : bits) | (uint64_t)vote << lane;
    yield(Wait::Warp);
    return (unsigned)bits;
}

inline void whole_warp(unsigned mask)
{
    if (mask != 0xffffffffu)
        fail("an operation of a part of a warp");
}

}

#define threadIdx (shim::machine.current->thread)
#define blockIdx (shim::machine.block)
#define blockDim (shim::machine.block_dim)
#define gridDim (shim::machine.grid_dim)

// `name_bytes` lets the launch check what it hands over.
#define KERNEL(name, Params)                                                       \
    static void name##_body(const Params &p);                                      \
    extern "C" const uint64_t name##_bytes = sizeof(Params);                       \
    extern "C" void name(const void *params) { name##_body(*(const Params *)params); } \
    static void name##_body(const Params &p)

inline void __syncthreads() { shim::yield(shim::Wait::Block); }
inline void __syncwarp() { shim::yield(shim::Wait::Warp); }

template <class T> T __shfl_sync(unsigned mask, T value, unsigned lane)
{
    shim::whole_warp(mask);
    return shim::exchange(value, lane % 32);
}
template <class T> T __shfl_xor_sync(unsigned mask, T value, unsigned distance)
{
    shim::whole_warp(mask);
    return shim::exchange(value, (threadIdx.x ^ distance) % 32);
}
template <class T> T __shfl_down_sync(unsigned mask, T value, unsigned distance)
{
    shim::whole_warp(mask);
    unsigned lane = threadIdx.x % 32;
    return shim::exchange(value, lane + distance < 32 ? lane + distance : lane);
}
template <class T> T __shfl_up_sync(unsigned mask, T value, unsigned distance)
{
    shim::whole_warp(mask);
    unsigned lane = threadIdx.x % 32;
    return shim::exchange(value, lane >= distance ? lane - distance : lane);
}
inline unsigned __ballot_sync(unsigned mask, bool vote)
{
    shim::whole_warp(mask);
    return shim::votes(vote);
}

template <class T> T atomicAdd(T *at, T value) { T old = *at; *at = old + value; return old; }
template <class T> T atomicMax(T *at, T value) { T old = *at; *at = old < value ? value : old; return old; }
template <class T> T atomicMin(T *at, T value) { T old = *at; *at = value < old ? value : old; return old; }

inline unsigned __float_as_uint(float value) { unsigned bits; std::memcpy(&bits, &value, 4); return bits; }
inline float __uint_as_float(unsigned bits) { float value; std::memcpy(&value, &bits, 4); return value; }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fmaf_rn(float a, float b, float c) { return std::fmaf(a, b, c); }
inline float __double2float_rn(double value) { return (float)value; }

// Ties to even; the nearest end of the range beyond it, 0 for NaN.
inline int __float2int_rn(float value)
{
    if (value != value)
        return 0;
    double whole = std::nearbyint((double)value);
    return whole >= 2147483647.0 ? 2147483647 : whole <= -2147483648.0 ? -2147483647 - 1 : (int)whole;
}
inline unsigned long long __float2ull_rn(float value)
{
    if (!(value > 0.0f))
        return 0;
    float whole = std::nearbyint(value);
    return whole >= 18446744073709551616.0f ? ~0ull : (unsigned long long)whole;
}

// Fragments as `tensor.cuh` has them. Products are exact and a sum is cut off rather than rounded, as the least that is known of
// tensor cores; what is no tf32 ends the test.
#define MMA_TF32
namespace shim {

// The words of all lanes, those of a and then those of b.
inline const unsigned *fragments_of_warp(const unsigned (&a)[4], const unsigned (&b)[2])
{
    Fiber &self = *machine.current;
    unsigned *set = &machine.fragments[(self.thread.x / 32 * 2 + self.turn++ % 2) * 32 * 6];
    for (unsigned k = 0; k < 6; k++)
        set[self.thread.x % 32 * 6 + k] = k < 4 ? a[k] : b[k - 4];
    yield(Wait::Warp);
    return set;
}

// What `add(left, right)` gets of the products of number i of this lane's d: eight words of a and of b.
template <class Add> void products_of(const unsigned *set, unsigned i, const Add &add)
{
    unsigned lane = machine.current->thread.x % 32, row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
    for (unsigned k = 0; k < 8; k++)
        add(set[(row % 8 * 4 + k % 4) * 6 + row / 8 + k / 4 * 2], set[(column * 4 + k % 4) * 6 + 4 + k / 4]);
}

}

inline int __dp4a(int a, int b, int sum)
{
    for (unsigned k = 0; k < 4; k++)
        sum += (signed char)((unsigned)a >> (8 * k)) * (signed char)((unsigned)b >> (8 * k));
    return sum;
}

inline void mma_s8(int (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2])
{
    const unsigned *set = shim::fragments_of_warp(a, b);
    for (unsigned i = 0; i < 4; i++)
        shim::products_of(set, i, [&](unsigned left, unsigned right) { d[i] = __dp4a((int)left, (int)right, d[i]); });
}

inline void mma_tf32(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2])
{
    for (unsigned k = 0; k < 6; k++)
        if ((k < 4 ? a[k] : b[k - 4]) & 0x1fff)
            shim::fail("a number with more bits than tf32");
    const unsigned *set = shim::fragments_of_warp(a, b);
    for (unsigned i = 0; i < 4; i++) {
        double sum = d[i];
        shim::products_of(set, i, [&](unsigned left, unsigned right) {
            sum += (double)__uint_as_float(left) * (double)__uint_as_float(right);
        });
        float rounded = (float)sum;
        d[i] = std::fabs((double)rounded) > std::fabs(sum) ? std::nextafter(rounded, 0.0f) : rounded;
    }
}

inline int __popc(unsigned bits) { return __builtin_popcount(bits); }

inline unsigned __byte_perm(unsigned low, unsigned high, unsigned selector)
{
    uint64_t bytes = (uint64_t)high << 32 | low;
    unsigned result = 0;
    for (unsigned k = 0; k < 4; k++)
        result |= (unsigned)(bytes >> (8 * (selector >> (4 * k) & 7)) & 0xff) << (8 * k);
    return result;
}
