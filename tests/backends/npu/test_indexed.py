"""Moves to constant places and convolutions in long steps: bits equal the interpreter's, bytes the schedule's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnnc import api
from dnnc.backends.npu.catalog import load_target
from dnnc.backends.npu.target import Executable, assemble
from dnnc.backends.npu.verify import verify
from dnnc.ir.diagnostics import UnsupportedError
from dnnc.ir.dnn.activation import ReluOp
from dnnc.ir.dnn.indexing import GatherElementsOp, GatherNDOp, ScatterElementsOp, ScatterNDOp
from dnnc.ir.dnn.movement import GatherOp, SliceOp, TransposeOp
from dnnc.ir.dnn.resampling import BorderPadOp
from dnnc.ir.interpret import evaluate
from dnnc.ir.types import I64, shape_of, tensor
from dnnc.ir.weights import store_of
from dnnc.passes.analysis.indexed import copies
from dnnc.passes.analysis.traffic import traffic

WINDOWS = np.arange(3)[:, None] + np.arange(7)  # [3, 7], overlapping


def places(net, array):
    return net.const(np.asarray(array, np.int64), tensor(I64, np.shape(array)))


def gather(net, indices, axis):
    return net.apply(lambda v: GatherOp(v, places(net, indices), axis=axis))


def gather_elements(net, axis):
    shape = shape_of(net.v.type)
    at = net.rng.integers(0, shape[axis], (*shape[:-1], 2))
    return net.apply(lambda v: GatherElementsOp(v, places(net, at), axis=axis))


def planes(net, at):
    """An image written over by the first one."""
    x, size = net.v, (1, *shape_of(net.v.type)[1:])
    updates = net.add(SliceOp(x, start=(0, 0, 0, 0), size=size))
    net.v = net.add(ScatterNDOp(x, places(net, [[at]]), updates))
    return net


def columns(net, at):
    """Columns written over by the first ones, where `at` says."""
    x = net.v
    n, c, h, _ = shape_of(x.type)
    updates = net.add(SliceOp(x, start=(0, 0, 0, 0), size=(n, c, h, len(at))))
    index = np.broadcast_to(np.array(at), (n, c, h, len(at)))
    net.v = net.add(ScatterElementsOp(x, places(net, index), updates, axis=3))
    return net


FORMS = {
    "rows in any order": lambda n: gather(n((1, 4, 6, 5)), [3, 0, 1, 2, 2, -1], 2).conv(5, 3),
    "sliding windows": lambda n: gather(n((2, 3, 4, 9)).conv(3, 1), WINDOWS, 3),
    "of a transposed value": lambda n: gather(
        n((1, 4, 6, 5)).conv(4, 1).apply(lambda v: TransposeOp(v, perm=(0, 2, 3, 1))), [1, 3, 0], 3
    ),
    "single elements": lambda n: gather_elements(n((1, 3, 4, 5)), 3),
    "boxes at places": lambda n: (m := n((2, 3, 4, 5))).apply(
        lambda v: GatherNDOp(v, places(m, [[0, 2], [1, 0], [1, 1]]))
    ),
    "scattered planes": lambda n: planes(n((2, 3, 4, 4)).conv(3, 1), 1).conv(2, 3),
    "scattered columns": lambda n: columns(n((1, 4, 6, 5)).conv(4, 1), [4, 0]).conv(2, 3),
    "reversed": lambda n: n((1, 3, 12, 12)).apply(
        lambda v: SliceOp(v, start=(0, 0, 11, 0), size=(1, 3, 4, 12), step=(1, 1, -1, 1))
    ),
    "mirrored border": lambda n: (
        n((1, 3, 6, 5))
        .apply(lambda v: BorderPadOp(v, before=(0, 0, 2, 1), after=(0, 0, 1, 3), mode="reflect"))
        .conv(4, 3)
    ),
    "repeated border": lambda n: n((2, 3, 7)).apply(
        lambda v: BorderPadOp(v, before=(0, 0, 9), after=(0, 0, 4), mode="edge")
    ),
    "periodic border": lambda n: n((2, 3, 7)).apply(
        lambda v: BorderPadOp(v, before=(0, 0, 6), after=(0, 0, 3), mode="wrap")
    ),
    "long steps": lambda n: n((1, 2, 300)).conv(5, 130, 70).conv(3, 1),
    "long steps, padded, dilated, in groups": lambda n: n((2, 4, 301)).conv(6, 40, 70, (33, 20), 3, groups=2),
    "steps longer than the kernel": lambda n: n((1, 3, 400)).conv(4, 5, 90, relu=ReluOp),
    "a long kernel in short steps": lambda n: n((1, 1, 900)).conv(8, 400, 10, (200, 200)),
    "long steps of rows": lambda n: n((1, 2, 140, 6)).conv(3, (66, 3), (66, 2), (0, 1, 0, 1)),
    "long steps both ways": lambda n: n((1, 1, 140, 150)).conv(3, (3, 70), (70, 65)),
}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("target", ["edge", pytest.param("diannao", marks=pytest.mark.full), "eyeriss"])
def test_bits_and_bytes(nets, name, target):
    module, ctx = FORMS[name](nets.Net).done()
    arch = load_target(target)
    scheduled = nets.schedule(module, ctx, arch)
    program = assemble(scheduled, ctx)
    assert not verify(program, arch)
    x = np.random.default_rng(3).normal(size=shape_of(module.ops.first.body.block.args[0].type)).astype(np.float32)
    for seed in (None, 1):
        outputs, run = Executable(program, arch).run([x], seed=seed)
        for got, want in zip(outputs, evaluate(module, [x], store_of(ctx)), strict=True):
            np.testing.assert_array_equal(got, want)
    moved = traffic(scheduled)
    assert (moved.read, moved.write) == (run.total["dram_read"], run.total["dram_write"])


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 9), st.integers(0, 2**32 - 1))
def test_copies_cover_the_result_once(nets, rows, columns, kind, seed):
    """Whatever the places, the boxes read the right elements and no element is written twice."""
    rng = np.random.default_rng(seed)
    at = rng.integers(0, 6, (rows, columns)) if kind < 5 else (np.arange(rows)[:, None] * kind + np.arange(columns)) % 6
    net = nets.Net((4, 6, 3))
    op = GatherOp(net.v, places(net, at), axis=1)
    y = np.full(4 * rows * columns * 3, -1)
    for part in copies(op, [None, at]):
        assert np.all(part.write.of(y) == -1)
        part.write.of(y)[...] = part.read.of(np.arange(4 * 6 * 3))
    np.testing.assert_array_equal(y, np.take(np.arange(4 * 6 * 3).reshape(4, 6, 3), at, 1).reshape(-1))


@pytest.mark.parametrize(
    "indices, count", [([2, 3, 4], 1), (WINDOWS, 1), ([5, 5, 5], 1), ([0, 1, 4, 5], 2), ([3, 2, 1], 3)]
)
def test_runs_are_one_copy_each(nets, indices, count):
    net = nets.Net((2, 9))
    assert len(copies(GatherOp(net.v, places(net, indices), axis=1), [None, np.array(indices)])) == count


def refused(nets, net):
    module, ctx = net.done()
    with pytest.raises(UnsupportedError) as e:
        nets.schedule(module, ctx, load_target())
    return str(e.value)


def test_what_takes_too_many_copies_or_computed_places_is_refused(nets):
    shuffled = gather(nets.Net((4000,)), np.random.default_rng(0).permutation(4000)[:3000], 0)
    assert "'dnn.gather' of more than 1024 runs" in refused(nets, shuffled)
    outside = gather(nets.Net((4,)), [1, 4], 0)
    assert "'dnn.gather' to places outside of its operand" in refused(nets, outside)


COUNTED = """
input x: f32[1, 4]
input n: i64[1, 4]
h = matmul(x, he(f32[4, 4]))
y = h + cast(n * 3, to=f32)
z = h + x {island}
output y, z
"""


def test_what_the_host_makes_before_the_run_is_there_after_it(tmp_path):
    """Whole numbers are counted on the host, and inputs are read again by what stays in float."""
    (path := tmp_path / "counted.dnn").write_text(COUNTED)
    x, n = np.array([[0.5, -1.0, 0.25, 2.0]], np.float32), np.array([[1, 2, 3, 4]])
    program = api.compile(path, calibrate=[x, n])
    outputs = program.run(x, n, check=True)
    integers = api.compile(path, emit="ir", pipeline="int8", calibrate=[x, n]).network
    for got, want in zip(outputs, integers.run(x, n), strict=True):
        np.testing.assert_array_equal(got, want)
