/* Softmax of one row, for Softmax and for attention. */
#ifndef CAIMI_SOFTMAX_ROW_H
#define CAIMI_SOFTMAX_ROW_H

#include "functions.h"
#include "sums.h"

/* NaNs do not count: one that is there makes the sum NaN afterwards. */
static inline float caimi_row_maximum(const float *x, int32_t count) {
    caimi_f4 largest = caimi_splat4(-__builtin_inff());
    caimi_f4 other = largest;
    int32_t at = 0;
    for (; at + 16 <= count; at += 16) {
        largest = caimi_at_least4(largest, caimi_load4(x + at));
        other = caimi_at_least4(other, caimi_load4(x + at + 4));
        largest = caimi_at_least4(largest, caimi_load4(x + at + 8));
        other = caimi_at_least4(other, caimi_load4(x + at + 12));
    }
    for (; at + 4 <= count; at += 4) largest = caimi_at_least4(largest, caimi_load4(x + at));
    largest = caimi_at_least4(largest, other);
    float one = largest[0];
    for (int32_t lane = 1; lane < 4; lane++)
        if (largest[lane] > one) one = largest[lane];
    for (; at < count; at++)
        if (x[at] > one) one = x[at];
    return one;
}

CAIMI_INLINE void caimi_softmax_row(int32_t count, const float *x, float *y) {
    const float largest = caimi_row_maximum(x, count);
    int32_t at = 0;
    for (; at + 8 <= count; at += 8) {
        const caimi_f4 first = caimi_exp4(caimi_load4(x + at) - largest);
        const caimi_f4 second = caimi_exp4(caimi_load4(x + at + 4) - largest);
        caimi_store4(y + at, first);
        caimi_store4(y + at + 4, second);
    }
    for (; at + 4 <= count; at += 4) caimi_store4(y + at, caimi_exp4(caimi_load4(x + at) - largest));
    if (at < count) {
        const caimi_f4 rest = caimi_load_some(x + at, count - at, 0.0f);
        caimi_store_some(y + at, count - at, caimi_exp4(rest - largest));
    }
    const float sum = caimi_folded(y, count);
    at = 0;
    for (; at + 16 <= count; at += 16)
        for (int32_t lane = at; lane < at + 16; lane += 4)
            caimi_store4(y + lane, caimi_canonical4(caimi_load4(y + lane) / sum));
    for (; at + 4 <= count; at += 4)
        caimi_store4(y + at, caimi_canonical4(caimi_load4(y + at) / sum));
    if (at < count) {
        const caimi_f4 rest = caimi_load_some(y + at, count - at, 0.0f);
        caimi_store_some(y + at, count - at, caimi_canonical4(rest / sum));
    }
}

#endif
