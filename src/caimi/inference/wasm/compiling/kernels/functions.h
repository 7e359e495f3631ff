/* Elementary functions on four lanes. Each is range reduction and a polynomial, evaluated in
 * float32 by multiplications and additions in one fixed order: the same bits with and without SIMD.
 *
 * Methods: exp and log after Cody and Waite, "Software Manual for the Elementary Functions" (1980),
 * with the layout of Cephes (Moshier, expf.c and logf.c); tanh as in Cephes' tanhf.c; erf in two
 * pieces, a polynomial in x*x near zero and 1 - exp(q(|x|)) beyond, after N. Juffa. All coefficients
 * are ours: minimax by Lawson's iteration in float64, rounded to float32 one by one with the others
 * fitted again; the error of each rounded polynomial is stated beside it. Errors in units in the
 * last place (ulp) bound the largest that sampling float32 densely has found, against float64. */
#ifndef CAIMI_FUNCTIONS_H
#define CAIMI_FUNCTIONS_H

#include "lanes.h"

/* n = the integer nearest to x, |x| < 2^22, as a float; its int32 in *whole. */
CAIMI_INLINE caimi_f4 caimi_nearest4(caimi_f4 x, caimi_i4 *whole) {
    const caimi_f4 shifter = caimi_splat4(12582912.0f); /* 1.5 * 2^23: rounds to an integer */
    const caimi_f4 shifted = x + shifter;
    *whole = (caimi_i4)((caimi_u4)shifted - 0x4b400000u);
    return shifted - shifter;
}

/* 2^n for -126 <= n <= 127. */
CAIMI_INLINE caimi_f4 caimi_power_of_two4(caimi_i4 n) {
    return (caimi_f4)(((caimi_u4)n + 127u) << 23);
}

/* x = n ln 2 + r, |r| <= ln 2 / 2; gives exp(r) - 1 = r + r^2 P(r), relative error 2^-26. */
CAIMI_INLINE caimi_f4 caimi_exp_reduced4(caimi_f4 x, caimi_i4 *n) {
    const caimi_f4 whole = caimi_nearest4(x * 0x1.715476p+0f, n);
    caimi_f4 r = x - whole * 0x1.63p-1f; /* nine bits of ln 2: the product is exact */
    r = r - whole * -0x1.bd0106p-13f;
    caimi_f4 p = caimi_splat4(0x1.6b9224p-10f);
    p = p * r + 0x1.122862p-7f;
    p = p * r + 0x1.5556fep-5f;
    p = p * r + 0x1.5554b0p-3f;
    p = p * r + 0x1.fffffep-2f;
    return r + (r * r) * p;
}

/* e^x, at most 1.1 ulp, denormals included; a NaN stays some NaN. */
CAIMI_INLINE caimi_f4 caimi_exp4(caimi_f4 x) {
    caimi_i4 n;
    x = caimi_at_most4(caimi_at_least4(x, caimi_splat4(-104.0f)), caimi_splat4(89.0f));
    const caimi_f4 y = 1.0f + caimi_exp_reduced4(x, &n);
    const caimi_i4 half = n >> 1; /* two steps: 2^n itself may be out of range */
    return (y * caimi_power_of_two4(half)) * caimi_power_of_two4(n - half);
}

/* e^x - 1 for x <= 0, at most 2 ulp. */
CAIMI_INLINE caimi_f4 caimi_expm1_negative4(caimi_f4 x) {
    caimi_i4 n;
    const caimi_f4 bounded = caimi_at_least4(x, caimi_splat4(-30.0f));
    const caimi_f4 e = caimi_exp_reduced4(bounded, &n);
    const caimi_f4 scale = caimi_power_of_two4(n);
    return e * scale + (scale - 1.0f);
}

/* ln x, at most 1 ulp; -inf at 0, NaN below. */
CAIMI_INLINE caimi_f4 caimi_log4(caimi_f4 x) {
    const caimi_i4 small = x < 0x1p-126f;
    const caimi_f4 normal = caimi_select4(small, x * 0x1p23f, x);
    /* normal = 2^n m with sqrt(1/2) <= m < sqrt 2 */
    const caimi_i4 bits = (caimi_i4)((caimi_u4)normal - 0x3f3504f3u);
    const caimi_i4 exponent = bits >> 23;
    const caimi_f4 m = (caimi_f4)((bits & 0x007fffff) + 0x3f3504f3);
    const caimi_f4 n = __builtin_convertvector(exponent - (small & 23), caimi_f4);
    const caimi_f4 f = m - 1.0f;
    const caimi_f4 square = f * f;
    caimi_f4 p = caimi_splat4(0x1.147204p-4f); /* ln(1+f) = f - f^2/2 + f^3 P(f), error 2^-30 */
    p = p * f + -0x1.de00e4p-4f;
    p = p * f + 0x1.e6bff2p-4f;
    p = p * f + -0x1.fc28dep-4f;
    p = p * f + 0x1.233ba4p-3f;
    p = p * f + -0x1.555c44p-3f;
    p = p * f + 0x1.99a476p-3f;
    p = p * f + -0x1.000006p-2f;
    p = p * f + 0x1.555548p-2f;
    caimi_f4 y = (p * f) * square + n * -0x1.bd0106p-13f;
    y = y - square * 0.5f;
    y = (f + y) + n * 0x1.63p-1f;
    const caimi_f4 infinity = caimi_splat4(__builtin_inff());
    y = caimi_select4(x == infinity, infinity, y);
    y = caimi_select4(x == 0.0f, -infinity, y);
    return caimi_select4(x >= 0.0f, y, caimi_splat4(__builtin_nanf("")));
}

CAIMI_INLINE caimi_f4 caimi_magnitude4(caimi_f4 x) {
    return (caimi_f4)((caimi_i4)x & 0x7fffffff);
}

CAIMI_INLINE caimi_f4 caimi_with_sign4(caimi_f4 magnitude, caimi_f4 sign) {
    return (caimi_f4)((caimi_i4)magnitude | ((caimi_i4)sign & (int32_t)0x80000000));
}

/* tanh x, at most 1.4 ulp. */
CAIMI_INLINE caimi_f4 caimi_tanh4(caimi_f4 x) {
    const caimi_f4 a = caimi_magnitude4(x);
    const caimi_f4 z = x * x; /* near zero: x + x^3 P(x^2), error 2^-27.7 up to 0.625 */
    caimi_f4 p = caimi_splat4(-0x1.750ce4p-8f);
    p = p * z + 0x1.51f8cep-6f;
    p = p * z + -0x1.b835a4p-5f;
    p = p * z + 0x1.1106f6p-3f;
    p = p * z + -0x1.555532p-2f;
    const caimi_f4 near = x + (x * z) * p;
    const caimi_f4 e = caimi_exp4(caimi_at_most4(a, caimi_splat4(10.0f)) * 2.0f);
    const caimi_f4 far = 1.0f - 2.0f / (e + 1.0f);
    return caimi_select4(a < 0.625f, near, caimi_with_sign4(far, x));
}

/* 1 / (1 + e^-x), at most 2.5 ulp: e^-|x| never overflows. */
CAIMI_INLINE caimi_f4 caimi_sigmoid4(caimi_f4 x) {
    const caimi_f4 e = caimi_exp4(-caimi_magnitude4(x));
    return caimi_select4(x < 0.0f, e, caimi_splat4(1.0f)) / (1.0f + e);
}

/* erf x, at most 1.4 ulp. */
CAIMI_INLINE caimi_f4 caimi_erf4(caimi_f4 x) {
    const caimi_f4 a = caimi_magnitude4(x);
    const caimi_f4 z = x * x; /* erf x = x + x Q(x^2), error 2^-30 up to 0.921875 */
    caimi_f4 p = caimi_splat4(0x1.4f3dfep-14f);
    p = p * z + -0x1.a60230p-11f;
    p = p * z + 0x1.5449a2p-8f;
    p = p * z + -0x1.b80116p-6f;
    p = p * z + 0x1.ce2d64p-4f;
    p = p * z + -0x1.812740p-2f;
    p = p * z + 0x1.06eba8p-3f;
    const caimi_f4 near = x + x * p;
    const caimi_f4 t = caimi_at_most4(a, caimi_splat4(3.9375f)); /* erf rounds to 1 beyond */
    caimi_f4 q = caimi_splat4(0x1.9a786cp-13f); /* ln(1 - erf t), error 2^-29 up to 3.95 */
    q = q * t + -0x1.8e9c9ap-9f;
    q = q * t + 0x1.6c083cp-6f;
    q = q * t + -0x1.a9a274p-4f;
    q = q * t + -0x1.463f46p-1f;
    q = q * t + -0x1.20ae9ap+0f;
    q = q * t + -0x1.a0277cp-13f;
    caimi_i4 n;
    const caimi_f4 e = caimi_exp_reduced4(q, &n);
    const caimi_f4 scale = caimi_power_of_two4(n);
    const caimi_f4 far = 1.0f - (e * scale + scale);
    return caimi_select4(a < 0.921875f, near, caimi_with_sign4(far, x));
}

#endif
