// Attention with grouped queries over keys and values that are kept, and what turns them. The largest score so far, the sum of
// exponentials and the sum of values go along the keys, so no score is ever stored.
#include "functions.cuh"
#include "stored.cuh"

struct TurnParams {
    const float *x; // [tokens, heads, head]
    float *y; // x itself, or a cache from its first token on
    const float *cosines; // [positions, pairs]
    const float *sines;
    const u32 *past; // tokens before these, or null: none
    u64 tokens;
    u64 heads;
    u64 head;
    u64 pairs; // 0: nothing turns
    u64 append; // y is a cache: the first token goes behind those before
    u64 positions; // that can be turned to; others give NaN
    u64 room; // tokens that y has room for; others are not written
};

// Turn pairs (i, i + pairs) of each head by its token's position. A thread has a pair, or a value that does not turn.
KERNEL(turn, TurnParams)
{
    u64 each = p.head - p.pairs, index = thread_index();
    if (index >= p.tokens * p.heads * each)
        return;
    u64 row = index / each, k = index - row * each, token = row / p.heads;
    u64 before = p.past ? *p.past : 0, position = before + token;
    if ((p.append ? position : token) >= p.room)
        return;
    const float *x = p.x + row * p.head;
    float *y = p.y + (p.append ? row + before * p.heads : row) * p.head;
    if (k < p.pairs) {
        bool known = position < p.positions;
        float a = x[k], b = x[k + p.pairs], nan = of_bits(0x7fc00000u);
        float cosine = known ? p.cosines[position * p.pairs + k] : nan, sine = known ? p.sines[position * p.pairs + k] : nan;
        y[k] = a * cosine - b * sine;
        y[k + p.pairs] = b * cosine + a * sine;
    } else {
        y[k + p.pairs] = x[k + p.pairs];
    }
}

struct AttentionParams {
    const float *q; // [tokens, heads, head]
    const float *keys; // [seen, kv_heads, head]
    const float *values;
    float *y;
    const u32 *past; // tokens before these, or null: none
    u64 tokens;
    u64 heads;
    u64 kv_heads;
    u64 head;
    u64 causal;
    u64 scale; // the bits of an f32
    u64 room; // tokens that keys and values have room for
    u64 window; // tokens that a causal token sees, itself included; all before it with 0

    // The last key that a token sees, and the first one.
    __device__ u64 visible(u64 token) const
    {
        u64 before = past ? *past : 0, seen = before + (causal ? token + 1 : tokens);
        return seen < room ? seen : room;
    }
    __device__ u64 first(u64 visible) const { return causal && window != 0 && visible > window ? visible - window : 0; }
};

const u32 WARPS = 8;
const u32 MOST_HEAD = 256;
const u32 PARTS = MOST_HEAD / WARP; // values of a head that a lane has

// What a query has gathered so far; lane l has values l, l + 32, ...
struct Gathered {
    float most, total;
    float sums[PARTS];

    __device__ void begin()
    {
        most = -infinity(), total = 0.0f;
        for (u32 k = 0; k < PARTS; k++)
            sums[k] = 0.0f;
    }

    // Room for a score this large.
    __device__ void raise(float score)
    {
        if (!(score > most))
            return;
        float shrink = exp_of(most - score);
        most = score;
        total *= shrink;
        for (u32 k = 0; k < PARTS; k++)
            sums[k] *= shrink;
    }

    // One key's share, `value` from the head's first on.
    __device__ void take(float weight, const float *value, u32 lane, u32 head)
    {
        total += weight;
        for (u32 k = 0; k < PARTS; k++)
            if (lane + WARP * k < head)
                sums[k] += weight * value[lane + WARP * k];
    }
};

__device__ inline float largest_of_warp(float value)
{
    for (u32 distance = WARP / 2; distance > 0; distance /= 2) {
        float other = __shfl_xor_sync(ALL_LANES, value, distance);
        value = other > value ? other : value;
    }
    return value;
}

// Eight queries of a head a block, a warp each; keys and values lie beside the threads, as many as fit, at most 32: a lane a key.
KERNEL(attention, AttentionParams)
{
    const u32 ROOM = 32 * 129;
    __shared__ float keys[ROOM];
    __shared__ float values[ROOM];
    __shared__ float queries[WARPS * MOST_HEAD];
    u32 lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, width = (u32)p.head;
    // an odd distance, so that lanes read different banks
    u32 pitch = width | 1, together = ROOM / pitch < WARP ? ROOM / pitch : WARP;
    u64 tiles = (p.tokens + WARPS - 1) / WARPS, head = blockIdx.x / tiles, first = blockIdx.x % tiles * WARPS;
    u64 token = first + warp;
    bool inside = token < p.tokens;
    u64 last = first + WARPS < p.tokens ? first + WARPS : p.tokens;
    u64 visible = p.visible(token), seen = p.first(visible), needed = p.visible(last - 1);
    u64 kv = head / (p.heads / p.kv_heads);
    float *query = queries + warp * MOST_HEAD;
    for (u32 k = lane; k < width; k += WARP)
        query[k] = inside ? p.q[(token * p.heads + head) * width + k] : 0.0f;
    float scale = of_bits((u32)p.scale);
    Gathered gathered;
    gathered.begin();
    for (u64 base = p.first(p.visible(first)); base < needed; base += together) {
        u32 count = needed - base < together ? (u32)(needed - base) : together;
        __syncthreads();
        for (u32 k = threadIdx.x; k < count * width; k += WARPS * WARP) {
            u32 key = k / width, of = k - key * width;
            u64 from = ((base + key) * p.kv_heads + kv) * width + of;
            keys[key * pitch + of] = p.keys[from];
            values[key * pitch + of] = p.values[from];
        }
        __syncthreads();
        bool sees = inside && lane < count && base + lane < visible && base + lane >= seen;
        float score = -infinity();
        if (sees) {
            float sums[4] = {0.0f, 0.0f, 0.0f, 0.0f};
            const float *key = keys + lane * pitch;
            u32 whole = width / 4 * 4;
            for (u32 k = 0; k < whole; k += 4)
                for (u32 part = 0; part < 4; part++)
                    sums[part] = __fmaf_rn(query[k + part], key[k + part], sums[part]);
            for (u32 k = whole; k < width; k++)
                sums[0] = __fmaf_rn(query[k], key[k], sums[0]);
            score = ((sums[0] + sums[2]) + (sums[1] + sums[3])) * scale;
        }
        gathered.raise(largest_of_warp(score));
        float weight = sees ? exp_of(score - gathered.most) : 0.0f;
        for (u32 key = 0; key < count; key++) {
            float of_key = __shfl_sync(ALL_LANES, weight, key);
            // keys that are not seen are not multiplied by 0: they may be NaN
            if (base + key < visible && base + key >= seen)
                gathered.take(of_key, values + key * pitch, lane, width);
        }
    }
    if (!inside)
        return;
    for (u32 k = 0; k < PARTS; k++)
        if (lane + WARP * k < width)
            p.y[(token * p.heads + head) * width + lane + WARP * k] = gathered.sums[k] / gathered.total;
}

// One query of a head a block: the warps share its keys, warp w has keys w, w + 8, ... from the first on, and are added in their order.
KERNEL(attention_one, AttentionParams)
{
    __shared__ float most[WARPS], total[WARPS], sums[WARPS][MOST_HEAD];
    u32 lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, width = (u32)p.head;
    u64 token = blockIdx.x / p.heads, head = blockIdx.x - token * p.heads;
    u64 visible = p.visible(token), kv = head / (p.heads / p.kv_heads);
    const float *q = p.q + (token * p.heads + head) * width;
    float query[PARTS], scale = of_bits((u32)p.scale);
    for (u32 k = 0; k < PARTS; k++)
        query[k] = lane + WARP * k < width ? q[lane + WARP * k] : 0.0f;
    Gathered gathered;
    gathered.begin();
    for (u64 key = p.first(visible) + warp; key < visible; key += WARPS) {
        u64 from = (key * p.kv_heads + kv) * width;
        float sum = 0.0f;
        for (u32 k = 0; k < PARTS; k++)
            if (lane + WARP * k < width)
                sum = __fmaf_rn(query[k], p.keys[from + lane + WARP * k], sum);
        float score = sum_of_warp(sum) * scale;
        gathered.raise(score);
        gathered.take(exp_of(score - gathered.most), p.values + from, lane, width);
    }
    if (lane == 0)
        most[warp] = gathered.most, total[warp] = gathered.total;
    for (u32 k = 0; k < PARTS; k++)
        sums[warp][lane + WARP * k] = gathered.sums[k];
    __syncthreads();
    float largest = -infinity();
    for (u32 k = 0; k < WARPS; k++)
        largest = most[k] > largest ? most[k] : largest;
    float all = 0.0f;
    for (u32 k = 0; k < WARPS; k++)
        if (total[k] != 0.0f)
            all += total[k] * exp_of(most[k] - largest);
    for (u32 value = threadIdx.x; value < width; value += WARPS * WARP) {
        float sum = 0.0f;
        for (u32 k = 0; k < WARPS; k++)
            if (total[k] != 0.0f)
                sum += sums[k][value] * exp_of(most[k] - largest);
        p.y[(token * p.heads + head) * width + value] = sum / all;
    }
}
