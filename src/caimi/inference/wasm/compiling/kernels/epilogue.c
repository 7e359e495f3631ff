#include "epilogue.h"

/* What a row's sums meet, in four neighbouring columns. */
typedef struct {
    caimi_quad alpha, scale, bias;
    const float *scales, *biases; /* by column, or NULL */
} row_terms;

/* The flags are constants where this is called: each set of them becomes a loop of its own. */
static inline __attribute__((always_inline)) f32x4
finish(const caimi_epilogue *e, const row_terms *t, caimi_quad sum, int32_t i, int32_t by_column,
       int32_t scaled, int32_t biased, const float *residual, int32_t activation) {
    if (scaled && by_column) sum = sum * t->alpha;
    if (scaled && e->scale)
        sum = sum * (t->scales ? caimi_widen(caimi_load(t->scales + i)) : t->scale);
    if (biased) sum = sum + (by_column ? caimi_widen(caimi_load(t->biases + i)) : t->bias);
    if (residual) sum = sum + caimi_widen(caimi_load(residual + i));
    return caimi_activate(e, activation, __builtin_convertvector(sum, f32x4));
}

/* Takes at least four sums. The last four are read first and finished last: they may overlap with
 * others, and `y` may be `sums`. */
#define LOOP(BY_COLUMN, SCALED, BIASED, RESIDUAL, ACTIVATION)                                      \
    {                                                                                              \
        const caimi_epilogue own = *e; /* no store to `y` changes these copies */                  \
        const row_terms terms = *t;                                                                \
        const caimi_quad last = caimi_load_quad(sums + count - 4);                                 \
        int32_t i = 0;                                                                             \
        for (; i + 4 <= count; i += 4)                                                             \
            caimi_store(y + i, finish(&own, &terms, caimi_load_quad(sums + i), i, BY_COLUMN,       \
                                      SCALED, BIASED, RESIDUAL, ACTIVATION));                      \
        if (i < count)                                                                             \
            caimi_store(y + count - 4, finish(&own, &terms, last, count - 4, BY_COLUMN, SCALED,    \
                                              BIASED, RESIDUAL, ACTIVATION));                      \
    }

static inline __attribute__((always_inline)) void
finish_row(const caimi_epilogue *e, const row_terms *t, int32_t by_column, int32_t scaled,
           int32_t biased, int32_t activation, const caimi_sum *sums, const float *residual,
           int32_t count, float *y) {
    if (residual) LOOP(by_column, scaled, biased, residual, activation)
    else LOOP(by_column, scaled, biased, 0, activation)
}

static void finish_rows(const caimi_epilogue *e, const row_terms *t, int32_t by_column,
                        int32_t scaled, const caimi_sum *sums, const float *residual,
                        int32_t count, float *y) {
    const int32_t kind = e->activation;
#define ROW(BY_COLUMN, SCALED, BIASED, ACTIVATION)                                                 \
    finish_row(e, t, BY_COLUMN, SCALED, BIASED, ACTIVATION, sums, residual, count, y)
    if (scaled || (kind != CAIMI_LINEAR && kind != CAIMI_CLIP)) {
        if (by_column) e->bias ? ROW(1, 1, 1, kind) : ROW(1, 1, 0, kind);
        else e->bias ? ROW(0, 1, 1, kind) : ROW(0, 1, 0, kind);
    } else if (by_column && kind == CAIMI_CLIP) {
        e->bias ? ROW(1, 0, 1, CAIMI_CLIP) : ROW(1, 0, 0, CAIMI_CLIP);
    } else if (by_column) {
        e->bias ? ROW(1, 0, 1, CAIMI_LINEAR) : ROW(1, 0, 0, CAIMI_LINEAR);
    } else if (kind == CAIMI_CLIP) {
        e->bias ? ROW(0, 0, 1, CAIMI_CLIP) : ROW(0, 0, 0, CAIMI_CLIP);
    } else {
        e->bias ? ROW(0, 0, 1, CAIMI_LINEAR) : ROW(0, 0, 0, CAIMI_LINEAR);
    }
#undef ROW
}

CAIMI_SHORT_LOOPS void caimi_finish(const caimi_finisher *f, int32_t row, int32_t column, const caimi_sum *sums,
                  const float *residual, int32_t count, float *y) {
    const caimi_epilogue *e = &f->e;
    const int32_t scaled = e->scale || (f->by_column && f->alpha != 1);
    caimi_sum four[4] = {0};
    float rest[4] = {0}, scale[4] = {0}, bias[4] = {0}, out[4];
    row_terms t = {.alpha = f->alpha - (caimi_quad){0}};
    if (f->by_column) {
        t.scales = e->scale ? e->scale + column : 0;
        t.biases = e->bias ? e->bias + column : 0;
    } else {
        if (e->scale) t.scale = caimi_widen(caimi_splat(e->scale[row]));
        if (e->bias) t.bias = caimi_widen(caimi_splat(e->bias[row]));
    }
    if (count >= 4) {
        finish_rows(e, &t, f->by_column, scaled, sums, residual, count, y);
        return;
    }
    for (int32_t i = 0; i < count; i++) {
        four[i] = sums[i];
        if (residual) rest[i] = residual[i];
        if (t.scales) scale[i] = t.scales[i];
        if (t.biases) bias[i] = t.biases[i];
    }
    if (t.scales) t.scales = scale;
    if (t.biases) t.biases = bias;
    finish_rows(e, &t, f->by_column, scaled, four, residual ? rest : 0, 4, out);
    for (int32_t i = 0; i < count; i++) y[i] = out[i];
}
