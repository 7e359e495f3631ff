/* What happens to finished sums: scale, bias, residual, activation, canonical NaNs. */
#ifndef CAIMI_EPILOGUE_H
#define CAIMI_EPILOGUE_H

#include "caimi_kernels.h"
#include "vector.h"

static const caimi_epilogue CAIMI_NO_EPILOGUE = {0, 0, 0, CAIMI_LINEAR, 0.0f, 0.0f};

/* Scale and bias belong to rows (convolutions) or to columns (matrix products). */
typedef struct {
    caimi_epilogue e;
    caimi_sum alpha;
    int32_t by_column;
} caimi_finisher;

static inline f32x4 caimi_activate(const caimi_epilogue *e, int32_t activation, f32x4 v) {
    const f32x4 low = caimi_splat(e->low), high = caimi_splat(e->high);
    const f32x4 zero = caimi_splat(0.0f), one = caimi_splat(1.0f);
    if (activation == CAIMI_CLIP) {
        v = caimi_select(v < low, low, v);
        v = caimi_select(high < v, high, v);
    } else if (activation == CAIMI_LEAKY) {
        v = caimi_select(v < zero, v * low, v);
    } else if (activation == CAIMI_HARD_SWISH) {
        f32x4 gate = v * low + high;
        gate = caimi_select(gate < zero, zero, gate);
        gate = caimi_select(one < gate, one, gate);
        v = v * gate;
    }
    return caimi_select(v == v, v, (f32x4)((i32x4){0} + 0x7fc00000));
}

/* Finishes `count` sums of one row; `sums` may be `y`. `residual` is at y's place, or NULL. */
void caimi_finish(const caimi_finisher *, int32_t row, int32_t column, const caimi_sum *sums,
                  const float *residual, int32_t count, float *y);

#endif
