"""The recurrent cells the field names, written as scans: the products with the inputs of all steps stand before the loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from xdsl.dialects.builtin import LocationAttr, TensorType
from xdsl.ir import Block, SSAValue

from dnnc.ir.dnn.activation import (
    EluOp,
    HardSigmoidOp,
    LeakyReluOp,
    ReluOp,
    SigmoidOp,
    SoftplusOp,
    SoftsignOp,
    TanhOp,
    ThresholdedReluOp,
)
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.contraction import MatmulOp
from dnnc.ir.dnn.elementwise import AddOp, ClipOp, MulOp, SubOp, WhereOp
from dnnc.ir.dnn.movement import SliceOp
from dnnc.ir.dnn.recurrent import ScanOp, slice_type
from dnnc.ir.dnn.structure import ConstOp, YieldOp
from dnnc.ir.types import dtype, shape_of
from dnnc.ir.weights import WeightStore


class Writer(Protocol):
    """What appends operations to a program."""

    store: WeightStore

    @property
    def location(self) -> LocationAttr | None:
        """Where what is appended comes from."""
        ...

    def emit(self, kind: type[DnnOp], *operands: Any, **params: Any) -> SSAValue:
        """Append an operation with one result."""
        ...

    def append(self, op: DnnOp) -> Sequence[SSAValue]:
        """Append an operation; its results."""
        ...

    def const(self, array: np.ndarray) -> SSAValue:
        """Append a constant."""
        ...


@dataclass
class Body:
    """A writer of the body of a scan."""

    store: WeightStore
    location: LocationAttr | None
    block: Block

    def append(self, op: DnnOp) -> Sequence[SSAValue]:
        """Append an operation; its results."""
        self.block.add_op(op)
        return op.results

    def emit(self, kind: type[DnnOp], *operands: Any, **params: Any) -> SSAValue:
        """Append an operation with one result."""
        return self.append(kind(*operands, location=self.location, **params))[0]

    def const(self, array: np.ndarray) -> SSAValue:
        """Append a constant."""
        return self.append(ConstOp.of(array, self.store, "const", location=self.location))[0]


Activation = Callable[[Writer, SSAValue], SSAValue]


def _scalar(write: Writer, value: float, like: SSAValue) -> SSAValue:
    assert isinstance(like.type, TensorType)
    return write.const(np.array(value, dtype(like.type.element_type)))


def _affine(write: Writer, x: SSAValue, alpha: float, beta: float) -> SSAValue:
    scaled = write.emit(MulOp, x, _scalar(write, alpha, x))
    return write.emit(AddOp, scaled, _scalar(write, beta, x))


def _scaled_tanh(write: Writer, x: SSAValue, alpha: float, beta: float) -> SSAValue:
    y = write.emit(TanhOp, write.emit(MulOp, x, _scalar(write, beta, x)))
    return write.emit(MulOp, y, _scalar(write, alpha, x))


@dataclass(frozen=True)
class Function:
    """An activation by name: its parameters with their defaults, and what it appends."""

    defaults: dict[str, float]
    write: Callable[..., SSAValue]

    def bound(self, **given: float) -> Activation:
        """The activation with parameters given or by default."""
        values = {**self.defaults, **given}
        return lambda write, x: self.write(write, x, **values)


def _of(kind: type[DnnOp], **defaults: float) -> Function:
    return Function(defaults, lambda write, x, **values: write.emit(kind, x, **values))


FUNCTIONS: dict[str, Function] = {
    "affine": Function({"alpha": 1.0, "beta": 0.0}, _affine),
    "elu": _of(EluOp, alpha=1.0),
    "hardsigmoid": _of(HardSigmoidOp, alpha=0.2, beta=0.5),
    "leakyrelu": _of(LeakyReluOp, alpha=0.01),
    "relu": _of(ReluOp),
    "scaledtanh": Function({"alpha": 1.0, "beta": 1.0}, _scaled_tanh),
    "sigmoid": _of(SigmoidOp),
    "softplus": _of(SoftplusOp),
    "softsign": _of(SoftsignOp),
    "tanh": _of(TanhOp),
    "thresholdedrelu": _of(ThresholdedReluOp, alpha=1.0),
}


@dataclass(frozen=True)
class Weights:
    """Weights of one direction: w [G*H, I], r [G*H, H], the bias of either [G*H], peepholes [3*H]; G gates of H units."""

    w: SSAValue
    r: SSAValue
    w_bias: SSAValue | None = None
    r_bias: SSAValue | None = None
    peephole: SSAValue | None = None


@dataclass(frozen=True)
class Cell:
    """A recurrent cell: how many gates and states it has, and what one step of it is.

    z is W x + b of the step. States, and with them results, come as [N, H], the hidden state first.
    """

    activations: tuple[Activation, ...]
    clip: float | None = None
    GATES: ClassVar[int]
    STATES: ClassVar[int] = 1
    FUNCTIONS: ClassVar[tuple[str, ...]]

    def outer_bias(self, write: Writer, w: Weights) -> SSAValue | None:
        """What is added to the products with the inputs, before the loop."""
        if w.w_bias is None or w.r_bias is None:
            return w.w_bias
        return write.emit(AddOp, w.w_bias, w.r_bias)

    def fixed(self, write: Writer, w: Weights) -> list[SSAValue]:
        """What every step reads."""
        return [w.r]

    def step(
        self, write: Writer, states: Sequence[SSAValue], z: SSAValue, fixed: Sequence[SSAValue]
    ) -> Sequence[SSAValue]:
        """The states after a step."""
        raise NotImplementedError

    def gate(self, write: Writer, i: int, z: SSAValue) -> SSAValue:
        """The i-th activation of a value, bounded by the clip before it."""
        if self.clip is not None:
            z = write.emit(ClipOp, z, low=-self.clip, high=self.clip)
        return self.activations[i](write, z)


def part(write: Writer, v: SSAValue, first: int, count: int, size: int) -> SSAValue:
    """Gates `first` to `first + count` of a value whose last dimension holds all, each of `size`."""
    shape = shape_of(v.type)
    start = (0,) * (len(shape) - 1)
    return write.emit(SliceOp, v, start=(*start, first * size), size=(*shape[:-1], count * size))


def product(write: Writer, h: SSAValue, r: SSAValue, bias: SSAValue | None = None) -> SSAValue:
    """The product h R^T + b."""
    return write.emit(MatmulOp, h, r, bias, trans_b=True)


@dataclass(frozen=True)
class Rnn(Cell):
    """h' = f(W x + R h + b)."""

    GATES = 1
    FUNCTIONS = ("tanh",)

    def step(self, write, states, z, fixed):
        return [self.gate(write, 0, write.emit(AddOp, z, product(write, states[0], fixed[0])))]


@dataclass(frozen=True)
class Gru(Cell):
    """u, r = f(W x + R h + b); n = g(W x + R (r h) + b); h' = n + u (h - n).

    Under `linear_before_reset` n = g(W x + r (R h + b)).
    """

    linear_before_reset: bool = False
    GATES = 3
    FUNCTIONS = ("sigmoid", "tanh")

    def outer_bias(self, write, w):
        return w.w_bias if self.linear_before_reset else super().outer_bias(write, w)

    def fixed(self, write, w):
        if self.linear_before_reset:
            return [w.r] if w.r_bias is None else [w.r, w.r_bias]
        units = shape_of(w.r.type)[1]
        rows = lambda a, n: write.emit(SliceOp, w.r, start=(a * units, 0), size=(n * units, units))  # noqa: E731
        return [rows(0, 2), rows(2, 1)]

    def step(self, write, states, z, fixed):
        (h,), units = states, shape_of(states[0].type)[-1]
        linear = self.linear_before_reset
        s = product(write, h, *(fixed if linear else fixed[:1]))
        both = write.emit(AddOp, part(write, z, 0, 2, units), part(write, s, 0, 2, units) if linear else s)
        u, r = (self.gate(write, 0, part(write, both, i, 1, units)) for i in (0, 1))
        if linear:
            inner = write.emit(MulOp, r, part(write, s, 2, 1, units))
        else:
            inner = product(write, write.emit(MulOp, r, h), fixed[1])
        n = self.gate(write, 1, write.emit(AddOp, part(write, z, 2, 1, units), inner))
        return [write.emit(AddOp, n, write.emit(MulOp, u, write.emit(SubOp, h, n)))]


@dataclass(frozen=True)
class Lstm(Cell):
    """i, o, f = f(W x + R h + P c + b); c' = f c + i g(W x + R h + b); h' = o h(c'); o sees c', f is 1 - i under `coupled`."""

    coupled: bool = False
    GATES = 4
    STATES = 2
    FUNCTIONS = ("sigmoid", "tanh", "tanh")

    def fixed(self, write, w):
        return [w.r] if w.peephole is None else [w.r, w.peephole]

    def step(self, write, states, z, fixed):
        (h, c), units = states, shape_of(states[0].type)[-1]
        z = write.emit(AddOp, z, product(write, h, fixed[0]))

        def gate(k: int, seen: SSAValue) -> SSAValue:
            own = part(write, z, k, 1, units)
            if len(fixed) > 1:
                own = write.emit(AddOp, own, write.emit(MulOp, part(write, fixed[1], k, 1, units), seen))
            return self.gate(write, 0, own)

        i = gate(0, c)
        f = write.emit(SubOp, _scalar(write, 1.0, i), i) if self.coupled else gate(2, c)
        new = write.emit(MulOp, i, self.gate(write, 1, part(write, z, 3, 1, units)))
        c = write.emit(AddOp, write.emit(MulOp, f, c), new)
        return [write.emit(MulOp, gate(1, c), self.activations[2](write, c)), c]


def run_cell(
    write: Writer,
    cell: Cell,
    x: SSAValue,
    weights: Weights,
    states: Sequence[SSAValue],
    mask: SSAValue | None = None,
    reverse: bool = False,
) -> tuple[SSAValue, list[SSAValue]]:
    """Hidden states of all steps [T, N, H] and the last states, of inputs [T, N, I].

    Where `mask` [T, N, 1] is false a sequence has ended: its states stay, its results are 0.
    """
    z = write.emit(MatmulOp, x, weights.w, cell.outer_bias(write, weights), trans_b=True)
    fixed = cell.fixed(write, weights)
    sequences = [z] if mask is None else [z, mask]
    types = [*(v.type for v in states), *(slice_type(v.type) for v in sequences), *(v.type for v in fixed)]
    block, n = Block(arg_types=types), len(states)
    args = block.args[:n], block.args[n : n + len(sequences)], block.args[n + len(sequences) :]
    body = Body(write.store, write.location, block)
    new = list(cell.step(body, args[0], args[1][0], args[2]))
    shown = new[0]
    if mask is not None:
        shown = body.emit(WhereOp, args[1][1], new[0], _scalar(body, 0.0, new[0]))
        new = [body.emit(WhereOp, args[1][1], a, b) for a, b in zip(new, args[0])]
    block.add_op(YieldOp.create(operands=[*new, shown]))
    results = write.append(ScanOp.of(block, states, sequences, fixed, shape_of(x.type)[0], reverse, write.location))
    return results[-1], list(results[:-1])
