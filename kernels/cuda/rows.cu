// What looks at a whole row: norms, softmax, mean, losses. A block of 256 threads to a row; sums are in f64, element i in the sum
// of thread i mod 256, and threads in the order of `sum_of_block`.
#include "functions.cuh"
#include "stored.cuh"

const u32 THREADS = 256;

// The same in every thread.
__device__ inline double sum_of_block(double value, double *of_warp)
{
    value = sum_of_warp(value);
    __syncthreads();
    if (threadIdx.x % WARP == 0)
        of_warp[threadIdx.x / WARP] = value;
    __syncthreads();
    double sum = 0.0;
    for (u32 warp = 0; warp < THREADS / WARP; warp++)
        sum += of_warp[warp];
    return sum;
}

// NaN is passed over.
__device__ inline float largest_of_block(float value, float *of_warp)
{
    for (u32 distance = WARP / 2; distance > 0; distance /= 2) {
        float other = __shfl_xor_sync(ALL_LANES, value, distance);
        value = other > value ? other : value;
    }
    __syncthreads();
    if (threadIdx.x % WARP == 0)
        of_warp[threadIdx.x / WARP] = value;
    __syncthreads();
    float most = -infinity();
    for (u32 warp = 0; warp < THREADS / WARP; warp++)
        most = of_warp[warp] > most ? of_warp[warp] : most;
    return most;
}

struct NormParams {
    const float *x; // [rows, width]
    const float *weight;
    const float *bias; // or null
    float *y;
    u64 width;
    double eps;
    u64 centred;
};

KERNEL(normalise, NormParams)
{
    __shared__ double of_warp[THREADS / WARP];
    const float *x = p.x + blockIdx.x * p.width;
    float *y = p.y + blockIdx.x * p.width;
    double centre = 0.0, squares = 0.0;
    if (p.centred) {
        double sum = 0.0;
        for (u64 k = threadIdx.x; k < p.width; k += THREADS)
            sum += (double)x[k];
        centre = sum_of_block(sum, of_warp) / (double)p.width;
    }
    for (u64 k = threadIdx.x; k < p.width; k += THREADS) {
        double distance = (double)x[k] - centre;
        squares += distance * distance;
    }
    double inverse = 1.0 / sqrt(sum_of_block(squares, of_warp) / (double)p.width + p.eps);
    for (u64 k = threadIdx.x; k < p.width; k += THREADS) {
        float value = __double2float_rn(((double)x[k] - centre) * inverse) * p.weight[k];
        y[k] = p.bias ? value + p.bias[k] : value;
    }
}

struct RowParams {
    const float *x; // [rows, width]
    float *y; // the same, or one for each row
    u64 width;
};

KERNEL(softmax, RowParams)
{
    __shared__ double of_warp[THREADS / WARP];
    __shared__ float largest[THREADS / WARP];
    const float *x = p.x + blockIdx.x * p.width;
    float *y = p.y + blockIdx.x * p.width;
    float most = -infinity();
    for (u64 k = threadIdx.x; k < p.width; k += THREADS)
        most = x[k] > most ? x[k] : most;
    most = largest_of_block(most, largest);
    double sum = 0.0;
    for (u64 k = threadIdx.x; k < p.width; k += THREADS)
        sum += (double)exp_of(x[k] - most);
    double inverse = 1.0 / sum_of_block(sum, of_warp);
    for (u64 k = threadIdx.x; k < p.width; k += THREADS)
        y[k] = __double2float_rn((double)exp_of(x[k] - most) * inverse);
}

KERNEL(mean, RowParams)
{
    __shared__ double of_warp[THREADS / WARP];
    const float *x = p.x + blockIdx.x * p.width;
    double sum = 0.0;
    for (u64 k = threadIdx.x; k < p.width; k += THREADS)
        sum += (double)x[k];
    sum = sum_of_block(sum, of_warp);
    if (threadIdx.x == 0)
        p.y[blockIdx.x] = __double2float_rn(sum / (double)p.width);
}

struct LossParams {
    const float *logits; // [rows, vocab]
    const u32 *targets;
    double *losses; // in nats
    u64 *hits; // 1 where the target is the first of the largest
    float *rounded; // the losses again, or null
    u64 vocab;
};

KERNEL(cross_entropy, LossParams)
{
    __shared__ double of_warp[THREADS / WARP];
    __shared__ float largest[THREADS / WARP];
    __shared__ u64 first;
    const float *x = p.logits + blockIdx.x * p.vocab;
    float most = -infinity();
    for (u64 k = threadIdx.x; k < p.vocab; k += THREADS)
        most = x[k] > most ? x[k] : most;
    most = largest_of_block(most, largest);
    if (threadIdx.x == 0)
        first = p.vocab;
    double sum = 0.0;
    for (u64 k = threadIdx.x; k < p.vocab; k += THREADS)
        sum += exp((double)x[k] - (double)most);
    sum = sum_of_block(sum, of_warp);
    for (u64 k = threadIdx.x; k < p.vocab; k += THREADS)
        if (x[k] == most)
            atomicMin(&first, k);
    __syncthreads();
    if (threadIdx.x != 0)
        return;
    u64 target = p.targets[blockIdx.x];
    // a target that is none gives NaN
    double logit = target < p.vocab ? (double)x[target] : (double)of_bits(0x7fc00000u);
    double loss = (double)most + log(sum) - logit;
    p.losses[blockIdx.x] = loss;
    p.hits[blockIdx.x] = first == target && fabs(loss) < 1.0e300 ? 1 : 0;
    if (p.rounded)
        p.rounded[blockIdx.x] = __double2float_rn(loss);
}
