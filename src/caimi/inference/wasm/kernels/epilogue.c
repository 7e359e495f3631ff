#include "epilogue.h"

static inline f32x4 finish(const caimi_finisher *f, caimi_quad sum, caimi_quad scale, caimi_quad bias,
                           const float *residual) {
    if (f->e.scale) sum = sum * scale;
    if (f->e.bias) sum = sum + bias;
    if (residual) sum = sum + caimi_widen(caimi_load(residual));
    return caimi_activate(&f->e, __builtin_convertvector(sum, f32x4));
}

void caimi_finish(const caimi_finisher *f, int32_t row, int32_t column, const caimi_sum *sums,
                  const float *residual, int32_t count, float *y) {
    const float *scales = f->e.scale ? f->e.scale + (f->by_column ? column : row) : 0;
    const float *biases = f->e.bias ? f->e.bias + (f->by_column ? column : row) : 0;
    caimi_quad scale = {0}, bias = {0};
    const caimi_quad alpha = f->alpha - (caimi_quad){0};
    if (!f->by_column && scales) scale = caimi_widen(caimi_splat(*scales));
    if (!f->by_column && biases) bias = caimi_widen(caimi_splat(*biases));
    int32_t i = 0;
    for (; i + 4 <= count; i += 4) {
        caimi_quad sum = caimi_load_quad(sums + i);
        if (f->by_column) {
            sum = sum * alpha;
            if (scales) scale = caimi_widen(caimi_load(scales + i));
            if (biases) bias = caimi_widen(caimi_load(biases + i));
        }
        caimi_store(y + i, finish(f, sum, scale, bias, residual ? residual + i : 0));
    }
    if (i == count) return;
    caimi_quad sum = {0};
    float rest[4] = {0};
    for (int32_t j = 0; i + j < count; j++) {
        sum[j] = sums[i + j];
        if (residual) rest[j] = residual[i + j];
        if (f->by_column && scales) scale[j] = scales[i + j];
        if (f->by_column && biases) bias[j] = biases[i + j];
    }
    if (f->by_column) sum = sum * alpha;
    const f32x4 last = finish(f, sum, scale, bias, residual ? rest : 0);
    for (int32_t j = 0; i + j < count; j++) y[i + j] = last[j];
}
