/* The blocked matrix product below convolutions and matrix products alike. */
#ifndef CAIMI_PRODUCT_H
#define CAIMI_PRODUCT_H

#include "epilogue.h"

enum {
    CAIMI_TILE_ROWS = 4,
    CAIMI_TILE_COLUMNS = 2 * CAIMI_LANES,
};

/* Writes columns [j, j + columns) of rows [k, k + steps) of the right matrix as panels of
 * CAIMI_TILE_COLUMNS columns, each [steps][CAIMI_TILE_COLUMNS], the last one padded with zeros. */
typedef void caimi_pack(const void *source, int32_t k, int32_t steps, int32_t j, int32_t columns,
                        caimi_sum *to);

/* y [m, n] = a [m, k] times what `pack` gives [k, n]. Element (i, k) of the left matrix is at
 * i * a_row + k * a_step in `a`, or in `a_i8` if that is given. */
typedef struct {
    int32_t m, n, k;
    const float *a;
    const int8_t *a_i8;
    int32_t a_row, a_step;
    caimi_pack *pack;
    const void *source;
    caimi_finisher finisher;
} caimi_product;

/* What a call of a kernel may write on; packed blocks lie here too. */
enum { CAIMI_SCRATCH = 98304 * sizeof(float) / sizeof(caimi_sum) };
extern caimi_sum caimi_scratch[CAIMI_SCRATCH];

void caimi_multiply(const caimi_product *, float *y);

#endif
