/* Integer arithmetic of quantized networks, bit for bit that of the reference interpreter. Blocks as in runtime.h. */
/*== dnnc_arithmetic_shift ==*/
/* C99 leaves the right shift of negative values to the compiler; this program needs one that keeps the sign. */
typedef char dnnc_arithmetic_shift[(-1 >> 1) == -1 ? 1 : -1];
/*== dnnc_clamp ==*/
static inline int64_t dnnc_clamp(int64_t v, int64_t low, int64_t high)
{
    const int64_t m = v < low ? low : v;
    return m > high ? high : m;
}
/*== dnnc_shift_half_even ==*/
/* p / 2^shift rounded to the nearest integer, ties to even; |p| < 2^62, 0 <= shift <= 63. Uses dnnc_arithmetic_shift. */
static inline int64_t dnnc_shift_half_even(int64_t p, int32_t shift)
{
    const int64_t below = (int64_t)((UINT64_C(1) << shift) >> 1) - 1; /* one less than a half */
    return shift == 0 ? p : (p + below + ((p >> shift) & 1)) >> shift;
}
/*== dnnc_shift_half_up ==*/
/* floor(p / 2^shift + 1/2); |p| < 2^62, 0 <= shift <= 63. Uses dnnc_arithmetic_shift. */
static inline int64_t dnnc_shift_half_up(int64_t p, int32_t shift)
{
    return (p + (int64_t)((UINT64_C(1) << shift) >> 1)) >> shift;
}
/*== dnnc_shift_half_away ==*/
/* p / 2^shift to the nearest integer, ties away from zero. */
static inline int64_t dnnc_shift_half_away(int64_t p, int32_t shift)
{
    return p < 0 ? -dnnc_shift_half_up(-p, shift) : dnnc_shift_half_up(p, shift);
}
/*== dnnc_round_double ==*/
/* The integer nearest to v, ties to even, |v| < 2^51: a large power of two leaves no room for the fraction. */
static inline int64_t dnnc_round_double(double v)
{
    const double shifted = v + 6755399441055744.0;
    int64_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    return bits - INT64_C(0x4338000000000000);
}
/*== dnnc_scale ==*/
/* q * 2^-shift as a double, exactly; 0 <= shift <= 63. */
static inline double dnnc_scale(int32_t q, int32_t shift)
{
    const uint64_t bits = (uint64_t)(1023 - shift) << 52;
    double power;
    memcpy(&power, &bits, sizeof power);
    return (double)q * power;
}
/*== dnnc_q31_half_even ==*/
/* acc * q * 2^-shift, ties to even. */
static inline int64_t dnnc_q31_half_even(int32_t acc, int32_t q, int32_t shift)
{
    return dnnc_shift_half_even((int64_t)acc * q, shift);
}
/*== dnnc_f32_product ==*/
/* fl32(fl32(acc) * scale), scale a float: a product of floats is exact in double, so that no contraction can change it. */
static inline float dnnc_f32_product(int32_t acc, double scale)
{
    return (float)((double)(float)acc * scale);
}
/*== dnnc_f32_half_even ==*/
/* One IEEE single-precision multiply, then ties to even. */
static inline int64_t dnnc_f32_half_even(int32_t acc, int32_t q, int32_t shift)
{
    const float p = dnnc_f32_product(acc, (double)(float)dnnc_scale(q, shift));
    return p < 1125899906842624.0f && p > -1125899906842624.0f ? dnnc_round_double((double)p) : (int64_t)p;
}
/*== dnnc_half_up ==*/
/* floor(acc * q * 2^-shift + 1/2). */
static inline int64_t dnnc_half_up(int32_t acc, int32_t q, int32_t shift)
{
    return dnnc_shift_half_up((int64_t)acc * q, shift);
}
/*== dnnc_half_away ==*/
/* acc * q * 2^-shift, ties away from zero. */
static inline int64_t dnnc_half_away(int32_t acc, int32_t q, int32_t shift)
{
    return dnnc_shift_half_away((int64_t)acc * q, shift);
}
/*== dnnc_nearest ==*/
/* The integer nearest to v, ties to even, |v| < 2^31. */
static inline int32_t dnnc_nearest(double v)
{
    const double shifted = v + 6755399441055744.0; /* see dnnc_round_double */
    uint64_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    return (int32_t)(uint32_t)bits;
}
/*== dnnc_q31_half_even_small ==*/
/* dnnc_q31_half_even where the product has at most 53 bits and a result below 2^30. */
static inline int32_t dnnc_q31_half_even_small(int32_t acc, int32_t q, int32_t shift)
{
#if DNNC_DOUBLES
    return dnnc_nearest((double)acc * dnnc_scale(q, shift));
#else
    return (int32_t)dnnc_q31_half_even(acc, q, shift);
#endif
}
/*== dnnc_f32_half_even_small ==*/
/* dnnc_f32_half_even where the result is below 2^30. */
static inline int32_t dnnc_f32_half_even_small(int32_t acc, int32_t q, int32_t shift)
{
    return dnnc_nearest((double)dnnc_f32_product(acc, (double)(float)dnnc_scale(q, shift)));
}
/*== dnnc_weighted ==*/
/* a * ma + b * mb in units of 2^-shift, ties to even. */
static inline int64_t dnnc_weighted(int32_t a, int32_t b, int64_t ma, int64_t mb, int32_t shift)
{
    return dnnc_shift_half_even(a * ma + b * mb, shift);
}
/*== dnnc_weighted_small ==*/
/* dnnc_weighted where the sum has at most 53 bits and the result is below 2^30. */
static inline int32_t dnnc_weighted_small(int32_t a, int32_t b, int64_t ma, int64_t mb, int32_t shift)
{
#if DNNC_DOUBLES
    const double unit = dnnc_scale(1, shift);
    return dnnc_nearest((double)a * ((double)ma * unit) + (double)b * ((double)mb * unit));
#else
    return (int32_t)dnnc_weighted(a, b, ma, mb, shift);
#endif
}
/*== dnnc_clamp_small ==*/
static inline int32_t dnnc_clamp_small(int32_t v, int32_t low, int32_t high)
{
    const int32_t m = v < low ? low : v;
    return m > high ? high : m;
}
/*== dnnc_trunc ==*/
/* floor(acc * q * 2^-shift): the low bits are dropped. Uses dnnc_arithmetic_shift. */
static inline int64_t dnnc_trunc(int32_t acc, int32_t q, int32_t shift)
{
    return ((int64_t)acc * q) >> shift;
}
/*== dnnc_tflite_double ==*/
/* A rounding doubling high multiply, then a rounding shift: two roundings. Uses dnnc_arithmetic_shift. */
static inline int64_t dnnc_tflite_double(int32_t acc, int32_t q, int32_t shift)
{
    const int32_t left = shift < 31 ? 31 - shift : 0, right = shift > 31 ? shift - 31 : 0;
    const int64_t x = dnnc_clamp((int64_t)acc * ((int64_t)1 << left), INT32_MIN, INT32_MAX);
    const int64_t product = x * q;
    const int64_t high = (product + (product >= 0 ? 1073741824 : -1073741823)) / INT64_C(2147483648);
    const int64_t mask = ((int64_t)1 << right) - 1;
    return (high >> right) + ((high & mask) > (mask >> 1) + (high < 0));
}
/*== dnnc_quad_row ==*/
/* out[q] = the bytes at x[c * plane + first + q * step] for c = 0 .. 3, c < channels, with `flip` applied; `fill` where that
 * lies outside a row of `size` bytes, and everywhere when x is NULL. A quad short of channels repeats one: its weight is 0. */
DNNC_WIDE static void dnnc_quad_row(uint32_t *restrict out, int32_t n, const uint8_t *restrict x, ptrdiff_t plane, int32_t channels,
                          int32_t size, int32_t first, int32_t step, uint32_t flip, uint32_t fill)
{
    int32_t low = first < 0 ? (-first + step - 1) / step : 0;
    int32_t high = x == NULL || first >= size ? 0 : (size - 1 - first) / step + 1;
    low = low < n ? low : n;
    high = high < n ? high : n;
    low = low < high ? low : high;
    for (int32_t q = 0; q < low; ++q) {
        out[q] = fill;
    }
    if (low < high) {
        const uint8_t *restrict a = x + first;
        const uint8_t *restrict b = a + (channels > 1 ? plane : 0);
        const uint8_t *restrict c = b + (channels > 2 ? plane : 0);
        const uint8_t *restrict d = c + (channels > 3 ? plane : 0);
        if (step == 1) {
            for (int32_t q = low; q < high; ++q) {
                out[q] = ((uint32_t)a[q] | (uint32_t)b[q] << 8 | (uint32_t)c[q] << 16 | (uint32_t)d[q] << 24) ^ flip;
            }
        } else {
            for (int32_t q = low; q < high; ++q) {
                const int32_t i = q * step;
                out[q] = ((uint32_t)a[i] | (uint32_t)b[i] << 8 | (uint32_t)c[i] << 16 | (uint32_t)d[i] << 24) ^ flip;
            }
        }
    }
    for (int32_t q = high; q < n; ++q) {
        out[q] = fill;
    }
}
/*== dnnc_quad_slide ==*/
/* out[r * n + q] = the bytes at x[r * pitch + q * step + i * apart], i = 0 .. 3, with `flip` applied. */
DNNC_WIDE static void dnnc_quad_slide(uint32_t *restrict out, int32_t rows, int32_t n, const uint8_t *restrict x, ptrdiff_t pitch,
                            int32_t step, int32_t apart, uint32_t flip)
{
    for (int32_t r = 0; r < rows; ++r, out += n, x += pitch) {
        const uint8_t *b = x + apart, *c = b + apart, *d = c + apart;
        if (step == 1) {
            for (int32_t q = 0; q < n; ++q) {
                out[q] = ((uint32_t)x[q] | (uint32_t)b[q] << 8 | (uint32_t)c[q] << 16 | (uint32_t)d[q] << 24) ^ flip;
            }
        } else {
            for (int32_t q = 0; q < n; ++q) {
                const int32_t i = q * step;
                out[q] = ((uint32_t)x[i] | (uint32_t)b[i] << 8 | (uint32_t)c[i] << 16 | (uint32_t)d[i] << 24) ^ flip;
            }
        }
    }
}
/*== dnnc_quantize ==*/
/* x / scale to the nearest integer, ties to even, + zero, clamped; NaN gives the zero point. */
static inline int64_t dnnc_quantize(float x, float scale, int64_t zero, int64_t low, int64_t high)
{
    const float t = x / scale;
    const float number = t == t ? t : 0.0f;
    const float least = number < -2147483648.0f ? -2147483648.0f : number;
    return dnnc_clamp(dnnc_round_double((double)(least > 2147483648.0f ? 2147483648.0f : least)) + zero, low, high);
}
/*== dnnc_quantize_small ==*/
/* dnnc_quantize to at most 16 bits. What lies beyond 2^20 is clamped whatever the zero point, so that a power of two can
 * round the rest to even; both are tested on the bits, which vectorises where comparisons with NaN do not. */
static inline int32_t dnnc_quantize_small(float x, float scale, int32_t zero, int32_t low, int32_t high)
{
    float t = x / scale;
    uint32_t bits;
    memcpy(&bits, &t, sizeof bits);
    const uint32_t size = bits & 0x7fffffffu;
    const uint32_t number = size > 0x7f800000u ? 0u : size;
    const uint32_t small = number > 0x49800000u ? 0x49800000u : number;
    const uint32_t back = small | (bits & 0x80000000u);
    memcpy(&t, &back, sizeof t);
    const float shifted = t + 12582912.0f;
    int32_t integer;
    memcpy(&integer, &shifted, sizeof integer);
    return dnnc_clamp_small(integer - 0x4b400000 + zero, low, high);
}
/*== dnnc_quad_bytes ==*/
/* Quads of the n bytes x[i * step], with the highest bit of each flipped by `flip`; the last quad is filled with 0. */
static void dnnc_quad_bytes(uint32_t *restrict out, const uint8_t *restrict x, int32_t n, ptrdiff_t step, int32_t flip)
{
    int32_t k = 0;
    for (; k + 4 <= n; k += 4) {
        const uint8_t *b = x + k * step;
        const uint32_t word =
            (uint32_t)b[0] | (uint32_t)b[step] << 8 | (uint32_t)b[2 * step] << 16 | (uint32_t)b[3 * step] << 24;
        out[k / 4] = word ^ ((uint32_t)flip * 0x01010101u);
    }
    if (k < n) {
        uint32_t word = 0;
        for (int32_t i = n - 1; i >= k; --i) {
            word = word << 8 | ((uint32_t)x[i * step] ^ (uint32_t)flip);
        }
        out[k / 4] = word;
    }
}
/*== dnnc_round_shift ==*/
/* p / 2^shift rounded to the nearest integer, ties to even, for every p; 0 <= shift <= 62. Uses dnnc_arithmetic_shift. */
static inline int64_t dnnc_round_shift(int64_t p, int32_t shift)
{
    const int64_t below = p >> shift, unit = (int64_t)1 << shift, twice = 2 * (p - below * unit);
    return below + (twice > unit || (twice == unit && (below & 1) == 1));
}
/*== dnnc_isqrt ==*/
/* floor(sqrt(v)), 0 <= v < 2^63: a double is off by at most one. */
static inline int64_t dnnc_isqrt(int64_t v)
{
    const int64_t most = 3037000499;
    int64_t root = (int64_t)sqrt((double)v);
    root = root > most ? most : root;
    root -= root * root > v;
    return root < most && (root + 1) * (root + 1) <= v ? root + 1 : root;
}
