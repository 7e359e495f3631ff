/* Four-lane vectors for the kernels, in C's vector extensions only: with SIMD each operation is one
 * instruction, without it four scalar ones that give the same bits. No fused multiply-add, no
 * operation whose result WebAssembly leaves open except the bits of a NaN, and those are replaced
 * by `caimi_canonical4` before they are stored. */
#ifndef CAIMI_LANES_H
#define CAIMI_LANES_H

#include <stdint.h>
#include <string.h>

typedef float caimi_f4 __attribute__((vector_size(16)));
typedef int32_t caimi_i4 __attribute__((vector_size(16)));
typedef uint32_t caimi_u4 __attribute__((vector_size(16))); /* wraps, where a NaN's bits overflow */
typedef float caimi_f4_unaligned __attribute__((vector_size(16), aligned(4), may_alias));

#define CAIMI_INLINE static inline __attribute__((always_inline))
#define CAIMI_NAN_BITS 0x7fc00000

CAIMI_INLINE caimi_f4 caimi_load4(const float *from) {
    return *(const caimi_f4_unaligned *)from;
}

CAIMI_INLINE void caimi_store4(float *to, caimi_f4 value) {
    *(caimi_f4_unaligned *)to = value;
}

CAIMI_INLINE caimi_f4 caimi_splat4(float value) {
    return (caimi_f4){value, value, value, value};
}

CAIMI_INLINE caimi_f4 caimi_select4(caimi_i4 mask, caimi_f4 yes, caimi_f4 no) {
    return (caimi_f4)(((caimi_i4)yes & mask) | ((caimi_i4)no & ~mask));
}

/* Every NaN becomes the quiet NaN 0x7fc00000. By integers: clang knows that all NaNs are one to C,
 * and removes a choice between `value` and NaN by `value == value` behind a square root. */
CAIMI_INLINE caimi_f4 caimi_canonical4(caimi_f4 value) {
    const caimi_i4 bits = (caimi_i4)value;
    const caimi_i4 nan = (bits & 0x7fffffff) > 0x7f800000;
    return (caimi_f4)((bits & ~nan) | (CAIMI_NAN_BITS & nan));
}

/* `above` where it is greater, else `value`: a NaN in `value` stays. */
CAIMI_INLINE caimi_f4 caimi_at_least4(caimi_f4 value, caimi_f4 above) {
    return caimi_select4(above > value, above, value);
}

CAIMI_INLINE caimi_f4 caimi_at_most4(caimi_f4 value, caimi_f4 below) {
    return caimi_select4(below < value, below, value);
}

/* The first `count` (1 to 3) floats, the other lanes `fill`. */
CAIMI_INLINE caimi_f4 caimi_load_some(const float *from, int32_t count, float fill) {
    caimi_f4 value = caimi_splat4(fill);
    value[0] = from[0];
    if (count > 1) value[1] = from[1];
    if (count > 2) value[2] = from[2];
    return value;
}

CAIMI_INLINE void caimi_store_some(float *to, int32_t count, caimi_f4 value) {
    to[0] = value[0];
    if (count > 1) to[1] = value[1];
    if (count > 2) to[2] = value[2];
}

#endif
