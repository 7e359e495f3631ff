/* Convolutions of any stride, dilation, group and padding in one to three dimensions. */
#include "epilogue.h"

#define CONV(NAME, WEIGHT)                                                                         \
    void NAME(const caimi_conv *c, const float *x, const WEIGHT *w, const caimi_epilogue *e,       \
              float *y) {                                                                          \
        const int32_t taken = c->in_channels / c->groups, given = c->out_channels / c->groups;     \
        const int32_t in_size = c->in[0] * c->in[1] * c->in[2];                                    \
        const int32_t taps = c->kernel[0] * c->kernel[1] * c->kernel[2];                           \
        int32_t at = 0;                                                                            \
        if (!e) e = &CAIMI_NO_EPILOGUE;                                                            \
        for (int32_t n = 0; n < c->batch; n++)                                                     \
            for (int32_t o = 0; o < c->out_channels; o++)                                          \
                for (int32_t z = 0; z < c->out[0]; z++)                                            \
                    for (int32_t v = 0; v < c->out[1]; v++)                                        \
                        for (int32_t u = 0; u < c->out[2]; u++, at++) {                            \
                            const float *image =                                                   \
                                x + (n * c->in_channels + o / given * taken) * in_size;            \
                            const WEIGHT *weight = w + o * taken * taps;                           \
                            caimi_sum sum = 0;                                                     \
                            for (int32_t i = 0; i < taken; i++, image += in_size)                  \
                                for (int32_t p = 0; p < c->kernel[0]; p++)                         \
                                    for (int32_t q = 0; q < c->kernel[1]; q++)                     \
                                        for (int32_t r = 0; r < c->kernel[2]; r++) {               \
                                            int32_t d = z * c->stride[0] + p * c->dilation[0] -    \
                                                        c->pad[0];                                 \
                                            int32_t h = v * c->stride[1] + q * c->dilation[1] -    \
                                                        c->pad[1];                                 \
                                            int32_t l = u * c->stride[2] + r * c->dilation[2] -    \
                                                        c->pad[2];                                 \
                                            int inside = d >= 0 && d < c->in[0] && h >= 0 &&       \
                                                         h < c->in[1] && l >= 0 && l < c->in[2];   \
                                            caimi_sum value =                                      \
                                                inside ? image[(d * c->in[1] + h) * c->in[2] + l]  \
                                                       : 0.0f;                                     \
                                            sum += value * (caimi_sum)*weight++;                   \
                                        }                                                          \
                            y[at] = caimi_finish(e, sum, o, at);                                   \
                        }                                                                          \
    }

CONV(caimi_conv_f32, float)
CONV(caimi_conv_i8, int8_t)
