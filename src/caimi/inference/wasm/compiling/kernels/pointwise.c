/* Functions of one number, four at a time: see caimi_operators.h for what each computes. */
#include "functions.h"
#include "caimi_operators.h"

/* Four vectors a turn: WebAssembly engines that meter fuel pay for each turn of a loop. */
#define CAIMI_POINTWISE(count, x, y, EXPRESSION)                                         \
    do {                                                                                 \
        int32_t at = 0;                                                                  \
        for (; at + 16 <= count; at += 16) {                                             \
            for (int32_t lane = 0; lane < 16; lane += 4) {                               \
                const caimi_f4 v = caimi_load4(x + at + lane);                           \
                caimi_store4(y + at + lane, caimi_canonical4(EXPRESSION));               \
            }                                                                            \
        }                                                                                \
        for (; at + 4 <= count; at += 4) {                                               \
            const caimi_f4 v = caimi_load4(x + at);                                      \
            caimi_store4(y + at, caimi_canonical4(EXPRESSION));                          \
        }                                                                                \
        if (at < count) {                                                                \
            const caimi_f4 v = caimi_load_some(x + at, count - at, 0.0f);                \
            caimi_store_some(y + at, count - at, caimi_canonical4(EXPRESSION));          \
        }                                                                                \
    } while (0)

#define CAIMI_FUNCTION(NAME, EXPRESSION)                                                 \
    void caimi_##NAME##_f32(int32_t count, const float *x, float *y) {                   \
        CAIMI_POINTWISE(count, x, y, EXPRESSION);                                        \
    }

CAIMI_INLINE caimi_f4 caimi_clip4(caimi_f4 x, float low, float high) {
    return caimi_at_most4(caimi_at_least4(x, caimi_splat4(low)), caimi_splat4(high));
}

CAIMI_INLINE caimi_f4 caimi_softplus4(caimi_f4 x) {
    /* ln(1 + e) with e <= 1: ln u times e / (u - 1), u = 1 + e rounded, makes up for the rounding
     * (W. Kahan); u = 1 where e is too small to count. */
    const caimi_f4 e = caimi_exp4(-caimi_magnitude4(x));
    const caimi_f4 u = 1.0f + e;
    const caimi_f4 rest = u - 1.0f;
    const caimi_f4 tail = caimi_select4(rest == 0.0f, e, caimi_log4(u) * (e / rest));
    return caimi_at_least4(x, caimi_splat4(0.0f)) + tail;
}

CAIMI_INLINE caimi_f4 caimi_hard_sigmoid4(caimi_f4 x, float alpha, float beta) {
    return caimi_clip4(x * alpha + beta, 0.0f, 1.0f);
}

CAIMI_INLINE caimi_f4 caimi_elu4(caimi_f4 x, float alpha) {
    return caimi_select4(x < 0.0f, caimi_expm1_negative4(x) * alpha, x);
}

CAIMI_INLINE caimi_f4 caimi_gelu4(caimi_f4 x) {
    return (x * 0.5f) * (1.0f + caimi_erf4(x * 0x1.6a09e6p-1f));
}

CAIMI_INLINE caimi_f4 caimi_gelu_tanh4(caimi_f4 x) {
    const caimi_f4 inner = (x + ((x * x) * x) * 0.044715f) * 0x1.988454p-1f;
    return (x * 0.5f) * (1.0f + caimi_tanh4(inner));
}

CAIMI_FUNCTION(exp, caimi_exp4(v))
CAIMI_FUNCTION(log, caimi_log4(v))
CAIMI_FUNCTION(erf, caimi_erf4(v))
CAIMI_FUNCTION(tanh, caimi_tanh4(v))
CAIMI_FUNCTION(sigmoid, caimi_sigmoid4(v))
CAIMI_FUNCTION(softplus, caimi_softplus4(v))
CAIMI_FUNCTION(softsign, v / (1.0f + caimi_magnitude4(v)))
CAIMI_FUNCTION(sqrt, __builtin_elementwise_sqrt(v))
CAIMI_FUNCTION(reciprocal, 1.0f / v)
CAIMI_FUNCTION(abs, caimi_magnitude4(v))
CAIMI_FUNCTION(neg, (caimi_f4)((caimi_i4)v ^ (int32_t)0x80000000))
CAIMI_FUNCTION(floor, __builtin_elementwise_floor(v))
CAIMI_FUNCTION(ceil, __builtin_elementwise_ceil(v))
CAIMI_FUNCTION(hard_swish, v * caimi_hard_sigmoid4(v, 1.0f / 6.0f, 0.5f))
CAIMI_FUNCTION(silu, v * caimi_sigmoid4(v))
CAIMI_FUNCTION(gelu, caimi_gelu4(v))
CAIMI_FUNCTION(gelu_tanh, caimi_gelu_tanh4(v))

void caimi_clip_f32(int32_t count, float low, float high, const float *x, float *y) {
    CAIMI_POINTWISE(count, x, y, caimi_clip4(v, low, high));
}

void caimi_leaky_relu_f32(int32_t count, float alpha, const float *x, float *y) {
    CAIMI_POINTWISE(count, x, y, caimi_select4(v < 0.0f, v * alpha, v));
}

void caimi_elu_f32(int32_t count, float alpha, const float *x, float *y) {
    CAIMI_POINTWISE(count, x, y, caimi_elu4(v, alpha));
}

void caimi_selu_f32(int32_t count, float alpha, float gamma, const float *x, float *y) {
    CAIMI_POINTWISE(count, x, y, caimi_elu4(v, alpha) * gamma);
}

void caimi_celu_f32(int32_t count, float alpha, const float *x, float *y) {
    CAIMI_POINTWISE(count, x, y,
                    caimi_select4(v < 0.0f, caimi_expm1_negative4(v / alpha) * alpha, v));
}

void caimi_thresholded_relu_f32(int32_t count, float alpha, const float *x, float *y) {
    CAIMI_POINTWISE(count, x, y, caimi_select4(v > alpha, v, caimi_splat4(0.0f)));
}

void caimi_hard_sigmoid_f32(int32_t count, float alpha, float beta, const float *x, float *y) {
    CAIMI_POINTWISE(count, x, y, caimi_hard_sigmoid4(v, alpha, beta));
}
