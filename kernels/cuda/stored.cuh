// A weight as it is stored: its bytes never become floats but in registers. `cuda/model/weight.rs` writes these words.
#pragma once
#include "codebooks.cuh"

// How elements lie; the first ones are `Type`.
enum Kind : u32 { SIGNED = 6, UNSIGNED, LOW_FIRST, HIGH_FIRST };
enum Scaling : u32 { NO_SCALE, SCALE_F32, SCALE_F16, SCALE_NESTED };
// How inputs of products are rounded: with a step that is known, with one of each row, with one of all rows together.
enum Rounding : u32 { ROUND_NOT, ROUND_KNOWN, ROUND_EACH, ROUND_TOGETHER };

const u32 WARP = 32;
const u32 ALL_LANES = 0xffffffffu;

struct Stored {
    const u8 *bytes;
    u64 kind;
    u64 scaling;
    const u8 *scales; // of groups; with SCALE_NESTED codes of the dynamic map
    const float *absmax; // of 256 such codes
    u64 offset; // the bits of an f32
    const u8 *zeros; // of groups, or null
    const float *book; // the values of 16 codes, or null
    u64 axis; // groups, as `Groups` has them
    u64 inner;
    u64 shift; // inner is 2^shift, or 64
    u64 even; // eight neighbours from a multiple of eight on are of one row and one group
    u64 rows;
    u64 columns;
    u64 first; // row of the tensor that is row 0 here
    u64 rounding; // of inputs of products
    u64 step; // the bits of an f32, with ROUND_KNOWN

    __device__ u64 at(u64 row, u64 column) const { return (first + row) * columns + column; }

    __device__ u64 group_of(u64 index) const
    {
        u64 run = shift < 64 ? index >> shift : index / inner;
        return run < axis ? run : run % axis;
    }

    __device__ float scale(u64 group) const
    {
        if (scaling == SCALE_F32)
            return ((const float *)scales)[group];
        if (scaling == SCALE_F16)
            return Half::widen(((const u16 *)scales)[group]);
        return __fadd_rn(__fmul_rn(of_bits(DYNAMIC_MAP[scales[group]]), absmax[group / 256]), of_bits((u32)offset));
    }

    __device__ float zero(u64 group) const { return zeros ? (float)zeros[group] : 0.0f; }

    // One element, wherever it lies.
    __device__ float element(u64 index) const
    {
        if (kind < SIGNED)
            return float_at((u32)kind, bytes, index);
        float code;
        if (kind == SIGNED)
            code = (float)(signed char)bytes[index];
        else if (kind == UNSIGNED)
            code = (float)bytes[index];
        else
            code = book[bytes[index / 2] >> ((index % 2 == 0) == (kind == HIGH_FIRST) ? 4 : 0) & 15];
        u64 group = group_of(index);
        return __fmul_rn(__fsub_rn(code, zero(group)), scale(group));
    }
};

// The codes of a word of stored ones, before zero point and scale: 8 nibbles, 4 bytes, 2 halves or 1 float.
template <u32 KIND> struct Codes {
    static const u32 IN_WORD = KIND >= LOW_FIRST ? 8 : KIND >= SIGNED ? 4 : KIND == F32 ? 1 : 2;

    __device__ static void of_word(u32 word, const float *book, float (&v)[IN_WORD])
    {
        if (KIND == HIGH_FIRST)
            word = (word & 0x0f0f0f0fu) << 4 | (word >> 4 & 0x0f0f0f0fu);
        for (u32 k = 0; k < IN_WORD; k++) {
            if (KIND >= LOW_FIRST)
                v[k] = book[word >> (4 * k) & 15];
            else if (KIND == SIGNED)
                v[k] = (float)(signed char)(word >> (8 * k));
            else if (KIND == UNSIGNED)
                v[k] = (float)(word >> (8 * k) & 0xff);
            else if (KIND == F16)
                v[k] = Half::widen(word >> (16 * k) & 0xffff);
            else if (KIND == BF16)
                v[k] = of_bits(word >> (16 * k) << 16);
            else
                v[k] = of_bits(word);
        }
    }
};

template <u32 KIND, u32 WORDS> __device__ inline void decode_words(const u32 (&words)[WORDS], const float *book, float (&v)[EACH])
{
    for (u32 word = 0; word < WORDS; word++) {
        float codes[EACH / WORDS];
        Codes<KIND>::of_word(words[word], book, codes);
        for (u32 k = 0; k < EACH / WORDS; k++)
            v[word * (EACH / WORDS) + k] = codes[k];
    }
}

// Eight neighbours from a multiple of eight on, of a weight that is even, in f32.
__device__ inline void eight(const Stored &w, u64 index, const float *book, float (&v)[EACH])
{
    if (w.kind >= LOW_FIRST) {
        u32 words[1] = {*(const u32 *)(w.bytes + index / 2)};
        if (w.kind == HIGH_FIRST)
            decode_words<HIGH_FIRST>(words, book, v);
        else
            decode_words<LOW_FIRST>(words, book, v);
    } else if (w.kind >= SIGNED) {
        uint2 two = *(const uint2 *)(w.bytes + index);
        u32 words[2] = {two.x, two.y};
        if (w.kind == SIGNED)
            decode_words<SIGNED>(words, book, v);
        else
            decode_words<UNSIGNED>(words, book, v);
    } else if (w.kind == F32) {
        for (u32 k = 0; k < 2; k++) {
            float4 four = ((const float4 *)(w.bytes + 4 * index))[k];
            v[4 * k] = four.x, v[4 * k + 1] = four.y, v[4 * k + 2] = four.z, v[4 * k + 3] = four.w;
        }
        return;
    } else if (w.kind == F16 || w.kind == BF16) {
        uint4 four = *(const uint4 *)(w.bytes + 2 * index);
        u32 words[4] = {four.x, four.y, four.z, four.w};
        if (w.kind == F16)
            decode_words<F16>(words, book, v);
        else
            decode_words<BF16>(words, book, v);
        return;
    } else {
        for (u32 k = 0; k < EACH; k++)
            v[k] = float_at((u32)w.kind, w.bytes, index + k);
        return;
    }
    u64 group = w.group_of(index);
    float scale = w.scale(group), zero = w.zero(group);
    for (u32 k = 0; k < EACH; k++)
        v[k] = __fmul_rn(__fsub_rn(v[k], zero), scale);
}

// The 16 values of a weight's codes beside the threads; a barrier follows before they are read.
__device__ inline void copy_book(const Stored &w, float *book)
{
    if (threadIdx.x < 16)
        book[threadIdx.x] = w.book ? w.book[threadIdx.x] : 0.0f;
}

// A tile of the pairs of one expert: `experts.cu` writes them, and products of experts go by them.
struct ExpertTile {
    u32 expert, first, count, unused;
};

// The sum over the lanes of a warp, the same in each: always in this order.
template <class T> __device__ inline T sum_of_warp(T value)
{
    for (u32 distance = WARP / 2; distance > 0; distance /= 2)
        value += __shfl_xor_sync(ALL_LANES, value, distance);
    return value;
}

// Σ w x over a row, the same in each lane of the warp.
__device__ inline float row_times(const Stored &w, u64 row, const float *x, const float *book)
{
    u32 lane = threadIdx.x % WARP;
    float sum = 0.0f;
    if (w.even) {
        for (u64 column = EACH * lane; column < w.columns; column += EACH * WARP) {
            float v[EACH];
            eight(w, w.at(row, column), book, v);
            for (u32 k = 0; k < 2; k++) {
                float4 four = ((const float4 *)(x + column))[k];
                sum = __fmaf_rn(v[4 * k], four.x, sum), sum = __fmaf_rn(v[4 * k + 1], four.y, sum);
                sum = __fmaf_rn(v[4 * k + 2], four.z, sum), sum = __fmaf_rn(v[4 * k + 3], four.w, sum);
            }
        }
    } else {
        for (u64 column = lane; column < w.columns; column += WARP)
            sum = __fmaf_rn(w.element(w.at(row, column)), x[column], sum);
    }
    return sum_of_warp(sum);
}
