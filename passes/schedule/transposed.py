"""Transposed convolutions on a machine of convolutions: one for each phase of the output, then the phases interleaved.

%y = conv_transpose %x, %w stride 2    ->    %a = conv %x, %w[every other tap from 0]      (even columns)
                                             %b = conv %x, %w[every other tap from 1]      (odd columns)
                                             %y = %a and %b in turn: concat, reshape, transpose, reshape

No product with a zero put between inputs: as many products as the transposed convolution has, the same sums.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import gcd, prod

import numpy as np
from xdsl.ir import SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from dnnc.ir.dnn.attributes import Window
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.contraction import ConvOp, ConvTransposeOp
from dnnc.ir.dnn.elementwise import Unary
from dnnc.ir.dnn.integer import TableOp
from dnnc.ir.dnn.movement import ConcatOp, Movement, ReshapeOp, SliceOp, TransposeOp
from dnnc.ir.dnn.quantize import RequantizeOp
from dnnc.ir.dnn.rescale import RequantShiftOp, ThresholdOp
from dnnc.ir.dnn.structure import ConstOp, GroupOp
from dnnc.ir.types import QuantType, shape_of, tensor
from dnnc.ir.weights import WeightStore
from dnnc.passes.schedule.units import into_group

PER_CHANNEL = (RequantizeOp, ThresholdOp, RequantShiftOp, TableOp, Unary)
"""What may follow in the group of a phase: one value at a time, the same wherever in the plane."""


@dataclass(frozen=True)
class Phase:
    """Outputs p, p + stride, ... along one axis as a convolution: its taps (-1 for a zero), dilation and padding."""

    taps: tuple[int, ...]
    dilation: int
    pad: tuple[int, int]


def phase_of(p: int, stride: int, dilation: int, kernel: int, before: int, size: int, count: int) -> Phase:
    """`count` outputs of phase p: output p + stride * t sums w[r] * x[t + (p + before - r * dilation) / stride].

    Zero taps make a window that meets the input wherever it stands.
    """
    reach = {
        (p + before - r * dilation) // stride: r for r in range(kernel) if not (p + before - r * dilation) % stride
    }
    step = dilation // gcd(stride, dilation)
    low, high = min(reach, default=0), max(reach, default=0)
    low -= step * -(min(0, min(0, size - count) - low) // step)
    high += step * -(min(0, high - max(0, size - count)) // step)
    taps = tuple(reach.get(at, -1) for at in range(low, high + 1, step))
    return Phase(taps, step, (-low, count - size + high))


def split_transposed(group: GroupOp, store: WeightStore) -> None:
    """Replace a group that begins with a transposed convolution by groups of convolutions, and of what follows in it."""
    body = group.body_ops()
    if not isinstance(body[0], ConvTransposeOp):
        return
    mapping: dict[SSAValue, SSAValue] = dict(zip(group.body.block.args, group.inputs))
    weights = mapping[body[0].w].owner
    if not isinstance(weights, ConstOp) or not _machine_weights(weights):
        return
    made: list[DnnOp] = []
    for op in body:
        clone = op.clone(mapping)
        clone.location = op.location
        Rewriter.insert_op(clone, InsertPoint.before(group))
        made.append(clone)
    Rewriter.replace_op(group, [], [mapping[v] for v in group.yielded()])
    count = _phase_ops(made)
    _Interleaved(made[:count], weights, store).emit()
    if made[count:]:
        into_group(made[count:])


def _machine_weights(const: ConstOp) -> bool:
    element = const.result.type.element_type  # pyright: ignore[reportAttributeAccessIssue]
    return isinstance(element, QuantType) and np.unique(element.zero).size == 1


def _phase_ops(ops: Sequence[DnnOp]) -> int:
    """How many operations from the first on are done phase by phase."""
    n = 1
    while n < len(ops) and isinstance(ops[n], PER_CHANNEL) and ops[n].operands[0] is ops[n - 1].results[0]:
        n += 1
    return n


class _Interleaved:
    """A transposed convolution and what is done to its sums, taken apart into phases."""

    def __init__(self, chain: list[DnnOp], weights: ConstOp, store: WeightStore) -> None:
        self.chain, self.weights, self.store = chain, weights, store
        head = chain[0]
        assert isinstance(head, ConvTransposeOp)
        self.units: list[list[DnnOp]] = []
        self.head, self.window, self.groups = head, head.window.data, head.groups.data
        self.sizes, self.out = head.shape(0)[2:], shape_of(head.result.type)[2:]
        self.count = tuple(-(-o // u) for o, u in zip(self.out, self.window.stride))

    def emit(self) -> None:
        """The phases, interleaved and cropped, in place of the chain."""
        parts = [self._phase(phases) for phases in product(*map(list, self._axes()))]
        whole = self._interleave(parts)
        self.chain[-1].results[0].replace_all_uses_with(whole)
        for op in reversed(self.chain):
            Rewriter.erase_op(op)
        for unit in self.units:
            into_group(unit)

    def _axes(self) -> Iterator[Iterator[Phase]]:
        window = self.window
        for i, (u, d, k, (before, _)) in enumerate(zip(window.stride, window.dilation, window.kernel, window.pads)):
            size, count = self.sizes[i], self.count[i]
            yield (phase_of(p, u, d, k, before, size, count) for p in range(u))

    def _insert(self, op: DnnOp | ConstOp) -> SSAValue:
        op.location = self.chain[-1].location if isinstance(op, Movement) else self.head.location
        Rewriter.insert_op(op, InsertPoint.before(self.chain[0]))
        return op.results[0]

    def _phase(self, phases: Sequence[Phase]) -> SSAValue:
        """The results of one phase of each axis, a group of their own."""
        pads = zip(*(p.pad for p in phases))
        dilation = [p.dilation for p in phases]
        window = Window.of([len(p.taps) for p in phases], (), [v for side in pads for v in side], dilation)
        w = self._insert(self._weights([p.taps for p in phases]))
        made: list[DnnOp] = [ConvOp(self.head.x, w, self.head.bias, window=window, groups=self.groups)]
        self._insert(made[0])
        for op in self.chain[1:]:
            made.append(_again(op, made[-1].results[0]))
            Rewriter.insert_op(made[-1], InsertPoint.before(self.chain[0]))
        self.units.append(made)
        return made[-1].results[0]

    def _weights(self, taps: Sequence[Sequence[int]]) -> ConstOp:
        """Weights [k, m, taps] of a transposed convolution as [m, k, these taps] of a convolution."""
        element = self.weights.result.type.element_type  # pyright: ignore[reportAttributeAccessIssue]
        assert isinstance(element, QuantType)
        w = self.weights.array(self.store)
        inputs, outputs = w.shape[0] // self.groups, w.shape[1]
        w = w.reshape(self.groups, inputs, outputs, *w.shape[2:]).swapaxes(1, 2)
        w = w.reshape(self.groups * outputs, inputs, *w.shape[3:])
        zero = int(np.max(element.zero))
        w = np.pad(w, [(0, 0), (0, 0), *((0, 1) for _ in taps)], constant_values=zero)
        w = np.ascontiguousarray(w[np.ix_(*map(np.arange, w.shape[:2]), *taps)])
        if element.axis is not None:
            element = QuantType.per_channel(element.storage, element.scale, 0, element.zero.tolist())
        hint = self.weights.key.data if self.weights.key is not None else "weights"
        return ConstOp.of(w, self.store, f"{hint}.phase", tensor(element, w.shape))

    def _interleave(self, parts: list[SSAValue]) -> SSAValue:
        """Element t of phase p to place p + stride * t of every axis, cropped to the output."""
        stride, rank = self.window.stride, self.window.rank
        n, m, *_ = shape_of(parts[0].type)
        if prod(stride) > 1:
            value = self._move(ConcatOp(parts, axis=1))
            value = self._move(ReshapeOp(value, shape=(n, *stride, m, *self.count)))
            axes = [v for i in range(rank) for v in (rank + 2 + i, 1 + i)]
            value = self._move(TransposeOp(value, perm=(0, rank + 1, *axes)))
            value = self._move(ReshapeOp(value, shape=(n, m, *(u * c for u, c in zip(stride, self.count)))))
        else:
            (value,) = parts
        if shape_of(value.type)[2:] != self.out:
            value = self._move(SliceOp(value, start=(0,) * (rank + 2), size=(n, m, *self.out)))
        return value

    def _move(self, op: Movement) -> SSAValue:
        if not op.is_view():
            self.units.append([op])
        return self._insert(op)


def _again(op: DnnOp, x: SSAValue) -> DnnOp:
    """An operation on another first operand, its result as that makes it."""
    probe = op.clone({op.operands[0]: x})
    types = probe.result_types_inferred()
    new = type(op).create(operands=probe.operands, result_types=types, properties=op.properties, location=op.location)
    probe.erase()
    return new
