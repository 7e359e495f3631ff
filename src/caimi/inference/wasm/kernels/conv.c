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
        for (int32_t i = 0; i < COLUMNS; i += 4) {
            const f32x4 v = {from[at[i]], from[at[i + 1]], from[at[i + 2]], from[at[i + 3]]};
            const i32x4 mask = {inside[i], inside[i + 1], inside[i + 2], inside[i + 3]};
            const f32x4 kept = (f32x4)((i32x4)v & mask);
            for (int32_t l = 0; l < 4; l++) to[i + l] = kept[l];
        }
}

static void pack_patches(const void *source, int32_t k, int32_t steps, int32_t j, int32_t columns,
                         caimi_sum *to) {
    const patches *p = source;
    const caimi_conv *c = p->conv;
    const int32_t channel = c->in[0] * c->in[1] * c->in[2];
    const int32_t taps = c->kernel[0] * c->kernel[1] * c->kernel[2];
    for (; columns > 0; columns -= COLUMNS, j += COLUMNS, to += steps * COLUMNS) {
        corners from;
        find_corners(c, j, columns, &from);
        for (int32_t tap = 0; tap < taps; tap++) {
            const int32_t first = k <= tap ? 0 : (k - tap + taps - 1) / taps;
            const int32_t start = first * taps + tap - k; /* of this tap, in the block */
            if (start >= steps) continue;
            const int32_t count = (steps - start + taps - 1) / taps;
            const float *x = p->x + first * channel;
            caimi_sum *out = to + start * COLUMNS;
            const int32_t dw = tap % c->kernel[2] * c->dilation[2];
            const int32_t dh = tap / c->kernel[2] % c->kernel[1] * c->dilation[1];
            const int32_t dd = tap / c->kernel[2] / c->kernel[1] * c->dilation[0];
            int32_t at[COLUMNS], inside[COLUMNS], all = -1;
            for (int32_t i = 0; i < COLUMNS; i++) {
                const int32_t d = from.d[i] + dd, h = from.h[i] + dh, w = from.w[i] + dw;
                inside[i] = -((uint32_t)d < (uint32_t)c->in[0] && (uint32_t)h < (uint32_t)c->in[1] &&
                              (uint32_t)w < (uint32_t)c->in[2]);
                at[i] = inside[i] & ((d * c->in[1] + h) * c->in[2] + w);
                all &= inside[i];
            }
            if (all && from.one_row)
                take_run(x + at[0], channel, c->stride[2], count, out, taps * COLUMNS);
            else
                take_scattered(x, channel, at, inside, count, out, taps * COLUMNS);
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
