/* Convolutions of one channel with one filter. */
#ifndef CAIMI_DEPTHWISE_H
#define CAIMI_DEPTHWISE_H

#include "product.h"

/* Prepares for the channels of this convolution; 0 if its shape is not one for this way. */
int32_t caimi_plan_channels(const caimi_conv *);

/* One output channel `y` of one input channel `x`, as prepared; `row` is its place in scale and
 * bias. */
void caimi_convolve_channel(const caimi_conv *, const float *x, const float *w,
                            const int8_t *w_i8, const caimi_finisher *, int32_t row,
                            const float *residual, float *y);

#endif
