"""The functions generated code calls: blocks of `runtime.h` and the contraction tiles, taken in as they are used."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from dnnc.backends.c.kernels.bit_tiles import PREAMBLE, bit_sources
from dnnc.backends.c.kernels.quad_tiles import WORDS, quad_sources
from dnnc.backends.c.kernels.rescale import rescale_sources
from dnnc.backends.c.kernels.tiles import contraction_source

_MARK = re.compile(r"^/\*== (\w+) ==\*/\n", re.MULTILINE)

# Vectors of single precision as wide as the machine's, by the vector extension of gcc and clang; plain floats elsewhere.
_VECTORS = """\
#ifndef DNNC_VEC_BYTES
#if !defined(__GNUC__)
#define DNNC_VEC_BYTES 0
#elif defined(__AVX512F__)
#define DNNC_VEC_BYTES 64
#elif defined(__AVX__)
#define DNNC_VEC_BYTES 32
#elif defined(__SSE2__) || defined(__ARM_NEON)
#define DNNC_VEC_BYTES 16
#else
#define DNNC_VEC_BYTES 0
#endif
#endif
#if DNNC_VEC_BYTES
#define DNNC_LANES (DNNC_VEC_BYTES / 4)
typedef float dnnc_aligned __attribute__((vector_size(DNNC_VEC_BYTES)));
typedef float dnnc_vector __attribute__((vector_size(DNNC_VEC_BYTES), aligned(4), may_alias));
#else
#define DNNC_LANES 1
typedef float dnnc_aligned;
typedef float dnnc_vector;
#endif
#define DNNC_LOAD(p) (*(const dnnc_vector *)(p))
#define DNNC_STORE(p, v) (*(dnnc_vector *)(p) = (v))
"""
_KERNELS = """\
/* A kernel inlined into one layer and specialised for it may spill its tile: gcc 12 was seen to run 3 times slower. */
#if defined(__clang__)
#define DNNC_KERNEL __attribute__((noinline))
#define DNNC_PREFETCH(p) __builtin_prefetch(p)
#elif defined(__GNUC__)
#define DNNC_KERNEL __attribute__((noinline, noclone))
#define DNNC_PREFETCH(p) __builtin_prefetch(p)
#else
#define DNNC_KERNEL
#define DNNC_PREFETCH(p)
#endif
/* Loops the compiler vectorises; gcc takes half of a 512-bit register unless told. */
#if defined(__AVX512BW__) && defined(__GNUC__) && !defined(__clang__)
#define DNNC_WIDE __attribute__((noinline, target("prefer-vector-width=512")))
#else
#define DNNC_WIDE
#endif
"""
_DOUBLES = """\
/* Whether products in double precision are as cheap as those of 64-bit integers: the bits are the same. */
#ifndef DNNC_DOUBLES
#if defined(__x86_64__) || defined(_M_X64) || defined(__aarch64__)
#define DNNC_DOUBLES 1
#else
#define DNNC_DOUBLES 0
#endif
#endif
"""
_PREAMBLES = {
    r"\bdnnc_(vector|aligned)|DNNC_LANES": _VECTORS,
    r"DNNC_(KERNEL|PREFETCH|WIDE)": _KERNELS,
    "DNNC_DOUBLES": _DOUBLES,
    "DNNC_WORDS|DNNC_DOT": WORDS,
    "DNNC_BITS": PREAMBLE,
}
"""What the text needs before its functions, by the names in it."""


@cache
def _blocks() -> dict[str, str]:
    blocks: dict[str, str] = {}
    for name in ("runtime.h", "integer.h", "bits.h"):
        parts = _MARK.split(Path(__file__).with_name(name).read_text())
        blocks |= zip(parts[1::2], parts[2::2])
    return {**blocks, "dnnc_contract": contraction_source(), **rescale_sources(), **quad_sources(), **bit_sources()}


def runtime_for(text: str) -> str:
    """The blocks that `text` uses, and those they use, in the order of `runtime.h`."""
    blocks = _blocks()
    needed: set[str] = set()
    todo = {text}
    while todo:
        used = set(re.findall(r"\bdnnc_\w+", todo.pop())) & blocks.keys() - needed
        needed |= used
        todo |= {blocks[name] for name in used}
    body = "".join(f"\n{blocks[name].rstrip()}\n" for name in (n for n in blocks if n in needed))
    return "".join(f"\n{top}" for names, top in _PREAMBLES.items() if re.search(names, text + body)) + body
