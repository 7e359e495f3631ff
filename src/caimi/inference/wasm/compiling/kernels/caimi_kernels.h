/* Convolutions and matrix products of compiled models.
 *
 * Tensors are dense, row-major float32 in ONNX's own layouts: activations [batch, channel, depth,
 * height, width], convolution weights [out channel, channel of the group, depth, height, width].
 * An output overlaps no input.
 *
 * Every sum starts at +0 and takes its terms in ascending k, one product and one addition each,
 * never fused; k runs over (channel, depth, height, width) of a kernel or over a matrix product's
 * inner dimension. Padding takes part as zeros. The bits of an output thus depend on its inputs
 * only, not on tiles, batches or vector width. A NaN is written as 0x7fc00000.
 *
 * Compile with -ffp-contract=off. With CAIMI_FLOAT64_SUMS, products, sums, scale, bias and residual
 * are taken in float64 and rounded once, before the activation.
 */
#ifndef CAIMI_KERNELS_H
#define CAIMI_KERNELS_H

#include <stdint.h>

enum {
    CAIMI_LINEAR = 0,     /* v */
    CAIMI_CLIP = 1,       /* low if v < low, high if v > high, else v; Relu is low 0, high infinity */
    CAIMI_LEAKY = 2,      /* v * low if v < 0, else v */
    CAIMI_HARD_SWISH = 3, /* v * clip(v * low + high, 0, 1); ONNX: low 1/6, high 1/2 */
};

/* What happens to a finished sum: y = activation(sum * scale + bias + residual), in this order. */
typedef struct {
    const float *scale;    /* one for each output channel (convolution) or column (product), or NULL */
    const float *bias;     /* likewise */
    const float *residual; /* shape of the output, or NULL */
    int32_t activation;
    float low, high;
} caimi_epilogue;

/* A convolution. Sizes are depth, height, width: 1 and 2 dimensions have leading ones. `pad` counts
 * the zeros before each axis; those after it follow from `out`. Channels are totals over groups. */
typedef struct {
    int32_t batch, groups, in_channels, out_channels;
    int32_t in[3], out[3], kernel[3], stride[3], dilation[3], pad[3];
} caimi_conv;

/* A batch of products: y [batch, m, n] packed, of a [m, k] (trans_a: [k, m]) and b [k, n]
 * (trans_b: [n, k]). Strides between the batch's matrices are in elements; 0 uses one matrix for
 * all. The sum is multiplied by `alpha` before the epilogue. */
typedef struct {
    int32_t batch;
    int32_t m, n, k;
    int32_t trans_a, trans_b;
    float alpha;
    int32_t batch_stride_a, batch_stride_b;
} caimi_gemm;

/* The epilogue may be NULL. */
void caimi_conv_f32(const caimi_conv *, const float *x, const float *w, const caimi_epilogue *,
                    float *y);
void caimi_gemm_f32(const caimi_gemm *, const float *a, const float *b, const caimi_epilogue *,
                    float *y);

/* The same with int8 weights: w or b holds integers, the epilogue's `scale` makes them numbers. */
void caimi_conv_i8(const caimi_conv *, const float *x, const int8_t *w, const caimi_epilogue *,
                   float *y);
void caimi_gemm_i8(const caimi_gemm *, const float *a, const int8_t *b, const caimi_epilogue *,
                   float *y);

#endif
