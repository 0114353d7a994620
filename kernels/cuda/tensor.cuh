// Tensor cores: products of fragments that a warp holds together, of f32 written as two tf32, and of 8-bit integers.
#pragma once
#include "numbers.cuh"

// The shim for the processor has a definition of its own. d += a · b with a of 16 × 8, b of 8 × 8, d of 16 × 8; lane l has, with
// g = l / 4 and t = l % 4:
//   a: (g, t), (g + 8, t), (g, t + 4), (g + 8, t + 4)    b: (t, g), (t + 4, g)    d: (g, 2 t), (g, 2 t + 1), and g + 8
#ifndef MMA_TF32
__device__ inline void mma_tf32(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2])
{
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                 "{%0, %1, %2, %3};\n"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// The same with words of four 8-bit integers for numbers, whose sum is exact or wraps around: a is 16 × 32, b is 32 × 8.
__device__ inline void mma_s8(int (&d)[4], const u32 (&a)[4], const u32 (&b)[2])
{
    asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                 "{%0, %1, %2, %3};\n"
                 : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#endif

// To nearest among those with 10 bits of mantissa; towards 0 where that would be infinite.
__device__ inline u32 tf32(float value)
{
    u32 bits = bits_of(value), magnitude = bits & MAGNITUDE;
    if (magnitude > INFINITE)
        return bits | 0x400000u;
    return (magnitude < 0x7f7ff000u ? bits + 0x1000u : bits) & 0xffffe000u;
}

// value = high + low, but for 2⁻²³ of it.
__device__ inline void split(float value, u32 &high, u32 &low)
{
    high = tf32(value);
    low = tf32(__fsub_rn(value, of_bits(high)));
}
