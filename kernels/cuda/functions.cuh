// Functions of one element with the bits of `src/model/elementwise.rs`: the same operations in the same order.
#pragma once
#include "numbers.cuh"

__device__ inline float power_of_two(int n) { return of_bits((u32)(n + 127) << 23); }

__device__ inline float exp_of(float x)
{
    x = x > 104.0f ? 104.0f : x;
    x = x < -104.0f ? -104.0f : x;
    float shifted = x * 1.44269504088896340736f + 12582912.0f;
    float n = shifted - 12582912.0f;
    float r = x - n * 0.6933594f - n * -2.1219444e-4f;
    float p = 0.0001989198f;
    p = p * r + 0.0013934542f;
    p = p * r + 0.00833331f;
    p = p * r + 0.041666456f;
    p = p * r + 0.16666667f;
    p = p * r + 0.5f;
    float fraction = 1.0f + (r + r * r * p);
    int whole = (int)(bits_of(shifted) - 0x4b400000u), half = whole >> 1;
    return fraction * power_of_two(half) * power_of_two(whole - half);
}

// 1 + erf(u)
__device__ inline float one_plus_erf(float u)
{
    float a = fabsf(u), z = u * u;
    float p = 7.875875e-5f;
    p = p * z - 8.0168643e-4f;
    p = p * z + 0.005189087f;
    p = p * z - 0.026854211f;
    p = p * z + 0.11283594f;
    p = p * z - 0.37612626f;
    p = p * z + 1.12837916709551257390f;
    float near = 1.0f + u * p;
    float q = -1.6583206e-6f;
    q = q * a + 4.6459925e-5f;
    q = q * a - 6.000555e-4f;
    q = q * a + 0.004774191f;
    q = q * a - 0.026460879f;
    q = q * a + 0.11014718f;
    q = q * a + 0.63175756f;
    q = q * a + 1.130272f;
    q = q * a - 3.2935708e-4f;
    float tail = exp_of(-q);
    tail = a > 4.0f ? 0.0f : tail;
    float far = u < 0.0f ? tail : 2.0f - tail;
    return a >= 1.0f ? far : near;
}

__device__ inline float gelu_erf(float x) { return 0.5f * x * one_plus_erf(x * 0.70710678118654752440f); }

__device__ inline float gelu_tanh(float x)
{
    float twice = 1.595769f * (x + 0.044715f * x * x * x);
    return x / (1.0f + exp_of(-twice));
}

__device__ inline float silu(float x) { return x / (1.0f + exp_of(-x)); }
__device__ inline float relu(float x) { return x < 0.0f ? 0.0f : x; }
__device__ inline float tanh_of(float x) { return __double2float_rn(tanh((double)x)); }

__device__ inline float softplus(float x)
{
    float t = exp_of(-fabsf(x));
    float s = t / (2.0f + t), z = s * s;
    float p = 0.11612165f;
    p = p * z + 0.108532876f;
    p = p * z + 0.14296179f;
    p = p * z + 0.19999853f;
    p = p * z + 0.33333334f;
    float log = 2.0f * (s + s * z * p);
    float above = x > 0.0f ? x : 0.0f;
    return x > 20.0f ? x : above + log;
}

// As `cuda/model/elementwise.rs`.
enum Activation : u64 { GELU_ERF, GELU_TANH, SILU, RELU, TANH, EXP, SOFTPLUS };

__device__ inline float activated(u64 kind, float x)
{
    switch (kind) {
    case GELU_ERF: return gelu_erf(x);
    case GELU_TANH: return gelu_tanh(x);
    case SILU: return silu(x);
    case RELU: return relu(x);
    case TANH: return tanh_of(x);
    case EXP: return exp_of(x);
    default: return softplus(x);
    }
}
