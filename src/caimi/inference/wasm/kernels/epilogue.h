/* What happens to a finished sum, one element at a time. */
#ifndef CAIMI_EPILOGUE_H
#define CAIMI_EPILOGUE_H

#include "caimi_kernels.h"

#ifdef CAIMI_FLOAT64_SUMS
typedef double caimi_sum;
#else
typedef float caimi_sum;
#endif

static const caimi_epilogue CAIMI_NO_EPILOGUE = {0, 0, 0, CAIMI_LINEAR, 0.0f, 0.0f};

static inline float caimi_activate(const caimi_epilogue *e, float v) {
    if (e->activation == CAIMI_CLIP) {
        v = v < e->low ? e->low : v;
        v = e->high < v ? e->high : v;
    } else if (e->activation == CAIMI_LEAKY) {
        v = v < 0.0f ? v * e->low : v;
    } else if (e->activation == CAIMI_HARD_SWISH) {
        float gate = v * e->low + e->high;
        gate = gate < 0.0f ? 0.0f : gate;
        gate = 1.0f < gate ? 1.0f : gate;
        v = v * gate;
    }
    return v == v ? v : __builtin_nanf("");
}

/* `channel` indexes scale and bias, `at` the residual. */
static inline float caimi_finish(const caimi_epilogue *e, caimi_sum sum, int32_t channel,
                                 int32_t at) {
    if (e->scale) sum = sum * e->scale[channel];
    if (e->bias) sum = sum + e->bias[channel];
    if (e->residual) sum = sum + e->residual[at];
    return caimi_activate(e, (float)sum);
}

#endif
