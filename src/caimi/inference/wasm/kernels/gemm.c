/* Matrix products. */
#include "epilogue.h"

#define GEMM(NAME, WEIGHT)                                                                         \
    void NAME(const caimi_gemm *g, const float *a, const WEIGHT *b, const caimi_epilogue *e,       \
              float *y) {                                                                          \
        const int32_t a_row = g->trans_a ? 1 : g->k, a_step = g->trans_a ? g->m : 1;               \
        const int32_t b_column = g->trans_b ? g->k : 1, b_step = g->trans_b ? 1 : g->n;            \
        int32_t at = 0;                                                                            \
        if (!e) e = &CAIMI_NO_EPILOGUE;                                                            \
        for (int32_t z = 0; z < g->batch; z++)                                                     \
            for (int32_t i = 0; i < g->m; i++)                                                     \
                for (int32_t j = 0; j < g->n; j++, at++) {                                         \
                    const float *left = a + z * g->batch_stride_a + i * a_row;                     \
                    const WEIGHT *right = b + z * g->batch_stride_b + j * b_column;                \
                    caimi_sum sum = 0;                                                             \
                    for (int32_t k = 0; k < g->k; k++)                                             \
                        sum += (caimi_sum)left[k * a_step] * (caimi_sum)right[k * b_step];         \
                    y[at] = caimi_finish(e, sum * g->alpha, j, at);                                \
                }                                                                                  \
    }

GEMM(caimi_gemm_f32, float)
GEMM(caimi_gemm_i8, int8_t)
