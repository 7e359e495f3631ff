/* Rows of the input are copied with their padding, columns sorted by their remainder under the
 * stride: then whatever a tap meets in four neighbouring outputs lies side by side. */
#include "depthwise.h"

enum {
    TAPS = 128,
    PLANE = 8192, /* of padded rows and of sums at a time: both stay near the first-level cache */
};

static struct {
    float plane[PLANE + 16];
    caimi_sum sums[PLANE + 8];
} scratch;
static caimi_quad weight[TAPS];
static int32_t offset[TAPS];

/* Of one copied row: `wide` columns for each remainder. */
static int32_t wide(const caimi_conv *c) {
    return (c->out[2] + 3) / 4 * 4 + (c->kernel[2] - 1) * c->dilation[2] / c->stride[2];
}

/* Rows that `out` rows of the output take part in. */
static int32_t tall(const caimi_conv *c, int32_t out) {
    return (out - 1) * c->stride[1] + (c->kernel[1] - 1) * c->dilation[1] + 1;
}

static int32_t strip_rows(const caimi_conv *c) {
    const int32_t row = c->stride[2] * wide(c);
    int32_t out = PLANE / c->out[2];
    const int32_t fit = PLANE / row - tall(c, 1);
    if (out > fit / c->stride[1] + 1) out = fit < 0 ? 0 : fit / c->stride[1] + 1;
    return out < c->out[1] ? out : c->out[1];
}

int32_t caimi_is_depthwise(const caimi_conv *c) {
    const int32_t flat = c->in[0] == 1 && c->kernel[0] == 1 && c->out[0] == 1 && c->pad[0] == 0;
    return flat && c->groups == c->in_channels && c->kernel[1] * c->kernel[2] <= TAPS &&
           c->stride[2] * (int64_t)wide(c) <= PLANE && (int64_t)tall(c, 1) <= PLANE &&
           strip_rows(c) > 0;
}

static void copy_row(const caimi_conv *c, const float *x, int32_t inside, float *to) {
    const int32_t width = wide(c), stride = c->stride[2], pad = c->pad[2];
    for (int32_t phase = 0; phase < stride; phase++, to += width) {
        int32_t i = 0, first = pad > phase ? (pad - phase + stride - 1) / stride : 0;
        int32_t end = (c->in[2] + pad - phase + stride - 1) / stride;
        if (first > width || !inside) first = width;
        if (end > width) end = width;
        for (; i < first; i++) to[i] = 0;
        const float *from = x + phase - pad;
        if (stride == 1)
            for (; i + 4 <= end; i += 4) caimi_store(to + i, caimi_load(from + i));
        if (stride == 2)
            for (; i + 4 < end; i += 4)
                caimi_store(to + i,
                            __builtin_shufflevector(caimi_load(from + 2 * i),
                                                    caimi_load(from + 2 * i + 4), 0, 2, 4, 6));
        for (; i < end; i++) to[i] = from[i * stride];
        for (; i < width; i++) to[i] = 0;
    }
}

static inline void convolve_row(int32_t taps, const float *from, int32_t count, caimi_sum *to) {
    int32_t u = 0;
    for (; u + 4 < count; u += 8) {
        caimi_quad s0 = {0}, s1 = {0};
        for (int32_t t = 0; t < taps; t++) {
            const float *at = from + u + offset[t];
            s0 += weight[t] * caimi_widen(caimi_load(at));
            s1 += weight[t] * caimi_widen(caimi_load(at + 4));
        }
        caimi_store_quad(to + u, s0), caimi_store_quad(to + u + 4, s1);
    }
    if (u >= count) return;
    caimi_quad s0 = {0};
    for (int32_t t = 0; t < taps; t++)
        s0 += weight[t] * caimi_widen(caimi_load(from + u + offset[t]));
    caimi_store_quad(to + u, s0);
}

void caimi_convolve_channel(const caimi_conv *c, const float *x, const float *w,
                            const int8_t *w_i8, const caimi_finisher *finisher, int32_t row,
                            const float *residual, float *y) {
    const int32_t line = c->stride[2] * wide(c), strip = strip_rows(c);
    const int32_t taps = c->kernel[1] * c->kernel[2];
    for (int32_t t = 0; t < taps; t++) {
        const int32_t right = t % c->kernel[2] * c->dilation[2];
        const caimi_sum v = w ? w[t] : w_i8[t];
        weight[t] = (caimi_quad){v, v, v, v};
        offset[t] = t / c->kernel[2] * c->dilation[1] * line + right % c->stride[2] * wide(c) +
                    right / c->stride[2];
    }
    for (int32_t v = 0; v < c->out[1]; v += strip) {
        const int32_t out = c->out[1] - v < strip ? c->out[1] - v : strip;
        const int32_t top = v * c->stride[1] - c->pad[1], rows = tall(c, out);
        for (int32_t i = 0; i < rows; i++) {
            const int32_t inside = (uint32_t)(top + i) < (uint32_t)c->in[1];
            copy_row(c, x + (inside ? top + i : 0) * c->in[2], inside, scratch.plane + i * line);
        }
        for (int32_t i = 0; i < out; i++) {
            const float *from = scratch.plane + i * c->stride[1] * line;
            caimi_sum *to = scratch.sums + i * c->out[2];
            if (taps == 9) convolve_row(9, from, c->out[2], to);
            else convolve_row(taps, from, c->out[2], to);
        }
        const int32_t at = v * c->out[2];
        caimi_finish(finisher, row, 0, scratch.sums, residual ? residual + at : 0,
                     out * c->out[2], y + at);
    }
}
