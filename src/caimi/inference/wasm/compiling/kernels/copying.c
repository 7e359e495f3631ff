/* Copies between strided views: rows where both are contiguous, 4 x 4 tiles where a transposition
 * makes them so along two different axes, single elements otherwise. */
#include "caimi_operators.h"
#include "lanes.h"

/* As integers: a float's bits must survive, whatever they are. */
typedef caimi_i4 caimi_i4_unaligned __attribute__((aligned(4), may_alias));

CAIMI_INLINE caimi_i4 caimi_bits4(const int32_t *from) {
    return *(const caimi_i4_unaligned *)from;
}

CAIMI_INLINE void caimi_keep4(int32_t *to, caimi_i4 value) {
    *(caimi_i4_unaligned *)to = value;
}

CAIMI_INLINE void caimi_copy_row(int32_t count, const int32_t *x, int32_t *y) {
    if (count > 256) { /* a call pays only for a long row */
        memcpy(y, x, (uint32_t)count * 4);
        return;
    }
    int32_t at = 0;
    for (; at + 16 <= count; at += 16) {
        const caimi_i4 a = caimi_bits4(x + at), b = caimi_bits4(x + at + 4);
        const caimi_i4 c = caimi_bits4(x + at + 8), d = caimi_bits4(x + at + 12);
        caimi_keep4(y + at, a);
        caimi_keep4(y + at + 4, b);
        caimi_keep4(y + at + 8, c);
        caimi_keep4(y + at + 12, d);
    }
    for (; at + 4 <= count; at += 4) caimi_keep4(y + at, caimi_bits4(x + at));
    for (; at < count; at++) y[at] = x[at];
}

/* y[i * to + j] = x[i + j * from] for four i and four j. */
CAIMI_INLINE void caimi_tile(const int32_t *x, int32_t from, int32_t *y, int32_t to) {
    const caimi_i4 a = caimi_bits4(x), b = caimi_bits4(x + from);
    const caimi_i4 c = caimi_bits4(x + 2 * from), d = caimi_bits4(x + 3 * from);
    const caimi_i4 ab = __builtin_shufflevector(a, b, 0, 4, 1, 5);
    const caimi_i4 cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
    const caimi_i4 ab2 = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    const caimi_i4 cd2 = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    caimi_keep4(y, __builtin_shufflevector(ab, cd, 0, 1, 4, 5));
    caimi_keep4(y + to, __builtin_shufflevector(ab, cd, 2, 3, 6, 7));
    caimi_keep4(y + 2 * to, __builtin_shufflevector(ab2, cd2, 0, 1, 4, 5));
    caimi_keep4(y + 3 * to, __builtin_shufflevector(ab2, cd2, 2, 3, 6, 7));
}

/* y[i * to + j] = x[i + j * from]: strips of sixteen i, a cache line of x. */
static void caimi_transpose(int32_t is, int32_t js, const int32_t *x, int32_t from, int32_t *y,
                            int32_t to) {
    for (int32_t strip = 0; strip < is; strip += 16) {
        const int32_t end = strip + 16 < is ? strip + 16 : is;
        int32_t j = 0;
        for (; j + 4 <= js; j += 4) {
            int32_t i = strip;
            for (; i + 4 <= end; i += 4) caimi_tile(x + i + j * from, from, y + i * to + j, to);
            for (; i < end; i++)
                for (int32_t k = j; k < j + 4; k++) y[i * to + k] = x[i + k * from];
        }
        for (; j < js; j++)
            for (int32_t i = strip; i < end; i++) y[i * to + j] = x[i + j * from];
    }
}

void caimi_copy_32(const caimi_view *view, const void *from, void *to) {
    const int32_t *x = from;
    int32_t *y = to;
    const int32_t last = view->rank - 1;
    const int32_t count = view->size[last], step = view->from[last], put = view->to[last];
    int32_t across = -1; /* the axis along which x is contiguous, if y is along the last */
    if (put == 1 && step != 1)
        for (int32_t axis = 0; axis < last; axis++)
            if (view->from[axis] == 1) across = axis;
    int32_t index[CAIMI_MAX_RANK] = {0};
    for (;;) {
        if (across >= 0)
            caimi_transpose(view->size[across], count, x, step, y, view->to[across]);
        else if (put == 1 && step == 1)
            caimi_copy_row(count, x, y);
        else
            for (int32_t at = 0; at < count; at++) y[at * put] = x[at * step];
        int32_t axis = last - 1;
        for (; axis >= 0; axis--) {
            if (axis == across) continue;
            x += view->from[axis];
            y += view->to[axis];
            if (++index[axis] < view->size[axis]) break;
            x -= view->from[axis] * view->size[axis];
            y -= view->to[axis] * view->size[axis];
            index[axis] = 0;
        }
        if (axis < 0) return;
    }
}

void caimi_fill_32(int32_t count, const void *value, void *y) {
    int32_t bits;
    memcpy(&bits, value, 4);
    int32_t *to = y;
    for (int32_t at = 0; at < count; at++) to[at] = bits;
}
