/* Blocks of the right matrix are packed to stay in the second-level cache; four rows of the left
 * one at a time are expanded, each element repeated over a vector, to stay in the first level. */
#include "product.h"

enum {
    STEPS = 1024 / sizeof(caimi_sum),
    WIDEST = 1024, /* four rows of sums stay in the first-level cache until they are finished */
    ROWS = CAIMI_TILE_ROWS,
    COLUMNS = CAIMI_TILE_COLUMNS,
};

static caimi_sums expanded[STEPS * ROWS];
caimi_sum caimi_scratch[CAIMI_SCRATCH] __attribute__((aligned(64)));

/* Adds `steps` terms to each of 4 x COLUMNS sums. A leaf without edges: any call, branch on shapes
 * or hoisted load in here makes the compiler below spill the eight sums. The exit after each step
 * keeps loads where they are and lets a loop of 16 steps take any number of them. */
#define STEP(i)                                                                                    \
    {                                                                                              \
        const caimi_sums b0 = b[2 * i], b1 = b[2 * i + 1];                                         \
        s00 += a[4 * i] * b0;                                                                      \
        s01 += a[4 * i] * b1;                                                                      \
        s10 += a[4 * i + 1] * b0;                                                                  \
        s11 += a[4 * i + 1] * b1;                                                                  \
        s20 += a[4 * i + 2] * b0;                                                                  \
        s21 += a[4 * i + 2] * b1;                                                                  \
        s30 += a[4 * i + 3] * b0;                                                                  \
        s31 += a[4 * i + 3] * b1;                                                                  \
        if (steps == i + 1) break;                                                                 \
    }

static __attribute__((noinline)) void tile(int32_t steps, const caimi_sums *a, const caimi_sums *b,
                                           int32_t resume, caimi_sum *y, int32_t row) {
    caimi_sums s00 = {0}, s01 = {0}, s10 = {0}, s11 = {0};
    caimi_sums s20 = {0}, s21 = {0}, s30 = {0}, s31 = {0};
    if (resume) {
        s00 = caimi_load_sums(y), s01 = caimi_load_sums(y + CAIMI_LANES);
        s10 = caimi_load_sums(y + row), s11 = caimi_load_sums(y + row + CAIMI_LANES);
        s20 = caimi_load_sums(y + 2 * row), s21 = caimi_load_sums(y + 2 * row + CAIMI_LANES);
        s30 = caimi_load_sums(y + 3 * row), s31 = caimi_load_sums(y + 3 * row + CAIMI_LANES);
    }
    for (;;) {
        STEP(0) STEP(1) STEP(2) STEP(3) STEP(4) STEP(5) STEP(6) STEP(7)
        STEP(8) STEP(9) STEP(10) STEP(11) STEP(12) STEP(13) STEP(14) STEP(15)
        a += 64, b += 32, steps -= 16;
    }
    caimi_store_sums(y, s00), caimi_store_sums(y + CAIMI_LANES, s01);
    caimi_store_sums(y + row, s10), caimi_store_sums(y + row + CAIMI_LANES, s11);
    caimi_store_sums(y + 2 * row, s20), caimi_store_sums(y + 2 * row + CAIMI_LANES, s21);
    caimi_store_sums(y + 3 * row, s30), caimi_store_sums(y + 3 * row + CAIMI_LANES, s31);
}

/* Repeats each of rows [i, i + 4), steps [k, k + steps) over a vector; past the last row, that row
 * again. */
CAIMI_SHORT_LOOPS static void expand(const caimi_product *p, int32_t i, int32_t k, int32_t steps) {
    int32_t at[ROWS];
    for (int32_t r = 0; r < ROWS; r++)
        at[r] = (i + r < p->m ? i + r : p->m - 1) * p->a_row + k * p->a_step;
    caimi_sums *to = expanded;
    int32_t s = 0;
    if (p->a_i8) {
        for (; s < steps; s++, to += ROWS)
            for (int32_t r = 0; r < ROWS; r++)
                to[r] = caimi_splat_sums((caimi_sum)p->a_i8[at[r] + s * p->a_step]);
        return;
    }
    if (p->a_step == 1)
        for (; s + 4 <= steps; s += 4, to += 4 * ROWS)
            for (int32_t r = 0; r < ROWS; r++) {
                const f32x4 four = caimi_load(p->a + at[r] + s);
                to[r] = caimi_splat_sums(four[0]);
                to[ROWS + r] = caimi_splat_sums(four[1]);
                to[2 * ROWS + r] = caimi_splat_sums(four[2]);
                to[3 * ROWS + r] = caimi_splat_sums(four[3]);
            }
    for (; s < steps; s++, to += ROWS)
        for (int32_t r = 0; r < ROWS; r++) to[r] = caimi_splat_sums(p->a[at[r] + s * p->a_step]);
}

/* Multiplies the expanded rows with one packed block: rows [i, i + 4) of `sums`, whose rows lie
 * `row` apart. */
CAIMI_SHORT_LOOPS static void strip(int32_t steps, int32_t rows, int32_t columns, int32_t resume, caimi_sum *sums,
                  int32_t row) {
    const caimi_sums *b = (const caimi_sums *)caimi_scratch;
    for (int32_t r = 0; r < rows && !steps; r++)
        for (int32_t c = 0; c < columns; c++) sums[r * row + c] = 0;
    if (!steps) return;
    for (int32_t j = 0; j < columns; j += COLUMNS, b += 2 * steps) {
        if (rows == ROWS && j + COLUMNS <= columns) {
            tile(steps, expanded, b, resume, sums + j, row);
            continue;
        }
        caimi_sum edge[ROWS * COLUMNS];
        const int32_t wide = columns - j < COLUMNS ? columns - j : COLUMNS;
        for (int32_t r = 0; r < rows && resume; r++)
            for (int32_t c = 0; c < wide; c++) edge[r * COLUMNS + c] = sums[r * row + j + c];
        tile(steps, expanded, b, resume, edge, COLUMNS);
        for (int32_t r = 0; r < rows; r++)
            for (int32_t c = 0; c < wide; c++) sums[r * row + j + c] = edge[r * COLUMNS + c];
    }
}

/* Unfinished sums wait in y itself; float64 ones in a buffer, which bounds the rows at a time. */
#ifdef CAIMI_FLOAT64_SUMS
enum { WAITING_ROWS = 64, WAITING_COLUMNS = 384 };
static caimi_sum waiting[WAITING_ROWS * WAITING_COLUMNS];
#endif

CAIMI_SHORT_LOOPS void caimi_multiply(const caimi_product *p, float *y) {
    const int32_t blocks = p->k > STEPS ? (p->k + STEPS - 1) / STEPS : 1;
    const int32_t deep = p->k ? ((p->k + blocks - 1) / blocks + 15) / 16 * 16 : 16;
    int32_t wide = CAIMI_SCRATCH / deep / COLUMNS * COLUMNS;
    if (wide > WIDEST) wide = WIDEST;
#ifdef CAIMI_FLOAT64_SUMS
    const int32_t tall = WAITING_ROWS;
    if (wide > WAITING_COLUMNS) wide = WAITING_COLUMNS;
#else
    const int32_t tall = p->m;
#endif
    for (int32_t j = 0; j < p->n; j += wide) {
        const int32_t columns = p->n - j < wide ? p->n - j : wide;
        for (int32_t top = 0; top < p->m; top += tall) {
            const int32_t bottom = p->m - top < tall ? p->m : top + tall;
            for (int32_t k = 0; k < p->k || k == 0; k += deep) {
                const int32_t steps = p->k - k < deep ? p->k - k : deep;
                if (top == 0 || blocks > 1) p->pack(p->source, k, steps, j, columns, caimi_scratch);
                for (int32_t i = top; i < bottom; i += ROWS) {
                    const int32_t rows = p->m - i < ROWS ? p->m - i : ROWS;
#ifdef CAIMI_FLOAT64_SUMS
                    caimi_sum *sums = waiting + (i - top) * columns;
                    const int32_t row = columns;
#else
                    caimi_sum *sums = y + i * p->n + j;
                    const int32_t row = p->n;
#endif
                    expand(p, i, k, steps);
                    strip(steps, rows, columns, k > 0, sums, row);
                    if (k + steps < p->k) continue;
                    for (int32_t r = 0; r < rows; r++) {
                        const int32_t at = (i + r) * p->n + j;
                        const float *residual = p->finisher.e.residual;
                        caimi_finish(&p->finisher, i + r, j, sums + r * row,
                                     residual ? residual + at : 0, columns, y + at);
                    }
                }
            }
        }
    }
}
