"""Movement, indexing and resampling as C against the interpreter."""

import itertools

import numpy as np

from dnnc.ir.dnn.activation import ReluOp
from dnnc.ir.dnn.attributes import Window
from dnnc.ir.dnn.contraction import ConvOp
from dnnc.ir.dnn.elementwise import AddOp
from dnnc.ir.dnn.indexing import GatherElementsOp, GatherNDOp, ScatterElementsOp, ScatterNDOp, TopKOp
from dnnc.ir.dnn.movement import (
    ConcatOp,
    DepthToSpaceOp,
    ExpandOp,
    GatherOp,
    PadOp,
    ReshapeOp,
    ShapeOp,
    SliceOp,
    SpaceToDepthOp,
    TileOp,
    TransposeOp,
)
from dnnc.ir.dnn.resampling import BorderPadOp, ResizeOp


def test_movement_agrees_with_the_interpreter(net, rng):
    for dtype in (np.float32, np.int64, np.bool_):
        x = net.input((rng.standard_normal((2, 8, 4, 6)) * 3).astype(dtype))
        y = net.input((rng.standard_normal((2, 3, 4, 6)) * 3).astype(dtype))
        ops = [
            ReshapeOp(x, shape=(4, 96)),
            TransposeOp(x, perm=(0, 2, 3, 1)),
            TransposeOp(x, perm=(3, 0, 1, 2)),
            SliceOp(x, start=(0, 1, 3, 5), size=(2, 4, 2, 3), step=(1, 2, -2, -1)),
            SliceOp(x, start=(1, 0, 0, 0), size=(1, 8, 4, 6)),
            ExpandOp(net.add(SliceOp(x, start=(0, 0, 0, 0), size=(2, 1, 4, 1))), shape=(3, 2, 5, 4, 6)),
            TileOp(x, repeats=(1, 2, 3, 1)),
            DepthToSpaceOp(x, block=2),
            DepthToSpaceOp(x, block=2, mode="crd"),
            SpaceToDepthOp(x, block=2),
            ConcatOp([x, y, x], axis=1),
            ConcatOp([y, y], axis=3),
            PadOp(x, before=(0, 1, 0, 2), after=(1, 0, 2, 0), value=1.0),
            PadOp(x, before=(0, 0, 1, 1), after=(0, 0, 1, 1)),
            ShapeOp(x),
        ]
        for op in ops:
            net.output(f"{op.name} {dtype}", net.add(op))
    net.check()


def test_views_move_nothing(net, rng):
    """Reshapes, contiguous slices and concatenation of what is made in place cost no code."""
    x = net.input(rng.standard_normal((1, 4, 6, 6), np.float32))
    w = net.const(rng.standard_normal((4, 4, 1, 1), np.float32))
    a = net.add(ConvOp(x, w, window=Window.of((1, 1))))
    b = net.add(ConvOp(net.add(ReluOp(a)), w, window=Window.of((1, 1))))
    c = net.add(ConcatOp([a, b], axis=1))
    part = net.add(SliceOp(c, start=(0, 2, 0, 0), size=(1, 4, 6, 6)))
    net.output("sum", net.add(AddOp(net.add(ReshapeOp(part, shape=(1, 144))), net.add(ReshapeOp(a, shape=(1, 144))))))
    program = net.check()
    assert program.source.count("static void net_") == 4


def test_outputs_that_share_memory(net, rng):
    """An input, a constant and one value twice as outputs: each caller's buffer gets its own copy."""
    x = net.input(rng.standard_normal((2, 3), np.float32))
    y = net.add(ReluOp(x))
    net.output("input", x)
    net.output("constant", net.const(np.float32([[1, 2], [3, 4]])))
    net.output("once", y)
    net.output("twice", net.add(ReshapeOp(y, shape=(3, 2))))
    net.output("view of input", net.add(ReshapeOp(x, shape=(6,))))
    net.check()


def test_indexing_agrees_with_the_interpreter(net, rng):
    x = net.input(rng.standard_normal((3, 4, 5), np.float32))
    for axis in (0, 1, -1):
        at = net.input(rng.integers(-3, 3, (2, 3)))
        net.output(f"gather {axis}", net.add(GatherOp(x, at, axis=axis)))
        shape = [3, 2, 5]
        shape[axis] = 7
        places = net.input(rng.integers(-3, 3, shape))
        net.output(f"elements {axis}", net.add(GatherElementsOp(x, places, axis=axis)))
    net.output("scalar index", net.add(GatherOp(x, net.input(np.int32(2)), axis=1)))
    net.output("nd", net.add(GatherNDOp(x, net.input(rng.integers(-3, 3, (4, 6, 2))))))
    net.output("nd element", net.add(GatherNDOp(x, net.input(rng.integers(0, 3, (4, 3))))))
    net.output("nd batch", net.add(GatherNDOp(x, net.input(rng.integers(0, 3, (3, 6, 1))), batch=1)))
    for dtype, step in itertools.product((np.float32, np.int32), ("none", "add", "mul", "max", "min")):
        data = net.input((rng.standard_normal((4, 5)) * 9).astype(dtype))
        at, updates = rng.integers(-4, 4, (3, 5)), (rng.standard_normal((3, 5)) * 9).astype(dtype)
        op = ScatterElementsOp(data, net.input(at), net.input(updates), reduction=step)
        net.output(f"scatter {step}", net.add(op))
        op = ScatterNDOp(data, net.input(rng.integers(0, 4, (3, 1))), net.input(updates), reduction=step)
        net.output(f"scatter nd {step}", net.add(op))
    net.check()


def test_top_k(net, rng):
    x = rng.integers(0, 6, (3, 7, 4)).astype(np.float32)
    x[0, 2, 1] = np.nan
    v = net.input(x)
    for axis, k, smallest in itertools.product((0, 1, -1), (1, 3), (False, True)):
        op = TopKOp(v, k=k, axis=axis, smallest=smallest)
        net.add(op)
        net.output(f"values {axis} {k} {smallest}", op.values)
        net.output(f"indices {axis} {k} {smallest}", op.indices)
    net.check()


def test_resampling_agrees_with_the_interpreter(net, rng):
    x = net.input(rng.standard_normal((1, 2, 5, 6), np.float32))
    for mode in ("reflect", "edge", "wrap"):
        net.output(mode, net.add(BorderPadOp(x, before=(0, 0, 2, 1), after=(0, 1, 1, 3), mode=mode)))
    for mode, size in itertools.product(("nearest", "linear", "cubic"), ((1, 2, 10, 12), (1, 2, 3, 9))):
        net.output(f"{mode} {size}", net.add(ResizeOp(x, size=size, mode=mode)))
        net.output(f"{mode} {size} corners", net.add(ResizeOp(x, size=size, mode=mode, coordinates="align_corners")))
    net.output("antialias", net.add(ResizeOp(x, size=(1, 2, 2, 2), mode="cubic", antialias=True)))
    region = (0.0, 0.0, -0.2, 0.1, 1.0, 1.0, 1.3, 0.9)
    crop = {"coordinates": "tf_crop_and_resize", "region": region, "extrapolation": 7.0}
    net.output("crop", net.add(ResizeOp(x, size=(1, 2, 8, 4), mode="linear", **crop)))
    net.output("i64", net.add(ResizeOp(net.input(rng.integers(0, 9, (2, 3))), size=(4, 5), mode="nearest")))
    net.check()
