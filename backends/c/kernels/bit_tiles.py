"""The inner kernel of binary and ternary contractions: register tiles of rows x vectors of 64-bit words whose bits are counted.

y[m][p] = bias[m] - 2 * sum over k of popcount(x[k][p] ^ w[m][k]) of binary words, and of ternary ones bias[m] + sum over k of
popcount(a) - 2 * popcount(a & (xs[k][p] ^ ws[m][k])), a = xm[k][p] & wm[m][k]. One instruction counts eight words (AVX-512
VPOPCNTDQ), or one; else arithmetic does. `DNNC_BITS` 1 chooses single words.
"""

from __future__ import annotations

from collections.abc import Iterator

PREAMBLE = """\
#ifndef DNNC_BITS
#if defined(__GNUC__) && defined(__AVX512VPOPCNTDQ__)
#define DNNC_BITS 8
#else
#define DNNC_BITS 1
#endif
#endif
#if DNNC_BITS == 8
typedef uint64_t dnnc_bits __attribute__((vector_size(64)));
typedef uint64_t dnnc_bits_at __attribute__((vector_size(64), aligned(8), may_alias));
#define DNNC_BITS_LOAD(p) (*(const dnnc_bits_at *)(p))
typedef int32_t dnnc_counts __attribute__((vector_size(32)));
typedef int32_t dnnc_counts_at __attribute__((vector_size(32), aligned(4), may_alias));
#define DNNC_BITS_STORE(p, a, b) (*(dnnc_counts_at *)(p) = __builtin_convertvector(a, dnnc_counts) + (b))
static inline dnnc_bits dnnc_popcount(dnnc_bits x)
{
    dnnc_bits y;
    __asm__("vpopcntq %1, %0" : "=v"(y) : "v"(x));
    return y;
}
#else
typedef uint64_t dnnc_bits;
#define DNNC_BITS_LOAD(p) (*(p))
#define DNNC_BITS_STORE(p, a, b) (*(p) = (int32_t)((uint32_t)(a) + (uint32_t)(b)))
static inline uint64_t dnnc_popcount(uint64_t x)
{
#if defined(__GNUC__) && (defined(__POPCNT__) || defined(__aarch64__))
    return (uint64_t)__builtin_popcountll(x);
#else
    x -= x >> 1 & UINT64_C(0x5555555555555555);
    x = (x & UINT64_C(0x3333333333333333)) + (x >> 2 & UINT64_C(0x3333333333333333));
    x = (x + (x >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return x * UINT64_C(0x0101010101010101) >> 56;
#endif
}
#endif
"""

PAD = 8
"""Lines of words are a multiple of this long."""

Tiles = tuple[tuple[int, int], ...]

_HEAD = "const uint64_t *x, ptrdiff_t line, const uint64_t *w, int32_t words, const int32_t *bias,\n    int32_t *y, ptrdiff_t ym"
_SINGLE: Tiles = ((2, 2), (2, 1), (1, 2), (1, 1))
_WIDE: dict[str, Tiles] = {"bit": ((4, 4), (4, 1), (1, 4), (1, 1)), "trit": ((4, 2), (4, 1), (1, 2), (1, 1))}
"""Rows and vectors of tiles: their accumulators stay in registers."""


def bit_sources() -> dict[str, str]:
    """`dnnc_bit_contract` and `dnnc_trit_contract` with their tiles."""
    return {
        f"dnnc_{kind}_contract": f"#if DNNC_BITS == 8\n{_side(kind, wide)}#else\n{_side(kind, _SINGLE)}#endif\n"
        for kind, wide in _WIDE.items()
    }


def _side(kind: str, tiles: Tiles) -> str:
    return "\n".join("\n".join(_tile(kind, *t)) + "\n" for t in tiles) + "\n" + _driver(kind, *tiles[0])


def _tile(kind: str, rows: int, vectors: int) -> Iterator[str]:
    cells = [(m, v) for m in range(rows) for v in range(vectors)]
    each = 2 if kind == "trit" else 1
    yield f"static void dnnc_{kind}_tile{rows}x{vectors}({_HEAD})"
    yield "{"
    yield "    const dnnc_bits zero = {0};"
    for name in "ab"[:each]:
        yield f"    dnnc_bits {', '.join(f'{name}{m}{v} = zero' for m, v in cells)};"
    yield f"    for (int32_t k = 0; k < words; ++k, x += {each} * line, w += {each}) {{"
    for name, place in (("x", "x"), ("s", "x + line"))[:each]:
        for v in range(vectors):
            yield f"        const dnnc_bits {name}{v} = DNNC_BITS_LOAD({place} + {v} * DNNC_BITS);"
    for m in range(rows):
        at = f"{each * m} * (ptrdiff_t)words"
        yield f"        const uint64_t w{m} = w[{at}]{f', u{m} = w[{at} + 1]' if each == 2 else ''};"
        for v in range(vectors):
            if kind == "bit":
                yield f"        a{m}{v} += dnnc_popcount(x{v} ^ w{m});"
            else:
                yield f"        a{m}{v} += dnnc_popcount(x{v} & w{m});"
                yield f"        b{m}{v} += dnnc_popcount(x{v} & w{m} & (s{v} ^ u{m}));"
    yield "    }"
    for m, v in cells:
        total = f"a{m}{v} - (b{m}{v} + b{m}{v})" if kind == "trit" else f"zero - (a{m}{v} + a{m}{v})"
        yield f"    a{m}{v} = {total};"
    for m, v in cells:
        yield f"    DNNC_BITS_STORE(y + {m} * ym + {v} * DNNC_BITS, a{m}{v}, bias[{m}]);"
    yield "}"


def _driver(kind: str, rows: int, vectors: int) -> str:
    body = "".join(_walk(kind, r, vectors) for r in (rows, 1))
    return f"""\
/* `rows` filters of `words` words, `count` positions, a multiple of {PAD}. */
DNNC_KERNEL static void dnnc_{kind}_contract({_HEAD},
    int32_t rows, ptrdiff_t count)
{{
    int32_t m = 0;
{body}}}
"""


def _walk(kind: str, rows: int, vectors: int) -> str:
    call = "(x + p, line, w, words, bias, y + p, ym)"
    step = rows * (2 if kind == "trit" else 1)
    return f"""\
    for (; m + {rows} <= rows; m += {rows}, w += {step} * (ptrdiff_t)words, bias += {rows}, y += {rows} * ym) {{
        ptrdiff_t p = 0;
        for (; p + {vectors} * DNNC_BITS <= count; p += {vectors} * DNNC_BITS)
            dnnc_{kind}_tile{rows}x{vectors}{call};
        for (; p < count; p += DNNC_BITS)
            dnnc_{kind}_tile{rows}x1{call};
    }}
"""
