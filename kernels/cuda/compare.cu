// Error statistics of decoded elements against their source (`stats.rs`).
#include "tiles.cuh"

struct CompareParams {
    const u8 *source;
    const u8 *decoded;
    u64 elements;
    u64 type;
    TileSums *tiles;
};

struct ComparePairs {
    const CompareParams &p;

    __device__ float x(u64 index) const { return float_at(SOURCE, p.source, index); }

    __device__ void pair(u64 index, float &x, float &e, bool &) const
    {
        u32 type = (u32)p.type;
        x = this->x(index);
        if (SOURCE == F64 || type == F64)
            e = __double2float_rn(double_at(SOURCE, p.source, index) - double_at(type, p.decoded, index));
        else
            e = __fsub_rn(x, float_at(type, p.decoded, index));
    }
};

KERNEL(compare, CompareParams)
{
    ComparePairs pairs = {p};
    sum_tiles(pairs, p.elements, p.tiles);
}
