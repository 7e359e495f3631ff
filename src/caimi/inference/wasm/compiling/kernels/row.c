#include "row.h"

enum { WIDTH = 2048 }; /* of the sums at a time: they stay in the first-level cache */

static inline caimi_quad take(const caimi_matrix *b, int32_t at) {
    return caimi_widen(b->b ? caimi_load(b->b + at) : caimi_load_i8(b->b_i8 + at));
}
static inline caimi_sum take_one(const caimi_matrix *b, int32_t at) {
    return b->b ? b->b[at] : b->b_i8[at];
}
static inline caimi_quad repeat(caimi_sum v) { return (caimi_quad){v, v, v, v}; }

/* Right matrix by rows: all sums take step after step. */
CAIMI_SHORT_LOOPS static inline void along_rows(int32_t n, int32_t k, const float *a, int32_t a_step,
                              const caimi_matrix *b, int32_t j, caimi_sum *sums) {
    for (int32_t i = 0; i < n; i++) sums[i] = 0;
    int32_t s = 0;
    for (; s + 4 <= k; s += 4) {
        const int32_t r0 = s * b->step + j, r1 = r0 + b->step, r2 = r1 + b->step,
                      r3 = r2 + b->step;
        const caimi_sum a0 = a[s * a_step], a1 = a[(s + 1) * a_step];
        const caimi_sum a2 = a[(s + 2) * a_step], a3 = a[(s + 3) * a_step];
        int32_t i = 0;
        for (; i + 4 <= n; i += 4) {
            caimi_quad sum = caimi_load_quad(sums + i);
            sum += repeat(a0) * take(b, r0 + i);
            sum += repeat(a1) * take(b, r1 + i);
            sum += repeat(a2) * take(b, r2 + i);
            sum += repeat(a3) * take(b, r3 + i);
            caimi_store_quad(sums + i, sum);
        }
        for (; i < n; i++) {
            sums[i] += a0 * take_one(b, r0 + i);
            sums[i] += a1 * take_one(b, r1 + i);
            sums[i] += a2 * take_one(b, r2 + i);
            sums[i] += a3 * take_one(b, r3 + i);
        }
    }
    for (; s < k; s++)
        for (int32_t i = 0; i < n; i++)
            sums[i] += (caimi_sum)a[s * a_step] * take_one(b, s * b->step + j + i);
}

/* Right matrix by columns: four sums at a time, four steps of four columns transposed. */
static inline void along_columns(int32_t n, int32_t k, const float *a, int32_t a_step,
                                 const caimi_matrix *b, int32_t j, caimi_sum *sums) {
    int32_t i = 0;
    for (; i + 4 <= n; i += 4) {
        const int32_t c0 = (j + i) * b->column, c1 = c0 + b->column, c2 = c1 + b->column,
                      c3 = c2 + b->column;
        caimi_quad sum = {0};
        int32_t s = 0;
        for (; s + 4 <= k; s += 4) {
            const caimi_quad v0 = take(b, c0 + s), v1 = take(b, c1 + s);
            const caimi_quad v2 = take(b, c2 + s), v3 = take(b, c3 + s);
            const caimi_quad p = __builtin_shufflevector(v0, v1, 0, 4, 1, 5);
            const caimi_quad q = __builtin_shufflevector(v2, v3, 0, 4, 1, 5);
            const caimi_quad u = __builtin_shufflevector(v0, v1, 2, 6, 3, 7);
            const caimi_quad v = __builtin_shufflevector(v2, v3, 2, 6, 3, 7);
            sum += repeat(a[s * a_step]) * __builtin_shufflevector(p, q, 0, 1, 4, 5);
            sum += repeat(a[(s + 1) * a_step]) * __builtin_shufflevector(p, q, 2, 3, 6, 7);
            sum += repeat(a[(s + 2) * a_step]) * __builtin_shufflevector(u, v, 0, 1, 4, 5);
            sum += repeat(a[(s + 3) * a_step]) * __builtin_shufflevector(u, v, 2, 3, 6, 7);
        }
        for (; s < k; s++) {
            const caimi_quad v = {take_one(b, c0 + s), take_one(b, c1 + s), take_one(b, c2 + s),
                                  take_one(b, c3 + s)};
            sum += repeat(a[s * a_step]) * v;
        }
        caimi_store_quad(sums + i, sum);
    }
    for (; i < n; i++) {
        caimi_sum sum = 0;
        for (int32_t s = 0; s < k; s++)
            sum += (caimi_sum)a[s * a_step] * take_one(b, (j + i) * b->column + s);
        sums[i] = sum;
    }
}

CAIMI_SHORT_LOOPS static inline void multiply(int32_t n, int32_t k, const float *a, int32_t a_step,
                            const caimi_matrix *b, int32_t j, caimi_sum *sums) {
    if (b->column == 1) along_rows(n, k, a, a_step, b, j, sums);
    else along_columns(n, k, a, a_step, b, j, sums);
}

CAIMI_SHORT_LOOPS void caimi_multiply_row(int32_t n, int32_t k, const float *a, int32_t a_step,
                        const caimi_matrix *b, const caimi_finisher *finisher, float *y) {
    const caimi_matrix numbers = {b->b, 0, b->step, b->column};
    const caimi_matrix integers = {0, b->b_i8, b->step, b->column};
    caimi_sum *sums = caimi_scratch;
    for (int32_t j = 0; j < n; j += WIDTH) {
        const int32_t count = n - j < WIDTH ? n - j : WIDTH;
        if (b->b) multiply(count, k, a, a_step, &numbers, j, sums);
        else multiply(count, k, a, a_step, &integers, j, sums);
        const float *residual = finisher->e.residual;
        caimi_finish(finisher, 0, j, sums, residual ? residual + j : 0, count, y + j);
    }
}
