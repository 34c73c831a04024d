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
