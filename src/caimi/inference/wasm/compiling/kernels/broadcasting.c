/* Functions of two tensors with broadcasting: an odometer over the outer axes, rows of vectors. */
#include <math.h>

#include "caimi_operators.h"
#include "lanes.h"

CAIMI_INLINE caimi_f4 caimi_add4(caimi_f4 a, caimi_f4 b) {
    return a + b;
}

CAIMI_INLINE caimi_f4 caimi_sub4(caimi_f4 a, caimi_f4 b) {
    return a - b;
}

CAIMI_INLINE caimi_f4 caimi_mul4(caimi_f4 a, caimi_f4 b) {
    return a * b;
}

CAIMI_INLINE caimi_f4 caimi_div4(caimi_f4 a, caimi_f4 b) {
    return a / b;
}

CAIMI_INLINE caimi_f4 caimi_min4(caimi_f4 a, caimi_f4 b) {
    return caimi_select4((b < a) | (b != b), b, a);
}

CAIMI_INLINE caimi_f4 caimi_max4(caimi_f4 a, caimi_f4 b) {
    return caimi_select4((b > a) | (b != b), b, a);
}

CAIMI_INLINE caimi_f4 caimi_prelu4(caimi_f4 a, caimi_f4 b) {
    return caimi_select4(a < 0.0f, a * b, a);
}

CAIMI_INLINE caimi_f4 caimi_square4(caimi_f4 a, caimi_f4 b) {
    (void)b;
    return a * a;
}

/* Squares and roots, the common cases, need no call. */
static float caimi_power(float base, float power) {
    if (power == 2.0f) return base * base;
    if (power == 0.5f && base > 0.0f) return __builtin_sqrtf(base);
    return power == 1.0f ? base : powf(base, power);
}

CAIMI_INLINE caimi_f4 caimi_pow4(caimi_f4 a, caimi_f4 b) {
    return (caimi_f4){caimi_power(a[0], b[0]), caimi_power(a[1], b[1]), caimi_power(a[2], b[2]),
                      caimi_power(a[3], b[3])};
}

typedef void (*caimi_row)(int32_t count, const float *a, const float *b, float *y);

/* A_AT and B_AT load a vector of a and b at `at`; A_SOME and B_SOME its first lanes. */
#define CAIMI_ROW(NAME, OPERATION, A_AT, B_AT, A_SOME, B_SOME)                            \
    static void NAME(int32_t count, const float *a, const float *b, float *y) {           \
        int32_t at = 0;                                                                   \
        for (; at + 16 <= count; at += 16)                                                \
            for (int32_t lane = at; lane < at + 16; lane += 4)                            \
                caimi_store4(y + lane, caimi_canonical4(OPERATION(A_AT(a, lane), B_AT(b, lane)))); \
        for (; at + 4 <= count; at += 4)                                                  \
            caimi_store4(y + at, caimi_canonical4(OPERATION(A_AT(a, at), B_AT(b, at))));  \
        const int32_t left = count - at;                                                  \
        if (left)                                                                         \
            caimi_store_some(                                                             \
                y + at, left,                                                             \
                caimi_canonical4(OPERATION(A_SOME(a, at, left), B_SOME(b, at, left))));   \
    }

#define CAIMI_EACH(from, at) caimi_load4(from + at)
#define CAIMI_ONE(from, at) caimi_splat4(from[0])
#define CAIMI_EACH_SOME(from, at, count) caimi_load_some(from + at, count, 1.0f)
#define CAIMI_ONE_SOME(from, at, count) caimi_splat4(from[0])

static void caimi_walk(const caimi_broadcast *shape, const float *a, const float *b, float *y,
                       const caimi_row rows[4]) {
    const int32_t last = shape->rank - 1;
    const int32_t count = shape->size[last];
    const caimi_row row = rows[(shape->stride_a[last] ? 0 : 2) + (shape->stride_b[last] ? 0 : 1)];
    int32_t index[CAIMI_MAX_RANK] = {0};
    for (;;) {
        row(count, a, b, y);
        y += count;
        int32_t axis = last - 1;
        for (; axis >= 0; axis--) {
            a += shape->stride_a[axis];
            b += shape->stride_b[axis];
            if (++index[axis] < shape->size[axis]) break;
            a -= shape->stride_a[axis] * shape->size[axis];
            b -= shape->stride_b[axis] * shape->size[axis];
            index[axis] = 0;
        }
        if (axis < 0) return;
    }
}

#define CAIMI_ROWS(NAME)                                                                  \
    CAIMI_ROW(NAME##_both, caimi_##NAME##4, CAIMI_EACH, CAIMI_EACH, CAIMI_EACH_SOME, CAIMI_EACH_SOME) \
    CAIMI_ROW(NAME##_one_b, caimi_##NAME##4, CAIMI_EACH, CAIMI_ONE, CAIMI_EACH_SOME, CAIMI_ONE_SOME)  \
    CAIMI_ROW(NAME##_one_a, caimi_##NAME##4, CAIMI_ONE, CAIMI_EACH, CAIMI_ONE_SOME, CAIMI_EACH_SOME)  \
    CAIMI_ROW(NAME##_ones, caimi_##NAME##4, CAIMI_ONE, CAIMI_ONE, CAIMI_ONE_SOME, CAIMI_ONE_SOME)

#define CAIMI_BINARY(NAME)                                                                \
    CAIMI_ROWS(NAME)                                                                      \
    void caimi_##NAME##_f32(const caimi_broadcast *shape, const float *a, const float *b, \
                            float *y) {                                                   \
        static const caimi_row rows[4] = {NAME##_both, NAME##_one_b, NAME##_one_a, NAME##_ones};      \
        caimi_walk(shape, a, b, y, rows);                                                 \
    }

CAIMI_BINARY(add)
CAIMI_BINARY(sub)
CAIMI_BINARY(mul)
CAIMI_BINARY(div)
CAIMI_BINARY(min)
CAIMI_BINARY(max)
CAIMI_BINARY(prelu)
CAIMI_ROWS(pow)
CAIMI_ROW(squares, caimi_square4, CAIMI_EACH, CAIMI_ONE, CAIMI_EACH_SOME, CAIMI_ONE_SOME)

static void pow_by_one(int32_t count, const float *a, const float *b, float *y) {
    (b[0] == 2.0f ? squares : pow_one_b)(count, a, b, y);
}

void caimi_pow_f32(const caimi_broadcast *shape, const float *a, const float *b, float *y) {
    static const caimi_row rows[4] = {pow_both, pow_by_one, pow_one_a, pow_ones};
    caimi_walk(shape, a, b, y, rows);
}
