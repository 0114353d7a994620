// Element by element: functions, two operands of which one may be repeated, copies with other strides. Bits as on the processor.
#include "functions.cuh"

struct MapParams {
    const float *x;
    float *y;
    u64 elements;
    u64 kind;
    u64 factor; // the bits of an f32, for `scale`
};

const u32 FOUR = 4;

template <class F> __device__ inline void map(const MapParams &p, F f)
{
    u64 index = thread_index() * FOUR;
    if (index + FOUR <= p.elements) {
        float4 v = *(const float4 *)(p.x + index);
        *(float4 *)(p.y + index) = make_float4(f(v.x), f(v.y), f(v.z), f(v.w));
        return;
    }
    for (u64 k = index; k < p.elements; k++)
        p.y[k] = f(p.x[k]);
}

struct Activate {
    u64 kind;
    __device__ float operator()(float x) const { return activated(kind, x); }
};

struct Times {
    float factor;
    __device__ float operator()(float x) const { return x * factor; }
};

KERNEL(activate, MapParams) { map(p, Activate{p.kind}); }
KERNEL(scale, MapParams) { map(p, Times{of_bits((u32)p.factor)}); }

struct GateParams {
    const float *gates;
    const float *x;
    float *y; // activated(gate) × x
    u64 elements;
    u64 kind;
};

KERNEL(gate, GateParams)
{
    u64 index = thread_index();
    if (index < p.elements)
        p.y[index] = p.x[index] * activated(p.kind, p.gates[index]);
}

enum Together : u64 { ADD, SUB, MUL, DIV };

__device__ inline float together(u64 kind, float a, float b)
{
    switch (kind) {
    case ADD: return a + b;
    case SUB: return a - b;
    case MUL: return a * b;
    default: return a / b;
    }
}

struct ZipParams {
    const float *a;
    const float *b; // `period` of them, repeated
    float *y;
    u64 elements;
    u64 period;
    u64 kind;
};

KERNEL(zip, ZipParams)
{
    u64 index = thread_index();
    if (index < p.elements)
        p.y[index] = together(p.kind, p.a[index], p.b[p.period == p.elements ? index : index % p.period]);
}

const u32 AXES = 6;

// Elements of a shape, by their places in two tensors, which may repeat them.
struct Strides {
    u64 extents[AXES]; // 1 in front where there are fewer
    u64 of_a[AXES];
    u64 of_b[AXES];

    __device__ void at(u64 index, u64 &a, u64 &b) const
    {
        a = 0, b = 0;
        for (u32 k = AXES; k-- > 0;) {
            if (extents[k] == 1)
                continue;
            u64 rest = index / extents[k], own = index - rest * extents[k];
            a += own * of_a[k], b += own * of_b[k];
            index = rest;
        }
    }
};

struct SpreadParams {
    const float *a;
    const float *b;
    float *y;
    u64 elements;
    u64 kind;
    Strides strides;
};

KERNEL(spread, SpreadParams)
{
    u64 index = thread_index(), a, b;
    if (index >= p.elements)
        return;
    p.strides.at(index, a, b);
    p.y[index] = together(p.kind, p.a[a], p.b[b]);
}

struct MoveParams {
    const u32 *x;
    u32 *y;
    u64 elements;
    Strides strides; // of x, then of y
};

// Columns, parts side by side, exchanged axes: words from some places to others.
KERNEL(move, MoveParams)
{
    u64 index = thread_index(), from, to;
    if (index >= p.elements)
        return;
    p.strides.at(index, from, to);
    p.y[to] = p.x[from];
}

struct CountParams {
    const u32 *first; // or null: 0
    u32 *y;
    u64 count;
};

// Positions, which go on where a sequence does.
KERNEL(count_up, CountParams)
{
    u64 index = thread_index();
    if (index < p.count)
        p.y[index] = (p.first ? *p.first : 0) + (u32)index;
}

struct FiniteParams {
    const float *x;
    u64 elements;
    u64 *first; // takes node × 2^40 + index of the first that is not finite
    u64 node;
};

KERNEL(not_finite, FiniteParams)
{
    u64 index = thread_index();
    if (index < p.elements && (bits_of(p.x[index]) & MAGNITUDE) >= INFINITE)
        report(p.first, (p.node << 40) + index);
}

struct FiniteTableParams {
    const u64 *table; // of each tensor: its address, its elements
    u64 *first; // as above, with the place in the table for the node
};

// A block a tensor: one launch for all that a token yields.
KERNEL(not_finite_all, FiniteTableParams)
{
    const u32 *x = (const u32 *)p.table[2 * blockIdx.x];
    u64 elements = p.table[2 * blockIdx.x + 1];
    for (u64 k = threadIdx.x; k < elements; k += blockDim.x)
        if ((x[k] & MAGNITUDE) >= INFINITE)
            report(p.first, ((u64)blockIdx.x << 40) + k);
}
