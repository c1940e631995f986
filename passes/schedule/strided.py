"""Convolutions in long steps on a machine of short ones: what lies between two steps becomes channels.

%y = conv %x, %w stride 128, kernel 256    ->    %a = %x as [n, c, t, 128], transposed and reshaped to [n, c * 128, t]
                                                 %y = conv %a, %w' kernel 2, w'[m, c * 128 + p, q] = w[m, c, 128 * q + p]

The same products; taps beyond the kernel are zero.
"""

from __future__ import annotations

import numpy as np
from xdsl.ir import Operation, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from dnnc.ir.dnn.attributes import Window
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.contraction import ConvOp
from dnnc.ir.dnn.movement import Movement, PadOp, ReshapeOp, SliceOp, TransposeOp
from dnnc.ir.dnn.structure import ConstOp, GroupOp
from dnnc.ir.types import QuantType, shape_of, tensor
from dnnc.ir.weights import WeightStore
from dnnc.passes.analysis.shapes import MAX_KERNEL, MAX_STRIDE
from dnnc.passes.schedule.units import into_group


def split_strided(group: GroupOp, store: WeightStore) -> None:
    """Replace a group that begins with a convolution in steps too long for the machine by moves and one in steps of 1."""
    head = group.body_ops()[0]
    if not isinstance(head, ConvOp) or not (axes := _axes(head.window.data)):
        return
    weights = group.inputs[head.w.index].owner  # pyright: ignore[reportAttributeAccessIssue]
    if not isinstance(weights, ConstOp) or np.unique(weights.result.type.element_type.zero).size > 1:  # pyright: ignore
        return
    mapping: dict[SSAValue, SSAValue] = dict(zip(group.body.block.args, group.inputs))
    chain = [op.clone(mapping) for op in group.body_ops()]
    for old, new in zip(group.body_ops(), chain):
        new.location = old.location
    Rewriter.insert_op(chain, InsertPoint.before(group))
    Rewriter.replace_op(group, [], [mapping[v] for v in group.yielded()])
    first = chain[0].prev_op
    for axis in axes:
        assert isinstance(chain[0], ConvOp)
        chain[0] = _folded(chain[0], axis, store)
    _group_moves(first, chain[0])
    into_group(chain)


def _group_moves(before: Operation | None, head: DnnOp) -> None:
    """Groups of the movements that were put before an operation, and that are no views."""
    op = head.prev_op
    while op is not before and op is not None:
        previous = op.prev_op
        if isinstance(op, Movement) and not op.is_view():
            into_group([op])
        op = previous


def _axes(window: Window) -> list[int]:
    """The axes along which a step, or a kernel in steps, is too long, and one over channels would not be."""
    spans = zip(window.kernel, window.stride, window.extent)
    return [
        i
        for i, (r, u, extent) in enumerate(spans)
        if (u > MAX_STRIDE or (u > 1 and r > MAX_KERNEL)) and -(-extent // u) <= MAX_KERNEL and not window.block
    ]


def _folded(conv: ConvOp, axis: int, store: WeightStore) -> ConvOp:
    """A convolution of step u along an axis, as one of step 1 over the u elements of each step as channels."""
    window = conv.window.data
    u, taps = window.stride[axis], -(-window.extent[axis] // window.stride[axis])
    x = _steps(conv, axis, u, shape_of(conv.result.type)[2 + axis] - 1 + taps)
    weights = _weights(conv, axis, u, taps, store)
    new = ConvOp(x, weights, conv.bias, window=_along(window, axis, taps), groups=conv.groups.data)
    for op in (weights, new):
        op.location = conv.location
    Rewriter.replace_op(conv, [weights, new], [new.result])
    return new


def _along(window: Window, axis: int, taps: int) -> Window:
    """A window with another kernel along one axis, in steps of 1 without padding."""
    kernel, stride, dilation = ([*values] for values in (window.kernel, window.stride, window.dilation))
    kernel[axis], stride[axis], dilation[axis] = taps, 1, 1
    pad = [0 if i % window.rank == axis else p for i, p in enumerate(window.pad)]
    return Window.of(kernel, stride, pad, dilation)


def _steps(conv: ConvOp, axis: int, u: int, count: int) -> SSAValue:
    """`count` steps of the padded input, the elements of each as channels."""
    shape, at = [*conv.shape()], 2 + axis
    before = conv.window.data.pads[axis][0]
    after = count * u - before - shape[at]
    x = conv.x
    if before or after > 0:
        pads = [(before, max(0, after)) if i == at else (0, 0) for i in range(len(shape))]
        x = _move(conv, PadOp(x, before=tuple(b for b, _ in pads), after=tuple(a for _, a in pads)))
    if after < 0:
        size = tuple(count * u if i == at else n for i, n in enumerate(shape))
        x = _move(conv, SliceOp(x, start=(0,) * len(shape), size=size))
    x = _move(conv, ReshapeOp(x, shape=(*shape[:at], count, u, *shape[at + 1 :])))
    order = (0, 1, at + 1, *range(2, at + 1), *range(at + 2, len(shape) + 1))
    x = _move(conv, TransposeOp(x, perm=order))
    return _move(conv, ReshapeOp(x, shape=(shape[0], shape[1] * u, *shape[2:at], count, *shape[at + 1 :])))


def _move(conv: ConvOp, op: Movement) -> SSAValue:
    op.location = conv.location
    Rewriter.insert_op(op, InsertPoint.before(conv))
    return op.results[0]


def _weights(conv: ConvOp, axis: int, u: int, taps: int, store: WeightStore) -> ConstOp:
    """w'[m, c * u + p, q] = w[m, c, (u * q + p) / dilation] where a tap stands there, else zero."""
    const = conv.w.owner
    assert isinstance(const, ConstOp)
    w, element = const.array(store), const.result.type.element_type  # pyright: ignore[reportAttributeAccessIssue]
    assert isinstance(element, QuantType)
    w = np.moveaxis(w, 2 + axis, -1)
    spread = np.full((*w.shape[:-1], taps * u), int(np.max(element.zero)), w.dtype)
    spread[..., : conv.window.data.extent[axis] : conv.window.data.dilation[axis]] = w
    spread = np.moveaxis(spread.reshape(*w.shape[:-1], taps, u), -1, 2)
    spread = np.moveaxis(spread.reshape(w.shape[0], -1, *w.shape[2:-1], taps), -1, 2 + axis)
    spread = np.ascontiguousarray(spread)
    hint = const.key.data if const.key is not None else "weights"
    return ConstOp.of(spread, store, f"{hint}.steps", tensor(element, spread.shape))
