// Products with more tokens, on tensor cores: a tile of the weight is decoded beside the threads and used for 64 tokens.
//
// A block has 64 tokens and 64 rows of the weight, a warp 32 of each. Numbers are split into two tf32, of whose four products three
// are taken: what is left out is 2⁻²² of a product.
#include "functions.cuh"
#include "stored.cuh"
#include "tensor.cuh"

const u32 TILE = 64;
const u32 DEPTH = 32;
// Rows begin 4 banks apart, so that the 8 × 4 lanes of a fragment read different banks.
const u32 PITCH = DEPTH + 4;
const u32 THREADS = 128;

// Which rows of x a tile reads, and which of y it writes.
struct Places {
    u64 first, count; // tokens of the tile
    const u32 *list; // null: number n is row n
    u64 share; // so many entries of the list read one row of x
    bool reads_list, writes_list;

    __device__ u64 source(u32 token) const { return reads_list ? list[first + token] / share : first + token; }
    __device__ u64 target(u32 token) const { return writes_list ? list[first + token] : first + token; }
};

__device__ inline void product_tile(const Stored &w, const float *x, const float *bias, float *y, const Places &places, u64 row,
                                    float *inputs, float *weights, float *book)
{
    copy_book(w, book);
    u32 lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    u32 g = lane / 4, t = lane % 4, token_base = warp % 2 * 32, row_base = warp / 2 * 32;
    float sums[2][4][4];
    for (u32 i = 0; i < 2; i++)
        for (u32 j = 0; j < 4; j++)
            for (u32 k = 0; k < 4; k++)
                sums[i][j][k] = 0.0f;
    for (u64 base = 0; base < w.columns; base += DEPTH) {
        __syncthreads();
        for (u32 k = threadIdx.x; k < TILE * DEPTH; k += THREADS) {
            u32 token = k / DEPTH, column = k % DEPTH;
            bool inside = token < places.count && base + column < w.columns;
            inputs[token * PITCH + column] = inside ? x[places.source(token) * w.columns + base + column] : 0.0f;
        }
        for (u32 k = EACH * threadIdx.x; k < TILE * DEPTH; k += EACH * THREADS) {
            u32 number = k / DEPTH, column = k % DEPTH;
            float v[EACH];
            if (w.even && row + number < w.rows && base + column < w.columns) {
                eight(w, w.at(row + number, base + column), book, v);
            } else {
                for (u32 e = 0; e < EACH; e++) {
                    bool inside = row + number < w.rows && base + column + e < w.columns;
                    v[e] = inside ? w.element(w.at(row + number, base + column + e)) : 0.0f;
                }
            }
            for (u32 e = 0; e < EACH; e++)
                weights[number * PITCH + column + e] = v[e];
        }
        __syncthreads();
        for (u32 depth = 0; depth < DEPTH; depth += 8) {
            u32 a_high[2][4], a_low[2][4], b_high[4][2], b_low[4][2];
            for (u32 i = 0; i < 2; i++)
                for (u32 k = 0; k < 4; k++) {
                    u32 token = token_base + 16 * i + g + k % 2 * 8, column = depth + t + k / 2 * 4;
                    split(inputs[token * PITCH + column], a_high[i][k], a_low[i][k]);
                }
            for (u32 j = 0; j < 4; j++)
                for (u32 k = 0; k < 2; k++) {
                    u32 number = row_base + 8 * j + g, column = depth + t + 4 * k;
                    split(weights[number * PITCH + column], b_high[j][k], b_low[j][k]);
                }
            for (u32 i = 0; i < 2; i++)
                for (u32 j = 0; j < 4; j++) {
                    mma_tf32(sums[i][j], a_low[i], b_high[j]);
                    mma_tf32(sums[i][j], a_high[i], b_low[j]);
                    mma_tf32(sums[i][j], a_high[i], b_high[j]);
                }
        }
    }
    for (u32 i = 0; i < 2; i++)
        for (u32 j = 0; j < 4; j++)
            for (u32 k = 0; k < 4; k++) {
                u32 token = token_base + 16 * i + g + k / 2 * 8;
                u64 to = row + row_base + 8 * j + 2 * t + k % 2;
                if (token < places.count && to < w.rows)
                    y[places.target(token) * w.rows + to] = bias ? __fadd_rn(sums[i][j][k], bias[to]) : sums[i][j][k];
            }
}

struct ProductParams {
    Stored w;
    const float *x; // [tokens, columns]
    const float *bias; // [rows], or null
    float *y; // [tokens, rows]
    u64 tokens;
};

KERNEL(product, ProductParams)
{
    __shared__ float inputs[TILE * PITCH];
    __shared__ float weights[TILE * PITCH];
    __shared__ float book[16];
    // tokens first: blocks that are neighbours in time read the same rows of the weight
    u64 tiles = (p.tokens + TILE - 1) / TILE, first = blockIdx.x % tiles * TILE;
    Places places = {first, p.tokens - first < TILE ? p.tokens - first : TILE, nullptr, 1, false, false};
    product_tile(p.w, p.x, p.bias, p.y, places, blockIdx.x / tiles * TILE, inputs, weights, book);
}

struct ThirdsParams {
    const float *x;
    u16 *high; // three bf16, whose sum x is
    u16 *middle;
    u16 *low;
    u64 elements;
};

// For a library that multiplies bf16: cut off rather than rounded, so that nothing grows and all 24 bits are there.
KERNEL(thirds, ThirdsParams)
{
    u64 index = thread_index();
    if (index >= p.elements)
        return;
    float x = p.x[index];
    u16 *parts[3] = {p.high + index, p.middle + index, p.low + index};
    for (u32 k = 0; k < 3; k++) {
        *parts[k] = (u16)(bits_of(x) >> 16);
        x = __fsub_rn(x, of_bits(bits_of(x) & 0xffff0000u));
    }
}

struct ExpertProductParams {
    const Stored *table; // the weights of all experts, `each` of them an expert
    u64 each;
    u64 member; // which of them
    const ExpertTile *tiles;
    const u32 *count; // how many tiles
    const u32 *list; // pairs of a token and a slot, ordered by expert
    u64 share; // slots of a token
    u64 reads_list; // x is of tokens, and not of ordered pairs
    u64 writes_list; // y is of pairs in their own order
    u64 row_tiles;
    const float *x;
    float *y;
};

KERNEL(expert_product, ExpertProductParams)
{
    __shared__ float inputs[TILE * PITCH];
    __shared__ float weights[TILE * PITCH];
    __shared__ float book[16];
    u64 number = blockIdx.x / p.row_tiles;
    if (number >= *p.count)
        return;
    ExpertTile tile = p.tiles[number];
    Places places = {tile.first, tile.count, p.list, p.share, p.reads_list != 0, p.writes_list != 0};
    const Stored &w = p.table[tile.expert * p.each + p.member];
    // of `integer.cu`
    if (w.rounding != ROUND_NOT)
        return;
    product_tile(w, p.x, nullptr, p.y, places, blockIdx.x % p.row_tiles * TILE, inputs, weights, book);
}
