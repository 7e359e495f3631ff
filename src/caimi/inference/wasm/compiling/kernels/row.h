/* Products with one row: every element of the right matrix is used once, so nothing is packed. */
#ifndef CAIMI_ROW_H
#define CAIMI_ROW_H

#include "matrix.h"

/* y [n] = a [k] times b [k, n]; element k of `a` is at k * a_step. */
void caimi_multiply_row(int32_t n, int32_t k, const float *a, int32_t a_step,
                        const caimi_matrix *b, const caimi_finisher *, float *y);

#endif
