"""The inner kernel of 8-bit contractions: register tiles of rows x vectors whose elements are quads of bytes.

y[m][p] = bias[m] + sum over c, t of dot(x[c * plane + taps[t] + p], w[c * wc + t * rows + m]): x is a quad of unsigned, w one of
signed bytes, sums wrap at 32 bits. A quad holds four channels of a pixel, or four neighbours of a row (`quads.py`). One
machine instruction takes it where there is one (AVX-512 VNNI, AVX-VNNI); else its bytes are widened to pairs of 16 bits
for a multiply-add (AVX-512, AVX2, SSE2), or multiplied one by one. `DNNC_QUAD_DOT` 0 chooses plain C.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

ROWS = 8
"""Rows the driver hands over at once."""

WORDS = """\
#ifndef DNNC_QUAD_DOT
#if !defined(__GNUC__)
#define DNNC_QUAD_DOT 0
#elif defined(__AVX512VNNI__) || defined(__AVXVNNI__)
#define DNNC_QUAD_DOT 3
#elif defined(__SSE2__)
#define DNNC_QUAD_DOT 2
#elif defined(__ARM_NEON)
#define DNNC_QUAD_DOT 1
#else
#define DNNC_QUAD_DOT 0
#endif
#endif
#if DNNC_QUAD_DOT == 0
#define DNNC_WORDS 1
typedef uint32_t dnnc_words;
#define DNNC_WORDS_LOAD(p) (*(p))
#define DNNC_WORDS_STORE(p, v) (*(p) = (int32_t)(v))
#else
#if defined(__AVX512VNNI__) || defined(__AVX512BW__)
#define DNNC_WORDS 16
#elif defined(__AVXVNNI__) || defined(__AVX2__)
#define DNNC_WORDS 8
#else
#define DNNC_WORDS 4
#endif
typedef uint32_t dnnc_words __attribute__((vector_size(4 * DNNC_WORDS)));
typedef int32_t dnnc_signed_words __attribute__((vector_size(4 * DNNC_WORDS)));
typedef uint16_t dnnc_halves __attribute__((vector_size(4 * DNNC_WORDS)));
typedef int16_t dnnc_signed_halves __attribute__((vector_size(4 * DNNC_WORDS)));
typedef uint32_t dnnc_words_at __attribute__((vector_size(4 * DNNC_WORDS), aligned(4), may_alias));
#define DNNC_WORDS_LOAD(p) (*(const dnnc_words_at *)(p))
#define DNNC_WORDS_STORE(p, v) (*(dnnc_words_at *)(void *)(p) = (v))
#endif
/* a += the sum of the products of the four unsigned bytes of x and the four signed bytes of w, in every word */
#if DNNC_QUAD_DOT == 3
#if DNNC_WORDS == 16
#define DNNC_DOT(a, x, w) __asm__("vpdpbusd %2, %1, %0" : "+v"(a) : "v"(x), "v"(w))
#else
#define DNNC_DOT(a, x, w) __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(a) : "x"(x), "x"(w))
#endif
#elif DNNC_QUAD_DOT == 2
#if DNNC_WORDS > 4
#define DNNC_MADD(y, x, w) __asm__("vpmaddwd %2, %1, %0" : "=v"(y) : "v"(x), "v"(w))
#elif defined(__AVX__)
#define DNNC_MADD(y, x, w) __asm__("vpmaddwd %2, %1, %0" : "=x"(y) : "x"(x), "x"(w))
#else
#define DNNC_MADD(y, x, w) __asm__("pmaddwd %2, %0" : "=x"(y) : "0"(x), "x"(w))
#endif
#define DNNC_DOT(a, x, w) \\
    do { \\
        const dnnc_words x_even = (x) & 0x00ff00ffu, x_odd = ((x) >> 8) & 0x00ff00ffu; \\
        const dnnc_signed_halves w_even = (dnnc_signed_halves)((dnnc_halves)(w) << 8) >> 8; \\
        const dnnc_signed_halves w_odd = (dnnc_signed_halves)(w) >> 8; \\
        dnnc_words y_even, y_odd; \\
        DNNC_MADD(y_even, x_even, w_even); \\
        DNNC_MADD(y_odd, x_odd, w_odd); \\
        (a) += y_even + y_odd; \\
    } while (0)
#elif DNNC_QUAD_DOT == 1
#define DNNC_BYTE(w, left) ((dnnc_words)((dnnc_signed_words)((w) << (left)) >> 24))
#define DNNC_DOT(a, x, w) \\
    ((a) += ((x) & 255u) * DNNC_BYTE(w, 24) + (((x) >> 8) & 255u) * DNNC_BYTE(w, 16) + \\
            (((x) >> 16) & 255u) * DNNC_BYTE(w, 8) + ((x) >> 24) * DNNC_BYTE(w, 0))
#else
#define DNNC_DOT(a, x, w) ((a) += dnnc_quad_dot(x, w))
#endif
static inline uint32_t dnnc_quad_byte(uint32_t x, uint32_t w)
{
    const int32_t signed_byte = (int8_t)(uint8_t)w;
    return (uint32_t)((int32_t)(x & 255u) * signed_byte);
}
/* The dot product of two quads. */
static inline uint32_t dnnc_quad_dot(uint32_t x, uint32_t w)
{
    return dnnc_quad_byte(x, w) + dnnc_quad_byte(x >> 8, w >> 8) + dnnc_quad_byte(x >> 16, w >> 16) +
           dnnc_quad_byte(x >> 24, w >> 24);
}
"""

_HEAD = (
    "const uint32_t *x, ptrdiff_t plane, int32_t quads, const int32_t *taps, int32_t ntaps, const uint32_t *w,\n"
    "    ptrdiff_t wt, const int32_t *bias, int32_t *y, ptrdiff_t ym"
)
_PASS = "plane, quads, taps, ntaps"

_DRIVER = """\
/* The whole block: `rows` <= 8 rows, `count` >= DNNC_WORDS columns; the weights of a block are [quad][tap][row]. */
static void dnnc_quad_contract(const uint32_t *x, ptrdiff_t plane, int32_t quads, const int32_t *taps, int32_t ntaps,
    const uint32_t *w, const int32_t *bias, int32_t *y, ptrdiff_t ym, int32_t rows, ptrdiff_t count)
{
    for (int32_t m = 0; m < rows;) {
        const int32_t left = rows - m;
        int32_t done;
        if (DNNC_QUAD_ROWS == 8 && left >= 8) {
            done = 8;
            dnnc_quad_rows8(x, plane, quads, taps, ntaps, w + m, rows, bias + m, y + m * ym, ym, count);
        } else if (left >= 4) {
            done = 4;
            dnnc_quad_rows4(x, plane, quads, taps, ntaps, w + m, rows, bias + m, y + m * ym, ym, count);
        } else if (left >= 2) {
            done = 2;
            dnnc_quad_rows2(x, plane, quads, taps, ntaps, w + m, rows, bias + m, y + m * ym, ym, count);
        } else {
            done = 1;
            dnnc_quad_rows1(x, plane, quads, taps, ntaps, w + m, rows, bias + m, y + m * ym, ym, count);
        }
        m += done;
    }
}
"""

_SUM = """\
/* The sum of the words of a vector. */
static inline uint32_t dnnc_words_sum(dnnc_words a)
{
    uint32_t part[DNNC_WORDS], sum = 0;
    memcpy(part, &a, sizeof part);
    for (int32_t i = 0; i < DNNC_WORDS; ++i) {
        sum += part[i];
    }
    return sum;
}
"""


_DEPTHWISE = """\
/* y[c * line + p] = bias[c] + sum over t of dot(x[c * plane + taps[t] + p], w[c * ntaps + t]), `count` a multiple of 16. */
DNNC_KERNEL static void dnnc_quad_depthwise(const uint32_t *x, ptrdiff_t plane, int32_t channels, const int32_t *taps,
    int32_t ntaps, const uint32_t *w, const int32_t *bias, int32_t *y, ptrdiff_t line, ptrdiff_t count)
{
    const dnnc_words zero = {0};
    for (int32_t c = 0; c < channels; ++c, x += plane, w += ntaps, y += line) {
        const dnnc_words start = zero + (uint32_t)bias[c];
        if (ntaps == 3) {
            const dnnc_words w0 = zero + w[0], w1 = zero + w[1], w2 = zero + w[2];
            for (ptrdiff_t p = 0; p < count; p += DNNC_WORDS) {
                dnnc_words a = start;
                const dnnc_words x0 = DNNC_WORDS_LOAD(x + taps[0] + p);
                const dnnc_words x1 = DNNC_WORDS_LOAD(x + taps[1] + p);
                const dnnc_words x2 = DNNC_WORDS_LOAD(x + taps[2] + p);
                DNNC_DOT(a, x0, w0);
                DNNC_DOT(a, x1, w1);
                DNNC_DOT(a, x2, w2);
                DNNC_WORDS_STORE(y + p, a);
            }
        } else {
            for (ptrdiff_t p = 0; p < count; p += DNNC_WORDS) {
                dnnc_words a = start;
                for (int32_t t = 0; t < ntaps; ++t) {
                    const dnnc_words one = DNNC_WORDS_LOAD(x + taps[t] + p), each = zero + w[t];
                    DNNC_DOT(a, one, each);
                }
                DNNC_WORDS_STORE(y + p, a);
            }
        }
    }
}
"""


def quad_sources() -> dict[str, str]:
    """`dnnc_quad_contract` with its tiles, `dnnc_quad_dots` and what it calls, by name."""
    tiles = [
        "#if DNNC_WORDS == 16\n#define DNNC_QUAD_ROWS 8\n#else\n#define DNNC_QUAD_ROWS 4\n#endif\n",
        "#if DNNC_QUAD_ROWS == 8\n" + _rows(8, (3, 2, 1)) + "#else\n#define dnnc_quad_rows8 dnnc_quad_rows4\n#endif\n",
        "#if DNNC_WORDS == 16\n" + _rows(4, (4, 2, 1)) + "#else\n" + _rows(4, (2, 1)) + "#endif\n",
        _rows(2, (4, 1)),
        _rows(1, (4, 1)),
        _DRIVER,
    ]
    return {
        "dnnc_quad_contract": "\n".join(tiles),
        "dnnc_quad_depthwise": _DEPTHWISE,
        "dnnc_words_sum": _SUM,
        "dnnc_quad_dots": "\n".join(_dots_lines(4)),
    }


def _rows(rows: int, widths: Sequence[int]) -> str:
    """The function that walks `count` columns with tiles as wide as they fit, and a last one that overlaps."""
    call = f"(x + p, {_PASS}, w, wt, bias, y + p, ym);"
    loops = [
        f"    for (; p + {v} * DNNC_WORDS <= count; p += {v} * DNNC_WORDS) {{\n        dnnc_quad_tile{rows}x{v}{call}\n    }}\n"
        for v in widths
    ]
    tiles = "\n".join(_tile(rows, v) for v in widths)
    return f"""\
{tiles}
DNNC_KERNEL static void dnnc_quad_rows{rows}({_HEAD},
    ptrdiff_t count)
{{
    ptrdiff_t p = 0;
{"".join(loops)}\
    if (p < count) {{
        p = count - DNNC_WORDS;
        dnnc_quad_tile{rows}x1{call}
    }}
}}
"""


def _tile(rows: int, vectors: int) -> str:
    return "\n".join(_tile_lines(rows, vectors)) + "\n"


def _tile_lines(rows: int, vectors: int) -> Iterator[str]:
    accumulators = [[f"a{m}{v}" for v in range(vectors)] for m in range(rows)]
    yield f"static void dnnc_quad_tile{rows}x{vectors}({_HEAD})"
    yield "{"
    yield "    const dnnc_words zero = {0};"
    for m, row in enumerate(accumulators):
        yield f"    dnnc_words {', '.join(f'{a} = zero + (uint32_t)bias[{m}]' for a in row)};"
    yield "    for (int32_t c = 0; c < quads; ++c, x += plane) {"
    yield "        for (int32_t t = 0; t < ntaps; ++t, w += wt) {"
    yield "            const uint32_t *q = x + taps[t];"
    for v in range(vectors):
        yield f"            const dnnc_words x{v} = DNNC_WORDS_LOAD(q + {v} * DNNC_WORDS);"
    for m, row in enumerate(accumulators):
        yield f"            const dnnc_words w{m} = zero + w[{m}];"
        for v, a in enumerate(row):
            yield f"            DNNC_DOT({a}, x{v}, w{m});"
    yield "        }"
    yield "    }"
    for m, row in enumerate(accumulators):
        for v, a in enumerate(row):
            yield f"    DNNC_WORDS_STORE(y + {m} * ym + {v} * DNNC_WORDS, {a});"
    yield "}"


def _dots_lines(rows: int) -> Iterator[str]:
    """Dot products along k: `rows` rows share each quad of x; the rest of the rows one by one."""
    yield "/* y[m] = bias[m] + sum over k < n of dot(x[k], w[m * n + k]). */"
    yield "static void dnnc_quad_dots(const uint32_t *x, int32_t n, const uint32_t *w, const int32_t *bias, int32_t *y,"
    yield "    int32_t rows)"
    yield "{"
    yield "    const dnnc_words zero = {0};"
    yield "    int32_t m = 0;"
    for count in (rows, 1):
        yield f"    for (; m + {count} <= rows; m += {count}) {{"
        yield "        const uint32_t *r0 = w + (ptrdiff_t)m * n;"
        for r in range(1, count):
            yield f"        const uint32_t *r{r} = r0 + {r} * (ptrdiff_t)n;"
        yield f"        uint32_t {', '.join(f's{r} = (uint32_t)bias[m + {r}]' for r in range(count))};"
        yield f"        dnnc_words {', '.join(f'a{r} = zero' for r in range(count))};"
        yield "        int32_t k = 0;"
        yield "        for (; k + DNNC_WORDS <= n; k += DNNC_WORDS) {"
        yield "            const dnnc_words q = DNNC_WORDS_LOAD(x + k);"
        for r in range(count):
            yield f"            const dnnc_words w{r} = DNNC_WORDS_LOAD(r{r} + k);"
            yield f"            DNNC_DOT(a{r}, q, w{r});"
        yield "        }"
        yield "        for (; k < n; ++k) {"
        for r in range(count):
            yield f"            s{r} += dnnc_quad_dot(x[k], r{r}[k]);"
        yield "        }"
        for r in range(count):
            yield f"        y[m + {r}] = (int32_t)(s{r} + dnnc_words_sum(a{r}));"
        yield "    }"
    yield "}"
