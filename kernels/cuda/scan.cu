// Along the tokens: convolution and the scans of state-space models. The state stays in registers from the first token to the last.
#include "functions.cuh"
#include "stored.cuh"

struct ConvParams {
    const float *x; // [tokens, channels]
    const float *w; // [channels, taps]
    const float *bias; // or null
    float *past; // [taps - 1, channels]
    float *y;
    u64 tokens;
    u64 channels;
    u64 taps;
};

KERNEL(causal_conv1d, ConvParams)
{
    u64 index = thread_index();
    if (index >= p.tokens * p.channels)
        return;
    u64 token = index / p.channels, channel = index - token * p.channels;
    float sum = p.bias ? p.bias[channel] : 0.0f;
    for (u64 tap = 0; tap < p.taps; tap++) {
        // of past and x, one behind the other
        u64 at = token + tap;
        float x = at + 1 < p.taps ? p.past[at * p.channels + channel] : p.x[(at + 1 - p.taps) * p.channels + channel];
        sum += p.w[channel * p.taps + tap] * x;
    }
    p.y[index] = sum;
}

// The last inputs become the past; a launch of its own, since the convolution reads what this overwrites.
KERNEL(conv_past, ConvParams)
{
    u64 channel = thread_index();
    if (channel >= p.channels)
        return;
    for (u64 k = 0; k + 1 < p.taps; k++) {
        u64 at = p.tokens + k;
        // ascending, so that what is read was not yet written
        p.past[k * p.channels + channel] =
            at + 1 < p.taps ? p.past[at * p.channels + channel] : p.x[(at + 1 - p.taps) * p.channels + channel];
    }
}

struct SelectiveParams {
    const float *x; // [tokens, channels]
    const float *dt; // [tokens, channels]
    const float *a; // [channels, states], the decay
    const float *b; // [tokens, states]
    const float *c; // [tokens, states]
    const float *d; // [channels], or null
    float *state; // [channels, states]
    float *y;
    u64 tokens;
    u64 channels;
    u64 states;
};

const u32 LANES = 16;
const u32 CHANNELS = 8;
const u32 AHEAD = 16;

// Sixteen lanes to a channel, lane i with states i, i + 16, ...; sums as `model/scan.rs` has them. Tokens lie beside the threads
// a few at a time, since each lane wants the same ones.
template <u32 EACH_LANE> __device__ void selective(const SelectiveParams &p)
{
    __shared__ float xs[AHEAD][CHANNELS], dts[AHEAD][CHANNELS];
    __shared__ float bs[AHEAD][LANES * EACH_LANE], cs[AHEAD][LANES * EACH_LANE];
    u32 lane = threadIdx.x % LANES, own = threadIdx.x / LANES;
    u64 first = (u64)blockIdx.x * CHANNELS, channel = first + own;
    bool inside = channel < p.channels;
    float a[EACH_LANE], h[EACH_LANE];
    for (u32 k = 0; k < EACH_LANE; k++) {
        u64 index = lane + LANES * k;
        bool real = inside && index < p.states;
        a[k] = real ? p.a[channel * p.states + index] : 0.0f;
        h[k] = real ? p.state[channel * p.states + index] : 0.0f;
    }
    float d = inside && p.d ? p.d[channel] : 0.0f;
    for (u64 base = 0; base < p.tokens; base += AHEAD) {
        u32 count = p.tokens - base < AHEAD ? (u32)(p.tokens - base) : AHEAD;
        __syncthreads();
        for (u32 k = threadIdx.x; k < count * CHANNELS; k += CHANNELS * LANES) {
            u64 token = base + k / CHANNELS, of = first + k % CHANNELS;
            xs[k / CHANNELS][k % CHANNELS] = of < p.channels ? p.x[token * p.channels + of] : 0.0f;
            dts[k / CHANNELS][k % CHANNELS] = of < p.channels ? p.dt[token * p.channels + of] : 0.0f;
        }
        for (u32 k = threadIdx.x; k < count * LANES * EACH_LANE; k += CHANNELS * LANES) {
            u32 token = k / (LANES * EACH_LANE), index = k % (LANES * EACH_LANE);
            bs[token][index] = index < p.states ? p.b[(base + token) * p.states + index] : 0.0f;
            cs[token][index] = index < p.states ? p.c[(base + token) * p.states + index] : 0.0f;
        }
        __syncthreads();
        for (u32 token = 0; token < count; token++) {
            float x = xs[token][own], dt = dts[token][own], input = dt * x, sum = 0.0f;
            for (u32 k = 0; k < EACH_LANE; k++) {
                u32 index = lane + LANES * k;
                h[k] = exp_of(dt * a[k]) * h[k] + input * bs[token][index];
                sum += cs[token][index] * h[k];
            }
            for (u32 distance = LANES / 2; distance > 0; distance /= 2)
                sum += __shfl_xor_sync(ALL_LANES, sum, distance);
            if (lane == 0 && inside)
                p.y[(base + token) * p.channels + channel] = sum + (p.d ? d * x : 0.0f);
        }
    }
    for (u32 k = 0; k < EACH_LANE; k++) {
        u64 index = lane + LANES * k;
        if (inside && index < p.states)
            p.state[channel * p.states + index] = h[k];
    }
}

KERNEL(selective_scan_1, SelectiveParams) { selective<1>(p); }
KERNEL(selective_scan_2, SelectiveParams) { selective<2>(p); }
KERNEL(selective_scan_4, SelectiveParams) { selective<4>(p); }
KERNEL(selective_scan_8, SelectiveParams) { selective<8>(p); }

struct SharedParams {
    Stored b; // [states, channels]
    Stored c; // [channels, states]
    const float *s; // [tokens, channels]
    const float *dt; // [tokens]
    const float *a; // [states], the decay
    const float *d; // [channels]
    float *state; // [states]
    float *h; // [tokens, states]: B s before, the states after
    float *y; // [tokens, channels]
    u64 tokens;
};

__device__ inline void states_along(const SharedParams &p, u64 state)
{
    u64 states = p.b.rows;
    float h = p.state[state], a = p.a[state];
    for (u64 token = 0; token < p.tokens; token++) {
        float dt = p.dt[token];
        h = exp_of(dt * a) * h + dt * p.h[token * states + state];
        p.h[token * states + state] = h;
    }
    p.state[state] = h;
}

// One state a thread, between two products.
KERNEL(shared_states, SharedParams)
{
    u64 state = thread_index();
    if (state < p.b.rows)
        states_along(p, state);
}

const u32 SHARED_THREADS = 512;

// All of it by one block: what a short sequence or a single token costs is launches.
KERNEL(shared_scan, SharedParams)
{
    __shared__ float book_b[16];
    __shared__ float book_c[16];
    copy_book(p.b, book_b);
    copy_book(p.c, book_c);
    __syncthreads();
    u64 states = p.b.rows, channels = p.b.columns;
    u32 warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
    for (u64 pair = warp; pair < p.tokens * states; pair += SHARED_THREADS / WARP) {
        u64 token = pair / states, state = pair - token * states;
        float sum = row_times(p.b, state, p.s + token * channels, book_b);
        if (lane == 0)
            p.h[pair] = sum;
    }
    __syncthreads();
    for (u64 state = threadIdx.x; state < states; state += SHARED_THREADS)
        states_along(p, state);
    __syncthreads();
    for (u64 index = threadIdx.x; index < p.tokens * channels; index += SHARED_THREADS) {
        u64 token = index / channels, channel = index - token * channels;
        float sum = 0.0f;
        for (u64 state = 0; state < states; state++)
            sum = __fmaf_rn(p.c.element(p.c.at(channel, state)), p.h[token * states + state], sum);
        p.y[index] = sum + p.d[channel] * p.s[index];
    }
}
