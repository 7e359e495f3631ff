/* The folded sum of caimi_operators.h: sixteen partial sums in four vectors. */
#ifndef CAIMI_SUMS_H
#define CAIMI_SUMS_H

#include "lanes.h"

#ifdef CAIMI_FLOAT64_SUMS
typedef double caimi_w4 __attribute__((vector_size(32)));
#define CAIMI_WIDE(value) __builtin_convertvector(value, caimi_w4)
#else
typedef caimi_f4 caimi_w4;
#define CAIMI_WIDE(value) (value)
#endif

/* SUM = the folded sum of TERM over `count` numbers. TERM is written in terms of LOAD(array, at):
 * four of the array from `at` on, zeros beyond its end. */
#define CAIMI_FOLD(SUM, count, TERM)                                                      \
    do {                                                                                  \
        caimi_w4 partial[4] = {{0}, {0}, {0}, {0}};                                       \
        int32_t at = 0;                                                                   \
        for (; at + 16 <= (count); at += 16) {                                            \
            partial[0] += TERM(CAIMI_WHOLE, at);                                          \
            partial[1] += TERM(CAIMI_WHOLE, at + 4);                                      \
            partial[2] += TERM(CAIMI_WHOLE, at + 8);                                      \
            partial[3] += TERM(CAIMI_WHOLE, at + 12);                                     \
        }                                                                                 \
        if (at + 4 <= (count)) partial[0] += TERM(CAIMI_WHOLE, at);                       \
        if (at + 8 <= (count)) partial[1] += TERM(CAIMI_WHOLE, at + 4);                   \
        if (at + 12 <= (count)) partial[2] += TERM(CAIMI_WHOLE, at + 8);                  \
        const int32_t left = (count) & 3;                                                 \
        at = (count) - left;                                                              \
        if (left) {                                                                       \
            const caimi_w4 rest = caimi_first4(TERM(CAIMI_PART, at), left);               \
            switch ((at >> 2) & 3) {                                                      \
            case 0: partial[0] += rest; break;                                            \
            case 1: partial[1] += rest; break;                                            \
            case 2: partial[2] += rest; break;                                            \
            default: partial[3] += rest;                                                  \
            }                                                                             \
        }                                                                                 \
        const caimi_w4 four = (partial[0] + partial[1]) + (partial[2] + partial[3]);      \
        SUM = (float)((four[0] + four[2]) + (four[1] + four[3]));                         \
    } while (0)

#define CAIMI_WHOLE(from, at) caimi_load4((from) + (at))
#define CAIMI_PART(from, at) caimi_load_some((from) + (at), left, 0.0f)

/* The first `count` (1 to 3) lanes, zeros beyond. */
CAIMI_INLINE caimi_w4 caimi_first4(caimi_w4 value, int32_t count) {
    caimi_w4 first = {value[0]};
    if (count > 1) first[1] = value[1];
    if (count > 2) first[2] = value[2];
    return first;
}

CAIMI_INLINE float caimi_folded(const float *x, int32_t count) {
    float sum;
#define CAIMI_TERM(LOAD, at) CAIMI_WIDE(LOAD(x, at))
    CAIMI_FOLD(sum, count, CAIMI_TERM);
#undef CAIMI_TERM
    return sum;
}

/* The sum of (x - centre)^2. */
CAIMI_INLINE float caimi_folded_squares(const float *x, float centre, int32_t count) {
    float sum;
#define CAIMI_TERM(LOAD, at) ((CAIMI_WIDE(LOAD(x, at)) - centre) * (CAIMI_WIDE(LOAD(x, at)) - centre))
    CAIMI_FOLD(sum, count, CAIMI_TERM);
#undef CAIMI_TERM
    return sum;
}

CAIMI_INLINE float caimi_folded_products(const float *a, const float *b, int32_t count) {
    float sum;
#define CAIMI_TERM(LOAD, at) (CAIMI_WIDE(LOAD(a, at)) * CAIMI_WIDE(LOAD(b, at)))
    CAIMI_FOLD(sum, count, CAIMI_TERM);
#undef CAIMI_TERM
    return sum;
}

#endif
