/* Convolutions of any stride, dilation, group and padding in one to three dimensions: products of
 * the weights [out channel, k] with the patches [k, out pixel], packed from the input as they are
 * needed. */
#include "depthwise.h"
#include "row.h"

enum { COLUMNS = CAIMI_TILE_COLUMNS };

typedef struct {
    const caimi_conv *conv;
    const float *x; /* of this image, from the group's first channel */
} patches;

/* Where COLUMNS neighbouring out pixels take one tap from, within a channel. */
typedef struct {
    int32_t d[COLUMNS], h[COLUMNS], w[COLUMNS]; /* input coordinates of tap 0 */
    int32_t one_row;                            /* all in one output row */
} corners;

static void find_corners(const caimi_conv *c, int32_t j, int32_t columns, corners *at) {
    int32_t u = j % c->out[2], v = j / c->out[2] % c->out[1], z = j / c->out[2] / c->out[1];
    at->one_row = columns >= COLUMNS && u + COLUMNS <= c->out[2];
    for (int32_t i = 0; i < COLUMNS; i++) {
        at->d[i] = i < columns ? z * c->stride[0] - c->pad[0] : INT32_MIN / 2; /* outside */
        at->h[i] = v * c->stride[1] - c->pad[1];
        at->w[i] = u * c->stride[2] - c->pad[2];
        if (++u == c->out[2]) {
            u = 0;
            if (++v == c->out[1]) v = 0, z++;
        }
    }
}

/* Takes a tap whose pixels are `stride` apart in one row, all inside. */
static void take_run(const float *from, int32_t channel, int32_t stride, int32_t count,
                     caimi_sum *to, int32_t step) {
    for (; count > 0; count--, from += channel, to += step) {
#ifndef CAIMI_FLOAT64_SUMS
        if (stride == 1) {
            caimi_store(to, caimi_load(from));
            caimi_store(to + 4, caimi_load(from + 4));
            continue;
        }
        if (stride == 2) { /* the last load ends with the last pixel */
            const f32x4 a = caimi_load(from), b = caimi_load(from + 4);
            const f32x4 c = caimi_load(from + 8), d = caimi_load(from + 11);
            caimi_store(to, __builtin_shufflevector(a, b, 0, 2, 4, 6));
            caimi_store(to + 4, __builtin_shufflevector(c, d, 0, 2, 5, 7));
            continue;
        }
#endif
        for (int32_t i = 0; i < COLUMNS; i++) to[i] = from[i * stride];
    }
}

static void take_scattered(const float *from, int32_t channel, const int32_t *at,
                           const int32_t *inside, int32_t count, caimi_sum *to, int32_t step) {
    for (; count > 0; count--, from += channel, to += step)
        for (int32_t i = 0; i < COLUMNS; i += CAIMI_LANES) {
            f32x4 v = {from[at[i]], from[at[i + 1]]};
            i32x4 mask = {inside[i], inside[i + 1]};
            for (int32_t l = 2; l < CAIMI_LANES; l++)
                v[l] = from[at[i + l]], mask[l] = inside[i + l];
            const f32x4 kept = (f32x4)((i32x4)v & mask);
            for (int32_t l = 0; l < CAIMI_LANES; l++) to[i + l] = kept[l];
        }
}

/* Gives how many of COLUMNS pixels have input under a tap; where they have, and where not, is in
 * `at` and `inside`, unless they lie side by side in one row: then all that counts is at[0]. */
static inline int32_t find_pixels(const caimi_conv *c, const corners *from, const int32_t *tap,
                                  int32_t *at, int32_t *inside) {
    const int32_t depth = c->in[0], height = c->in[1], width = c->in[2];
    const int32_t d = from->d[0] + tap[0], h = from->h[0] + tap[1], w = from->w[0] + tap[2];
    if (from->one_row) {
        if ((uint32_t)d >= (uint32_t)depth || (uint32_t)h >= (uint32_t)height) return 0;
        at[0] = (d * height + h) * width + w;
        if (w >= 0 && from->w[COLUMNS - 1] + tap[2] < width) return COLUMNS;
    }
    for (int32_t i = 0; i < COLUMNS; i++) {
        const int32_t z = from->d[i] + tap[0], v = from->h[i] + tap[1], u = from->w[i] + tap[2];
        inside[i] = -((uint32_t)z < (uint32_t)depth && (uint32_t)v < (uint32_t)height &&
                      (uint32_t)u < (uint32_t)width);
        at[i] = inside[i] & (int32_t)(((uint32_t)z * (uint32_t)height + (uint32_t)v) * (uint32_t)width +
                                      (uint32_t)u);
    }
    return 1;
}

CAIMI_SHORT_LOOPS static void take_nothing(int32_t count, caimi_sum *to, int32_t step) {
    for (; count > 0; count--, to += step)
        for (int32_t i = 0; i < COLUMNS; i++) to[i] = 0;
}

CAIMI_SHORT_LOOPS static void pack_patches(const void *source, int32_t k, int32_t steps, int32_t j,
                                           int32_t columns, caimi_sum *to) {
    const patches *p = source;
    const caimi_conv *c = p->conv;
    const int32_t channel = c->in[0] * c->in[1] * c->in[2], stride = c->stride[2];
    const int32_t taps = c->kernel[0] * c->kernel[1] * c->kernel[2], step = taps * COLUMNS;
    const int32_t top = k / taps, passed = k % taps; /* of the first channel, taps before k */
    const int32_t last = (k + steps - 1) / taps, left = (k + steps - 1) % taps;
    for (; columns > 0; columns -= COLUMNS, j += COLUMNS, to += steps * COLUMNS) {
        corners from;
        find_corners(c, j, columns, &from);
        int32_t tap[3] = {0, 0, 0};
        for (int32_t t = 0; t < taps; t++) {
            const int32_t first = top + (t < passed), count = last - (t > left) - first + 1;
            const float *x = p->x + first * channel;
            caimi_sum *out = to + (first * taps + t - k) * COLUMNS;
            int32_t at[COLUMNS], inside[COLUMNS];
            const int32_t found = find_pixels(c, &from, tap, at, inside);
            if (found == COLUMNS) take_run(x + at[0], channel, stride, count, out, step);
            else if (found) take_scattered(x, channel, at, inside, count, out, step);
            else take_nothing(count, out, step);
            tap[2] += c->dilation[2];
            if (tap[2] < c->kernel[2] * c->dilation[2]) continue;
            tap[2] = 0, tap[1] += c->dilation[1];
            if (tap[1] < c->kernel[1] * c->dilation[1]) continue;
            tap[1] = 0, tap[0] += c->dilation[0];
        }
    }
}

static int32_t is_pointwise(const caimi_conv *c) {
    int32_t same = 1;
    for (int32_t i = 0; i < 3; i++)
        same &= c->kernel[i] == 1 && c->stride[i] == 1 && c->pad[i] == 0 && c->in[i] == c->out[i];
    return same;
}

static void convolve(const caimi_conv *c, const float *x, const float *w, const int8_t *w_i8,
                     const caimi_epilogue *e, float *y) {
    const int32_t taken = c->in_channels / c->groups, given = c->out_channels / c->groups;
    const int32_t in_size = c->in[0] * c->in[1] * c->in[2];
    const int32_t out_size = c->out[0] * c->out[1] * c->out[2];
    const int32_t k = taken * c->kernel[0] * c->kernel[1] * c->kernel[2];
    if (!out_size) return;
    const int32_t pointwise = is_pointwise(c), depthwise = caimi_plan_channels(c);
    for (int32_t n = 0; n < c->batch; n++)
        for (int32_t g = 0; g < c->groups; g++) {
            const int32_t first = g * given, at = (n * c->out_channels + first) * out_size;
            const float *image = x + (n * c->in_channels + g * taken) * in_size;
            const patches source = {c, image};
            const caimi_matrix matrix = {image, 0, out_size, 1};
            caimi_product p = {
                .m = given, .n = out_size, .k = k, .a_row = k, .a_step = 1,
                .a = w ? w + first * k : 0, .a_i8 = w_i8 ? w_i8 + first * k : 0,
                .pack = pointwise ? caimi_pack_matrix : pack_patches,
                .source = pointwise ? (const void *)&matrix : (const void *)&source,
                .finisher = {.e = e ? *e : CAIMI_NO_EPILOGUE, .alpha = 1, .by_column = 0},
            };
            caimi_epilogue *own = &p.finisher.e;
            if (own->scale) own->scale += first;
            if (own->bias) own->bias += first;
            if (own->residual) own->residual += at;
            if (depthwise) {
                for (int32_t o = 0; o < given; o++)
                    caimi_convolve_channel(c, image, w ? p.a + o * k : 0,
                                           w ? 0 : p.a_i8 + o * k, &p.finisher, o,
                                           own->residual ? own->residual + o * out_size : 0,
                                           y + at + o * out_size);
            } else if (pointwise && out_size == 1) { /* a row of channels */
                const caimi_matrix weights = {p.a, p.a_i8, 1, k};
                p.finisher.by_column = 1;
                caimi_multiply_row(given, k, image, 1, &weights, &p.finisher, y + at);
            } else {
                caimi_multiply(&p, y + at);
            }
        }
}

void caimi_conv_f32(const caimi_conv *c, const float *x, const float *w, const caimi_epilogue *e,
                    float *y) {
    convolve(c, x, w, 0, e, y);
}

void caimi_conv_i8(const caimi_conv *c, const float *x, const int8_t *w, const caimi_epilogue *e,
                   float *y) {
    convolve(c, x, 0, w, e, y);
}
