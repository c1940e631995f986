"""Whole networks: simulator bits equal the interpreter's, its counters equal the schedule's, and programs verify."""

from dataclasses import replace

import numpy as np
import pytest

from dnnc.backends.npu.catalog import bundled, load_target
from dnnc.backends.npu.program import from_bytes
from dnnc.backends.npu.target import Executable, assemble
from dnnc.backends.npu.verify import verify
from dnnc.ir import text
from dnnc.ir.diagnostics import UnsupportedError
from dnnc.ir.dnn.activation import ReluOp, SigmoidOp, TanhOp
from dnnc.ir.dnn.attributes import Window
from dnnc.ir.dnn.composite import SoftmaxOp
from dnnc.ir.dnn.contraction import MatmulOp
from dnnc.ir.dnn.function import AbsOp
from dnnc.ir.dnn.movement import SliceOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.interpret import evaluate, main_function
from dnnc.ir.types import shape_of
from dnnc.ir.weights import store_of
from dnnc.passes.analysis.traffic import traffic

TWO = Window.of((2, 2), (2, 2))
POOL3 = Window.of((3, 3), (2, 2), (1, 1, 1, 1))


def conv(shape, *args, **kwargs):
    return lambda nets: nets.Net(shape).conv(*args, **kwargs).done()


NETWORKS = {
    "plain": conv((1, 3, 12, 12), 8, 3),
    "padded": conv((1, 3, 12, 13), 8, 3, pad=1),
    "asymmetric pads": conv((1, 4, 11, 9), 5, 3, pad=(0, 2, 1, 0)),
    "strided": conv((1, 5, 17, 15), 7, 3, stride=2, pad=1),
    "strided with rows left over": conv((1, 2, 14, 14), 4, 3, stride=3),
    "dilated": conv((1, 4, 15, 15), 6, 3, dilation=2, pad=2),
    "pointwise": conv((1, 33, 7, 5), 41, 1),
    "one dimension": conv((1, 6, 40), 9, 5, pad=2),
    "kernel not square": conv((1, 3, 9, 20), 4, (1, 5), pad=(0, 2, 0, 2)),
    "relu": conv((1, 3, 9, 9), 8, 3, relu=ReluOp),
    "sigmoid by table": conv((1, 3, 9, 9), 8, 3, relu=SigmoidOp),
    "table then pool": conv((1, 3, 10, 10), 8, 3, relu=TanhOp, pool=TWO),
    "relu and pool": conv((1, 3, 14, 14), 8, 3, pad=1, relu=ReluOp, pool=TWO),
    "overlapping padded pool": conv((1, 3, 15, 15), 8, 3, pad=1, pool=POOL3),
    "pool in ceil mode": conv((1, 3, 14, 14), 8, 3, pool=Window.of((3, 3), (2, 2), ceil=True)),
    "no bias": conv((1, 3, 9, 9), 8, 3, bias=False),
    "one scale": conv((1, 3, 9, 9), 8, 3, per_channel=False),
    "two groups": conv((1, 8, 9, 9), 12, 3, groups=2, pad=1),
    "depthwise": conv((1, 20, 10, 10), 20, 3, groups=20, pad=1, relu=ReluOp),
    "depthwise with multiplier": conv((1, 6, 10, 10), 12, 3, groups=6),
    "depthwise strided": conv((1, 20, 11, 10), 20, 3, groups=20, stride=2, pad=1),
    "batch of three": conv((3, 4, 8, 8), 6, 3, pad=1, pool=TWO),
    "reduction beyond float32": conv((1, 200, 6, 6), 8, 3, pad=1),
    "pool alone": lambda n: n.Net((1, 5, 13, 13)).pool((3, 3), (2, 2), (1, 1, 1, 1)).done(),
    "activation alone": lambda n: n.Net((1, 5, 13, 13)).unary(SigmoidOp).done(),
    "activation of a matrix": lambda n: n.Net((4, 37)).unary(AbsOp).done(),
    "batched matrix product": lambda n: n.Net((9, 70)).fc(33).fc(11, trans_b=False).done(),
    "unsigned": lambda n: (
        n.Net((1, 3, 12, 12), storage=n.UI8).conv(8, 3, pad=1, relu=ReluOp, pool=TWO).flatten().fc(10).done()
    ),
    "float island at the end": lambda n: n.Net((2, 40)).fc(10).done(lambda v: SoftmaxOp(v, axis=1)),
    "two heads of one input": None,
    "lenet": lambda n: n.lenet(),
}


def two_heads(nets):
    """One value feeds two layers, of which both are outputs."""
    net = nets.Net((1, 3, 8, 8))
    shared = net.conv(4, 3, pad=1).v
    first = net.conv(5, 3).v
    net.v = shared
    net.conv(6, 1)
    return net.done(also=first)


NETWORKS["two heads of one input"] = two_heads


@pytest.fixture(scope="module")
def built(nets):
    """Each network once, with an input and the interpreter's outputs."""
    made = {}

    def get(name):
        if name not in made:
            module, ctx = NETWORKS[name](nets)
            shape = shape_of(main_function(module).body.block.args[0].type)
            x = np.random.default_rng(3).normal(0, 1.5, shape).astype(np.float32)
            made[name] = module, ctx, x, evaluate(module, [x], store_of(ctx))
        return made[name]

    return get


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("target", [*bundled(), "small"])
def test_bits_and_bytes(nets, built, name, target):
    module, ctx, x, expected = built(name)
    arch = nets.small() if target == "small" else load_target(target)
    scheduled = nets.schedule(module, ctx, arch)
    program = assemble(scheduled, ctx)
    assert verify(program, arch) == []
    outputs, run = Executable(program, arch).run([x])
    for got, want in zip(outputs, expected, strict=True):
        np.testing.assert_array_equal(got, want)
    moved = traffic(scheduled)
    assert (moved.read, moved.write) == (run.total["dram_read"], run.total["dram_write"])


@pytest.mark.parametrize("count", [6, pytest.param(150, marks=pytest.mark.full)])
def test_random_networks(nets, count):
    for seed in range(count):
        module, ctx, x = nets.random(seed)
        expected = evaluate(module, [x], store_of(ctx))
        for arch in (nets.small(), load_target("tiny"), load_target()):
            try:
                scheduled = nets.schedule(module, ctx, arch, slack=seed % 3 * 20)
            except UnsupportedError as error:
                assert "for its smallest tile" in str(error)
                continue
            outputs, run = Executable(assemble(scheduled, ctx), arch).run([x], seed=seed)
            np.testing.assert_array_equal(outputs[0], expected[0])
            moved = traffic(scheduled)
            assert (moved.read, moved.write) == (run.total["dram_read"], run.total["dram_write"])


@pytest.mark.parametrize("entries", [1, 64])
@pytest.mark.parametrize("name", ["pointwise", "depthwise", "batched matrix product"])
def test_queues_that_hold_one_token(nets, built, name, entries):
    module, ctx, x, expected = built(name)
    small = nets.small()
    arch = replace(small, queues=replace(small.queues, token_depth=1, entries=entries))
    program = assemble(nets.schedule(module, ctx, arch), ctx)
    for seed in (None, 1):
        outputs, _ = Executable(program, arch).run([x], seed=seed)
        np.testing.assert_array_equal(outputs[0], expected[0])


def test_more_records_than_a_transfer_has_rows(nets):
    module, ctx = nets.Net((2, 8)).fc(5000).done()
    arch, x = load_target("tpu-v1"), np.random.default_rng(3).normal(0, 1.5, (2, 8)).astype(np.float32)
    outputs, _ = Executable(assemble(nets.schedule(module, ctx, arch), ctx), arch).run([x])
    np.testing.assert_array_equal(outputs[0], evaluate(module, [x], store_of(ctx))[0])


@pytest.mark.parametrize("mode", ["f32_half_even", "half_up", "half_away", "tflite_double", "trunc"])
def test_every_rounding_mode(nets, mode):
    module, ctx = nets.Net((1, 3, 12, 12)).conv(8, 3, rounding=mode).done()
    x = np.random.default_rng(3).normal(0, 1.5, (1, 3, 12, 12)).astype(np.float32)
    program = assemble(nets.schedule(module, ctx, load_target()), ctx)
    outputs, _ = Executable(program).run([x])
    np.testing.assert_array_equal(outputs[0], evaluate(module, [x], store_of(ctx))[0])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_seeds_change_nothing(nets, built, seed):
    module, ctx, x, expected = built("lenet")
    program = assemble(nets.schedule(module, ctx, nets.small()), ctx)
    outputs, _ = Executable(program, nets.small()).run([x], seed=seed)
    np.testing.assert_array_equal(outputs[0], expected[0])


def test_the_program_file_holds_all_it_needs(nets, built):
    module, ctx, x, expected = built("float island at the end")
    program = assemble(nets.schedule(module, ctx, load_target()), ctx)
    outputs, _ = Executable(from_bytes(program.to_bytes())).run([x])
    np.testing.assert_array_equal(outputs[0], expected[0])


def test_compilation_repeats_byte_for_byte(nets):
    files = []
    for _ in range(2):
        module, ctx = nets.lenet()
        files.append(assemble(nets.schedule(module, ctx, load_target()), ctx).to_bytes())
    assert files[0] == files[1]


def test_a_schedule_can_be_saved_and_assembled_later(nets, built, tmp_path):
    module, ctx, x, expected = built("relu and pool")
    scheduled = nets.schedule(module, ctx, load_target())
    text.save(scheduled, ctx, tmp_path / "net.mlir")
    again = assemble(*text.load(tmp_path / "net.mlir"))
    assert again.to_bytes() == assemble(scheduled, ctx).to_bytes()
    np.testing.assert_array_equal(Executable(again).run([x])[0][0], expected[0])


def test_lenet_macs_are_the_published_ones(nets, built):
    module, ctx, x, _ = built("lenet")
    _, run = Executable(assemble(nets.schedule(module, ctx, load_target()), ctx)).run([x])
    assert run.total["macs"] == 2_293_000
    assert {r["layer"] for r in run.trace.summary()} == {"layer0", "layer1", "layer2", "layer3"}


def test_a_float_island_with_weights_is_refused(nets):
    weights = np.ones((10, 40), np.float32)

    def island(v):
        store = store_of(net.ctx)
        return MatmulOp(v, net.add(ConstOp.of(weights, store, "head")))

    net = nets.Net((2, 40)).fc(10)
    module, ctx = net.done(island)
    with pytest.raises(UnsupportedError, match="a float island without weights was expected, not one with 'head'"):
        assemble(nets.schedule(module, ctx, load_target()), ctx)


@pytest.mark.parametrize("form", ["slice", "rows"])
def test_values_without_elements_are_told(nets, form):
    none = lambda v: SliceOp(v, start=(0, 0, 0, 0), size=(1, 0, 6, 6))  # noqa: E731
    net = nets.Net((1, 2, 8, 8)).conv(4, 3).apply(none) if form == "slice" else nets.Net((0, 8)).fc(5)
    with pytest.raises(
        UnsupportedError, match=r"values of at least one element were expected, not (1x0x6x6|0x8) q<i8>"
    ):
        nets.schedule(*net.done(), load_target())
