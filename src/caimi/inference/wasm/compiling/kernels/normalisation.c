/* Normalisations: two passes over a row that stays in the cache, folded sums. */
#include "caimi_operators.h"
#include "sums.h"

/* y = ((x - centre) * factor) * scale + bias, scale and bias one number or one for each x. */
#define CAIMI_AFFINE(count, SCALE, BIAS)                                                  \
    do {                                                                                  \
        int32_t at = 0, left = 0;                                                         \
        for (; at + 16 <= (count); at += 16)                                              \
            for (int32_t lane = at; lane < at + 16; lane += 4)                            \
                caimi_store4(y + lane, caimi_canonical4(                                  \
                    ((CAIMI_WHOLE(x, lane) - centre) * factor) * SCALE(CAIMI_WHOLE, lane) \
                    BIAS(CAIMI_WHOLE, lane)));                                            \
        for (; at + 4 <= (count); at += 4)                                                \
            caimi_store4(y + at, caimi_canonical4(                                        \
                ((CAIMI_WHOLE(x, at) - centre) * factor) * SCALE(CAIMI_WHOLE, at)         \
                BIAS(CAIMI_WHOLE, at)));                                                  \
        left = (count) - at;                                                              \
        if (left)                                                                         \
            caimi_store_some(y + at, left, caimi_canonical4(                              \
                ((CAIMI_PART(x, at) - centre) * factor) * SCALE(CAIMI_PART, at)           \
                BIAS(CAIMI_PART, at)));                                                   \
    } while (0)

#define CAIMI_SCALE_EACH(LOAD, at) LOAD(scale, at)
#define CAIMI_BIAS_EACH(LOAD, at) + LOAD(bias, at)
#define CAIMI_SCALE_ONE(LOAD, at) scale[0]
#define CAIMI_BIAS_ONE(LOAD, at) + bias[0]
#define CAIMI_NO_BIAS(LOAD, at)

static float caimi_inverse_deviation(const float *x, float centre, int32_t count, float epsilon) {
    const float variance = caimi_folded_squares(x, centre, count) / (float)count;
    return 1.0f / __builtin_sqrtf(variance + epsilon);
}

void caimi_layer_norm_f32(int32_t outer, int32_t inner, float epsilon, const float *x,
                          const float *scale, const float *bias, float *y) {
    for (int32_t row = 0; row < outer; row++, x += inner, y += inner) {
        const float centre = caimi_folded(x, inner) / (float)inner;
        const float factor = caimi_inverse_deviation(x, centre, inner, epsilon);
        if (bias)
            CAIMI_AFFINE(inner, CAIMI_SCALE_EACH, CAIMI_BIAS_EACH);
        else
            CAIMI_AFFINE(inner, CAIMI_SCALE_EACH, CAIMI_NO_BIAS);
    }
}

void caimi_rms_norm_f32(int32_t outer, int32_t inner, float epsilon, const float *x,
                        const float *scale, float *y) {
    for (int32_t row = 0; row < outer; row++, x += inner, y += inner) {
        const float centre = 0.0f;
        const float factor = caimi_inverse_deviation(x, centre, inner, epsilon);
        CAIMI_AFFINE(inner, CAIMI_SCALE_EACH, CAIMI_NO_BIAS);
    }
}

void caimi_group_norm_f32(int32_t batch, int32_t channels, int32_t groups, int32_t inner,
                          float epsilon, const float *x, const float *scales, const float *biases,
                          float *y) {
    const int32_t members = channels / groups;
    for (int32_t group = 0; group < batch * groups; group++) {
        const int32_t count = members * inner;
        const float centre = caimi_folded(x, count) / (float)count;
        const float factor = caimi_inverse_deviation(x, centre, count, epsilon);
        for (int32_t member = 0; member < members; member++, x += inner, y += inner) {
            const float *scale = scales + (group % groups) * members + member;
            const float *bias = biases + (group % groups) * members + member;
            CAIMI_AFFINE(inner, CAIMI_SCALE_ONE, CAIMI_BIAS_ONE);
        }
    }
}

void caimi_batch_norm_f32(int32_t batch, int32_t channels, int32_t inner, float epsilon,
                          const float *x, const float *scales, const float *biases,
                          const float *mean, const float *variance, float *y) {
    for (int32_t image = 0; image < batch; image++)
        for (int32_t channel = 0; channel < channels; channel++, x += inner, y += inner) {
            const float centre = mean[channel];
            const float factor = scales[channel] / __builtin_sqrtf(variance[channel] + epsilon);
            const float *scale = &(const float){1.0f}; /* multiplying by one keeps the bits */
            const float *bias = biases + channel;
            CAIMI_AFFINE(inner, CAIMI_SCALE_ONE, CAIMI_BIAS_ONE);
        }
}
