/* Kernels for the operators around convolutions and matrix products: what caimi_kernels.h has not.
 *
 * Common to all: float32 unless the name says otherwise, tensors packed in ONNX's order (last axis
 * contiguous), sizes static and positive, no allocation, no scratch outside the arguments and small
 * static buffers. Results depend on the arguments alone and are the same bits with and without SIMD
 * and for any other work done before. Arithmetic writes every NaN as 0x7fc00000; copies keep bits.
 * `x` and `y` may be the same array where a section says so, otherwise they must not overlap.
 *
 * A sum along the last axis ("a folded sum") is defined once and for all: partial sum j of 16 starts
 * at 0 and takes elements j, j+16, j+32, ... in ascending order; then s[j] = (p[j] + p[j+4]) +
 * (p[j+8] + p[j+12]) for j of 4; then (s[0] + s[2]) + (s[1] + s[3]). All other sums run over their
 * index in ascending order, starting from 0. Multiply, then add: never fused. CAIMI_FLOAT64_SUMS makes
 * the sums of reductions, normalisations, attention and recurrent networks float64, rounded once.
 *
 * ONNX operator (float32, static shapes)                    function
 * ---------------------------------------------------------------------------------------------
 * Exp, Log, Sqrt, Abs, Neg, Reciprocal, Erf, Tanh,          caimi_exp_f32 and so on
 *   Sigmoid, Floor, Ceil, Softplus, Softsign
 * Relu, Clip                                                caimi_clip_f32
 * LeakyRelu, Elu, Selu, Celu, ThresholdedRelu               caimi_leaky_relu_f32, caimi_elu_f32 ...
 * HardSigmoid, HardSwish, Swish (alpha 1), Gelu             caimi_hard_sigmoid_f32 ...
 * Add, Sub, Mul, Div, Min, Max, PRelu, Pow                  caimi_add_f32 ... on a caimi_broadcast
 *   (two inputs; Sum of two is Add)
 * Softmax, LogSoftmax (any axis)                            caimi_softmax_f32, caimi_log_softmax_f32
 * LayerNormalization (scale of the normalised shape)        caimi_layer_norm_f32
 * RMSNormalization                                          caimi_rms_norm_f32
 * BatchNormalization (inference)                            caimi_batch_norm_f32
 * InstanceNormalization, GroupNormalization                 caimi_group_norm_f32
 * ReduceSum, ReduceMean, ReduceMax, ReduceMin,              caimi_reduce_sum_f32 ... on a caimi_axis
 *   ReduceSumSquare (axes next to one another)
 * GlobalAveragePool, GlobalMaxPool                          caimi_reduce_mean_f32, _max_f32
 * MaxPool (no indices), AveragePool, one or two dimensions  caimi_max_pool_f32, caimi_average_pool_f32
 * Transpose, Slice, Expand, Pad (constant), Concat, Split   caimi_copy_32 on a caimi_view
 *   Tile, DepthToSpace, SpaceToDepth (types of 4 bytes)
 * Attention (no cache, no soft cap, one output)             caimi_attention_f32
 * GRU, LSTM, RNN (default activations)                      caimi_gru_f32, caimi_lstm_f32 ...
 */
#ifndef CAIMI_OPERATORS_H
#define CAIMI_OPERATORS_H

#include <stdint.h>

/* ---- One number at a time (y may be x) ------------------------------------------------------- */

void caimi_exp_f32(int32_t count, const float *x, float *y);        /* 1.1 ulp */
void caimi_log_f32(int32_t count, const float *x, float *y);        /* 1 ulp */
void caimi_erf_f32(int32_t count, const float *x, float *y);        /* 1.4 ulp */
void caimi_tanh_f32(int32_t count, const float *x, float *y);       /* 1.4 ulp */
void caimi_sigmoid_f32(int32_t count, const float *x, float *y);    /* 2.5 ulp */
void caimi_softplus_f32(int32_t count, const float *x, float *y);   /* max(x, 0) + ln(1 + e^-|x|): 3 ulp */
void caimi_softsign_f32(int32_t count, const float *x, float *y);   /* x / (1 + |x|) */
void caimi_sqrt_f32(int32_t count, const float *x, float *y);       /* correctly rounded */
void caimi_reciprocal_f32(int32_t count, const float *x, float *y); /* correctly rounded */
void caimi_abs_f32(int32_t count, const float *x, float *y);
void caimi_neg_f32(int32_t count, const float *x, float *y);
void caimi_floor_f32(int32_t count, const float *x, float *y);
void caimi_ceil_f32(int32_t count, const float *x, float *y);

/* low where x < low, then high where that is > high; a NaN stays; -0 stays where low is 0. */
void caimi_clip_f32(int32_t count, float low, float high, const float *x, float *y);
/* alpha * x where x < 0, else x. */
void caimi_leaky_relu_f32(int32_t count, float alpha, const float *x, float *y);
/* alpha * (e^x - 1) where x < 0, else x; e^x - 1 to 2 ulp even near 0. */
void caimi_elu_f32(int32_t count, float alpha, const float *x, float *y);
/* gamma * (alpha * (e^x - 1) where x < 0, else x). */
void caimi_selu_f32(int32_t count, float alpha, float gamma, const float *x, float *y);
/* alpha * (e^(x / alpha) - 1) where x < 0, else x; alpha > 0. */
void caimi_celu_f32(int32_t count, float alpha, const float *x, float *y);
/* x where x > alpha, else 0; a NaN stays. */
void caimi_thresholded_relu_f32(int32_t count, float alpha, const float *x, float *y);
/* h(x) = alpha * x + beta, clipped to 0 and 1. */
void caimi_hard_sigmoid_f32(int32_t count, float alpha, float beta, const float *x, float *y);
/* x * h(x) with alpha = 1/6, beta = 1/2: the bits of Mul(x, HardSigmoid(x)). */
void caimi_hard_swish_f32(int32_t count, const float *x, float *y);
/* x * sigmoid(x): the bits of Mul(x, Sigmoid(x)); NaN at -inf, as they. */
void caimi_silu_f32(int32_t count, const float *x, float *y);
/* (x * 1/2) * (1 + erf(x * sqrt(1/2))); within 4 ulp of x/2 where the sum cancels; NaN at -inf. */
void caimi_gelu_f32(int32_t count, const float *x, float *y);
/* (x * 1/2) * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3))); likewise. */
void caimi_gelu_tanh_f32(int32_t count, const float *x, float *y);

/* ---- Two tensors, broadcast (y may be an input that has y's shape) ---------------------------- */

#define CAIMI_MAX_RANK 6

/* y has the shape `size`, outermost first; `stride_a`, `stride_b`: elements a step along that axis
 * moves in a and b, 0 where broadcast. Along the last axis they are 0 or 1. */
typedef struct {
    int32_t rank;
    int32_t size[CAIMI_MAX_RANK], stride_a[CAIMI_MAX_RANK], stride_b[CAIMI_MAX_RANK];
} caimi_broadcast;

void caimi_add_f32(const caimi_broadcast *, const float *a, const float *b, float *y);
void caimi_sub_f32(const caimi_broadcast *, const float *a, const float *b, float *y);
void caimi_mul_f32(const caimi_broadcast *, const float *a, const float *b, float *y);
void caimi_div_f32(const caimi_broadcast *, const float *a, const float *b, float *y);
/* b where b < a (min) or b > a (max), else a; NaN if either is. */
void caimi_min_f32(const caimi_broadcast *, const float *a, const float *b, float *y);
void caimi_max_f32(const caimi_broadcast *, const float *a, const float *b, float *y);
/* a * b where a < 0, else a. */
void caimi_prelu_f32(const caimi_broadcast *, const float *a, const float *b, float *y);
/* a^b: a * a where b is 2, the root of a where b is 1/2 and a > 0, a where b is 1, else C's powf. */
void caimi_pow_f32(const caimi_broadcast *, const float *a, const float *b, float *y);

/* ---- Along one axis -------------------------------------------------------------------------- */

/* x: outer x size x inner. */
typedef struct {
    int32_t outer, size, inner;
} caimi_axis;

/* e^(x - max) / sum, and (x - max) - ln(sum): folded sums where inner is 1. NaN in a slice with a
 * NaN or an infinite maximum. y may be x. */
void caimi_softmax_f32(const caimi_axis *, const float *x, float *y);
void caimi_log_softmax_f32(const caimi_axis *, const float *x, float *y);

/* y: outer x inner. Folded sums where inner is 1; the mean is sum / size; max and min are NaN where
 * any number is, and take either zero for the greater, always the same. */
void caimi_reduce_sum_f32(const caimi_axis *, const float *x, float *y);
void caimi_reduce_mean_f32(const caimi_axis *, const float *x, float *y);
void caimi_reduce_sum_square_f32(const caimi_axis *, const float *x, float *y);
void caimi_reduce_max_f32(const caimi_axis *, const float *x, float *y);
void caimi_reduce_min_f32(const caimi_axis *, const float *x, float *y);

/* ---- Normalisations (y may be x) ------------------------------------------------------------- */

/* Over each of `outer` rows of `inner`: d = x - sum(x) / inner; i = 1 / sqrt(sum(d d) / inner +
 * epsilon); y = (d * i) * scale + bias. Folded sums. scale, bias: `inner` numbers; bias may be NULL. */
void caimi_layer_norm_f32(int32_t outer, int32_t inner, float epsilon, const float *x,
                          const float *scale, const float *bias, float *y);
/* y = (x * i) * scale with i = 1 / sqrt(sum(x x) / inner + epsilon). */
void caimi_rms_norm_f32(int32_t outer, int32_t inner, float epsilon, const float *x,
                        const float *scale, float *y);
/* x: batch x groups x (channels / groups) x inner. d and i as in layer_norm over each group;
 * y = (d * i) * scale[channel] + bias[channel]. groups = channels: instance normalisation. */
void caimi_group_norm_f32(int32_t batch, int32_t channels, int32_t groups, int32_t inner,
                          float epsilon, const float *x, const float *scale, const float *bias,
                          float *y);
/* x: batch x channels x inner. y = (x - mean) * (scale / sqrt(variance + epsilon)) + bias. */
void caimi_batch_norm_f32(int32_t batch, int32_t channels, int32_t inner, float epsilon,
                          const float *x, const float *scale, const float *bias, const float *mean,
                          const float *variance, float *y);

/* ---- Pooling --------------------------------------------------------------------------------- */

/* `planes` images (batch x channels); [0] rows, [1] columns; one dimension: rows 1. `pad` before
 * the first row and column; `pad_end` after the last (counts only where padding is included). */
typedef struct {
    int32_t planes;
    int32_t in[2], out[2], kernel[2], stride[2], dilation[2], pad[2], pad_end[2];
    int32_t count_pad; /* average: 1 divides by all places within the padded image, 0 by real ones */
} caimi_pool;

/* The largest number of each window, NaN if one is there. -inf where a window lies in the padding. */
void caimi_max_pool_f32(const caimi_pool *, const float *x, float *y);
/* Sum / count. The sum: each column of the window by ascending row, then the columns ascending. */
void caimi_average_pool_f32(const caimi_pool *, const float *x, float *y);

/* ---- Copies ---------------------------------------------------------------------------------- */

/* For every index vector i below `size`: y[i . to] = x[i . from]; strides in elements of 4 bytes. */
typedef struct {
    int32_t rank;
    int32_t size[CAIMI_MAX_RANK], from[CAIMI_MAX_RANK], to[CAIMI_MAX_RANK];
} caimi_view;

void caimi_copy_32(const caimi_view *, const void *x, void *y);
/* `count` elements of 4 bytes with the bits of *value. */
void caimi_fill_32(int32_t count, const void *value, void *y);

/* ---- Attention ------------------------------------------------------------------------------- */

/* Elements between batches, heads and rows of one tensor; a row is contiguous. */
typedef struct {
    int32_t batch, head, row;
} caimi_heads;

/* `queries` rows of q and y and `keys` rows (at most CAIMI_MAX_KEYS) of k and v for each batch and
 * head; k and v have kv_heads, of which each serves heads / kv_heads neighbours. `bias` (float) and
 * `keep` (bytes), both or either NULL, have the strides `mask` and mask_key, 0 where broadcast.
 * score = folded sum(q k) * scale [+ bias]; -inf where not kept; with causal, query i sees keys up
 * to i alone. y = sum over keys, ascending, of softmax(score) * v; 0 where all scores are -inf. */
#define CAIMI_MAX_KEYS 8192
typedef struct {
    int32_t batch, heads, kv_heads, queries, keys, size, v_size, causal;
    caimi_heads q, k, v, y, mask;
    int32_t mask_key;
} caimi_attention;

void caimi_attention_f32(const caimi_attention *, float scale, const float *q, const float *k,
                         const float *v, const float *bias, const uint8_t *keep, float *y);

/* ---- Recurrent networks ---------------------------------------------------------------------- */

/* One direction, the default activations (sigmoid, tanh), no peepholes, no clip, full sequences.
 * Weights as ONNX lays them out for that direction: w: gates*hidden x input, r: gates*hidden x
 * hidden, b: 2*gates*hidden (w's, then r's) or NULL. Of step t and batch n, x is read at
 * x + t*x_step + n*x_batch and y written at y + t*y_step + n*y_batch; the states h and c of batch n
 * lie at n*state_batch: initial ones (NULL: zeros) are read, the last written. y, h, c may be NULL.
 * A gate is (sum(w x) + wb) + (sum(r h) + rb), folded sums; GRU's third gate with
 * linear_before_reset is (sum(w x) + wb) + reset * (sum(r h) + rb). */
typedef struct {
    int32_t steps, batch, input, hidden;     int32_t x_step, x_batch, y_step, y_batch, state_batch;
    int32_t reverse;             /* 1: from the last step to the first; y in the order of x */
    int32_t linear_before_reset; /* GRU */
    int32_t relu;                /* RNN: Relu in tanh's place */
} caimi_recurrent;

#define CAIMI_MAX_HIDDEN 4096
void caimi_gru_f32(const caimi_recurrent *, const float *x, const float *w, const float *r,
                   const float *b, const float *initial_h, float *y, float *h);
void caimi_lstm_f32(const caimi_recurrent *, const float *x, const float *w, const float *r,
                    const float *b, const float *initial_h, const float *initial_c, float *y,
                    float *h, float *c);
void caimi_rnn_f32(const caimi_recurrent *, const float *x, const float *w, const float *r,
                   const float *b, const float *initial_h, float *y, float *h);

#endif
