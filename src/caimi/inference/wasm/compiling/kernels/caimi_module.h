/* What every compiled module has around its operators: memory, weights, ABI 1's exports.
 *
 * Weights are read from the host, either all at once into memory of their own (resident), or each
 * time an operator uses them into one buffer that the next operator overwrites (streamed).
 */
#ifndef CAIMI_MODULE_H
#define CAIMI_MODULE_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "caimi_kernels.h"
#include "caimi_operators.h"

/* WebAssembly has no half floats: they are kept as such, and computed with as float. */
#define _Float16 __fp16

/* Of C's functions the greater of a number and NaN is the number, of ONNX's Max, Min and Clip NaN. */
static inline double caimi_fmax(double a, double b) { return a != a || a > b ? a : b; }
static inline double caimi_fmin(double a, double b) { return a != a || a < b ? a : b; }
#define fmax caimi_fmax
#define fmin caimi_fmin

enum { CAIMI_INDEX_OUT_OF_RANGE = 1, CAIMI_OUT_OF_MEMORY = 2, CAIMI_NOT_LOADED = 3, CAIMI_SHAPE_DIFFERS = 4 };
enum { CAIMI_RESIDENT = 0, CAIMI_STREAMED = 1 };

__attribute__((import_module("caimi"), import_name("read"))) void caimi_read(
    int32_t weight, void *destination, uint32_t first, uint32_t size);

/* With the arena's bytes, how many weights, the bytes of all and of those that one operator uses,
 * and how many inputs and outputs. */
#define CAIMI_MODULE(ARENA, WEIGHTS, RESIDENT, STREAM, INPUTS, OUTPUTS)                             \
    static _Alignas(64) uint8_t caimi_arena[(ARENA) ? (ARENA) : 1];                                 \
    static uint8_t *caimi_weights;                                                                  \
    static uint32_t caimi_used;                                                                     \
    static int32_t caimi_mode = -1;                                                                 \
    static int32_t caimi_infer(void);                                                               \
    static inline void caimi_release_weights(void) { caimi_used = 0; }                              \
    static void *caimi_weight(int32_t index) {                                                      \
        if (caimi_mode == CAIMI_RESIDENT) return caimi_weights + caimi_weight_offsets[index];       \
        uint8_t *place = caimi_weights + caimi_used;                                                \
        caimi_used += (caimi_weight_bytes[index] + 63) & ~(uint32_t)63;                             \
        caimi_read(index, place, 0, caimi_weight_bytes[index]);                                     \
        return place;                                                                               \
    }                                                                                               \
    int32_t caimi_load(int32_t mode) {                                                              \
        if (caimi_mode >= 0) return 0;                                                              \
        if (WEIGHTS) {                                                                              \
            caimi_weights = aligned_alloc(64, mode == CAIMI_RESIDENT ? (RESIDENT) : (STREAM));      \
            if (!caimi_weights) return CAIMI_OUT_OF_MEMORY;                                         \
        }                                                                                           \
        for (int32_t i = 0; i < (WEIGHTS) && mode == CAIMI_RESIDENT; i++)                           \
            caimi_read(i, caimi_weights + caimi_weight_offsets[i], 0, caimi_weight_bytes[i]);       \
        caimi_mode = mode == CAIMI_RESIDENT ? CAIMI_RESIDENT : CAIMI_STREAMED;                      \
        return 0;                                                                                   \
    }                                                                                               \
    int32_t caimi_run(void) { return caimi_mode >= 0 ? caimi_infer() : CAIMI_NOT_LOADED; }          \
    int32_t caimi_input(int32_t index) {                                                            \
        return (int32_t)(uintptr_t)(caimi_arena + caimi_input_offsets[(uint32_t)index % (INPUTS)]); \
    }                                                                                               \
    int32_t caimi_output(int32_t index) {                                                           \
        return (int32_t)(uintptr_t)(caimi_arena +                                                   \
                                    caimi_output_offsets[(uint32_t)index % (OUTPUTS)]);             \
    }

/* Indices lie in [-limit, limit); element i of the last axis of `indices` has limits[i % depth]. */
#define CAIMI_INDICES_FIT(NAME, TYPE)                                                              \
    static inline int32_t NAME(const TYPE *indices, int32_t count, const int32_t *limits,          \
                               int32_t depth) {                                                    \
        for (int32_t i = 0; i < count; i++) {                                                      \
            int32_t limit = limits[i % depth];                                                     \
            if (indices[i] < -limit || indices[i] >= limit) return 0;                              \
        }                                                                                          \
        return 1;                                                                                  \
    }
CAIMI_INDICES_FIT(caimi_indices_fit_i32, int32_t)
CAIMI_INDICES_FIT(caimi_indices_fit_i64, int64_t)

/* Whether a size, a start or an end stays itself as an int32_t. */
static inline int32_t caimi_is_small(int64_t value) {
    return value > -(1ll << 30) && value < 1ll << 30;
}

/* How many elements ONNX's Slice takes of an axis. */
static inline int32_t caimi_slice_size(int32_t size, int32_t start, int32_t end, int32_t step) {
    int32_t low = step > 0 ? 0 : -1, high = step > 0 ? size : size - 1;
    start += start < 0 ? size : 0;
    end += end < 0 ? size : 0;
    start = start < low ? low : start > high ? high : start;
    end = end < low ? low : end > high ? high : end;
    int32_t distance = step > 0 ? end - start : start - end;
    int32_t stride = step > 0 ? step : -step;
    return distance > 0 ? (distance + stride - 1) / stride : 0;
}

/* ONNX's BitShift: after too many bits, or a negative number of them, what is left is the sign of
 * what moves to the right, and 0 of what moves to the left. */
#define CAIMI_SHIFT(a, direction, b)                                                               \
    ((b) < 0 || (uint64_t)(b) >= 8 * sizeof(a)                                                     \
         ? (__typeof__(a))(1 direction 1 == 0 && (a) < 0 ? -1 : 0)                                 \
     : (1 direction 1 == 2) ? (__typeof__(a))((uint64_t)(a) << (b))                                \
                            : (__typeof__(a))((a) >> (b)))

/* Every NaN becomes the positive quiet one without payload: WebAssembly leaves a NaN's sign and
 * payload open, and nothing else. */
#define CAIMI_CANONICALISE(NAME, TYPE, MAGNITUDE, INFINITE, QUIET)                                 \
    static inline void NAME(void *tensor, int32_t count) {                                         \
        TYPE *bits = tensor;                                                                       \
        for (int32_t i = 0; i < count; i++)                                                        \
            bits[i] = (bits[i] & (MAGNITUDE)) > (INFINITE) ? (TYPE)(QUIET) : bits[i];              \
    }
CAIMI_CANONICALISE(caimi_canonicalise_f16, uint16_t, 0x7fffu, 0x7c00u, 0x7e00u)
CAIMI_CANONICALISE(caimi_canonicalise_f32, uint32_t, 0x7fffffffu, 0x7f800000u, 0x7fc00000u)
CAIMI_CANONICALISE(caimi_canonicalise_f64, uint64_t, 0x7fffffffffffffffull, 0x7ff0000000000000ull,
                   0x7ff8000000000000ull)

#endif
