"""Bytes a layer must move between DRAM and chip: one function for each level of IR that can say it.

`graph_traffic` reads the dnn level, where only what is compulsory is known. The sched level will give the exact bytes
of its copies in the same `Traffic`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import isqrt, prod

import numpy as np
from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute, SSAValue

from dnnc.ir.dnn.attributes import Window
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.contraction import ConvOp
from dnnc.ir.dnn.movement import GatherOp, Movement
from dnnc.ir.dnn.reduction import Pool
from dnnc.ir.types import Quantized, bits, nbytes, shape_of


@dataclass(frozen=True)
class Traffic:
    """Bytes read for activations and for constants, and bytes written, each element once."""

    activations: int = 0
    constants: int = 0
    written: int = 0

    @property
    def total(self) -> int:
        """|I| + |W| + |O|."""
        return self.activations + self.constants + self.written


@dataclass(frozen=True)
class Use:
    """A value from outside a layer, the operation inside that uses it, and as which operand."""

    value: SSAValue
    op: DnnOp
    operand: int


def graph_traffic(uses: Iterable[Use], constants: set[SSAValue], results: Iterable[SSAValue]) -> Traffic:
    """Compulsory traffic of a layer at the dnn level: every element it needs is read once, every result written once.

    Input elements that no window or slice touches are not read.
    """
    needed: dict[SSAValue, int] = {}
    for use in uses:
        count = touched(use.op, use.operand)
        needed[use.value] = max(needed.get(use.value, 0), count)
    read = {v: stored_bytes(n, v.type) for v, n in needed.items()}
    return Traffic(
        sum(b for v, b in read.items() if v not in constants),
        sum(b for v, b in read.items() if v in constants),
        sum(nbytes(v.type) for v in results),
    )


def stored_bytes(count: int, type_: Attribute) -> int:
    """Bytes of some elements of a tensor: ceil(count * bits / 8), and those of the values its codes refer to."""
    assert isinstance(type_, TensorType)
    element = type_.element_type
    return -(-count * bits(element) // 8) + (element.table_bytes if isinstance(element, Quantized) else 0)


def touched(op: DnnOp, operand: int) -> int:
    """Elements of an operand that the operation's result depends on (gathered rows: as many as it returns at most)."""
    shape = shape_of(op.operands[operand].type)
    if isinstance(op, ConvOp | Pool) and operand == 0:
        return prod(shape[:2]) * prod(reached(op.window.data, shape[2:]))
    if isinstance(op, Movement):
        return min(prod(shape), sum(prod(p.read.shape) for p in op.parts() if p.operand == operand))
    if isinstance(op, GatherOp) and operand == 0:
        return min(prod(shape), op.elements())
    return prod(shape)


def reached(window: Window, size: tuple[int, ...]) -> list[int]:
    """Positions inside the input that some window covers, for each spatial dimension: |{U*e + d*r - pad} & [0, H)|.

    Of blocks, the sum over them.
    """
    axes = zip(size, window.output(size), window.kernel, window.stride, window.dilation, window.pads)
    if not window.block:
        return [_covered(h, e, r, u, d, pad) for h, e, r, u, d, (pad, _) in axes]
    found = []
    for axis, (h, e, r, u, d, _) in enumerate(axes):
        spans = [(at, min(window.block[axis], e - at)) for at in range(0, e, window.block[axis])]
        parts = [(count, window.reach((at, count), h, axis)) for at, count in spans]
        found.append(sum(_covered(n, count, r, u, d, pad) for count, ((_, n), (pad, _)) in parts))
    return found


def _covered(h: int, e: int, r: int, u: int, d: int, pad: int) -> int:
    covered = np.zeros(h, bool)
    for first in range(
        -pad, r * d - pad, d
    ):  # one tap of the filter at all its positions, those in the padding cut off
        inside = first if first >= 0 else first % u
        covered[inside : max(inside, first + (e - 1) * u + 1) : u] = True
    return int(np.count_nonzero(covered))


def tiling_bound(macs: int, taps: int, strides: int, word_bits: int, on_chip_bytes: int) -> int:
    """Least bytes of input and weight traffic of a contraction, 2 * MACs / sqrt(R * S) words, rounded up.

    R = taps / strides (at least 1) is how often one input serves one filter, S the on-chip words of `word_bits`.
    Derived for output-stationary blocks; no exhaustive tiling we ran went below it, but its constant is not proved.
    In bytes b/8 * 2M / sqrt(R * 8 * bytes / b), computed in integers.
    """
    reuse, of = (taps, strides) if taps > strides else (1, 1)
    square, per = macs**2 * word_bits**3 * of, 128 * reuse * on_chip_bytes
    root = isqrt(square // per)
    return root + (root * root * per < square)
