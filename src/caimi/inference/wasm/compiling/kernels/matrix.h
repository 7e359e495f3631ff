/* A right matrix in memory. */
#ifndef CAIMI_MATRIX_H
#define CAIMI_MATRIX_H

#include "product.h"

/* Element (k, j) is at k * step + j * column of `b`, or of `b_i8` if that is given; one of step and
 * column is 1. */
typedef struct {
    const float *b;
    const int8_t *b_i8;
    int32_t step, column;
} caimi_matrix;

caimi_pack caimi_pack_matrix;

#endif
