"""Layers whose tiles of whole rows fit nowhere run in parts, stacks that do not fit are taken apart: the same bits."""

import numpy as np
import pytest

from dnnc.backends.npu.catalog import load_target
from dnnc.backends.npu.target import Executable, assemble
from dnnc.backends.npu.verify import verify
from dnnc.ir.arch import MODULE_ATTRIBUTE, AcceleratorAttr
from dnnc.ir.diagnostics import Remark, UnsupportedError
from dnnc.ir.dnn.activation import ReluOp, TanhOp
from dnnc.ir.dnn.attributes import Window
from dnnc.ir.dnn.structure import GroupOp
from dnnc.ir.interpret import evaluate, main_function
from dnnc.ir.types import shape_of
from dnnc.passes.analysis.cuts import cut_of
from dnnc.passes.analysis.stacks import stack_of, unit_of
from dnnc.passes.fit_layers import FitLayersPass
from dnnc.passes.fuse_layers import fuse

TINY = load_target("tiny")
TWO = Window.of((2, 2), (2, 2))


def target(scratchpad, accumulator=16384):
    sizes = {"scratchpad": scratchpad, "accumulator": accumulator, "parameter": 4096}
    return TINY.resized(sizes)


def fitted(module, ctx, arch):
    """A copy of a module in which everything fits a target."""
    out = module.clone()
    out.attributes[MODULE_ATTRIBUTE] = AcceleratorAttr(arch)
    FitLayersPass().apply(ctx, out)
    out.verify()
    return out


def check(nets, module, ctx, arch):
    """Run what was made to fit, and compare with the interpreter."""
    x = np.random.default_rng(1).normal(0, 1.5, shape_of(main_function(module).body.block.args[0].type))
    x = x.astype(np.float32)
    program = assemble(nets.schedule(fitted(module, ctx, arch), ctx, arch), ctx)
    assert verify(program, arch) == []
    wanted = evaluate(module, [x], nets.store_of(ctx))
    for order in (1, None):
        outputs, _ = Executable(program, arch).run([x], seed=order)
        assert all(np.array_equal(a, b) for a, b in zip(outputs, wanted))


CASES = {
    "wider than an instruction says": (TINY, lambda n: n.Net((1, 2, 2, 5000)).conv(3, 3, pad=1, relu=ReluOp)),
    "one row": (TINY, lambda n: n.Net((1, 2, 9000)).conv(3, 5, 2, relu=TanhOp)),
    "two layers of one row": (TINY, lambda n: n.Net((2, 1, 5000)).conv(4, 9, 4, relu=ReluOp).conv(3, 3)),
    "inputs": (target(112), lambda n: n.Net((1, 4, 12, 30), 1).conv(3, 3, pad=1, relu=ReluOp)),
    "sums": (target(4096, 64), lambda n: n.Net((1, 4, 9, 30), 2).conv(3, 3, pad=1, pool=TWO)),
    "depthwise": (target(96), lambda n: n.Net((2, 6, 12, 40), 3).conv(6, 3, 2, groups=6)),
}


@pytest.mark.parametrize("case", CASES)
def test_a_layer_in_parts_of_its_rows_has_the_same_bits(nets, case):
    arch, build = CASES[case]
    module, ctx = build(nets).done()
    with pytest.raises(UnsupportedError, match="smallest tile"):
        nets.schedule(module, ctx, arch)
    with pytest.warns(Remark, match="its smallest tile of whole rows does not fit: it runs in parts of"):
        check(nets, module, ctx, arch)


@pytest.mark.parametrize(
    "size, told",
    ((1800, "steps of 12x12 do not fit"), (640, "run in stacks of 1, 2"), (400, "run one by one")),
)
def test_a_stack_that_does_not_fit_has_the_same_bits(nets, size, told):
    net = nets.Net((1, 8, 12, 12), 4).conv(16, 3, pad=1, relu=ReluOp).conv(4, 3, pad=1).conv(2, 3, pad=1)
    module, ctx = net.done()
    groups = [op for op in main_function(module).body.block.ops if isinstance(op, GroupOp)]
    fuse(groups, cut_of(stack_of([unit_of(g) for g in groups])[0], 12, 12, False))
    with pytest.warns(Remark, match=told):
        check(nets, module, ctx, target(size))


def test_what_fits_is_left_alone(nets):
    module, ctx = nets.Net((1, 8, 12, 12)).conv(16, 3, relu=ReluOp).conv(4, 3).done()
    before = module.clone()
    before.attributes[MODULE_ATTRIBUTE] = AcceleratorAttr(TINY)
    assert str(fitted(module, ctx, TINY)) == str(before)


def test_what_fits_in_no_way_is_told_with_the_least_bytes(golden, nets):
    told = []
    for arch in (target(64), target(4096, 15)):
        module, ctx = nets.Net((1, 8, 30, 30), 5).conv(8, 3, pad=1).conv(8, 3, pad=1, pool=TWO).done()
        with pytest.raises(UnsupportedError) as error:
            fitted(module, ctx, arch)
        told += map(str, error.value.findings)
    module, ctx = nets.Net((1, 2, 9000), 5).conv(3, 5, 2).done()
    with pytest.raises(UnsupportedError) as error:
        fitted(module, ctx, target(32))
    told += map(str, error.value.findings)
    golden.check("nothing-fits.txt", "\n".join(told) + "\n")
