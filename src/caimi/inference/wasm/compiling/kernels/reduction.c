/* Reductions along one axis: folded sums of rows, or vectors of columns by ascending index. */
#include "caimi_operators.h"
#include "sums.h"

CAIMI_INLINE caimi_f4 caimi_extreme4(caimi_f4 value, caimi_f4 next, int32_t sign) {
    const caimi_i4 beyond = sign > 0 ? next > value : next < value;
    return caimi_select4(beyond | (next != next), next, value);
}

/* The row's extreme, first of equals, NaN if one is there: a vector of candidates by lane, then
 * the lanes; a NaN, once found, is never displaced. */
static float caimi_row_extreme(const float *x, int32_t count, int32_t sign) {
    float one = x[0];
    int32_t at = 0;
    if (count >= 4) {
        caimi_f4 value = caimi_load4(x);
        for (at = 4; at + 4 <= count; at += 4)
            value = caimi_extreme4(value, caimi_load4(x + at), sign);
        one = value[0];
        for (int32_t lane = 1; lane < 4; lane++)
            one = caimi_extreme4(caimi_splat4(one), caimi_splat4(value[lane]), sign)[0];
    }
    for (; at < count; at++)
        one = caimi_extreme4(caimi_splat4(one), caimi_splat4(x[at]), sign)[0];
    return one;
}

enum { CAIMI_SUM, CAIMI_MEAN, CAIMI_SQUARES, CAIMI_MAXIMUM, CAIMI_MINIMUM };

CAIMI_INLINE caimi_f4 caimi_reduce_columns(const caimi_axis *axis, int32_t kind, int32_t lanes,
                                           const float *x) {
#define CAIMI_AT(k) (lanes == 4 ? caimi_load4(x + (k) * axis->inner) \
                                : caimi_load_some(x + (k) * axis->inner, lanes, 0.0f))
    if (kind == CAIMI_MAXIMUM || kind == CAIMI_MINIMUM) {
        caimi_f4 value = CAIMI_AT(0);
        for (int32_t k = 1; k < axis->size; k++)
            value = caimi_extreme4(value, CAIMI_AT(k), kind == CAIMI_MAXIMUM ? 1 : -1);
        return caimi_canonical4(value);
    }
    caimi_w4 sum = {0};
    for (int32_t k = 0; k < axis->size; k++) {
        const caimi_w4 next = CAIMI_WIDE(CAIMI_AT(k));
        sum += kind == CAIMI_SQUARES ? next * next : next;
    }
    caimi_f4 value = __builtin_convertvector(sum, caimi_f4);
    if (kind == CAIMI_MEAN) value /= (float)axis->size;
    return caimi_canonical4(value);
#undef CAIMI_AT
}

CAIMI_INLINE float caimi_reduce_row(const caimi_axis *axis, int32_t kind, const float *x) {
    switch (kind) {
    case CAIMI_SUM: return caimi_folded(x, axis->size);
    case CAIMI_MEAN: return caimi_folded(x, axis->size) / (float)axis->size;
    case CAIMI_SQUARES: return caimi_folded_squares(x, 0.0f, axis->size);
    default: return caimi_row_extreme(x, axis->size, kind == CAIMI_MAXIMUM ? 1 : -1);
    }
}

CAIMI_INLINE void caimi_reduce(const caimi_axis *axis, int32_t kind, const float *x, float *y) {
    const int32_t inner = axis->inner;
    for (int32_t outer = 0; outer < axis->outer; outer++, x += axis->size * inner, y += inner) {
        if (inner == 1) {
            y[0] = caimi_canonical4(caimi_splat4(caimi_reduce_row(axis, kind, x)))[0];
            continue;
        }
        int32_t at = 0;
        for (; at + 4 <= inner; at += 4)
            caimi_store4(y + at, caimi_reduce_columns(axis, kind, 4, x + at));
        if (at < inner)
            caimi_store_some(y + at, inner - at, caimi_reduce_columns(axis, kind, inner - at, x + at));
    }
}

void caimi_reduce_sum_f32(const caimi_axis *axis, const float *x, float *y) {
    caimi_reduce(axis, CAIMI_SUM, x, y);
}

void caimi_reduce_mean_f32(const caimi_axis *axis, const float *x, float *y) {
    caimi_reduce(axis, CAIMI_MEAN, x, y);
}

void caimi_reduce_sum_square_f32(const caimi_axis *axis, const float *x, float *y) {
    caimi_reduce(axis, CAIMI_SQUARES, x, y);
}

void caimi_reduce_max_f32(const caimi_axis *axis, const float *x, float *y) {
    caimi_reduce(axis, CAIMI_MAXIMUM, x, y);
}

void caimi_reduce_min_f32(const caimi_axis *axis, const float *x, float *y) {
    caimi_reduce(axis, CAIMI_MINIMUM, x, y);
}
