/* Scaled dot-product attention, one query at a time: no matrix of scores is ever stored. */
#include <stddef.h>

#include "caimi_operators.h"
#include "softmax_row.h"

static float caimi_scores[CAIMI_MAX_KEYS];

/* How much of each key a query attends to; the keys that it may see. */
static int32_t caimi_score_keys(const caimi_attention *a, float scale, int32_t row, const float *q,
                                const float *k, const float *bias, const uint8_t *keep) {
    int32_t keys = a->keys;
    if (a->causal && row + 1 < keys) keys = row + 1;
    for (int32_t at = 0; at < keys; at++) {
        float score = caimi_folded_products(q, k + at * a->k.row, a->size) * scale;
        if (bias) score = score + bias[at * a->mask_key];
        if (keep && !keep[at * a->mask_key]) score = score + -__builtin_inff();
        caimi_scores[at] = score;
    }
    return keys;
}

/* y = the sum of weight * v over the keys, ascending, for sixteen or fewer numbers of v. */
CAIMI_INLINE void caimi_weigh(const caimi_attention *a, int32_t keys, int32_t vectors,
                              const float *v, float *y) {
    caimi_w4 sums[4] = {{0}, {0}, {0}, {0}};
    for (int32_t at = 0; at < keys; at++, v += a->v.row) {
        const caimi_w4 weight = CAIMI_WIDE(caimi_splat4(caimi_scores[at]));
        for (int32_t i = 0; i < vectors; i++)
            sums[i] += weight * CAIMI_WIDE(caimi_load4(v + 4 * i));
    }
    for (int32_t i = 0; i < vectors; i++)
        caimi_store4(y + 4 * i, caimi_canonical4(__builtin_convertvector(sums[i], caimi_f4)));
}

static void caimi_weigh_one(const caimi_attention *a, int32_t keys, const float *v, float *y) {
    caimi_w4 sum = {0};
    for (int32_t at = 0; at < keys; at++, v += a->v.row)
        sum += CAIMI_WIDE(caimi_splat4(caimi_scores[at])) * CAIMI_WIDE(caimi_splat4(v[0]));
    y[0] = caimi_canonical4(__builtin_convertvector(sum, caimi_f4))[0];
}

static void caimi_attend(const caimi_attention *a, int32_t keys, const float *v, float *y) {
    if (caimi_row_maximum(caimi_scores, keys) == -__builtin_inff() &&
        caimi_folded(caimi_scores, keys) == -__builtin_inff())
        keys = 0; /* nothing to attend to, and no NaN */
    else
        caimi_softmax_row(keys, caimi_scores, caimi_scores);
    int32_t at = 0;
    for (; at + 16 <= a->v_size; at += 16) caimi_weigh(a, keys, 4, v + at, y + at);
    for (; at + 4 <= a->v_size; at += 4) caimi_weigh(a, keys, 1, v + at, y + at);
    for (; at < a->v_size; at++) caimi_weigh_one(a, keys, v + at, y + at);
}

void caimi_attention_f32(const caimi_attention *a, float scale, const float *q, const float *k,
                         const float *v, const float *bias, const uint8_t *keep, float *y) {
    const int32_t group = a->heads / a->kv_heads;
    for (int32_t batch = 0; batch < a->batch; batch++)
        for (int32_t head = 0; head < a->heads; head++) {
            const int32_t kv = head / group;
            const float *keys = k + batch * a->k.batch + kv * a->k.head;
            const float *values = v + batch * a->v.batch + kv * a->v.head;
            const int32_t mask = batch * a->mask.batch + head * a->mask.head;
            for (int32_t row = 0; row < a->queries; row++) {
                const int32_t at = mask + row * a->mask.row;
                const int32_t seen = caimi_score_keys(
                    a, scale, row, q + batch * a->q.batch + head * a->q.head + row * a->q.row, keys,
                    bias ? bias + at : NULL, keep ? keep + at : NULL);
                caimi_attend(a, seen, values,
                             y + batch * a->y.batch + head * a->y.head + row * a->y.row);
            }
        }
}
