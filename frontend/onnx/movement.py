"""Operators that move data: ONNX gives shapes, axes and pads as tensors, the dialect as parameters."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from xdsl.ir import SSAValue

from dnnc.frontend.onnx.site import Mistake, Refused, Site
from dnnc.ir.dnn.elementwise import SubOp, WhereOp
from dnnc.ir.dnn.indexing import GatherElementsOp, TopKOp
from dnnc.ir.dnn.logic import EqualOp, LessOp
from dnnc.ir.dnn.movement import ConcatOp, ExpandOp, GatherOp, PadOp, ReshapeOp, SliceOp, TileOp, TransposeOp
from dnnc.ir.dnn.resampling import BorderPadOp
from dnnc.ir.types import is_float, shape_of


def axis_in(axis: int, rank: int) -> int:
    """An axis counted from the start; its range verified."""
    if not -rank <= axis < rank:
        raise Mistake(f"expected an axis in [{-rank}, {rank - 1}], not {axis}.", "E0413")
    return axis % rank


def axes_in(axes: Sequence[int], rank: int) -> list[int]:
    """Distinct axes counted from the start, in their order."""
    normal = [axis_in(a, rank) for a in axes]
    if len(set(normal)) != len(normal):
        raise Mistake(f"expected distinct axes, not {list(axes)}.", "E0414")
    return normal


def reshaped(site: Site, x: SSAValue, shape: Sequence[int]) -> SSAValue:
    """X with another shape; x itself when it has it."""
    return x if shape_of(x.type) == tuple(shape) else site.emit(ReshapeOp, x, shape=tuple(shape))


def identity(site: Site) -> SSAValue:
    """Identity."""
    return site.operand(0)


def reshape(site: Site) -> SSAValue:
    """Reshape: 0 keeps a dimension unless `allowzero`, one -1 takes what is left."""
    old, wanted = site.shape(), list(site.integers(1))
    if not site.flag("allowzero"):
        if any(d == 0 and k >= len(old) for k, d in enumerate(wanted)):
            raise Mistake(f"expected a shape whose zeros stand for dimensions of {list(old)}, not {wanted}.", "E0435")
        wanted = [old[k] if d == 0 else d for k, d in enumerate(wanted)]
    if wanted.count(-1) == 1:
        rest = prod(d for d in wanted if d != -1)
        if rest == 0 or prod(old) % rest:
            raise Mistake(f"expected a shape of {prod(old)} elements like {list(old)}, not {wanted}.", "E0435")
        wanted[wanted.index(-1)] = prod(old) // rest
    return reshaped(site, site.operand(0), wanted)


def flatten(site: Site) -> SSAValue:
    """Flatten: a matrix, split before `axis`."""
    shape, axis = site.shape(), site.int("axis", 1)
    if not -len(shape) <= axis <= len(shape):
        raise Mistake(f"expected an axis in [{-len(shape)}, {len(shape)}], not {axis}.", "E0413")
    axis = axis + len(shape) if axis < 0 else axis
    return reshaped(site, site.operand(0), (prod(shape[:axis]), prod(shape[axis:])))


def squeeze(site: Site) -> SSAValue:
    """Squeeze: dimensions of size 1 gone, all of them without axes."""
    shape = site.shape()
    axes = axes_in(site.integers(1), len(shape)) if site.has(1) else [k for k, d in enumerate(shape) if d == 1]
    if any(shape[a] != 1 for a in axes):
        raise Mistake(f"expected dimensions of size 1 at axes {axes}, not {[shape[a] for a in axes]}.", "E0435")
    return reshaped(site, site.operand(0), [d for k, d in enumerate(shape) if k not in axes])


def unsqueeze(site: Site) -> SSAValue:
    """Unsqueeze: dimensions of size 1 at the axes of the result."""
    shape, axes = site.shape(), site.integers(1)
    normal = axes_in(axes, len(shape) + len(axes))
    old = iter(shape)
    return reshaped(site, site.operand(0), [1 if k in normal else next(old) for k in range(len(shape) + len(axes))])


def transpose(site: Site) -> SSAValue:
    """Transpose; without `perm` the dimensions reversed."""
    rank = site.rank()
    perm = tuple(site.ints("perm", tuple(range(rank))[::-1]))
    return site.operand(0) if perm == tuple(range(rank)) else site.emit(TransposeOp, site.operand(0), perm=perm)


def concat(site: Site) -> SSAValue:
    """Concat."""
    axis, xs = site.int("axis"), site.operands()
    return xs[0] if len(xs) == 1 else site.emit(ConcatOp, xs, axis=axis)


def expand(site: Site) -> SSAValue:
    """Expand: both ways, so a dimension of 1 in the wanted shape keeps the operand's."""
    old, wanted = site.shape(), site.integers(1)
    try:
        shape = np.broadcast_shapes(old, wanted)
    except ValueError as e:
        raise Mistake(f"expected a shape that {list(old)} broadcasts to, not {list(wanted)}.", "E0426") from e
    return site.operand(0) if shape == old else site.emit(ExpandOp, site.operand(0), shape=shape)


def tile(site: Site) -> SSAValue:
    """Tile."""
    return site.emit(TileOp, site.operand(0), repeats=site.integers(1))


def sliced(site: Site, x: SSAValue, start: Sequence[int], size: Sequence[int], step: Sequence[int]) -> SSAValue:
    """A slice; x itself when it is whole."""
    if tuple(size) == shape_of(x.type) and all(t == 1 for t in step):
        return x
    steps = tuple(step) if any(t != 1 for t in step) else None
    return site.emit(SliceOp, x, start=tuple(start), size=tuple(size), step=steps)


def slice_(site: Site) -> SSAValue:
    """Slice: starts and ends clamped as numpy does."""
    shape = site.shape()
    starts, ends = site.integers(1), site.integers(2)
    axes = axes_in(site.integers(3) if site.has(3) else range(len(starts)), len(shape))
    steps = site.integers(4) if site.has(4) else (1,) * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise Mistake("expected as many starts, ends, axes and steps other than 0.", "E0437")
    start, size, step = [0] * len(shape), list(shape), [1] * len(shape)
    for a, s, e, t in zip(axes, starts, ends, steps):
        indices = range(*slice(s, e if t > 0 or e >= -shape[a] else None, t).indices(shape[a]))
        start[a], size[a], step[a] = (indices.start if len(indices) else 0), len(indices), t
    return sliced(site, site.operand(0), start, size, step)


def split(site: Site) -> list[SSAValue]:
    """Split as slices; without sizes in equal parts, the last one smaller."""
    shape, axis = site.shape(), axis_in(site.int("axis", 0), site.rank())
    parts = len(site.node.outputs)
    if site.int("num_outputs", parts) != parts:
        raise Mistake(
            f"expected {parts} as 'num_outputs', the number of outputs, not {site.int('num_outputs')}.", "E0438"
        )
    chunk = -(-shape[axis] // max(1, parts))
    sizes = site.integers(1) if site.has(1) else [max(0, min(chunk, shape[axis] - k * chunk)) for k in range(parts)]
    if sum(sizes) != shape[axis] or len(sizes) != parts:
        raise Mistake(f"expected {parts} sizes that sum to {shape[axis]}, not {list(sizes)}.", "E0438")
    results, at = [], 0
    for n in sizes:
        start, size = [0] * len(shape), list(shape)
        start[axis], size[axis] = at if n else 0, n
        results.append(sliced(site, site.operand(0), start, size, (1,) * len(shape)))
        at += n
    return results


def pad(site: Site) -> SSAValue:
    """Pad: negative pads are a slice; a border of the operand's own elements is an operation of its own."""
    rank, mode = site.rank(), site.word("mode", "constant", "reflect", "edge", "wrap")
    axes = axes_in(site.integers(3), rank) if site.has(3) else list(range(rank))
    pads = site.integers(1)
    if len(pads) != 2 * len(axes):
        raise Mistake(f"expected {2 * len(axes)} pads, not {len(pads)}.", "E0434")
    before, after = [0] * rank, [0] * rank
    for k, a in enumerate(axes):
        before[a], after[a] = pads[k], pads[len(axes) + k]
    shape = site.shape()
    start = [max(0, -b) for b in before]
    size = [max(0, d - s - max(0, -a)) for d, s, a in zip(shape, start, after)]
    x = sliced(site, site.operand(0), start if 0 not in size else [0] * rank, size, (1,) * rank)
    grow = {"before": tuple(max(0, b) for b in before), "after": tuple(max(0, a) for a in after)}
    if not any((*grow["before"], *grow["after"])):
        return x
    if mode != "constant":
        return site.emit(BorderPadOp, x, **grow, mode=mode)
    return site.emit(PadOp, x, **grow, value=_fill(site))


def _fill(site: Site) -> float:
    values = site.optional_constant(2)
    if values is None or not values.size:
        return 0.0
    value = float(values.reshape(-1)[0])
    if not is_float(site.element()) and int(value) != int(values.reshape(-1)[0]):
        raise Refused(f"expected a pad value below 2^53, not {values.reshape(-1)[0]}.", "E0207")
    return value


def gather(site: Site) -> SSAValue:
    """Gather."""
    return site.emit(GatherOp, site.operand(0), site.operand(1), axis=site.int("axis", 0))


def one_hot(site: Site) -> SSAValue:
    """OneHot: where(indices mod depth = position along the axis, on, off)."""
    depth, values = site.whole(1), site.operand(2)
    if depth < 1 or site.shape(2) != (2,):
        raise Mistake(f"expected a depth of at least 1 and two values, not {depth} and {list(site.shape(2))}.", "E0213")
    shape = site.shape()
    axis = axis_in(site.int("axis", -1), len(shape) + 1)
    kind = site.dtype()
    place = np.arange(depth).astype(kind).reshape(depth, *(1,) * (len(shape) - axis))
    indices = reshaped(site, site.operand(0), (*shape[:axis], 1, *shape[axis:]))
    if kind.kind in "iu":
        # Only -depth <= i < 0 counts from the end; anything else outside the range is off everywhere.
        place = np.stack([place, place - depth]) if kind.kind == "i" else place[None]
        hits = [site.emit(EqualOp, indices, site.const(p)) for p in place]
    else:
        hits = [site.emit(EqualOp, indices, site.const(p.astype(kind))) for p in (place, place - depth)]
    off, on = (reshaped(site, sliced(site, values, (k,), (1,), (1,)), ()) for k in (0, 1))
    y = off
    for hit in hits:
        y = site.emit(WhereOp, hit, on, y)
    return y


def trilu(site: Site) -> SSAValue:
    """Trilu: where(mask, x, 0), the mask a constant triangle."""
    rows, columns = site.matrix()
    k = site.whole(1) if site.has(1) else 0
    full = np.ones((rows, columns), bool)
    mask = np.triu(full, k) if site.flag("upper", True) else np.tril(full, k)
    return site.emit(WhereOp, site.const(mask), site.operand(0), site.like(0))


def top_k(site: Site) -> list[SSAValue]:
    """TopK; always in order, which `sorted` = 0 allows."""
    site.ignore("sorted")
    params = {"k": site.whole(1), "axis": site.int("axis", -1), "smallest": not site.flag("largest", True)}
    return list(site.build(TopKOp, site.operand(0), **params))


def reverse_sequence(site: Site) -> SSAValue:
    """ReverseSequence: a gather of elements at where(t < length, length - 1 - t, t)."""
    time, batch, shape = site.int("time_axis", 0), site.int("batch_axis", 1), site.shape()
    if {time, batch} != {0, 1} or len(shape) < 2 or site.shape(1) != (shape[batch],):
        raise Mistake(f"expected a length for each sequence of {list(shape)}, not {list(site.shape(1))}.", "E0441")
    spread = lambda axis, n: (*(n if k == axis else 1 for k in range(len(shape))),)  # noqa: E731
    at = site.const(np.arange(shape[time]).reshape(spread(time, shape[time])))
    lengths = reshaped(site, site.operand(1), spread(batch, shape[batch]))
    mirrored = site.emit(SubOp, site.emit(SubOp, lengths, site.const(np.array(1))), at)
    index = site.emit(WhereOp, site.emit(LessOp, at, lengths), mirrored, at)
    return site.emit(GatherElementsOp, site.operand(0), site.emit(ExpandOp, index, shape=shape), axis=time)


def compress(site: Site) -> SSAValue:
    """Compress with a constant condition, as a gather."""
    x, axis = site.operand(0), site.int("axis", None)
    if axis is None:
        x, axis = reshaped(site, x, (prod(site.shape()),)), 0
    kept = np.flatnonzero(site.constant(1)).astype(np.int64)
    return site.emit(GatherOp, x, site.const(kept), axis=axis)
