/* Vectors of 16 bytes in portable C: SIMD instructions where there are any, the same bits if not. */
#ifndef CAIMI_VECTOR_H
#define CAIMI_VECTOR_H

#include <stdint.h>

typedef float f32x4 __attribute__((vector_size(16)));
typedef int32_t i32x4 __attribute__((vector_size(16)));
typedef double f64x2 __attribute__((vector_size(16)));

/* For functions whose loops are short: no calls of memset or memcpy instead of them. */
#define CAIMI_SHORT_LOOPS __attribute__((no_builtin("memset", "memcpy")))

/* What sums are taken in. */
#ifdef CAIMI_FLOAT64_SUMS
typedef double caimi_sum;
typedef f64x2 caimi_sums;
#else
typedef float caimi_sum;
typedef f32x4 caimi_sums;
#endif
enum { CAIMI_LANES = sizeof(caimi_sums) / sizeof(caimi_sum) };

/* Four sums, whatever they are taken in. */
#ifdef CAIMI_FLOAT64_SUMS
typedef double caimi_quad __attribute__((vector_size(32)));
#else
typedef f32x4 caimi_quad;
#endif

typedef f32x4 f32x4_anywhere __attribute__((aligned(4), may_alias));
typedef caimi_sums caimi_sums_anywhere __attribute__((aligned(4), may_alias));

static inline f32x4 caimi_load(const float *from) { return *(const f32x4_anywhere *)from; }
static inline void caimi_store(float *to, f32x4 v) { *(f32x4_anywhere *)to = v; }
static inline f32x4 caimi_splat(float v) { return (f32x4){v, v, v, v}; }

static inline caimi_sums caimi_load_sums(const caimi_sum *from) {
    return *(const caimi_sums_anywhere *)from;
}
static inline void caimi_store_sums(caimi_sum *to, caimi_sums v) {
    *(caimi_sums_anywhere *)to = v;
}
static inline caimi_sums caimi_splat_sums(caimi_sum v) { return v - (caimi_sums){0}; }

typedef caimi_quad caimi_quad_anywhere __attribute__((aligned(4), may_alias));
typedef int8_t caimi_i8x4 __attribute__((vector_size(4)));
typedef caimi_i8x4 caimi_i8x4_anywhere __attribute__((aligned(1), may_alias));

static inline caimi_quad caimi_widen(f32x4 v) { return __builtin_convertvector(v, caimi_quad); }
static inline caimi_quad caimi_load_quad(const caimi_sum *from) {
    return *(const caimi_quad_anywhere *)from;
}
static inline void caimi_store_quad(caimi_sum *to, caimi_quad v) {
    *(caimi_quad_anywhere *)to = v;
}
static inline f32x4 caimi_load_i8(const int8_t *from) {
    return __builtin_convertvector(*(const caimi_i8x4_anywhere *)from, f32x4);
}

/* Lanes of `yes` where `mask` has all bits set, of `no` where it has none. */
static inline f32x4 caimi_select(i32x4 mask, f32x4 yes, f32x4 no) {
    return (f32x4)((mask & (i32x4)yes) | (~mask & (i32x4)no));
}

#endif
