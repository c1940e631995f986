/* Functions the generated code calls. Each block starts with its name; a program contains only the blocks it uses. */
/*== dnnc_maxf ==*/
static float dnnc_maxf(float a, float b)
{
    const float m = a > b ? a : b; /* b when either is NaN: one instruction on most machines */
    return a != a ? a : m;
}
/*== dnnc_max ==*/
static double dnnc_max(double a, double b)
{
    const double m = a > b ? a : b; /* b when either is NaN: one instruction on most machines */
    return a != a ? a : m;
}
/*== dnnc_minf ==*/
static float dnnc_minf(float a, float b)
{
    const float m = a < b ? a : b; /* b when either is NaN: one instruction on most machines */
    return a != a ? a : m;
}
/*== dnnc_min ==*/
static double dnnc_min(double a, double b)
{
    const double m = a < b ? a : b; /* b when either is NaN: one instruction on most machines */
    return a != a ? a : m;
}
/*== dnnc_signf ==*/
static float dnnc_signf(float x)
{
    return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x;
}
/*== dnnc_sign ==*/
static double dnnc_sign(double x)
{
    return x > 0.0 ? 1.0 : x < 0.0 ? -1.0 : x;
}
/*== dnnc_modf ==*/
static float dnnc_modf(float a, float b)
{
    const float r = fmodf(a, b);
    return (r > 0.0f && b < 0.0f) || (r < 0.0f && b > 0.0f) ? r + b : r;
}
/*== dnnc_mod ==*/
static double dnnc_mod(double a, double b)
{
    const double r = fmod(a, b);
    return (r > 0.0 && b < 0.0) || (r < 0.0 && b > 0.0) ? r + b : r;
}
/*== dnnc_div ==*/
static int64_t dnnc_div(int64_t a, int64_t b)
{
    return b == 0 ? 0 : b == -1 ? (int64_t)(0u - (uint64_t)a) : a / b;
}
/*== dnnc_div_u64 ==*/
static uint64_t dnnc_div_u64(uint64_t a, uint64_t b)
{
    return b == 0 ? 0 : a / b;
}
/*== dnnc_interpolate ==*/
static int32_t dnnc_interpolate(const int16_t *knots, int32_t at, int32_t shift)
{
    const int32_t k = at >> shift, first = knots[k];
    return first + (((knots[k + 1] - first) * (at & ((1 << shift) - 1)) + (1 << (shift - 1))) >> shift);
}
/*== dnnc_rem ==*/
static int64_t dnnc_rem(int64_t a, int64_t b)
{
    return b == 0 || b == -1 ? 0 : a % b;
}
/*== dnnc_rem_u64 ==*/
static uint64_t dnnc_rem_u64(uint64_t a, uint64_t b)
{
    return b == 0 ? 0 : a % b;
}
/*== dnnc_mod_int ==*/
static int64_t dnnc_mod_int(int64_t a, int64_t b)
{
    const int64_t r = dnnc_rem(a, b);
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}
/*== dnnc_mod_int_u64 ==*/
static uint64_t dnnc_mod_int_u64(uint64_t a, uint64_t b)
{
    return b == 0 ? 0 : a % b;
}
/*== dnnc_pow_int_u64 ==*/
static uint64_t dnnc_pow_int_u64(uint64_t a, uint64_t b)
{
    uint64_t y = 1;
    for (; b != 0; b >>= 1, a *= a) {
        if (b & 1u) {
            y *= a;
        }
    }
    return y;
}
/*== dnnc_pow_int ==*/
static int64_t dnnc_pow_int(int64_t a, int64_t b)
{
    return b < 0 ? (int64_t)pow((double)a, (double)b) : (int64_t)dnnc_pow_int_u64((uint64_t)a, (uint64_t)b);
}
/*== dnnc_shl ==*/
static int64_t dnnc_shl(int64_t a, int64_t b, int64_t width)
{
    return b >= 0 && b < width ? (int64_t)((uint64_t)a << b) : 0;
}
/*== dnnc_shl_u64 ==*/
static uint64_t dnnc_shl_u64(uint64_t a, uint64_t b, uint64_t width)
{
    return b < width ? a << b : 0;
}
/*== dnnc_shr ==*/
static int64_t dnnc_shr(int64_t a, int64_t b, int64_t width)
{
    return b >= 0 && b < width ? a >> b : a < 0 ? -1 : 0;
}
/*== dnnc_shr_u64 ==*/
static uint64_t dnnc_shr_u64(uint64_t a, uint64_t b, uint64_t width)
{
    return b < width ? a >> b : 0;
}
/*== dnnc_take_row ==*/
/* out[q] = x[first + q * step] for 0 <= q < n, 0 where that lies outside x[0 .. size); all 0 when x is NULL. */
static void dnnc_take_row(float *out, int32_t n, const float *x, int32_t size, int32_t first, int32_t step)
{
    int32_t low = first < 0 ? (-first + step - 1) / step : 0;
    int32_t high = x == NULL || first >= size ? 0 : (size - 1 - first) / step + 1;
    low = low < n ? low : n;
    high = high < n ? high : n;
    if (high <= low) {
        memset(out, 0, (size_t)n * sizeof(float));
        return;
    }
    for (int32_t q = 0; q < low; ++q) {
        out[q] = 0.0f;
    }
    if (step == 1) {
        memcpy(out + low, x + (first + low), (size_t)(high - low) * sizeof(float));
    } else {
        for (int32_t q = low; q < high; ++q) {
            out[q] = x[first + q * step];
        }
    }
    for (int32_t q = high; q < n; ++q) {
        out[q] = 0.0f;
    }
}
/*== dnnc_put_row ==*/
/* out[first + h * step] = x[h] for 0 <= h < size where that lies inside out[0 .. n); the rest 0; all 0 when x is NULL. */
static void dnnc_put_row(float *out, int32_t n, const float *x, int32_t size, int32_t first, int32_t step)
{
    memset(out, 0, (size_t)n * sizeof(float));
    if (x == NULL) {
        return;
    }
    for (int32_t h = 0; h < size; ++h) {
        const int32_t q = first + h * step;
        if (q >= 0 && q < n) {
            out[q] = x[h];
        }
    }
}
/*== dnnc_dot ==*/
/* y[m * ym] = bias[m] + sum over k of w[m * wm + k] * x[k]; bias may be NULL. */
static void dnnc_dot(const float *x, int32_t n, const float *w, ptrdiff_t wm, const float *bias, float *y, ptrdiff_t ym,
                     int32_t rows)
{
    for (int32_t m = 0; m < rows; ++m, w += wm, y += ym) {
        float sum = bias == NULL ? 0.0f : bias[m];
        float part[DNNC_LANES];
        dnnc_aligned a = {0}, b = {0}, c = {0}, d = {0};
        int32_t k = 0;
        for (; k + 4 * DNNC_LANES <= n; k += 4 * DNNC_LANES) {
            a += DNNC_LOAD(w + k) * DNNC_LOAD(x + k);
            b += DNNC_LOAD(w + k + DNNC_LANES) * DNNC_LOAD(x + k + DNNC_LANES);
            c += DNNC_LOAD(w + k + 2 * DNNC_LANES) * DNNC_LOAD(x + k + 2 * DNNC_LANES);
            d += DNNC_LOAD(w + k + 3 * DNNC_LANES) * DNNC_LOAD(x + k + 3 * DNNC_LANES);
        }
        for (; k + DNNC_LANES <= n; k += DNNC_LANES) {
            a += DNNC_LOAD(w + k) * DNNC_LOAD(x + k);
        }
        DNNC_STORE(part, (a + b) + (c + d));
        for (int32_t l = 0; l < DNNC_LANES; ++l) {
            sum += part[l];
        }
        for (; k < n; ++k) {
            sum += w[k] * x[k];
        }
        *y = sum;
    }
}
/*== dnnc_sumf ==*/
/* Sum of n elements a stride apart, in eight partial sums. */
static float dnnc_sumf(const float *x, int32_t n, ptrdiff_t stride)
{
    float a[8] = {0.0f};
    int32_t i = 0;
    for (; i + 8 <= n; i += 8) {
        for (int32_t l = 0; l < 8; ++l) {
            a[l] += x[(i + l) * stride];
        }
    }
    for (; i < n; ++i) {
        a[i & 7] += x[i * stride];
    }
    return ((a[0] + a[1]) + (a[2] + a[3])) + ((a[4] + a[5]) + (a[6] + a[7]));
}
/*== dnnc_sum ==*/
/* Sum of n elements a stride apart. */
static double dnnc_sum(const double *x, int32_t n, ptrdiff_t stride)
{
    double a = 0.0;
    for (int32_t i = 0; i < n; ++i) {
        a += x[i * stride];
    }
    return a;
}
/*== dnnc_varf ==*/
/* Sum of (x - mean)^2 over n elements a stride apart, in eight partial sums. */
static float dnnc_varf(const float *x, int32_t n, ptrdiff_t stride, float mean)
{
    float a[8] = {0.0f};
    for (int32_t i = 0; i < n; ++i) {
        const float d = x[i * stride] - mean;
        a[i & 7] += d * d;
    }
    return ((a[0] + a[1]) + (a[2] + a[3])) + ((a[4] + a[5]) + (a[6] + a[7]));
}
/*== dnnc_var ==*/
/* Sum of (x - mean)^2 over n elements a stride apart. */
static double dnnc_var(const double *x, int32_t n, ptrdiff_t stride, double mean)
{
    double a = 0.0;
    for (int32_t i = 0; i < n; ++i) {
        const double d = x[i * stride] - mean;
        a += d * d;
    }
    return a;
}
/*== dnnc_place ==*/
/* An index of a dimension of `size` > 0 counted from its start: negative ones from the end, others moved inside. */
static int64_t dnnc_place(int64_t i, int64_t size)
{
    const int64_t p = i < 0 ? i + size : i;
    return p < 0 ? 0 : p < size ? p : size - 1;
}
