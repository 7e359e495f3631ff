/* Rows of the input are copied with their padding, columns sorted by their remainder under the
 * stride: then whatever a tap meets in four neighbouring outputs lies side by side. */
#include "depthwise.h"

enum {
    TAPS = 128,
    PHASES = 8,
    PLANE = 8192, /* of padded rows and of sums at a time: both stay near the first-level cache */
};

static float plane[PLANE];
static caimi_sum sums[PLANE + 8];
static caimi_quad weight[TAPS];

/* What all channels share. */
static struct {
    int32_t offset[TAPS];                  /* of a tap's value from its output's */
    int32_t first[PHASES], count[PHASES];  /* columns from the input, among those of a remainder */
    int32_t width, line;                   /* of one remainder's columns; of a row */
    int32_t strip;                         /* output rows at a time */
} plan;

/* Input rows in which `out` rows of the output take part. */
static int32_t tall(const caimi_conv *c, int32_t out) {
    return (out - 1) * c->stride[1] + (c->kernel[1] - 1) * c->dilation[1] + 1;
}

int32_t caimi_plan_channels(const caimi_conv *c) {
    const int32_t stride = c->stride[2], pad = c->pad[2], taps = c->kernel[1] * c->kernel[2];
    const int32_t flat = c->in[0] == 1 && c->kernel[0] == 1 && c->out[0] == 1 && c->pad[0] == 0;
    if (!flat || c->groups != c->in_channels || taps > TAPS || stride > PHASES) return 0;
    const int64_t reach = (int64_t)(c->kernel[2] - 1) * c->dilation[2] / stride;
    const int64_t width = (c->out[2] + 3 + reach + 3) / 4 * 4, line = width * stride;
    if (line > PLANE) return 0;
    const int64_t rows = PLANE / line - (int64_t)(c->kernel[1] - 1) * c->dilation[1];
    if (rows < 1) return 0;
    plan.width = (int32_t)width, plan.line = (int32_t)line;
    plan.strip = (int32_t)(rows - 1) / c->stride[1] + 1;
    if (plan.strip > PLANE / c->out[2]) plan.strip = PLANE / c->out[2];
    if (plan.strip > c->out[1]) plan.strip = c->out[1];
    for (int32_t t = 0; t < taps; t++) {
        const int32_t right = t % c->kernel[2] * c->dilation[2];
        plan.offset[t] = t / c->kernel[2] * c->dilation[1] * plan.line +
                         right % stride * plan.width + right / stride;
    }
    for (int32_t phase = 0; phase < stride; phase++) {
        const int32_t first = pad > phase ? (pad - phase + stride - 1) / stride : 0;
        int32_t end = (c->in[2] + pad - phase + stride - 1) / stride;
        if (end > plan.width) end = plan.width;
        plan.first[phase] = first;
        plan.count[phase] = end > first ? end - first : 0;
    }
    return plan.strip > 0;
}

static inline f32x4 every_other(const float *from) {
    return __builtin_shufflevector(caimi_load(from), caimi_load(from + 3), 0, 2, 5, 7);
}

/* Copies `count` elements that lie `stride` apart; the last four of them may be copied twice. */
static inline __attribute__((always_inline)) void copy(const float *from, int32_t stride,
                                                       int32_t count, float *to) {
    if (stride > 2 || count < 4) {
        for (int32_t i = 0; i < count; i++) to[i] = from[i * stride];
        return;
    }
    const int32_t last = count - 4;
    for (int32_t i = 0; i < last; i += 4)
        caimi_store(to + i, stride == 1 ? caimi_load(from + i) : every_other(from + 2 * i));
    caimi_store(to + last, stride == 1 ? caimi_load(from + last) : every_other(from + 2 * last));
}

/* `stride` is a constant where it is small. */
CAIMI_SHORT_LOOPS static inline __attribute__((always_inline)) void
copy_rows(const caimi_conv *c, const float *x, int32_t top, int32_t rows, int32_t stride) {
    const int32_t line = plan.line, width = plan.width, across = c->in[2], down = c->in[1];
    const float *from = x + top * across - c->pad[2];
    float *to = plane;
    for (int32_t h = top; h < top + rows; h++, to += line, from += across) {
        for (int32_t i = 0; i < line; i += 4) caimi_store(to + i, (f32x4){0});
        if (h < 0 || h >= down) continue;
        for (int32_t p = 0; p < stride; p++) {
            const int32_t first = plan.first[p];
            copy(from + first * stride + p, stride, plan.count[p], to + p * width + first);
        }
    }
}

/* `taps` is a constant where this is called with 9. */
static inline __attribute__((always_inline)) void convolve_row(int32_t taps, const float *from,
                                                               int32_t count, caimi_sum *to) {
    int32_t u = 0;
    for (; u + 4 < count; u += 8) {
        caimi_quad s0 = {0}, s1 = {0};
        for (int32_t t = 0; t < taps; t++) {
            const float *at = from + u + plan.offset[t];
            s0 += weight[t] * caimi_widen(caimi_load(at));
            s1 += weight[t] * caimi_widen(caimi_load(at + 4));
        }
        caimi_store_quad(to + u, s0), caimi_store_quad(to + u + 4, s1);
    }
    if (u >= count) return;
    caimi_quad s0 = {0};
    for (int32_t t = 0; t < taps; t++)
        s0 += weight[t] * caimi_widen(caimi_load(from + u + plan.offset[t]));
    caimi_store_quad(to + u, s0);
}

CAIMI_SHORT_LOOPS void caimi_convolve_channel(const caimi_conv *c, const float *x, const float *w,
                            const int8_t *w_i8, const caimi_finisher *finisher, int32_t row,
                            const float *residual, float *y) {
    const int32_t taps = c->kernel[1] * c->kernel[2], across = c->out[2];
    for (int32_t t = 0; t < taps; t++) {
        const caimi_sum v = w ? w[t] : w_i8[t];
        weight[t] = (caimi_quad){v, v, v, v};
    }
    for (int32_t v = 0; v < c->out[1]; v += plan.strip) {
        const int32_t out = c->out[1] - v < plan.strip ? c->out[1] - v : plan.strip;
        const int32_t step = c->stride[1] * plan.line, at = v * across;
        const int32_t top = v * c->stride[1] - c->pad[1], rows = tall(c, out);
        if (c->stride[2] == 1) copy_rows(c, x, top, rows, 1);
        else if (c->stride[2] == 2) copy_rows(c, x, top, rows, 2);
        else copy_rows(c, x, top, rows, c->stride[2]);
        const float *from = plane;
        caimi_sum *to = sums;
        if (taps == 9)
            for (int32_t i = 0; i < out; i++, from += step, to += across)
                convolve_row(9, from, across, to);
        else
            for (int32_t i = 0; i < out; i++, from += step, to += across)
                convolve_row(taps, from, across, to);
        caimi_finish(finisher, row, 0, sums, residual ? residual + at : 0, out * across, y + at);
    }
}
