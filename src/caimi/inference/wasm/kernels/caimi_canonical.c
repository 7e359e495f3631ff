/* NaNs made canonical in place; nothing is written where there is none. */
#include "caimi_operators.h"
#include "caimi_vector.h"

typedef int32_t caimi_i4_unaligned __attribute__((vector_size(16), aligned(4)));

/* Bits without the sign are above those of infinity: a NaN. Integers, so that no bit of a NaN
 * passes through a float operation. */
CAIMI_INLINE int32_t caimi_is_nan32(int32_t bits) {
    return (bits & 0x7fffffff) > 0x7f800000;
}

void caimi_canonicalise_f32(void *numbers, int32_t count) {
    int32_t *bits = numbers;
    int32_t at = 0;
    for (; at + 16 <= count; at += 16) {
        caimi_i4 any = {0, 0, 0, 0};
        for (int32_t lane = 0; lane < 16; lane += 4) {
            const caimi_i4 value = *(const caimi_i4_unaligned *)(bits + at + lane);
            any |= (value & 0x7fffffff) > 0x7f800000;
        }
        if (!(any[0] | any[1] | any[2] | any[3])) continue;
        for (int32_t lane = 0; lane < 16; lane++)
            if (caimi_is_nan32(bits[at + lane])) bits[at + lane] = CAIMI_NAN_BITS;
    }
    for (; at < count; at++)
        if (caimi_is_nan32(bits[at])) bits[at] = CAIMI_NAN_BITS;
}

void caimi_canonicalise_f64(void *numbers, int32_t count) {
    int64_t *bits = numbers;
    for (int32_t at = 0; at < count; at++)
        if ((bits[at] & INT64_MAX) > 0x7ff0000000000000) bits[at] = 0x7ff8000000000000;
}

void caimi_canonicalise_f16(void *numbers, int32_t count) {
    uint16_t *bits = numbers;
    for (int32_t at = 0; at < count; at++)
        if ((bits[at] & 0x7fff) > 0x7c00) bits[at] = 0x7e00;
}
