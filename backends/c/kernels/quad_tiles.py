"""The inner kernel of 8-bit contractions: register tiles of rows x vectors whose elements are quads of bytes.

y[m][p] = bias[m] + sum over c, t of dot(x[c * plane + taps[t] + p], w[c * wc + t * rows + m]): x is a quad of unsigned, w one of
signed bytes, sums wrap at 32 bits. A quad holds four channels of a pixel, or four neighbours of a row (`quads.py`). One
machine instruction takes it where there is one (AVX-512 VNNI, AVX-VNNI); else its bytes are widened to pairs of 16 bits
for a multiply-add (AVX-512, AVX2, SSE2), or multiplied one by one. `DNNC_QUAD_DOT` 0 chooses plain C.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

ROWS = 8
"""Rows the driver hands over at once."""

WORDS = """\
#ifndef DNNC_QUAD_DOT
#if !defined(__GNUC__) || (defined(DNNC_VEC_BYTES) && DNNC_VEC_BYTES + 0 == 0)
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

COLUMNS = 64
"""Outputs of a block of a matrix that is multiplied by one row at a time."""

_COLUMNS = """\
/* y[i] = bias[i] + sum over k of dot(x[k], w of k and i), i < n, a multiple of 16: blocks of up to 64 columns, [k][column].
 * Two sums a column, of even and of odd k, so that one need not wait for the other. */
DNNC_KERNEL static void dnnc_quad_columns(const uint32_t *x, int32_t quads, const uint32_t *w, const int32_t *bias,
    int32_t *y, int32_t n)
{
    const dnnc_words zero = {0};
    for (int32_t start = 0; start < n; start += 64) {
        const int32_t width = n - start < 64 ? n - start : 64;
        int32_t c = 0;
        for (; c + 4 * DNNC_WORDS <= width; c += 4 * DNNC_WORDS) {
            dnnc_words a0 = zero, a1 = zero, a2 = zero, a3 = zero, b0 = zero, b1 = zero, b2 = zero, b3 = zero;
            const uint32_t *q = w + c;
            int32_t k = 0;
            for (; k + 2 <= quads; k += 2, q += 2 * width) {
                const uint32_t *r = q + width;
                const dnnc_words even = zero + x[k], odd = zero + x[k + 1];
                const dnnc_words e0 = DNNC_WORDS_LOAD(q), e1 = DNNC_WORDS_LOAD(q + DNNC_WORDS);
                const dnnc_words e2 = DNNC_WORDS_LOAD(q + 2 * DNNC_WORDS), e3 = DNNC_WORDS_LOAD(q + 3 * DNNC_WORDS);
                const dnnc_words o0 = DNNC_WORDS_LOAD(r), o1 = DNNC_WORDS_LOAD(r + DNNC_WORDS);
                const dnnc_words o2 = DNNC_WORDS_LOAD(r + 2 * DNNC_WORDS), o3 = DNNC_WORDS_LOAD(r + 3 * DNNC_WORDS);
                DNNC_DOT(a0, even, e0);
                DNNC_DOT(a1, even, e1);
                DNNC_DOT(a2, even, e2);
                DNNC_DOT(a3, even, e3);
                DNNC_DOT(b0, odd, o0);
                DNNC_DOT(b1, odd, o1);
                DNNC_DOT(b2, odd, o2);
                DNNC_DOT(b3, odd, o3);
            }
            if (k < quads) {
                const dnnc_words even = zero + x[k];
                const dnnc_words e0 = DNNC_WORDS_LOAD(q), e1 = DNNC_WORDS_LOAD(q + DNNC_WORDS);
                const dnnc_words e2 = DNNC_WORDS_LOAD(q + 2 * DNNC_WORDS), e3 = DNNC_WORDS_LOAD(q + 3 * DNNC_WORDS);
                DNNC_DOT(a0, even, e0);
                DNNC_DOT(a1, even, e1);
                DNNC_DOT(a2, even, e2);
                DNNC_DOT(a3, even, e3);
            }
            const uint32_t *first = (const uint32_t *)bias + start + c;
            DNNC_WORDS_STORE(y + start + c, a0 + b0 + DNNC_WORDS_LOAD(first));
            DNNC_WORDS_STORE(y + start + c + DNNC_WORDS, a1 + b1 + DNNC_WORDS_LOAD(first + DNNC_WORDS));
            DNNC_WORDS_STORE(y + start + c + 2 * DNNC_WORDS, a2 + b2 + DNNC_WORDS_LOAD(first + 2 * DNNC_WORDS));
            DNNC_WORDS_STORE(y + start + c + 3 * DNNC_WORDS, a3 + b3 + DNNC_WORDS_LOAD(first + 3 * DNNC_WORDS));
        }
        for (; c < width; c += DNNC_WORDS) {
            dnnc_words a = DNNC_WORDS_LOAD((const uint32_t *)bias + start + c);
            const uint32_t *q = w + c;
            for (int32_t k = 0; k < quads; ++k, q += width) {
                const dnnc_words each = zero + x[k], e = DNNC_WORDS_LOAD(q);
                DNNC_DOT(a, each, e);
            }
            DNNC_WORDS_STORE(y + start + c, a);
        }
        w += (ptrdiff_t)quads * width;
    }
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
    """`dnnc_quad_contract` with its tiles and the kernels beside it, by name."""
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
        "dnnc_quad_columns": _COLUMNS,
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


def packed_columns(w: np.ndarray) -> np.ndarray:
    """Weights [n, k] as quads of bytes for `dnnc_quad_columns`, n rounded up to 16 and k to 4 with zeros."""
    n, k = w.shape
    w = np.pad(w, [(0, -n % 16), (0, -k % 4)]).view(np.uint32).T
    blocks = [w[:, i : i + COLUMNS].reshape(-1) for i in range(0, w.shape[1], COLUMNS)]
    return np.concatenate(blocks)
