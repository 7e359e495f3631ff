/* Pooling: a line of column results over the window's rows, then the windows along that line. */
#include "caimi_operators.h"
#include "lanes.h"

enum { CAIMI_LINE = 4096, CAIMI_SLACK = 8, CAIMI_COUNTS = 1024 };

static float caimi_line[CAIMI_LINE + CAIMI_SLACK];
static float caimi_counts[CAIMI_COUNTS];

/* NaN once one is there. */
CAIMI_INLINE caimi_f4 caimi_combine4(int32_t average, caimi_f4 value, caimi_f4 next) {
    if (average) return value + next;
    return caimi_select4((next > value) | (next != next), next, value);
}

CAIMI_INLINE float caimi_combine(int32_t average, float value, float next) {
    if (average) return value + next;
    return next > value || next != next ? next : value;
}

/* Places of a window along one axis that lie within [first, end). */
static int32_t caimi_places(int32_t start, int32_t kernel, int32_t dilation, int32_t first,
                            int32_t end) {
    int32_t places = 0;
    for (int32_t k = 0; k < kernel; k++) {
        const int32_t at = start + k * dilation;
        places += at >= first && at < end;
    }
    return places;
}

/* The places that divide a sum, along `axis` for output `o`. */
static int32_t caimi_divisor(const caimi_pool *p, int32_t axis, int32_t o) {
    const int32_t start = o * p->stride[axis] - p->pad[axis];
    const int32_t first = p->count_pad ? -p->pad[axis] : 0;
    const int32_t end = p->in[axis] + (p->count_pad ? p->pad_end[axis] : 0);
    return caimi_places(start, p->kernel[axis], p->dilation[axis], first, end);
}

CAIMI_INLINE float caimi_column(const caimi_pool *p, int32_t average, const float *x, int32_t oy,
                                int32_t column) {
    float value = average ? 0.0f : -__builtin_inff();
    if (column < 0 || column >= p->in[1]) return value;
    for (int32_t k = 0; k < p->kernel[0]; k++) {
        const int32_t row = oy * p->stride[0] - p->pad[0] + k * p->dilation[0];
        if (row >= 0 && row < p->in[0])
            value = caimi_combine(average, value, x[row * p->in[1] + column]);
    }
    return value;
}

/* Columns [first, first + span) of the padded row of windows `oy`, into the line. */
CAIMI_INLINE void caimi_fill_line(const caimi_pool *p, int32_t average, const float *x, int32_t oy,
                                  int32_t first, int32_t span) {
    const float nothing = average ? 0.0f : -__builtin_inff();
    const int32_t width = p->in[1];
    int32_t at = 0;
    for (; at < span && first + at < 0; at++) caimi_line[at] = nothing;
    for (; at + 4 <= span && first + at + 4 <= width; at += 4) {
        caimi_f4 value = caimi_splat4(nothing);
        int32_t row = oy * p->stride[0] - p->pad[0];
        for (int32_t k = 0; k < p->kernel[0]; k++, row += p->dilation[0])
            if (row >= 0 && row < p->in[0])
                value = caimi_combine4(average, value, caimi_load4(x + row * width + first + at));
        caimi_store4(caimi_line + at, value);
    }
    for (; at < span; at++) caimi_line[at] = caimi_column(p, average, x, oy, first + at);
}

/* Four windows from `from` in the line on. */
CAIMI_INLINE caimi_f4 caimi_four_windows(const caimi_pool *p, int32_t average, const float *from) {
    const int32_t stride = p->stride[1];
    caimi_f4 value = caimi_splat4(average ? 0.0f : -__builtin_inff());
    for (int32_t k = 0; k < p->kernel[1]; k++, from += p->dilation[1]) {
        caimi_f4 next;
        if (stride == 1) {
            next = caimi_load4(from);
        } else if (stride == 2) {
            next = __builtin_shufflevector(caimi_load4(from), caimi_load4(from + 4), 0, 2, 4, 6);
        } else {
            next = (caimi_f4){from[0], from[stride], from[2 * stride], from[3 * stride]};
        }
        value = caimi_combine4(average, value, next);
    }
    return value;
}

CAIMI_INLINE float caimi_one_window(const caimi_pool *p, int32_t average, const float *from) {
    float value = average ? 0.0f : -__builtin_inff();
    for (int32_t k = 0; k < p->kernel[1]; k++, from += p->dilation[1])
        value = caimi_combine(average, value, from[0]);
    return value;
}

CAIMI_INLINE caimi_f4 caimi_finish4(int32_t average, caimi_f4 value, caimi_f4 count) {
    if (average) value = caimi_select4(count > 0.0f, value / count, caimi_splat4(0.0f));
    return caimi_canonical4(value);
}

/* `count` outputs of one row from `o` on. */
CAIMI_INLINE void caimi_pool_row(const caimi_pool *p, int32_t average, const float *x, int32_t oy,
                                 int32_t o, int32_t count, float *y) {
    const int32_t stride = p->stride[1];
    const int32_t window = (p->kernel[1] - 1) * p->dilation[1] + 1;
    const float rows = average ? (float)caimi_divisor(p, 0, oy) : 0.0f;
    caimi_fill_line(p, average, x, oy, o * stride - p->pad[1], (count - 1) * stride + window);
    int32_t at = 0;
    for (; at + 4 <= count; at += 4) {
        const caimi_f4 value = caimi_four_windows(p, average, caimi_line + at * stride);
        caimi_store4(y + at, caimi_finish4(average, value, caimi_load4(caimi_counts + at) * rows));
    }
    for (; at < count; at++) {
        const caimi_f4 value = caimi_splat4(caimi_one_window(p, average, caimi_line + at * stride));
        y[at] = caimi_finish4(average, value, caimi_splat4(caimi_counts[at] * rows))[0];
    }
}

/* A window longer than the line: column by column, to the same bits. */
static float caimi_long_window(const caimi_pool *p, int32_t average, const float *x, int32_t oy,
                               int32_t o) {
    float value = average ? 0.0f : -__builtin_inff();
    for (int32_t k = 0; k < p->kernel[1]; k++) {
        const int32_t column = o * p->stride[1] - p->pad[1] + k * p->dilation[1];
        value = caimi_combine(average, value, caimi_column(p, average, x, oy, column));
    }
    const float count = average ? (float)(caimi_divisor(p, 0, oy) * caimi_divisor(p, 1, o)) : 0.0f;
    return caimi_finish4(average, caimi_splat4(value), caimi_splat4(count))[0];
}

CAIMI_INLINE void caimi_pool_all(const caimi_pool *p, int32_t average, const float *x, float *y) {
    const int32_t window = (p->kernel[1] - 1) * p->dilation[1] + 1;
    const int32_t plane_in = p->in[0] * p->in[1], plane_out = p->out[0] * p->out[1];
    int32_t most = window > CAIMI_LINE ? 0 : (CAIMI_LINE - window) / p->stride[1] + 1;
    if (most > CAIMI_COUNTS) most = CAIMI_COUNTS;
    for (int32_t o = 0; o < p->out[1]; o += most ? most : 1) {
        const int32_t left = p->out[1] - o;
        const int32_t count = left < most ? left : most;
        if (average)
            for (int32_t at = 0; at < count; at++)
                caimi_counts[at] = (float)caimi_divisor(p, 1, o + at);
        for (int32_t plane = 0; plane < p->planes; plane++) {
            const float *from = x + plane * plane_in;
            float *to = y + plane * plane_out + o;
            for (int32_t oy = 0; oy < p->out[0]; oy++, to += p->out[1]) {
                if (most)
                    caimi_pool_row(p, average, from, oy, o, count, to);
                else
                    to[0] = caimi_long_window(p, average, from, oy, o);
            }
        }
    }
}

void caimi_max_pool_f32(const caimi_pool *pool, const float *x, float *y) {
    caimi_pool_all(pool, 0, x, y);
}

void caimi_average_pool_f32(const caimi_pool *pool, const float *x, float *y) {
    caimi_pool_all(pool, 1, x, y);
}
