// Products of 8-bit integers: inputs are rounded to codes, and sums are exact, so results have the bits of `src/model/int8.rs`.
//
// A code is kept less its zero point, which fits: both are within 0..=127. A row of codes takes `pitch` bytes: its columns, and
// zeros up to a multiple of 16.
#include "stored.cuh"
#include "tensor.cuh"

const u32 THREADS = 256;
const u32 WARPS = THREADS / WARP;

struct RoundParams {
    const float *x; // rows of `columns`
    u64 columns;
    u64 pitch;
    u8 *codes; // [rows, pitch]
    float *scales; // [rows]; NaN for a row that is not finite
    u32 *ranges; // bits of the largest x and of the largest -x: of all rows, or of those of each expert
    u64 rounding; // of all rows, where there is no table
    u64 step;
    const Stored *table; // of the matrices of experts, `each` of them an expert, or null
    u64 each;
    u64 member; // which of them
    const u32 *experts; // of each row
    u64 share; // so many rows are one of x
};

// A row of x, and how it is rounded.
struct Row {
    const float *x;
    u64 rounding;
    float step;
    u32 *range;

    __device__ explicit Row(const RoundParams &p)
        : x(p.x + blockIdx.x / p.share * p.columns), rounding(p.rounding), step(of_bits((u32)p.step)), range(p.ranges)
    {
        if (p.table) {
            u64 expert = p.experts[blockIdx.x];
            const Stored &w = p.table[expert * p.each + p.member];
            rounding = w.rounding, step = of_bits((u32)w.step), range = p.ranges + 2 * expert;
        }
    }
};

// The largest value of a block, the same in each thread.
__device__ inline u32 largest_of_block(u32 value, u32 *shared)
{
    for (u32 distance = WARP / 2; distance > 0; distance /= 2)
        value = largest(value, __shfl_xor_sync(ALL_LANES, value, distance));
    __syncthreads();
    if (threadIdx.x % WARP == 0)
        shared[threadIdx.x / WARP] = value;
    __syncthreads();
    for (u32 warp = 0; warp < WARPS; warp++)
        value = largest(value, shared[warp]);
    return value;
}

// A block to a row: where one scale is that of several rows, what they have together.
KERNEL(range_of_inputs, RoundParams)
{
    __shared__ u32 shared[WARPS];
    Row row(p);
    if (row.rounding != ROUND_TOGETHER)
        return;
    u32 high = 0, low = 0;
    for (u64 column = threadIdx.x; column < p.columns; column += THREADS) {
        u32 bits = bits_of(row.x[column]), magnitude = bits & MAGNITUDE;
        if (bits >> 31)
            low = largest(low, magnitude);
        else
            high = largest(high, magnitude);
    }
    high = largest_of_block(high, shared), low = largest_of_block(low, shared);
    if (threadIdx.x == 0)
        atomicMax(row.range, high), atomicMax(row.range + 1, low);
}

__device__ inline float within(float value, float low, float high) { return value < low ? low : value > high ? high : value; }

// A block to a row.
KERNEL(round_inputs, RoundParams)
{
    __shared__ u32 shared[WARPS];
    Row row(p);
    if (row.rounding == ROUND_NOT)
        return;
    bool together = row.rounding == ROUND_TOGETHER;
    u32 most = 0;
    for (u64 column = threadIdx.x; !together && column < p.columns; column += THREADS)
        most = largest(most, bits_of(row.x[column]) & MAGNITUDE);
    most = largest_of_block(most, shared);
    float scale = row.step, divisor = scale, limit = 127.0f;
    int zero = 0;
    if (together) {
        most = largest(row.range[0], row.range[1]);
        float high = of_bits(row.range[0]), low = -of_bits(row.range[1]);
        scale = __double2float_rn(((double)high - (double)low) / 127.0);
        scale = divisor = scale == 0.0f ? 1.0f : scale;
        limit = 256.0f;
        zero = __float2int_rn(within(__fdiv_rn(-low, scale), 0.0f, 127.0f));
    } else if (row.rounding == ROUND_EACH) {
        scale = __fdiv_rn(of_bits(most), 127.0f);
        divisor = scale == 0.0f ? infinity() : scale;
    }
    bool finite = most < INFINITE;
    u32 *words = (u32 *)(p.codes + blockIdx.x * p.pitch);
    for (u64 word = threadIdx.x; word < p.pitch / 4; word += THREADS) {
        u32 four = 0;
        for (u32 k = 0; k < 4; k++) {
            u64 column = 4 * word + k;
            if (!finite || column >= p.columns)
                continue;
            int code = __float2int_rn(within(__fdiv_rn(row.x[column], divisor), -limit, limit));
            if (together)
                code = (code + zero < 0 ? 0 : code + zero > 127 ? 127 : code + zero) - zero;
            four |= ((u32)code & 0xff) << (8 * k);
        }
        words[word] = four;
    }
    if (threadIdx.x == 0)
        p.scales[blockIdx.x] = finite ? scale : of_bits(0x7fc00000u);
}

// A sum as the native engine makes a float of it.
__device__ inline float of_sum(int sum, float scale, const Stored &w, u64 row)
{
    return __fmul_rn((float)sum, __fmul_rn(scale, w.scale(w.group_of(w.at(row, 0)))));
}

__device__ inline int code_at(const u8 *codes, u64 index) { return (signed char)codes[index]; }

// Σ over four codes of one word and four of another.
__device__ inline int four_times(uint4 a, uint4 b, int sum)
{
    sum = __dp4a((int)a.x, (int)b.x, sum), sum = __dp4a((int)a.y, (int)b.y, sum);
    return __dp4a((int)a.w, (int)b.w, __dp4a((int)a.z, (int)b.z, sum));
}

// Σ over a row of a weight, the same in each lane of the warp.
__device__ inline int codes_times(const Stored &w, u64 row, const u8 *codes)
{
    u32 lane = threadIdx.x % WARP;
    const u8 *own = w.bytes + w.at(row, 0);
    int sum = 0;
    if (w.columns % 16 == 0) {
        for (u64 column = 16 * lane; column < w.columns; column += 16 * WARP)
            sum = four_times(*(const uint4 *)(own + column), *(const uint4 *)(codes + column), sum);
    } else {
        for (u64 column = lane; column < w.columns; column += WARP)
            sum += code_at(own, column) * code_at(codes, column);
    }
    return sum_of_warp(sum);
}

struct IntegerParams {
    Stored w;
    const u8 *codes; // [tokens, pitch]
    u64 pitch;
    const float *scales; // [tokens]
    const float *bias; // [rows], or null
    float *y; // [tokens, rows]
    u64 tokens;
};

__device__ inline void put(const IntegerParams &p, u64 token, u64 row, int sum)
{
    float value = of_sum(sum, p.scales[token], p.w, row);
    p.y[token * p.w.rows + row] = p.bias ? __fadd_rn(value, p.bias[row]) : value;
}

// Few tokens: the weight's bytes are read once, 16 a lane, and ROWS of them go with the inputs' codes of one read.
template <u32 TOKENS> __device__ void few(const IntegerParams &p)
{
    const u32 ROWS = TOKENS > 4 ? 2 : 4;
    const Stored &w = p.w;
    u32 lane = threadIdx.x % WARP;
    u64 row = ((u64)blockIdx.x * WARPS + threadIdx.x / WARP) * ROWS;
    int sums[ROWS][TOKENS];
    for (u32 r = 0; r < ROWS; r++)
        for (u32 t = 0; t < TOKENS; t++)
            sums[r][t] = 0;
    for (u64 column = 16 * lane; column < w.columns; column += 16 * WARP) {
        uint4 own[ROWS];
        for (u32 r = 0; r < ROWS; r++)
            own[r] = row + r < w.rows ? *(const uint4 *)(w.bytes + w.at(row + r, column)) : make_uint4(0, 0, 0, 0);
        for (u32 t = 0; t < TOKENS; t++) {
            if (t >= p.tokens)
                continue;
            uint4 codes = *(const uint4 *)(p.codes + t * p.pitch + column);
            for (u32 r = 0; r < ROWS; r++)
                sums[r][t] = four_times(own[r], codes, sums[r][t]);
        }
    }
    for (u32 r = 0; r < ROWS; r++)
        for (u32 t = 0; t < TOKENS; t++) {
            int sum = sum_of_warp(sums[r][t]);
            if (lane == 0 && row + r < w.rows && t < p.tokens)
                put(p, t, row + r, sum);
        }
}

KERNEL(integer_1, IntegerParams) { few<1>(p); }
KERNEL(integer_4, IntegerParams) { few<4>(p); }
KERNEL(integer_8, IntegerParams) { few<8>(p); }

// Rows that do not begin on vectors.
KERNEL(integer_any, IntegerParams)
{
    u64 row = (u64)blockIdx.x * WARPS + threadIdx.x / WARP;
    if (row >= p.w.rows)
        return;
    for (u64 token = 0; token < p.tokens; token++) {
        int sum = codes_times(p.w, row, p.codes + token * p.pitch);
        if (threadIdx.x % WARP == 0)
            put(p, token, row, sum);
    }
}

// Many tokens, on tensor cores, as in `product.cu`: words of four codes lie in fragments as floats do there.
const u32 TILE = 64;
const u32 DEPTH = 32;
const u32 PITCH = DEPTH + 4;
const u32 TILE_THREADS = 128;

// Which rows of codes a tile reads, and of y it writes.
struct Places {
    u64 first, count;
    const u32 *list; // null: number n is row n

    __device__ u64 at(u32 number) const { return list ? list[first + number] : first + number; }
};

// Four codes of a row from a multiple of four on; zeros beyond its end.
__device__ inline u32 four_of(const Stored &w, u64 row, u64 column)
{
    const u8 *own = w.bytes + w.at(row, column);
    if (w.columns % 4 == 0)
        return *(const u32 *)own;
    u32 four = 0;
    for (u32 k = 0; k < 4; k++)
        if (column + k < w.columns)
            four |= (u32)own[k] << (8 * k);
    return four;
}

__device__ inline void integer_tile(const Stored &w, const u8 *codes, u64 pitch, const float *scales, const float *bias,
                                    float *y, const Places &places, u64 row, u32 *inputs, u32 *weights)
{
    u32 lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    u32 g = lane / 4, t = lane % 4, token_base = warp % 2 * 32, row_base = warp / 2 * 32;
    int sums[2][4][4];
    for (u32 i = 0; i < 2; i++)
        for (u32 j = 0; j < 4; j++)
            for (u32 k = 0; k < 4; k++)
                sums[i][j][k] = 0;
    u64 words = (w.columns + 3) / 4;
    for (u64 base = 0; base < words; base += DEPTH) {
        __syncthreads();
        for (u32 k = threadIdx.x; k < TILE * DEPTH; k += TILE_THREADS) {
            u32 number = k / DEPTH, word = k % DEPTH;
            bool inside = base + word < words;
            inputs[number * PITCH + word] =
                inside && number < places.count ? ((const u32 *)(codes + places.at(number) * pitch))[base + word] : 0;
            weights[number * PITCH + word] = inside && row + number < w.rows ? four_of(w, row + number, 4 * (base + word)) : 0;
        }
        __syncthreads();
        for (u32 depth = 0; depth < DEPTH; depth += 8) {
            u32 a[2][4], b[4][2];
            for (u32 i = 0; i < 2; i++)
                for (u32 k = 0; k < 4; k++)
                    a[i][k] = inputs[(token_base + 16 * i + g + k % 2 * 8) * PITCH + depth + t + k / 2 * 4];
            for (u32 j = 0; j < 4; j++)
                for (u32 k = 0; k < 2; k++)
                    b[j][k] = weights[(row_base + 8 * j + g) * PITCH + depth + t + 4 * k];
            for (u32 i = 0; i < 2; i++)
                for (u32 j = 0; j < 4; j++)
                    mma_s8(sums[i][j], a[i], b[j]);
        }
    }
    for (u32 i = 0; i < 2; i++)
        for (u32 j = 0; j < 4; j++)
            for (u32 k = 0; k < 4; k++) {
                u32 number = token_base + 16 * i + g + k / 2 * 8;
                u64 to = row + row_base + 8 * j + 2 * t + k % 2;
                if (number < places.count && to < w.rows) {
                    u64 token = places.at(number);
                    float value = of_sum(sums[i][j][k], scales[token], w, to);
                    y[token * w.rows + to] = bias ? __fadd_rn(value, bias[to]) : value;
                }
            }
}

KERNEL(integer_product, IntegerParams)
{
    __shared__ u32 inputs[TILE * PITCH];
    __shared__ u32 weights[TILE * PITCH];
    u64 tiles = (p.tokens + TILE - 1) / TILE, first = blockIdx.x % tiles * TILE;
    Places places = {first, p.tokens - first < TILE ? p.tokens - first : TILE, nullptr};
    integer_tile(p.w, p.codes, p.pitch, p.scales, p.bias, p.y, places, blockIdx.x / tiles * TILE, inputs, weights);
}

struct ExpertFewParams {
    const Stored *table;
    u64 each;
    u64 member;
    const u32 *experts; // of each pair of a token and a slot
    u64 share; // so many pairs read one row of x
    const float *x;
    const u8 *codes; // [pairs, pitch], of pairs whose expert rounds
    u64 pitch;
    const float *scales; // [pairs]
    float *y; // [pairs, rows]
    u64 rows;
};

// Few pairs: a warp to a row. An expert whose matrix rounds nothing multiplies floats.
KERNEL(expert_integer_few, ExpertFewParams)
{
    __shared__ float book[16];
    u64 tiles = (p.rows + WARPS - 1) / WARPS, pair = blockIdx.x / tiles;
    u64 row = blockIdx.x % tiles * WARPS + threadIdx.x / WARP;
    const Stored &w = p.table[p.experts[pair] * p.each + p.member];
    copy_book(w, book);
    __syncthreads();
    if (row >= p.rows)
        return;
    float value = w.rounding == ROUND_NOT
                      ? row_times(w, row, p.x + pair / p.share * w.columns, book)
                      : of_sum(codes_times(w, row, p.codes + pair * p.pitch), p.scales[pair], w, row);
    if (threadIdx.x % WARP == 0)
        p.y[pair * p.rows + row] = value;
}

struct ExpertIntegerParams {
    const Stored *table;
    u64 each;
    u64 member;
    const ExpertTile *tiles;
    const u32 *count; // how many tiles
    const u32 *list; // pairs, ordered by expert
    u64 row_tiles;
    const u8 *codes;
    u64 pitch;
    const float *scales;
    float *y;
};

// Experts whose matrix rounds nothing are left to `product.cu`.
KERNEL(expert_integer, ExpertIntegerParams)
{
    __shared__ u32 inputs[TILE * PITCH];
    __shared__ u32 weights[TILE * PITCH];
    u64 number = blockIdx.x / p.row_tiles;
    if (number >= *p.count)
        return;
    ExpertTile tile = p.tiles[number];
    const Stored &w = p.table[tile.expert * p.each + p.member];
    if (w.rounding == ROUND_NOT)
        return;
    Places places = {tile.first, tile.count, p.list};
    integer_tile(w, p.codes, p.pitch, p.scales, nullptr, p.y, places, blockIdx.x % p.row_tiles * TILE, inputs, weights);
}
