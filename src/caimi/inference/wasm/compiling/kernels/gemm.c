/* Matrix products, one or a batch. */
#include "row.h"

static void multiply(caimi_gemm g, const float *a, const float *b, const int8_t *b_i8,
                     const caimi_epilogue *e, float *y) {
    if (g.batch_stride_b == 0 && g.batch_stride_a == g.m * g.k && !g.trans_a) {
        g.m *= g.batch; /* one matrix for all: a taller product */
        g.batch = 1;
    }
    for (int32_t i = 0; i < g.batch; i++) {
        const int32_t at = i * g.batch_stride_b;
        const caimi_matrix right = {b ? b + at : 0, b_i8 ? b_i8 + at : 0, g.trans_b ? 1 : g.n,
                                    g.trans_b ? g.k : 1};
        caimi_product p = {
            .m = g.m, .n = g.n, .k = g.k, .a = a + i * g.batch_stride_a,
            .a_row = g.trans_a ? 1 : g.k, .a_step = g.trans_a ? g.m : 1,
            .pack = caimi_pack_matrix, .source = &right,
            .finisher = {.e = e ? *e : CAIMI_NO_EPILOGUE, .alpha = g.alpha, .by_column = 1},
        };
        if (p.finisher.e.residual) p.finisher.e.residual += i * g.m * g.n;
        if (g.m == 1)
            caimi_multiply_row(g.n, g.k, p.a, p.a_step, &right, &p.finisher, y + i * g.n);
        else caimi_multiply(&p, y + i * g.m * g.n);
    }
}

void caimi_gemm_f32(const caimi_gemm *g, const float *a, const float *b, const caimi_epilogue *e,
                    float *y) {
    multiply(*g, a, b, 0, e, y);
}

void caimi_gemm_i8(const caimi_gemm *g, const float *a, const int8_t *b, const caimi_epilogue *e,
                   float *y) {
    multiply(*g, a, 0, b, e, y);
}
