/* Contractions of packed binary and ternary values: bits are counted. Blocks as in runtime.h. */
/*== dnnc_bit_words ==*/
/* words[k][p] of 8 planes of bytes each: the channels of a pixel as bits; planes beyond the last are 0. */
DNNC_WIDE static void dnnc_bit_words(const uint8_t *x, ptrdiff_t plane, int32_t planes, uint64_t *words, ptrdiff_t line)
{
    for (int32_t k = 0; k < planes; k += 8, words += line) {
        const uint8_t *from = x + k * plane;
        for (ptrdiff_t p = 0; p < plane; ++p)
            words[p] = from[p];
        for (int32_t j = 1; j < 8 && k + j < planes; ++j) {
            const uint8_t *next = from + j * plane;
            for (ptrdiff_t p = 0; p < plane; ++p)
                words[p] |= (uint64_t)next[p] << 8 * j;
        }
    }
}
/*== dnnc_trit_words ==*/
/* words[2 * k][p] and words[2 * k + 1][p] of 16 planes of bytes each: masks, and signs, of the channels of a pixel. */
DNNC_WIDE static void dnnc_trit_words(const uint8_t *x, ptrdiff_t plane, int32_t planes, uint64_t *words, ptrdiff_t line)
{
    for (int32_t k = 0; k < planes; k += 16, words += 2 * line) {
        memset(words, 0, 2u * (size_t)line * sizeof *words);
        for (int32_t j = 0; j < 16 && k + j < planes; ++j) {
            const uint8_t *from = x + (k + j) * plane;
            for (ptrdiff_t p = 0; p < plane; ++p) {
                words[p] |= (uint64_t)(from[p] & 15) << 4 * j;
                words[line + p] |= (uint64_t)(from[p] >> 4) << 4 * j;
            }
        }
    }
}
/*== dnnc_bit_gather ==*/
/* columns[t][k][e * width + f] = words[k][top + e * stride][left + f * step], 0 outside of h x w; e < rows, one tap t. */
static void dnnc_bit_gather(const uint64_t *words, ptrdiff_t plane, int32_t count, int32_t h, int32_t w, int32_t top,
    int32_t stride, int32_t left, int32_t step, int32_t rows, int32_t width, uint64_t *columns, ptrdiff_t line)
{
    for (int32_t k = 0; k < count; ++k, words += plane, columns += line) {
        uint64_t *to = columns;
        for (int32_t e = 0; e < rows; ++e) {
            const int32_t y = top + e * stride;
            if (y < 0 || y >= h) {
                memset(to, 0, (size_t)width * sizeof *to);
                to += width;
            } else if (step == 1 && left >= 0 && left + width <= w) {
                memcpy(to, words + (ptrdiff_t)y * w + left, (size_t)width * sizeof *to);
                to += width;
            } else {
                for (int32_t f = 0; f < width; ++f, ++to) {
                    const int32_t x = left + f * step;
                    *to = x < 0 || x >= w ? 0 : words[(ptrdiff_t)y * w + x];
                }
            }
        }
    }
}
/*== dnnc_bit_border ==*/
/* What lies outside was counted as -1: add it again. sums[m][e * width + f] += the weights' sum over channels of each tap
 * that is outside; `outside` has a list of taps for every position, from starts[p] to starts[p + 1]. */
static void dnnc_bit_border(int32_t *sums, ptrdiff_t line, int32_t rows, const int32_t *tap_sums, int32_t taps,
    const int32_t *places, const int32_t *starts, const int32_t *outside, int32_t first, int32_t last, int32_t origin)
{
    for (int32_t m = 0; m < rows; ++m, sums += line, tap_sums += taps)
        for (int32_t i = first; i < last; ++i) {
            int32_t total = 0;
            for (int32_t j = starts[i]; j < starts[i + 1]; ++j)
                total += tap_sums[outside[j]];
            sums[places[i] - origin] += total;
        }
}
/*== dnnc_levels ==*/
/* y[i] = first + step * (number of k with x[i] >= t[k]) */
DNNC_WIDE static void dnnc_levels(uint8_t *y, const int32_t *x, int32_t n, const int32_t *t, int32_t levels,
    int32_t first, int32_t step)
{
    if (levels == 1) { /* sixteen at once, and no branches on signs */
        const int32_t least = t[0];
        int32_t i = 0;
        for (; i + 16 <= n; i += 16)
            for (int32_t j = i; j < i + 16; ++j)
                y[j] = (uint8_t)(first + step * (x[j] >= least));
        for (; i < n; ++i)
            y[i] = (uint8_t)(first + step * (x[i] >= least));
        return;
    }
    for (int32_t i = 0; i < n; ++i) {
        int32_t count = 0;
        for (int32_t k = 0; k < levels; ++k)
            count += x[i] >= t[k];
        y[i] = (uint8_t)(first + step * count);
    }
}
/*== dnnc_levels_each ==*/
/* The same with thresholds [i][k] of their own for each i. */
DNNC_WIDE static void dnnc_levels_each(uint8_t *y, const int32_t *x, int32_t n, const int32_t *t, int32_t levels,
    int32_t first, int32_t step)
{
    for (int32_t i = 0; i < n; ++i, t += levels) {
        int32_t count = 0;
        for (int32_t k = 0; k < levels; ++k)
            count += x[i] >= t[k];
        y[i] = (uint8_t)(first + step * count);
    }
}
/*== dnnc_pack_bits ==*/
/* y[p] of 8 lines of values, `line` apart, of p `pitch` apart: bit i is whether value i is above 0. */
DNNC_WIDE static void dnnc_pack_bits(const int8_t *x, ptrdiff_t line, ptrdiff_t pitch, uint8_t *y, int32_t n)
{
    for (int32_t p = 0; p < n; ++p) {
        uint32_t byte = 0;
        for (int32_t i = 0; i < 8; ++i)
            byte |= (uint32_t)(x[i * line + p * pitch] > 0) << i;
        y[p] = (uint8_t)byte;
    }
}
/*== dnnc_pack_trits ==*/
/* y[p] of 4 lines of values: bit i is whether value i is not 0, bit 4 + i whether it is below. */
DNNC_WIDE static void dnnc_pack_trits(const int8_t *x, ptrdiff_t line, ptrdiff_t pitch, uint8_t *y, int32_t n)
{
    for (int32_t p = 0; p < n; ++p) {
        uint32_t byte = 0;
        for (int32_t i = 0; i < 4; ++i) {
            const int32_t v = x[i * line + p * pitch];
            byte |= (uint32_t)(v != 0) << i | (uint32_t)(v < 0) << (4 + i);
        }
        y[p] = (uint8_t)byte;
    }
}
