#include "matrix.h"

enum { COLUMNS = CAIMI_TILE_COLUMNS };

CAIMI_SHORT_LOOPS static void pack_any(const caimi_matrix *b, int32_t at, int32_t steps, int32_t wide,
                     caimi_sum *to) {
    for (int32_t s = 0; s < steps; s++, at += b->step, to += COLUMNS)
        for (int32_t c = 0; c < COLUMNS; c++) {
            const int32_t i = at + c * b->column;
            to[c] = c >= wide ? 0 : b->b_i8 ? (caimi_sum)b->b_i8[i] : (caimi_sum)b->b[i];
        }
}

#ifndef CAIMI_FLOAT64_SUMS
static void pack_rows(const float *b, int32_t step, int32_t steps, float *to) {
    for (int32_t s = 0; s < steps; s++, b += step, to += COLUMNS) {
        caimi_store(to, caimi_load(b));
        caimi_store(to + 4, caimi_load(b + 4));
    }
}

/* Transposes 4 x 4 elements. */
static inline void transpose(const float *b, int32_t column, float *to) {
    const f32x4 v0 = caimi_load(b), v1 = caimi_load(b + column);
    const f32x4 v2 = caimi_load(b + 2 * column), v3 = caimi_load(b + 3 * column);
    const f32x4 a = __builtin_shufflevector(v0, v1, 0, 4, 1, 5);
    const f32x4 c = __builtin_shufflevector(v2, v3, 0, 4, 1, 5);
    const f32x4 d = __builtin_shufflevector(v0, v1, 2, 6, 3, 7);
    const f32x4 e = __builtin_shufflevector(v2, v3, 2, 6, 3, 7);
    caimi_store(to, __builtin_shufflevector(a, c, 0, 1, 4, 5));
    caimi_store(to + COLUMNS, __builtin_shufflevector(a, c, 2, 3, 6, 7));
    caimi_store(to + 2 * COLUMNS, __builtin_shufflevector(d, e, 0, 1, 4, 5));
    caimi_store(to + 3 * COLUMNS, __builtin_shufflevector(d, e, 2, 3, 6, 7));
}

/* Packs a multiple of four steps. */
static void pack_columns(const float *b, int32_t column, int32_t steps, float *to) {
    for (int32_t s = 0; s < steps; s += 4, b += 4, to += 4 * COLUMNS) {
        transpose(b, column, to);
        transpose(b + 4 * column, column, to + 4);
    }
}
#endif

CAIMI_SHORT_LOOPS void caimi_pack_matrix(const void *source, int32_t k, int32_t steps, int32_t j, int32_t columns,
                       caimi_sum *to) {
    const caimi_matrix *b = source;
    for (; columns > 0; columns -= COLUMNS, j += COLUMNS, to += steps * COLUMNS) {
        const int32_t at = k * b->step + j * b->column;
        int32_t done = 0;
#ifndef CAIMI_FLOAT64_SUMS
        if (b->b && columns >= COLUMNS) {
            done = b->column == 1 ? steps : steps / 4 * 4;
            if (b->column == 1) pack_rows(b->b + at, b->step, steps, to);
            else pack_columns(b->b + at, b->column, done, to);
        }
#endif
        pack_any(b, at + done * b->step, steps - done, columns, to + done * COLUMNS);
    }
}
