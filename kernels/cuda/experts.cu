// Mixtures of experts, without a look at the device from outside: which experts a token has, their products for few tokens, the
// order of pairs for many (`product.cu`), and the sum, which is taken in the order of the experts' numbers.
#include "functions.cuh"
#include "stored.cuh"

struct RouteParams {
    Stored router; // [experts, width]
    const float *x; // [tokens, width]
    float *logits; // [tokens, experts]
    u32 *experts; // [tokens, k]
    float *weights;
    u64 k;
    u64 of_all; // softmax over all of them
    u64 renormalise;
    u64 made; // the logits are there already
};

const u32 THREADS = 256;
const u32 WARPS = THREADS / WARP;
const u32 MOST_EXPERTS = 1024;

// Floats in their order: NaN above all, and -0 as 0 before.
__device__ inline u32 order_of(float value)
{
    u32 bits = bits_of(value + 0.0f);
    return bits >> 31 ? ~bits : bits | 0x80000000u;
}

// A block to a token: warps make the logits, the first one chooses.
KERNEL(route, RouteParams)
{
    __shared__ float book[16];
    __shared__ float logits[MOST_EXPERTS];
    __shared__ u32 taken[MOST_EXPERTS / 32];
    copy_book(p.router, book);
    if (threadIdx.x < MOST_EXPERTS / 32)
        taken[threadIdx.x] = 0;
    __syncthreads();
    u64 token = blockIdx.x;
    u32 lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, count = (u32)p.router.rows;
    for (u32 expert = warp; expert < count; expert += WARPS) {
        float *kept = p.logits + token * count + expert;
        float logit = p.made ? *kept : row_times(p.router, expert, p.x + token * p.router.columns, book);
        if (lane == 0)
            logits[expert] = logit;
        if (lane == 0 && !p.made)
            *kept = logit;
    }
    __syncthreads();
    if (warp != 0)
        return;
    u32 *experts = p.experts + token * p.k;
    float *weights = p.weights + token * p.k;
    double most = 0.0, total = 0.0;
    for (u32 slot = 0; slot < p.k; slot++) {
        // the largest that is not taken; of equal ones the lowest number, which makes the larger key
        u64 best = 0;
        for (u32 expert = lane; expert < count; expert += WARP)
            if (!(taken[expert / 32] >> (expert % 32) & 1)) {
                u64 key = (u64)order_of(logits[expert]) << 32 | (~expert & 0xffffffffu);
                best = key > best ? key : best;
            }
        for (u32 distance = WARP / 2; distance > 0; distance /= 2) {
            u64 other = __shfl_xor_sync(ALL_LANES, best, distance);
            best = other > best ? other : best;
        }
        u32 winner = ~(u32)best;
        __syncwarp();
        if (lane == 0)
            taken[winner / 32] |= 1u << (winner % 32), experts[slot] = winner;
        __syncwarp();
        double logit = (double)logits[winner];
        most = slot == 0 ? logit : most;
        total += exp(logit - most);
    }
    if (lane != 0)
        return;
    bool nan = false;
    double all = 0.0;
    for (u32 expert = 0; expert < count; expert++) {
        nan |= logits[expert] != logits[expert];
        all += exp((double)logits[expert] - most);
    }
    for (u32 slot = 0; slot < p.k; slot++) {
        double weight = exp((double)logits[experts[slot]] - most) / (p.of_all && !p.renormalise ? all : total);
        weights[slot] = nan ? of_bits(0x7fc00000u) : __double2float_rn(weight);
    }
}

struct ExpertParams {
    const Stored *table; // of each expert: up, down, and gate where it has one
    u64 each;
    const u32 *experts; // [tokens, k]
    const float *weights; // [tokens, k]
    const float *x; // [tokens, width]
    float *h; // [tokens, k, inner]
    float *y; // [tokens, width]
    u64 tokens;
    u64 k;
    u64 kind; // of activation
    u64 width;
    u64 inner;
};

const u32 UP = 0, DOWN = 1, GATE = 2;

// The inner values of few tokens: a warp to a row of an expert that a token has.
KERNEL(expert_up, ExpertParams)
{
    __shared__ float up_book[16];
    __shared__ float gate_book[16];
    u64 tiles = (p.inner + WARPS - 1) / WARPS, pair = blockIdx.x / tiles;
    u64 row = blockIdx.x % tiles * WARPS + threadIdx.x / WARP, token = pair / p.k;
    const Stored *own = p.table + p.experts[pair] * p.each;
    bool gated = p.each > 2;
    copy_book(own[UP], up_book);
    if (gated)
        copy_book(own[GATE], gate_book);
    __syncthreads();
    if (row >= p.inner)
        return;
    const float *x = p.x + token * p.width;
    float value = row_times(own[UP], row, x, up_book);
    value = gated ? value * activated(p.kind, row_times(own[GATE], row, x, gate_book)) : activated(p.kind, value);
    if (threadIdx.x % WARP == 0)
        p.h[pair * p.inner + row] = value;
}

// The slot of a token whose expert has the least number above `after`.
__device__ inline u32 next_slot(const u32 *experts, u64 k, long long after)
{
    u32 slot = 0;
    long long least = 1ll << 40;
    for (u32 other = 0; other < k; other++)
        if ((long long)experts[other] > after && (long long)experts[other] < least)
            least = experts[other], slot = other;
    return slot;
}

// Their outputs, added: a warp to a row of a token.
KERNEL(expert_down, ExpertParams)
{
    __shared__ float book[16];
    u64 tiles = (p.width + WARPS - 1) / WARPS, token = blockIdx.x / tiles;
    u64 row = blockIdx.x % tiles * WARPS + threadIdx.x / WARP;
    const u32 *experts = p.experts + token * p.k;
    // experts of a layer are of one format mostly, but need not be
    long long after = -1;
    float sum = 0.0f;
    for (u64 number = 0; number < p.k; number++) {
        u32 slot = next_slot(experts, p.k, after);
        after = experts[slot];
        const Stored &down = p.table[after * p.each + DOWN];
        __syncthreads();
        copy_book(down, book);
        __syncthreads();
        if (row < p.width) {
            float value = row_times(down, row, p.h + (token * p.k + slot) * p.inner, book);
            sum += p.weights[token * p.k + slot] * value;
        }
    }
    if (row < p.width && threadIdx.x % WARP == 0)
        p.y[token * p.width + row] = sum;
}

struct OrderParams {
    const u32 *experts; // of each pair
    u32 *list; // pairs, those of an expert together, in their order
    ExpertTile *tiles;
    u32 *count;
    u64 pairs;
    u64 number; // of experts
};

const u32 TILE = 64;

// One block, an expert a thread: counts, places, tiles.
KERNEL(order_pairs, OrderParams)
{
    __shared__ u32 counts[MOST_EXPERTS];
    for (u32 expert = threadIdx.x; expert < p.number; expert += blockDim.x) {
        u32 count = 0;
        for (u64 pair = 0; pair < p.pairs; pair++)
            count += p.experts[pair] == expert ? 1 : 0;
        counts[expert] = count;
    }
    __syncthreads();
    for (u32 expert = threadIdx.x; expert < p.number; expert += blockDim.x) {
        u32 first = 0, tile = 0;
        for (u32 other = 0; other < expert; other++)
            first += counts[other], tile += (counts[other] + TILE - 1) / TILE;
        u32 place = first;
        for (u64 pair = 0; pair < p.pairs; pair++)
            if (p.experts[pair] == expert)
                p.list[place++] = (u32)pair;
        for (u32 done = 0; done < counts[expert]; done += TILE) {
            ExpertTile own = {expert, first + done, least(counts[expert] - done, TILE), 0};
            p.tiles[tile++] = own;
        }
        if (expert + 1 == p.number)
            *p.count = tile;
    }
}

struct CombineParams {
    const u32 *experts;
    const float *weights;
    const float *z; // [tokens, k, width]
    float *y; // [tokens, width]
    u64 tokens;
    u64 k;
    u64 width;
};

KERNEL(combine, CombineParams)
{
    u64 index = thread_index();
    if (index >= p.tokens * p.width)
        return;
    u64 token = index / p.width, column = index - token * p.width;
    const u32 *experts = p.experts + token * p.k;
    long long after = -1;
    float sum = 0.0f;
    for (u64 number = 0; number < p.k; number++) {
        u32 slot = next_slot(experts, p.k, after);
        after = experts[slot];
        sum += p.weights[token * p.k + slot] * p.z[((token * p.k + slot)) * p.width + column];
    }
    p.y[index] = sum;
}
