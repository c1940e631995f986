"""What one group computes, as plain numbers: the shape that tiling searches over and the arithmetic after the sums.

A layer is an optional contraction (convolution, depthwise convolution, matrix product) of int8 values into int32 sums, a
requantize, a table or bounds, and an optional max-pool: what the accelerator runs as one unit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np
from xdsl.dialects.builtin import LocationAttr, TensorType
from xdsl.ir import Block, BlockArgument, Operation, SSAValue

from dnnc.ir.diagnostics import Finding, UnsupportedError, where
from dnnc.ir.dnn.attributes import Window
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.contraction import ConvOp, MatmulOp
from dnnc.ir.dnn.elementwise import Unary
from dnnc.ir.dnn.movement import Movement
from dnnc.ir.dnn.quantize import RequantizeOp
from dnnc.ir.dnn.reduction import MaxPoolOp
from dnnc.ir.types import I8, QuantType, element_type, integer_range, type_name

UI8 = element_type(np.uint8)
_UNIT = Window.of((1, 1))


@dataclass(frozen=True)
class Rows:
    """The rows of one tile at every stage: pooled rows, rows of sums, input rows, and the padding around them."""

    out: tuple[int, int]
    sums: tuple[int, int]
    input: tuple[int, int]
    pad: tuple[int, int]
    pool_pad: tuple[int, int]


@dataclass(frozen=True)
class Layer:
    """A group in the letters of the field: N images, M output and C input channels of each of `groups` parts, H x W in.

    `window` makes the E x F sums, `pool` makes the output rows of them; both 2-D. A matrix product has its N rows as H
    and `matrix` set; in memory it is [H, C] -> [H, M] where a convolution is [C, H, W] -> [M, E, F].
    """

    name: str
    kind: str  # dense, depthwise, or none when nothing is summed
    N: int
    groups: int
    M: int
    C: int
    H: int
    W: int
    window: Window = _UNIT
    pool: Window = _UNIT
    matrix: bool = False
    in_major: bool = False
    table: bool = False

    @property
    def pooled(self) -> bool:
        """Whether a pool follows."""
        return self.pool != _UNIT

    @property
    def sums(self) -> tuple[int, int]:
        """E x F, the rows and columns of the sums."""
        e, f = self.window.output((self.H, self.W))
        return e, f

    @property
    def out(self) -> tuple[int, int]:
        """Rows and columns of the output."""
        e, f = self.pool.output(self.sums)
        return e, f

    @property
    def taps(self) -> int:
        """R * S."""
        return prod(self.window.kernel)

    @property
    def macs(self) -> int:
        """Multiply-accumulates without halo recompute."""
        return 0 if self.kind == "none" else self.N * self.groups * self.M * prod(self.sums) * self.C * self.taps

    def rows(self, first: int, count: int) -> Rows:
        """Rows of the tile that makes output rows [first, first + count)."""
        sums, pool_pad = _reach((first, count), self.pool, self.sums[0])
        rows, pad = _reach(sums, self.window, self.H)
        return Rows((first, count), sums, rows, pad, pool_pad)

    def columns(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """(left, right) padding of the input and of the pool, for the full width."""
        _, pool_pad = _reach((0, self.out[1]), self.pool, self.sums[1], 1)
        _, pad = _reach((0, self.sums[1]), self.window, self.W, 1)
        return pad, pool_pad


def _reach(out: tuple[int, int], window: Window, size: int, axis: int = 0) -> tuple[tuple[int, int], tuple[int, int]]:
    """The (first, count) of `size` inputs that outputs need, and how far the window sticks out (before, after)."""
    first = out[0] * window.stride[axis] - window.pads[axis][0]
    last = first + (out[1] - 1) * window.stride[axis] + window.extent[axis]
    low, high = max(first, 0), min(last, size)
    return (low, high - low), (low - first, last - high)


@dataclass(frozen=True)
class Post:
    """What follows the sums: requantize constants, bounds, and the 256-entry table when bounds are not enough."""

    requantize: RequantizeOp | None
    rounding: str
    zero: int
    low: int
    high: int
    table: np.ndarray | None


@dataclass(frozen=True)
class Group:
    """A group taken apart: its layer, what follows, and which of the body's arguments it reads (None when absent)."""

    layer: Layer
    post: Post
    x: int
    weights: int | None
    bias: int | None
    source: QuantType
    result: QuantType


class _Refusal(Exception):
    """Why a group cannot run on the accelerator."""


def group_of(body: Block, name: str, location: LocationAttr) -> Group:
    """Take a group's body apart; UnsupportedError says which operation of it has no place on the accelerator."""
    try:
        return _take_apart(body, name)
    except _Refusal as refusal:
        text = f"a quantized convolution, matrix product, pool or activation was expected, not {refusal}"
        todo = "Mark it as a float island or choose the c target."
        raise UnsupportedError(Finding(where(location, name), f"{text}. {todo}")) from None


def _take_apart(body: Block, name: str) -> Group:
    ops = [o for o in body.ops if isinstance(o, DnnOp) and not (isinstance(o, Movement) and o.is_view())]
    results = body.last_op.operands if body.last_op else ()
    if len(results) != 1 or not ops:
        raise _Refusal(f"a group of {len(ops)} operations with {len(results)} results")
    head = ops[0]
    contraction = isinstance(head, ConvOp | MatmulOp)
    layer, post = _after(ops[1:] if contraction else ops, _layer(head, name), contraction)
    x = _argument(_behind_views(head.operands[0]))
    weights = _argument(head.operands[1]) if contraction else None
    bias = _argument(head.bias) if contraction and head.bias is not None else None
    for window in (layer.window, layer.pool):
        if any(pad >= extent for pads, extent in zip(window.pads, window.extent) for pad in pads):
            raise _Refusal(
                f"a window of extent {list(window.extent)} padded by {list(window.pad)}, more than it reaches"
            )
    source, result = _quantized(body.args[x]), _quantized(results[0])
    if weights is not None:
        _quantized_weights(body.args[weights])
    return Group(layer, post, x, weights, bias, source, result)


def _argument(value: SSAValue) -> int:
    if not isinstance(value, BlockArgument):
        raise _Refusal(f"an operand made by '{value.owner.name if isinstance(value.owner, Operation) else value}'")
    return value.index


def _behind_views(value: SSAValue) -> SSAValue:
    while isinstance(value.owner, Operation) and value.owner.operands:
        value = value.owner.operands[0]
    return value


def _quantized_weights(value: SSAValue) -> None:
    element = value.type.element_type if isinstance(value.type, TensorType) else None
    if not isinstance(element, QuantType) or element.storage not in (I8, UI8) or np.any(element.zero):
        raise _Refusal(f"weights of type {value.type}")


def _quantized(value: SSAValue) -> QuantType:
    element = value.type.element_type if isinstance(value.type, TensorType) else None
    if not isinstance(element, QuantType) or element.storage not in (I8, UI8) or element.axis is not None:
        raise _Refusal(f"a value of type {type_name(element) if element else value.type}, not an 8-bit quantized one")
    return element


def _layer(head: Operation, name: str) -> Layer:
    if isinstance(head, ConvOp):
        return _conv(head, name)
    if isinstance(head, MatmulOp):
        return _matmul(head, name)
    if isinstance(head, MaxPoolOp):
        n, c, *hw = head.shape()
        h, w = _two(hw)
        return Layer(name, "none", n, 1, c, c, h, w)
    if isinstance(head, Unary):
        n, c, h, w = _four(head.shape())
        return Layer(name, "none", n, 1, c, c, h, w)
    raise _Refusal(f"'{head.name}'")


def _four(shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """An elementwise tensor as [N, C, H, W]: the first dimension, the second, and rows of the last."""
    n, c = (*shape, 1, 1)[:2] if len(shape) > 1 else (1, prod(shape))
    rest = shape[2:]
    return n, c, prod(rest[:-1]), rest[-1] if rest else 1


def _two(values: tuple[int, ...] | list[int]) -> tuple[int, int]:
    if len(values) not in (1, 2):
        raise _Refusal(f"{len(values)} spatial dimensions, not 1 or 2")
    h, w = (1, *values) if len(values) == 1 else values
    return h, w


def _window(window: Window) -> Window:
    """A window of one dimension as one over a single row."""
    if window.rank == 2:
        return window
    if window.rank != 1:
        raise _Refusal(f"{window.rank} spatial dimensions, not 1 or 2")
    (a, b) = window.pad
    one = Window((1, *window.kernel), (1, *window.stride), (1, *window.dilation), (0, a, 0, b), window.ceil)
    return one


def _conv(head: ConvOp, name: str) -> Layer:
    d = head.dims()
    h, w = _two(d.HW)
    window = _window(head.window.data)
    if d.depthwise:
        return Layer(name, "depthwise", d.N, 1, d.M, d.C, h, w, window)
    return Layer(name, "dense", d.N, d.groups, d.M // d.groups, d.C // d.groups, h, w, window)


def _matmul(head: MatmulOp, name: str) -> Layer:
    a, b = head.operand_shapes()
    if head.trans_a is not None or prod(b[:-2]) != 1:
        raise _Refusal("a matrix product with a transposed first operand or a batch of second ones")
    return Layer(name, "dense", 1, 1, b[-1], b[-2], prod(a[:-1]), 1, matrix=True, in_major=head.trans_b is None)


def _after(ops: list[DnnOp], layer: Layer, contraction: bool) -> tuple[Layer, Post]:
    """Fold what follows the sums into bounds or a table, and a pool at the end."""
    requantize, zero, rounding = None, 0, "q31_half_even"
    table: np.ndarray | None = None
    low, high = -256, 255
    for op in ops:
        if isinstance(op, RequantizeOp) and requantize is None and contraction and table is None:
            requantize, rounding = op, op.rounding.data
            zero = int(_quantized(op.results[0]).zero)
            low, high = integer_range(_quantized(op.results[0]).storage)
        elif isinstance(op, MaxPoolOp) and not layer.pooled:
            layer = replace(layer, pool=_window(op.window.data))
        elif isinstance(op, Unary):
            step = op.table()
            if layer.pooled and np.any(np.diff(step.astype(np.int64)) < 0):
                raise _Refusal(f"'{op.name}', which is not monotonic, after a pool")
            first = integer_range(_quantized(op.results[0]).storage)[0]
            table = step if table is None else step[table.astype(np.int64) - first]
        else:
            raise _Refusal(f"'{op.name}' after the sums")
    if contraction and requantize is None:
        raise _Refusal("sums that are not requantized to 8 bits")
    if table is not None and requantize is not None:
        low, high, table = _bounds(table, low)
    layer = replace(layer, table=table is not None)
    return layer, Post(requantize, rounding, zero, low, high, table)


def _bounds(table: np.ndarray, first: int) -> tuple[int, int, np.ndarray | None]:
    """The clip that equals a table over all values from `first` on, or the table itself."""
    low, high = int(table.min()), int(table.max())
    values = np.arange(first, first + len(table))
    if np.array_equal(table, np.clip(values, low, high)):
        return low, high, None
    return first, first + len(table) - 1, table
