/* Distances or inner products of queries with candidate vectors, and their gradients, without gathering candidates.
 *
 * Row-major float32. The candidates of query b are the rows index[b * candidates + n] of table, or, when index is NULL,
 * all rows of table in order. Every output row is owned by one thread and summed in a fixed order, so that results do
 * not depend on the number of threads.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

#define EPSILON 1e-12f /* smooths roots at zero, as dhns.scorers.distance does */

enum measure { L1, L2, MODULUS, PRODUCT };

static float measured(const float *restrict a, const float *restrict b, int64_t width, enum measure measure)
{
    float sum = 0;
    if (measure == L1) {
        for (int64_t i = 0; i < width; i++)
            sum += fabsf(a[i] - b[i]);
        return sum;
    }
    if (measure == L2) {
        for (int64_t i = 0; i < width; i++)
            sum += (a[i] - b[i]) * (a[i] - b[i]);
        return sqrtf(sum + EPSILON);
    }
    if (measure == PRODUCT) {
        for (int64_t i = 0; i < width; i++)
            sum += a[i] * b[i];
        return sum;
    }
    int64_t half = width / 2;
    for (int64_t i = 0; i < half; i++) {
        float real = a[i] - b[i], imaginary = a[half + i] - b[half + i];
        sum += sqrtf(real * real + imaginary * imaginary + EPSILON);
    }
    return sum;
}

/* slope += scale * d measured(a, b) / d a; of L2, scale is already divided by the distance */
static void add_slope(float *restrict slope, const float *restrict a, const float *restrict b, int64_t width,
                      enum measure measure, float scale)
{
    if (measure == L1) {
        for (int64_t i = 0; i < width; i++) {
            float difference = a[i] - b[i];
            slope[i] += difference > 0 ? scale : difference < 0 ? -scale : 0;
        }
        return;
    }
    if (measure == L2) {
        for (int64_t i = 0; i < width; i++)
            slope[i] += scale * (a[i] - b[i]);
        return;
    }
    if (measure == PRODUCT) {
        for (int64_t i = 0; i < width; i++)
            slope[i] += scale * b[i];
        return;
    }
    int64_t half = width / 2;
    for (int64_t i = 0; i < half; i++) {
        float real = a[i] - b[i], imaginary = a[half + i] - b[half + i];
        float each = scale / sqrtf(real * real + imaginary * imaginary + EPSILON);
        slope[i] += each * real;
        slope[half + i] += each * imaginary;
    }
}

/* out (queries, candidates) */
void indexed_pairs(float *out, const float *query, const float *table, const int64_t *index, int64_t queries,
                      int64_t candidates, int64_t width, int measure, int threads)
{
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t b = 0; b < queries; b++)
        for (int64_t n = b * candidates; n < (b + 1) * candidates; n++)
            out[n] = measured(query + b * width, table + index[n] * width, width, measure);
}

/* out (queries, rows): blocks of the table stay in the cache while all queries pass by */
void all_pairs(float *out, const float *query, const float *table, int64_t queries, int64_t rows, int64_t width,
                   int measure, int threads)
{
    int64_t block = 1 + (1 << 18) / (width * (int64_t)sizeof(float)); /* a quarter of a megabyte of the second cache */
    int64_t blocks = (rows + block - 1) / block;
#pragma omp parallel for num_threads(threads) schedule(dynamic)
    for (int64_t k = 0; k < blocks; k++) {
        int64_t end = (k + 1) * block < rows ? (k + 1) * block : rows;
        for (int64_t b = 0; b < queries; b++)
            for (int64_t row = k * block; row < end; row++)
                out[b * rows + row] = measured(query + b * width, table + row * width, width, measure);
    }
}

static float weight(const float *gradient, const float *found, int64_t n, enum measure measure)
{
    return measure == L2 ? gradient[n] / found[n] : gradient[n];
}

/* to_query (queries, width) from gradient (queries, candidates) and what the forward pass found */
void gradient_of_queries(float *to_query, const float *gradient, const float *found, const float *query,
                         const float *table, const int64_t *index, int64_t queries, int64_t candidates, int64_t width,
                         int measure, int threads)
{
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t b = 0; b < queries; b++) {
        float *slope = to_query + b * width;
        memset(slope, 0, width * sizeof(float));
        for (int64_t c = 0; c < candidates; c++) {
            int64_t n = b * candidates + c, row = index ? index[n] : c;
            add_slope(slope, query + b * width, table + row * width, width, measure, weight(gradient, found, n, measure));
        }
    }
}

/* to_table (rows, width). With an index, the pairs of each row are listed first, so that no two threads write to one row:
 * start (rows + 2), zeros, and pair (queries * candidates) are room for that list. */
void gradient_of_table(float *to_table, int64_t *start, int64_t *pair, const float *gradient, const float *found,
                       const float *query, const float *table, const int64_t *index, int64_t queries,
                       int64_t candidates, int64_t rows, int64_t width, int measure, int threads)
{
    if (index) {
        /* counted two places on, so that after filling start[row] .. start[row + 1] are the pairs of a row */
        for (int64_t n = 0; n < queries * candidates; n++)
            start[index[n] + 2]++;
        for (int64_t row = 1; row < rows + 2; row++)
            start[row] += start[row - 1];
        for (int64_t n = 0; n < queries * candidates; n++)
            pair[start[index[n] + 1]++] = n;
    }
#pragma omp parallel for num_threads(threads) schedule(dynamic, 16)
    for (int64_t row = 0; row < rows; row++) {
        float *slope = to_table + row * width;
        memset(slope, 0, width * sizeof(float));
        int64_t first = index ? start[row] : 0, last = index ? start[row + 1] : queries;
        for (int64_t k = first; k < last; k++) {
            int64_t n = index ? pair[k] : k * candidates + row, b = index ? n / candidates : k;
            add_slope(slope, table + row * width, query + b * width, width, measure, weight(gradient, found, n, measure));
        }
    }
}

#define SLICE 16 /* coordinates, or complex coordinates, that a thread owns at a time */
#define BLOCK 64 /* rows whose slices stay in the cache while all queries pass by */

/* own += scale * d measured(a, b) / d a, and other += scale * d measured(a, b) / d b, of n coordinates */
static inline void add_both_slopes(float *restrict own, float *restrict other, const float *restrict a,
                                   const float *restrict b, int64_t n, int64_t half, enum measure measure, float scale)
{
    for (int64_t i = 0; i < n; i++) {
        float difference = a[i] - b[i];
        if (measure == PRODUCT) {
            own[i] += scale * b[i];
            other[i] += scale * a[i];
        } else if (measure == MODULUS) {
            float imaginary = a[half + i] - b[half + i];
            float each = scale / sqrtf(difference * difference + imaginary * imaginary + EPSILON);
            own[i] += each * difference;
            other[i] -= each * difference;
            own[half + i] += each * imaginary;
            other[half + i] -= each * imaginary;
        } else {
            float each = measure == L2 ? scale * difference : difference > 0 ? scale : difference < 0 ? -scale : 0;
            own[i] += each;
            other[i] -= each;
        }
    }
}

struct pairs {
    float *to_query, *to_table;
    const float *gradient, *found, *query, *table;
    int64_t queries, rows, width;
};

/* Both gradients of n coordinates from the first on; inlined, so that the compiler knows the measure, and mostly n. */
static inline __attribute__((always_inline)) void gradients_of_slice(struct pairs p, int64_t first, int64_t n,
                                                                     enum measure measure)
{
    for (int64_t block = 0; block < p.rows; block += BLOCK) {
        int64_t end = block + BLOCK < p.rows ? block + BLOCK : p.rows;
        for (int64_t b = 0; b < p.queries; b++)
            for (int64_t row = block; row < end; row++) {
                int64_t own = b * p.width + first, other = row * p.width + first;
                add_both_slopes(p.to_query + own, p.to_table + other, p.query + own, p.table + other, n, p.width / 2,
                                measure, weight(p.gradient, p.found, b * p.rows + row, measure));
            }
    }
}

/* Both gradients of all pairs, what they share computed once. A thread owns coordinates of all rows, so that every sum
 * has the order that it has in the two functions above, which take over where there are many more threads than slices;
 * not at other widths, where the compiler may round the rest of a vector in another way. */
void gradients_of_all(float *to_query, float *to_table, const float *gradient, const float *found, const float *query,
                      const float *table, int64_t queries, int64_t rows, int64_t width, int measure, int threads)
{
    struct pairs p = {to_query, to_table, gradient, found, query, table, queries, rows, width};
    int64_t coordinates = measure == MODULUS ? width / 2 : width, slices = (coordinates + SLICE - 1) / SLICE;
    if (threads > 4 * slices && coordinates % SLICE == 0) {
        gradient_of_queries(to_query, gradient, found, query, table, 0, queries, rows, width, measure, threads);
        gradient_of_table(to_table, 0, 0, gradient, found, query, table, 0, queries, rows, rows, width, measure, threads);
        return;
    }
    memset(to_query, 0, queries * width * sizeof(float));
    memset(to_table, 0, rows * width * sizeof(float));
#pragma omp parallel for num_threads(threads) schedule(dynamic)
    for (int64_t slice = 0; slice < slices; slice++) {
        int64_t first = slice * SLICE, n = coordinates - first < SLICE ? coordinates - first : SLICE;
#define OF(measured)                                                                                                   \
    case measured:                                                                                                     \
        n == SLICE ? gradients_of_slice(p, first, SLICE, measured) : gradients_of_slice(p, first, n, measured);        \
        break;
        switch (measure) { OF(L1) OF(L2) OF(MODULUS) OF(PRODUCT) }
#undef OF
    }
}
