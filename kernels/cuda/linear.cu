// Products with up to 8 tokens, of which the weight's bytes are what takes the time: they are read once, 16 a lane.
//
// A warp has ROWS rows of the weight and goes along them 1024 columns at a time: a lane takes 32 of them, as vectors of 16 bytes
// whose neighbours its neighbours take. The inputs of these columns are beside the threads, so ordered that lanes read
// neighbours: element e of the lane's 32 at e × STRIDE + lane, STRIDE such that writing has no conflicts either.
#include "stored.cuh"

struct LinearParams {
    Stored w;
    const float *x; // [tokens, columns]
    const float *bias; // [rows], or null
    float *y; // [tokens, rows]
    u64 tokens;
};

const u32 COLUMNS = 1024;
const u32 WARPS = 8;

template <u32 KIND, u32 TOKENS> __device__ void few(const LinearParams &p)
{
    // elements of a vector, vectors of a lane, and rows that fit in registers
    const u32 PER = 4 * Codes<KIND>::IN_WORD, VECTORS = 32 / PER, STRIDE = 32 + 32 / PER, ROWS = TOKENS > 4 ? 2 : 4;
    const u32 IN_WORD = Codes<KIND>::IN_WORD;
    __shared__ float inputs[TOKENS * 32 * STRIDE];
    __shared__ float book[16];
    const Stored &w = p.w;
    copy_book(w, book);
    u32 lane = threadIdx.x % WARP;
    u64 row = ((u64)blockIdx.x * WARPS + threadIdx.x / WARP) * ROWS;
    float sums[ROWS][TOKENS];
    for (u32 r = 0; r < ROWS; r++)
        for (u32 t = 0; t < TOKENS; t++)
            sums[r][t] = 0.0f;
    for (u64 base = 0; base < w.columns; base += COLUMNS) {
        __syncthreads();
        for (u32 k = threadIdx.x; k < TOKENS * COLUMNS; k += WARPS * WARP) {
            u32 token = k / COLUMNS, column = k % COLUMNS;
            u32 vector = column / (32 * PER), of = column / PER % 32, element = column % PER;
            bool inside = token < p.tokens && base + column < w.columns;
            inputs[(token * 32 + vector * PER + element) * STRIDE + of] =
                inside ? p.x[token * w.columns + base + column] : 0.0f;
        }
        __syncthreads();
        for (u32 vector = 0; vector < VECTORS && base + vector * 32 * PER < w.columns; vector++) {
            u64 column = base + vector * 32 * PER + lane * PER;
            u32 words[ROWS][4];
            float scales[ROWS], zeros[ROWS];
            for (u32 r = 0; r < ROWS; r++) {
                uint4 raw = make_uint4(0, 0, 0, 0);
                scales[r] = 0.0f, zeros[r] = 0.0f;
                if (column < w.columns && row + r < w.rows) {
                    u64 index = w.at(row + r, column);
                    raw = *(const uint4 *)(w.bytes + index / PER * 16);
                    if (KIND >= SIGNED) {
                        u64 group = w.group_of(index);
                        scales[r] = w.scale(group), zeros[r] = w.zero(group);
                    }
                }
                words[r][0] = raw.x, words[r][1] = raw.y, words[r][2] = raw.z, words[r][3] = raw.w;
            }
            float parts[ROWS][TOKENS];
            for (u32 r = 0; r < ROWS; r++)
                for (u32 t = 0; t < TOKENS; t++)
                    parts[r][t] = KIND >= SIGNED ? 0.0f : sums[r][t];
#pragma unroll
            for (u32 word = 0; word < 4; word++) {
                float v[ROWS][IN_WORD];
                for (u32 r = 0; r < ROWS; r++) {
                    Codes<KIND>::of_word(words[r][word], book, v[r]);
                    if (KIND >= SIGNED)
                        for (u32 k = 0; k < IN_WORD; k++)
                            v[r][k] = __fsub_rn(v[r][k], zeros[r]);
                }
                for (u32 t = 0; t < TOKENS; t++)
                    for (u32 k = 0; k < IN_WORD; k++) {
                        float input = inputs[(t * 32 + vector * PER + word * IN_WORD + k) * STRIDE + lane];
                        for (u32 r = 0; r < ROWS; r++)
                            parts[r][t] = __fmaf_rn(v[r][k], input, parts[r][t]);
                    }
            }
            for (u32 r = 0; r < ROWS; r++)
                for (u32 t = 0; t < TOKENS; t++)
                    sums[r][t] = KIND >= SIGNED ? __fmaf_rn(parts[r][t], scales[r], sums[r][t]) : parts[r][t];
        }
    }
    for (u32 r = 0; r < ROWS; r++)
        for (u32 t = 0; t < TOKENS; t++) {
            float sum = sum_of_warp(sums[r][t]);
            if (lane == 0 && row + r < w.rows && t < p.tokens)
                p.y[t * w.rows + row + r] = p.bias ? __fadd_rn(sum, p.bias[row + r]) : sum;
        }
}

#define FEW(name, KIND)                                        \
    KERNEL(linear_##name##_1, LinearParams) { few<KIND, 1>(p); } \
    KERNEL(linear_##name##_4, LinearParams) { few<KIND, 4>(p); } \
    KERNEL(linear_##name##_8, LinearParams) { few<KIND, 8>(p); }

FEW(f32, F32)
FEW(f16, F16)
FEW(bf16, BF16)
FEW(signed, SIGNED)
FEW(unsigned, UNSIGNED)
FEW(low, LOW_FIRST)
FEW(high, HIGH_FIRST)

// Any weight: rows that begin within a vector, groups that end within one, fp8, f64.
KERNEL(linear_any, LinearParams)
{
    const Stored &w = p.w;
    u64 row = (u64)blockIdx.x * WARPS + threadIdx.x / WARP;
    if (row >= w.rows)
        return;
    u32 lane = threadIdx.x % WARP;
    float sums[8];
    for (u32 t = 0; t < 8; t++)
        sums[t] = 0.0f;
    for (u64 column = lane; column < w.columns; column += WARP) {
        float v = w.element(w.at(row, column));
        for (u32 t = 0; t < 8; t++)
            if (t < p.tokens)
                sums[t] = __fmaf_rn(v, p.x[t * w.columns + column], sums[t]);
    }
    for (u32 t = 0; t < 8; t++) {
        float sum = sum_of_warp(sums[t]);
        if (lane == 0 && t < p.tokens)
            p.y[t * w.rows + row] = p.bias ? __fadd_rn(sum, p.bias[row]) : sum;
    }
}

struct EmbedParams {
    Stored w;
    const u32 *ids;
    float *y; // [count, columns]
    u64 count;
};

// A warp to a row. An id that has no row reads nothing and gives NaN.
KERNEL(embed, EmbedParams)
{
    __shared__ float book[16];
    copy_book(p.w, book);
    __syncthreads();
    const Stored &w = p.w;
    u64 number = (u64)blockIdx.x * WARPS + threadIdx.x / WARP;
    if (number >= p.count)
        return;
    u64 row = p.ids[number];
    float *y = p.y + number * w.columns;
    u32 lane = threadIdx.x % WARP;
    if (row >= w.rows) {
        for (u64 column = lane; column < w.columns; column += WARP)
            y[column] = of_bits(0x7fc00000u);
        return;
    }
    if (!w.even) {
        for (u64 column = lane; column < w.columns; column += WARP)
            y[column] = w.element(w.at(row, column));
        return;
    }
    for (u64 column = EACH * lane; column < w.columns; column += EACH * WARP) {
        float v[EACH];
        eight(w, w.at(row, column), book, v);
        for (u32 k = 0; k < 2; k++)
            ((float4 *)(y + column))[k] = make_float4(v[4 * k], v[4 * k + 1], v[4 * k + 2], v[4 * k + 3]);
    }
}

struct DecodeParams {
    Stored w;
    float *y; // [rows, columns], or [columns, rows]
    u64 elements;
    u64 transposed;
};

// All elements in f32: what a vector is, and a matrix that a product takes the other way.
KERNEL(decode, DecodeParams)
{
    u64 index = thread_index();
    if (index >= p.elements)
        return;
    u64 row = index / p.w.columns, column = index - row * p.w.columns;
    float value = p.w.element(p.w.first * p.w.columns + index);
    p.y[p.transposed ? column * p.w.rows + row : index] = value;
}
