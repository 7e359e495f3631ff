/* The folded sum of caimi_operators.h: sixteen partial sums in four vectors. */
#ifndef CAIMI_SUMS_H
#define CAIMI_SUMS_H

#include "caimi_vector.h"

/* SUM = the folded sum of TERM over `count` numbers. TERM is written in terms of LOAD(array): the
 * vector of the array at the present place, zeros beyond its end. FILLED says which lanes are real:
 * only a TERM that is not zero for zeros needs it. */
#define CAIMI_FOLD(SUM, count, TERM)                                                      \
    do {                                                                                  \
        caimi_f4 partial[4] = {{0}, {0}, {0}, {0}};                                       \
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
            const caimi_f4 rest = caimi_first4(TERM(CAIMI_PART, at), left);               \
            switch ((at >> 2) & 3) {                                                      \
            case 0: partial[0] += rest; break;                                            \
            case 1: partial[1] += rest; break;                                            \
            case 2: partial[2] += rest; break;                                            \
            default: partial[3] += rest;                                                  \
            }                                                                             \
        }                                                                                 \
        SUM = caimi_add_lanes((partial[0] + partial[1]) + (partial[2] + partial[3]));     \
    } while (0)

#define CAIMI_WHOLE(from, at) caimi_load4((from) + (at))
#define CAIMI_PART(from, at) caimi_load_some((from) + (at), left, 0.0f)

/* The first `count` (1 to 3) lanes, zeros beyond. */
CAIMI_INLINE caimi_f4 caimi_first4(caimi_f4 value, int32_t count) {
    const caimi_i4 lane = {0, 1, 2, 3};
    return (caimi_f4)((caimi_i4)value & (lane < count));
}

CAIMI_INLINE float caimi_sum(const float *x, int32_t count) {
    float sum;
#define CAIMI_TERM(LOAD, at) LOAD(x, at)
    CAIMI_FOLD(sum, count, CAIMI_TERM);
#undef CAIMI_TERM
    return sum;
}

/* The sum of (x - centre)^2. */
CAIMI_INLINE float caimi_sum_square(const float *x, float centre, int32_t count) {
    float sum;
#define CAIMI_TERM(LOAD, at) ((LOAD(x, at) - centre) * (LOAD(x, at) - centre))
    CAIMI_FOLD(sum, count, CAIMI_TERM);
#undef CAIMI_TERM
    return sum;
}

CAIMI_INLINE float caimi_sum_product(const float *a, const float *b, int32_t count) {
    float sum;
#define CAIMI_TERM(LOAD, at) (LOAD(a, at) * LOAD(b, at))
    CAIMI_FOLD(sum, count, CAIMI_TERM);
#undef CAIMI_TERM
    return sum;
}

#endif
