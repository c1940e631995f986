"""The inner kernel of every float32 contraction: a register tile of rows x vectors, weights read where they lie.

y[m][p] = bias[m] + sum over c, t of w[m * wm + c * wc + t * wt] * x[c * plane + taps[t] + p], for `count` consecutive p.

A convolution is this with one offset per tap into a padded plane (p walks rows including their padding, which costs a
few unused columns and no bounds test); a matrix product is this with a single tap. Constant weights are packed by blocks
of `ROWS` rows, [c][t][row], so that they are read as one stream (`packed`); others are read where they lie, a stream a
row, as fast unless the distance of the rows is a multiple of the cache's size of a way.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

ROWS = 8
"""Rows the driver hands over at once."""

_HEAD = (
    "const float *x, ptrdiff_t plane, int32_t channels, const int32_t *taps, int32_t ntaps, const float *w,\n"
    "    ptrdiff_t wm, ptrdiff_t wc, ptrdiff_t wt, const float *bias, float *y, ptrdiff_t ym"
)
_PASS = "plane, channels, taps, ntaps"

_DRIVER = """\
/* The whole block: `rows` <= 8 rows, `count` columns, any size. relu: max(y, 0). */
static void dnnc_contract(const float *x, ptrdiff_t plane, int32_t channels, const int32_t *taps, int32_t ntaps,
    const float *w, ptrdiff_t wm, ptrdiff_t wc, ptrdiff_t wt, const float *bias, float *y, ptrdiff_t ym, int32_t rows,
    ptrdiff_t count, int relu)
{
    for (int32_t m = 0; m < rows;) {
        const int32_t left = rows - m;
        const float *wr = w + m * wm;
        const float *b = bias == NULL ? NULL : bias + m;
        float *yr = y + m * ym;
        int32_t done;
        if (DNNC_TILE_ROWS == 8 && left >= 8) {
            done = 8;
            dnnc_rows8(x, plane, channels, taps, ntaps, wr, wm, wc, wt, b, yr, ym, count);
        } else if (left >= 4) {
            done = 4;
            dnnc_rows4(x, plane, channels, taps, ntaps, wr, wm, wc, wt, b, yr, ym, count);
        } else if (left >= 2) {
            done = 2;
            dnnc_rows2(x, plane, channels, taps, ntaps, wr, wm, wc, wt, b, yr, ym, count);
        } else {
            done = 1;
            dnnc_rows1(x, plane, channels, taps, ntaps, wr, wm, wc, wt, b, yr, ym, count);
        }
        m += done;
    }
    if (relu) {
        for (int32_t m = 0; m < rows; ++m, y += ym) {
            for (ptrdiff_t p = 0; p < count; ++p) {
                y[p] = y[p] < 0.0f ? 0.0f : y[p];
            }
        }
    }
}
"""


def packed(w: np.ndarray) -> np.ndarray:
    """Weights [groups, M, C, taps] as [groups, blocks of up to 8 filters, C, taps, filters of the block], flat a group."""
    groups, m = w.shape[:2]
    blocks = [w[:, i : i + ROWS].transpose(0, 2, 3, 1).reshape(groups, -1) for i in range(0, m, ROWS)]
    return np.concatenate(blocks, 1) if blocks else w.reshape(groups, -1)


def contraction_source() -> str:
    """C text of the tiles and of `dnnc_contract`, which covers a block of up to 8 rows with them."""
    parts = [
        "#if DNNC_VEC_BYTES == 64\n#define DNNC_TILE_ROWS 8\n#else\n#define DNNC_TILE_ROWS 4\n#endif\n",
        "#if DNNC_TILE_ROWS == 8\n" + _rows(8, 2) + "#else\n#define dnnc_rows8 dnnc_rows4\n#endif\n",
        "#if DNNC_VEC_BYTES == 64 || DNNC_VEC_BYTES == 0\n" + _rows(4, 4) + "#else\n" + _rows(4, 2) + "#endif\n",
        _rows(2, 4),
        _rows(1, 8),
        _DRIVER,
    ]
    return "\n".join(parts)


def _rows(rows: int, vectors: int) -> str:
    """The function that walks `count` columns with tiles of `vectors`, of one vector, and a last one that overlaps."""
    wide, one = f"dnnc_tile{rows}x{vectors}", f"dnnc_tile{rows}x1"
    call = f"(x + p, {_PASS}, w, wm, wc, wt, bias, y + p, ym);"
    return f"""\
{_tile(rows, vectors)}
{_tile(rows, 1)}
DNNC_KERNEL static void dnnc_rows{rows}({_HEAD},
    ptrdiff_t count)
{{
    ptrdiff_t p = 0;
    for (; p + {vectors} * DNNC_LANES <= count; p += {vectors} * DNNC_LANES) {{
        {wide}{call}
    }}
    for (; p + DNNC_LANES <= count; p += DNNC_LANES) {{
        {one}{call}
    }}
    if (p < count) {{ /* the caller sees to count >= DNNC_LANES */
        p = count - DNNC_LANES;
        {one}{call}
    }}
}}
"""


def _tile(rows: int, vectors: int) -> str:
    return "\n".join(_tile_lines(rows, vectors)) + "\n"


def _tile_lines(rows: int, vectors: int) -> Iterator[str]:
    """Accumulators as variables: an array of them, or a loop over them, would be kept in memory."""
    accumulators = [[f"a{m}{v}" for v in range(vectors)] for m in range(rows)]
    yield f"static void dnnc_tile{rows}x{vectors}({_HEAD})"
    yield "{"
    for row in accumulators:
        yield f"    dnnc_aligned {', '.join(f'{a} = {{0}}' for a in row)};"
    yield "    if (bias != NULL) {"
    for m, row in enumerate(accumulators):
        yield f"        {' '.join(f'{a} += bias[{m}];' for a in row)}"
    yield "    }"
    yield "    for (int32_t c = 0; c < channels; ++c, x += plane, w += wc) {"
    yield "        const float *k = w;"
    yield "        for (int32_t t = 0; t < ntaps; ++t, k += wt) {"
    yield "            const float *q = x + taps[t];"
    yield "            DNNC_PREFETCH(k + 128 * wt);"
    for v in range(vectors):
        yield f"            const dnnc_aligned x{v} = DNNC_LOAD(q + {v} * DNNC_LANES);"
    for m, row in enumerate(accumulators):
        steps = " ".join(f"{a} += s{m} * x{v};" for v, a in enumerate(row))
        yield f"            const float s{m} = k[{m} * wm];"
        yield f"            {steps}"
    yield "        }"
    yield "    }"
    for m, row in enumerate(accumulators):
        for v, a in enumerate(row):
            yield f"    DNNC_STORE(y + {m} * ym + {v} * DNNC_LANES, {a});"
    yield "}"
