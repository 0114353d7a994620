// What stands for cuBLASLt in tests: the functions that are used, on memory of the processor. It takes nothing that it does not
// know, and computes what descriptors say, so that wrong layouts, transposes, types or attributes give errors or other numbers.
//
// It has four algorithms, and proposes those that the preference allows, in this order: one with tf32, one that adds parts of a sum
// in place, one that adds two parts in the workspace, and one sum from the first product to the last, which needs no alignment.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#define EXPORT extern "C" __attribute__((visibility("default")))

enum Status { SUCCESS = 0, INVALID_VALUE = 7, NOT_SUPPORTED = 15 };
enum Type { R_32F = 0, R_16BF = 14 };
enum Algorithm : uint64_t { TF32 = 1, IN_PLACE, TWO_PARTS, ONE_SUM };

const uint64_t LAYOUT = 0x1a40, DESC = 0xde5c, PREFERENCE = 0x93ef, HANDLE = 0x4a4d;

struct Layout { uint64_t kind; int type; uint64_t rows, columns; int64_t stride; };
struct Desc { uint64_t kind; int compute, scale; int32_t transposes_a, transposes_b; uint32_t epilogue; const float *bias; };
struct Preference { uint64_t kind, workspace; uint32_t schemes, alignments[4]; uint64_t numerics; };
struct Handle { uint64_t kind; std::set<std::string> asked; };
struct Heuristic { uint64_t algo[8]; size_t workspace; int state; float waves; int reserved[4]; };

// Of the calling thread, for tests.
static thread_local uint64_t products = 0, questions = 0, objects = 0;
static thread_local bool ignores_numerics = false, does_nothing = false;

EXPORT uint64_t stand_in_products() { return products; }
EXPORT uint64_t stand_in_questions() { return questions; }
EXPORT uint64_t stand_in_objects() { return objects; }
// As a setting outside of the program may have it: it proposes tf32 whatever is asked for.
EXPORT void stand_in_ignores_numerics(bool yes) { ignores_numerics = yes; }
EXPORT void stand_in_does_nothing(bool yes) { does_nothing = yes; }

static int wrong(const char *what)
{
    std::fprintf(stderr, "the stand-in for cuBLASLt: %s\n", what);
    return INVALID_VALUE;
}

template <class T> T *is(void *object, uint64_t kind)
{
    T *found = (T *)object;
    return found && found->kind == kind ? found : nullptr;
}

template <class T> int destroy(void *object, uint64_t kind)
{
    T *found = is<T>(object, kind);
    if (!found)
        return wrong("something else is destroyed");
    found->kind = 0;
    delete found;
    objects--;
    return SUCCESS;
}

template <class T> int give(void **object, T *made)
{
    *object = made;
    objects++;
    return SUCCESS;
}

// An attribute of exactly this size.
template <class T> int take(T &to, const void *from, size_t bytes)
{
    if (bytes != sizeof(T))
        return wrong("an attribute of another size");
    std::memcpy(&to, from, bytes);
    return SUCCESS;
}

EXPORT size_t cublasLtGetVersion() { return 120804; }
EXPORT size_t cublasLtGetCudartVersion() { return 12080; }
EXPORT const char *cublasLtGetStatusString(int status) { return status == INVALID_VALUE ? "an invalid value" : nullptr; }
EXPORT int cublasLtCreate(void **handle) { return give(handle, new Handle{HANDLE, {}}); }
EXPORT int cublasLtDestroy(void *handle) { return destroy<Handle>(handle, HANDLE); }

EXPORT int cublasLtMatrixLayoutCreate(void **layout, int type, uint64_t rows, uint64_t columns, int64_t stride)
{
    if ((type != R_32F && type != R_16BF) || rows == 0 || columns == 0 || stride < (int64_t)rows)
        return wrong("a layout of no matrix");
    return give(layout, new Layout{LAYOUT, type, rows, columns, stride});
}
EXPORT int cublasLtMatrixLayoutDestroy(void *layout) { return destroy<Layout>(layout, LAYOUT); }

EXPORT int cublasLtMatmulDescCreate(void **desc, int compute, int scale)
{
    return give(desc, new Desc{DESC, compute, scale, 0, 0, 1, nullptr});
}
EXPORT int cublasLtMatmulDescDestroy(void *desc) { return destroy<Desc>(desc, DESC); }
EXPORT int cublasLtMatmulDescSetAttribute(void *object, int attribute, const void *from, size_t bytes)
{
    Desc *desc = is<Desc>(object, DESC);
    if (!desc)
        return wrong("no description");
    switch (attribute) {
    case 3: return take(desc->transposes_a, from, bytes);
    case 4: return take(desc->transposes_b, from, bytes);
    case 7: return take(desc->epilogue, from, bytes);
    case 8: return take(desc->bias, from, bytes);
    default: return wrong("an attribute of a description that is not known");
    }
}

EXPORT int cublasLtMatmulPreferenceCreate(void **preference)
{
    return give(preference, new Preference{PREFERENCE, 0, 7, {256, 256, 256, 256}, ~0ull});
}
EXPORT int cublasLtMatmulPreferenceDestroy(void *preference) { return destroy<Preference>(preference, PREFERENCE); }
EXPORT int cublasLtMatmulPreferenceSetAttribute(void *object, int attribute, const void *from, size_t bytes)
{
    Preference *preference = is<Preference>(object, PREFERENCE);
    if (!preference)
        return wrong("no preference");
    switch (attribute) {
    case 1: return take(preference->workspace, from, bytes);
    case 3: return take(preference->schemes, from, bytes);
    case 5: case 6: case 7: case 8: return take(preference->alignments[attribute - 5], from, bytes);
    case 12: return take(preference->numerics, from, bytes);
    default: return wrong("an attribute of a preference that is not known");
    }
}

// Types and sizes that fit together.
struct Problem {
    const Desc *desc;
    const Layout *a, *b, *c, *d;

    bool is_whole() const
    {
        if (!desc || !a || !b || !c || !d)
            return false;
        uint64_t m = desc->transposes_a ? a->columns : a->rows, k = desc->transposes_a ? a->rows : a->columns;
        uint64_t k_of_b = desc->transposes_b ? b->columns : b->rows, n = desc->transposes_b ? b->rows : b->columns;
        // sums in f32, f32 for what scales them
        return desc->compute == 68 && desc->scale == R_32F && a->type == b->type && c->type == R_32F && d->type == R_32F &&
               k == k_of_b && d->rows == m && d->columns == n && c->rows == m && c->columns == n &&
               (desc->epilogue == 1 || (desc->epilogue == 4 && desc->bias));
    }

    uint64_t inner() const { return desc->transposes_a ? a->rows : a->columns; }
    size_t two_parts() const { return 2 * 4 * d->rows * d->columns; }
};

static Problem problem(void *desc, void *a, void *b, void *c, void *d)
{
    return {is<Desc>(desc, DESC), is<Layout>(a, LAYOUT), is<Layout>(b, LAYOUT), is<Layout>(c, LAYOUT), is<Layout>(d, LAYOUT)};
}

static uint64_t numerics(uint64_t algorithm, int type)
{
    uint64_t operation = type == R_16BF || algorithm == TF32 ? 2 : 1;
    uint64_t input = type == R_16BF ? 2 : algorithm == TF32 ? 4 : 8;
    return operation | 2 << 8 | input << 16;
}

EXPORT int cublasLtMatmulAlgoGetHeuristic(void *object, void *desc, void *a, void *b, void *c, void *d, void *preferred, int room,
                                          Heuristic *found, int *count)
{
    Handle *handle = is<Handle>(object, HANDLE);
    const Preference *preference = is<Preference>(preferred, PREFERENCE);
    Problem of = problem(desc, a, b, c, d);
    *count = 0;
    if (!handle || !preference || !of.is_whole())
        return wrong("a question about no product");
    questions++;
    if (does_nothing)
        return NOT_SUPPORTED;
    char key[512];
    std::snprintf(key, sizeof key, "%d %llu %llu %llu %lld %u %d %d %u %u %u %u %llu %p", of.a->type, (unsigned long long)of.d->rows,
                  (unsigned long long)of.d->columns, (unsigned long long)of.inner(), (long long)of.d->stride, of.desc->epilogue,
                  of.desc->transposes_a, of.desc->transposes_b, preference->alignments[0], preference->alignments[1],
                  preference->alignments[2], preference->schemes, (unsigned long long)preference->workspace,
                  (const void *)of.desc->bias);
    if (!handle->asked.insert(key).second)
        return wrong("it was asked the same before");
    for (uint64_t algorithm : {TF32, IN_PLACE, TWO_PARTS, ONE_SUM}) {
        bool is_allowed = (numerics(algorithm, of.a->type) & ~preference->numerics) == 0;
        if (algorithm == TF32)
            is_allowed = of.a->type == R_32F && (is_allowed || ignores_numerics);
        if (algorithm == IN_PLACE)
            is_allowed = is_allowed && (preference->schemes & 1);
        if (algorithm == TWO_PARTS) {
            bool aligned = true;
            for (uint32_t alignment : preference->alignments)
                aligned = aligned && alignment >= 16;
            is_allowed = is_allowed && aligned && (preference->schemes & 2) && of.inner() >= 64 &&
                         of.two_parts() <= preference->workspace;
        }
        if (!is_allowed || *count == room)
            continue;
        Heuristic &own = found[(*count)++];
        own = {};
        own.algo[0] = algorithm, own.algo[1] = (uint64_t)of.a->type;
        own.workspace = algorithm == TWO_PARTS ? of.two_parts() : 0;
    }
    return SUCCESS;
}

EXPORT int cublasLtMatmulAlgoCapGetAttribute(const uint64_t *algo, int attribute, void *to, size_t bytes, size_t *written)
{
    if (attribute != 15 || bytes != 8)
        return wrong("an attribute of an algorithm that is not known");
    uint64_t flags = numerics(algo[0], (int)algo[1]);
    std::memcpy(to, &flags, 8);
    *written = 8;
    return SUCCESS;
}

static float element(const Layout &layout, const void *matrix, uint64_t row, uint64_t column)
{
    uint64_t index = row + column * (uint64_t)layout.stride;
    if (layout.type == R_32F)
        return ((const float *)matrix)[index];
    uint32_t bits = (uint32_t)((const uint16_t *)matrix)[index] << 16;
    float value;
    std::memcpy(&value, &bits, 4);
    return value;
}

static float as_tf32(float value)
{
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    bits &= 0xffffe000u;
    std::memcpy(&value, &bits, 4);
    return value;
}

EXPORT int cublasLtMatmul(void *object, void *desc, const float *alpha, const void *a, void *a_layout, const void *b, void *b_layout,
                          const float *beta, const void *c, void *c_layout, void *d, void *d_layout, const uint64_t *algo,
                          void *workspace, size_t workspace_bytes, void *)
{
    Problem of = problem(desc, a_layout, b_layout, c_layout, d_layout);
    if (!is<Handle>(object, HANDLE) || !of.is_whole() || !a || !b || !d || !algo || (int)algo[1] != of.a->type)
        return wrong("a product of nothing");
    if (*beta != 0.0f && (c != d || of.c->stride != of.d->stride))
        return wrong("what is added is elsewhere");
    uint64_t algorithm = algo[0];
    if (algorithm != TF32 && algorithm != IN_PLACE && algorithm != TWO_PARTS && algorithm != ONE_SUM)
        return wrong("an algorithm that it did not propose");
    if (algorithm == TWO_PARTS && (!workspace || workspace_bytes < of.two_parts()))
        return wrong("a workspace that is too small");
    if (algorithm == TWO_PARTS && (((uintptr_t)a | (uintptr_t)b | (uintptr_t)c | (uintptr_t)d) & 15))
        return wrong("a matrix that is not aligned as was said");
    products++;
    uint64_t inner = of.inner(), m = of.d->rows, n = of.d->columns;
    auto sum = [&](uint64_t row, uint64_t column, uint64_t from, uint64_t to) {
        float total = 0.0f;
        for (uint64_t k = from; k < to; k++) {
            float left = of.desc->transposes_a ? element(*of.a, a, k, row) : element(*of.a, a, row, k);
            float right = of.desc->transposes_b ? element(*of.b, b, column, k) : element(*of.b, b, k, column);
            if (algorithm == TF32)
                left = as_tf32(left), right = as_tf32(right);
            total += left * right;
        }
        return total;
    };
    for (uint64_t column = 0; column < n; column++)
        for (uint64_t row = 0; row < m; row++) {
            float total;
            if (algorithm == TWO_PARTS) {
                float *parts = (float *)workspace + 2 * (row + column * m);
                parts[0] = sum(row, column, 0, inner / 2), parts[1] = sum(row, column, inner / 2, inner);
                total = parts[0] + parts[1];
            } else {
                total = sum(row, column, 0, inner);
            }
            float &to = ((float *)d)[row + column * (uint64_t)of.d->stride];
            total = *alpha * total;
            if (*beta != 0.0f)
                total += *beta * to;
            to = of.desc->epilogue == 4 ? total + of.desc->bias[row] : total;
        }
    return SUCCESS;
}
