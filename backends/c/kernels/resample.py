"""Operations whose places in the operand are tables known at compile time: border padding and resizing."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from dnnc.backends.c.kernel import Kernel
from dnnc.backends.c.text import C_TYPES, c_type, index, kind_of, numpy_type
from dnnc.ir.dnn.resampling import BorderPadOp, ResizeOp, Taps
from dnnc.ir.scalar import c_literal
from dnnc.ir.types import shape_of

_UNROLLED = 8  # taps written out in one expression


def emit_border_pad(kernel: Kernel, op: BorderPadOp) -> None:
    """y[i] = x[table[i]] in every dimension."""
    _emit_lookup(kernel, kernel.x(op.x), op.shape(), op.tables())


def emit_resize(kernel: Kernel, op: ResizeOp) -> None:
    """Nearest looks each place up; others pass along one axis after another, through scratch memory between."""
    taps = {axis: op.taps(axis) for axis in op.axes()}
    shape = op.shape()
    if op.mode.data == "nearest" or not taps:
        tables = [taps[d].index[:, 0] if d in taps else np.arange(n) for d, n in enumerate(shape)]
        _emit_lookup(kernel, kernel.x(op.x), shape, tables)
    else:
        _emit_passes(kernel, op, taps)
    for axis, t in taps.items():
        _emit_outside(kernel, op, axis, np.flatnonzero(t.outside))


def _emit_lookup(kernel: Kernel, x: str, shape: tuple[int, ...], tables: Sequence[np.ndarray]) -> None:
    """y[i, j, ...] = x[a[i], b[j], ...]; a table that changes nothing is left out."""
    sizes = [len(t) for t in tables]
    plain = [np.array_equal(t, np.arange(n)) for t, n in zip(tables, shape)]
    names = ["" if same else kernel.constant(t.astype(np.int32)) for t, same in zip(tables, plain)]
    with kernel.code.nest(sizes) as at:
        places = [f"{name}[{v}]" if name else v for name, v in zip(names, at)]
        source, target = index(places, _rows(shape)), index(at, _rows(sizes))
        kernel.code.add(f"{kernel.y()}[{target}] = {x}[{source}];")


def _emit_passes(kernel: Kernel, op: ResizeOp, taps: dict[int, Taps]) -> None:
    shape, source = list(op.shape()), kernel.x(op.x)
    dt = numpy_type(op.x)
    for n, (axis, t) in enumerate(taps.items()):
        outer, size, inner = prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :])
        shape[axis] = len(t.index)
        target = kernel.y() if n + 1 == len(taps) else kernel.scratch(prod(shape), dt)
        _emit_pass(kernel, t, (outer, size, inner), source, target, dt)
        source = target


def _emit_pass(kernel: Kernel, taps: Taps, split: tuple[int, int, int], source: str, target: str, dt: np.dtype) -> None:
    """target[a, o, b] = sum over k of weight[o, k] * source[a, index[o, k], b]."""
    outer, size, inner = split
    out, count = taps.index.shape
    code, name = kernel.code, C_TYPES[dt.name]
    places, weights = kernel.constant(taps.index.astype(np.int32)), kernel.constant(taps.weight.astype(dt))
    with code.loop("a", outer), code.loop("o", out):
        code.add(f"const int32_t *p = {places} + o * {count};", f"const {name} *w = {weights} + o * {count};")
        with code.loop("b", inner):
            place = index(["a", "o", "b"], [out * inner, inner, 1])
            terms = [
                f"w[{k}] * {source}[{_tap(k, size, inner)}]" for k in (range(count) if count <= _UNROLLED else "k")
            ]
            if count > _UNROLLED:
                code.add(f"{name} sum = 0;")
                with code.loop("k", count):
                    code.add(f"sum += {terms[0]};")
                terms = ["sum"]
            code.add(f"{target}[{place}] = {' + '.join(terms)};")


def _tap(k: int | str, size: int, inner: int) -> str:
    return f"{index(['a'], [size * inner])} + p[{k}] * {inner} + b"


def _emit_outside(kernel: Kernel, op: ResizeOp, axis: int, places: np.ndarray) -> None:
    """A fixed value at the indices of an axis that lie outside the operand."""
    if not len(places):
        return
    shape = shape_of(op.result.type)
    outer, inner = prod(shape[:axis]), prod(shape[axis + 1 :])
    table = kernel.constant(places.astype(np.int32))
    value = f"({c_type(op.result)}){c_literal(op.outside(), kind_of(numpy_type(op.x)))}"
    with kernel.code.loop("a", outer), kernel.code.loop("o", len(places)), kernel.code.loop("b", inner):
        at = index(["a", f"{table}[o]", "b"], [shape[axis] * inner, inner, 1])
        kernel.code.add(f"{kernel.y()}[{at}] = {value};")


def _rows(shape: Sequence[int]) -> list[int]:
    return [prod(shape[d + 1 :]) for d in range(len(shape))]
