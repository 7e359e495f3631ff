/* Softmax and LogSoftmax: rows when the axis is the last, else four slices at once. */
#include "caimi_operators.h"
#include "softmax_row.h"

CAIMI_INLINE void caimi_log_softmax_row(int32_t count, const float *x, float *y) {
    const float largest = caimi_row_maximum(x, count);
    float sum;
#define CAIMI_TERM(LOAD, at) CAIMI_WIDE(caimi_exp4(LOAD(x, at) - largest))
    CAIMI_FOLD(sum, count, CAIMI_TERM);
#undef CAIMI_TERM
    const caimi_f4 logarithm = caimi_log4(caimi_splat4(sum));
    int32_t at = 0;
    for (; at + 4 <= count; at += 4)
        caimi_store4(y + at, caimi_canonical4((caimi_load4(x + at) - largest) - logarithm));
    if (at < count) {
        const caimi_f4 rest = caimi_load_some(x + at, count - at, 0.0f);
        caimi_store_some(y + at, count - at, caimi_canonical4((rest - largest) - logarithm));
    }
}

/* Up to four neighbouring slices of a middle axis. */
CAIMI_INLINE void caimi_softmax_slices(const caimi_axis *axis, int32_t lanes, int32_t logarithmic,
                                       const float *x, float *y) {
#define CAIMI_AT(from, k) (lanes == 4 ? caimi_load4((from) + (k) * axis->inner) \
                                      : caimi_load_some((from) + (k) * axis->inner, lanes, 0.0f))
    caimi_f4 largest = caimi_splat4(-__builtin_inff());
    for (int32_t k = 0; k < axis->size; k++) largest = caimi_at_least4(largest, CAIMI_AT(x, k));
    caimi_f4 sum = caimi_splat4(0.0f);
    for (int32_t k = 0; k < axis->size; k++) sum += caimi_exp4(CAIMI_AT(x, k) - largest);
    const caimi_f4 logarithm = caimi_log4(sum);
    for (int32_t k = 0; k < axis->size; k++) {
        const caimi_f4 shifted = CAIMI_AT(x, k) - largest;
        const caimi_f4 result =
            caimi_canonical4(logarithmic ? shifted - logarithm : caimi_exp4(shifted) / sum);
        if (lanes == 4)
            caimi_store4(y + k * axis->inner, result);
        else
            caimi_store_some(y + k * axis->inner, lanes, result);
    }
#undef CAIMI_AT
}

CAIMI_INLINE void caimi_softmax_walk(const caimi_axis *axis, int32_t logarithmic, const float *x,
                                     float *y) {
    for (int32_t outer = 0; outer < axis->outer; outer++) {
        if (axis->inner == 1) {
            if (logarithmic)
                caimi_log_softmax_row(axis->size, x, y);
            else
                caimi_softmax_row(axis->size, x, y);
        } else {
            int32_t at = 0;
            for (; at + 4 <= axis->inner; at += 4)
                caimi_softmax_slices(axis, 4, logarithmic, x + at, y + at);
            if (at < axis->inner)
                caimi_softmax_slices(axis, axis->inner - at, logarithmic, x + at, y + at);
        }
        x += axis->size * axis->inner;
        y += axis->size * axis->inner;
    }
}

void caimi_softmax_f32(const caimi_axis *axis, const float *x, float *y) {
    caimi_softmax_walk(axis, 0, x, y);
}

void caimi_log_softmax_f32(const caimi_axis *axis, const float *x, float *y) {
    caimi_softmax_walk(axis, 1, x, y);
}
