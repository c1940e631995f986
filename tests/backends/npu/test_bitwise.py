"""Binary and ternary layers on the accelerator: packed values in every memory, simulator bits equal the interpreter's."""

from dataclasses import replace

import numpy as np
import pytest
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Region

from dnnc.backends.npu import isa
from dnnc.backends.npu.catalog import load_target
from dnnc.backends.npu.encoding import decode
from dnnc.backends.npu.target import Executable, assemble
from dnnc.backends.npu.verify import verify
from dnnc.ir import arch
from dnnc.ir.dnn.attributes import Window
from dnnc.ir.dnn.bitwise import BitContraction, PackOp
from dnnc.ir.dnn.contraction import ConvOp, MatmulOp
from dnnc.ir.dnn.quantize import DequantizeOp, RequantizeOp
from dnnc.ir.dnn.reduction import MaxPoolOp
from dnnc.ir.dnn.rescale import ThresholdOp
from dnnc.ir.interpret import evaluate
from dnnc.ir.types import I8, I32, QuantType, shape_of, tensor
from dnnc.ir.weights import store_of
from dnnc.passes.analysis.traffic import traffic
from dnnc.passes.dce import DcePass
from dnnc.passes.fuse_groups import FuseGroupsPass
from dnnc.passes.pack_bits import PackBitsPass

ONE = QuantType.per_tensor(I8, 1.0)


class Bits:
    """A network of layers of -1 and +1, or of -1, 0 and +1."""

    def __init__(self, nets, shape, levels):
        self.net, self.levels, self.x = nets.Net(shape), levels, shape
        self.rng = np.random.default_rng(1)
        t = self.net.const(np.array([[-0.3, 0.4][: levels - 1]], np.float32), None)
        self.v = self.sign(self.net.block.args[0], t)

    def add(self, op):
        self.v = self.net.add(op)
        return self.v

    def sign(self, v, thresholds, axis=1):
        step = 2 if self.levels == 2 else 1
        return self.net.add(ThresholdOp(v, thresholds, to=ONE, axis=axis, first=-1, step=step))

    def weights(self, *shape):
        values = self.rng.choice([-1, 1] if self.levels == 2 else [-1, 0, 1], shape).astype(np.int8)
        return self.net.const(values, tensor(ONE, shape))

    def count(self, spread=12):
        """Thresholds for each channel of the last sums."""
        m = shape_of(self.v.type)[1]
        t = np.sort(self.rng.integers(-spread, spread, (m, self.levels - 1)), axis=1).astype(np.int32)
        self.v = self.sign(self.v, self.net.const(t, tensor(I32, t.shape)))
        return self

    def conv(self, m, kernel=3, stride=1, pad=0, groups=1, dilation=1):
        c = shape_of(self.v.type)[1]
        window = Window.of((kernel,) * 2, (stride,) * 2, (pad,) * 4, (dilation,) * 2)
        self.add(ConvOp(self.v, self.weights(m, c // groups, kernel, kernel), None, window=window, groups=groups))
        return self

    def fc(self, m):
        _, k = shape_of(self.v.type)
        self.add(MatmulOp(self.v, self.weights(k, m), None))
        return self

    def pool(self):
        self.add(MaxPoolOp(self.v, window=Window.of((2, 2), (2, 2))))
        return self

    def requantize(self):
        self.add(RequantizeOp(self.v, to=QuantType.per_tensor(I8, 0.9, 3)))
        return self

    def done(self):
        net = self.net
        out = net.add(DequantizeOp(self.v))
        net.block.add_op(ReturnOp(out))
        module = ModuleOp([FuncOp("main", ([net.block.args[0].type], [out.type]), Region(net.block))])
        DcePass().apply(net.ctx, module)
        plain = module.clone()
        PackBitsPass().apply(net.ctx, module)
        FuseGroupsPass().apply(net.ctx, module)
        module.verify()
        x = self.rng.normal(0, 1, self.x).astype(np.float32)
        expected = evaluate(plain, [x], store_of(net.ctx))
        np.testing.assert_array_equal(evaluate(module, [x], store_of(net.ctx))[0], expected[0])
        return module, net.ctx, x, expected


NETWORKS = {
    "padded": lambda b: b((1, 16, 9, 10)).conv(24, pad=1).count().conv(8, pad=1),
    "strided": lambda b: b((2, 24, 11, 9)).conv(16, 3, 2, 1).count().conv(16, 2, 2).count().conv(5, 1),
    "dilated": lambda b: b((1, 8, 12, 12)).conv(8, 3, 1, 2, dilation=2).count(4).conv(8, pad=1),
    "groups": lambda b: b((1, 32, 8, 8)).conv(32, 3, 1, 1, groups=2).count().conv(16, 1, groups=2),
    "pooled": lambda b: b((1, 16, 12, 10)).conv(32, pad=1).count().pool().conv(16, pad=1).count().pool().conv(10, 2),
    "matrix": lambda b: b((3, 64)).fc(72).count().fc(24).count().fc(10),
    "requantized": lambda b: b((1, 16, 7, 7)).conv(12, pad=1).requantize(),
    "few channels out": lambda b: b((1, 16, 7, 7)).conv(8, pad=1).count().conv(6, 1),
}


def small():
    """A target that tiles everything, whose elements take two bits a cycle."""
    tiny = arch.to_mapping(load_target("tiny"))
    tiny["name"] = "small"
    tiny["array"] |= {"bits_per_cycle": 2, "rows": 4, "columns": 8, "dataflow": "output-stationary"}
    tiny["memory"]["scratchpad"]["bytes"] = 1024
    tiny["memory"]["accumulator"]["bytes"] = 2048
    tiny["memory"]["parameter"]["bytes"] = 160
    return arch.from_mapping(tiny, "small")


def program(nets, module, ctx, target):
    scheduled = nets.schedule(module, ctx, target)
    return scheduled, assemble(scheduled, ctx)


@pytest.mark.parametrize("levels", [2, 3], ids=["binary", "ternary"])
@pytest.mark.parametrize("name", NETWORKS)
def test_bits_and_bytes(nets, name, levels):
    module, ctx, x, expected = NETWORKS[name](lambda shape: Bits(nets, shape, levels)).done()
    assert any(isinstance(op, BitContraction) for op in module.walk())
    for target in (load_target("binary"), small()):
        scheduled, made = program(nets, module, ctx, target)
        for seed in (None, 1, 2):
            outputs, run = Executable(made, target).run([x], seed=seed)
            np.testing.assert_array_equal(outputs[0], expected[0])
        moved = traffic(scheduled)
        assert (moved.read, moved.write) == (run.total["dram_read"], run.total["dram_write"])
        assert run.total["macs"] == sum(op.work().macs for op in module.walk() if isinstance(op, BitContraction))
    assert len(np.unique(expected[0])) > 3


def test_a_packing_ends_the_layer_that_makes_its_values(nets):
    module, *_ = NETWORKS["pooled"](lambda shape: Bits(nets, shape, 2)).done()
    packs = [op for op in module.walk() if isinstance(op, PackOp)]
    assert [len(list(op.parent.ops)) for op in packs] == [
        2,
        5,
        5,
    ]  # the first alone; contraction to pool, and its yield


def test_weights_and_values_move_as_bits(nets):
    def read(levels, target):
        module, ctx, x, _ = NETWORKS["matrix"](lambda shape: Bits(nets, shape, levels)).done()
        return Executable(program(nets, module, ctx, target)[1], target).run([x])[1].total["weight_write"]

    weights = 64 * 72 + 72 * 24 + 24 * 10
    assert [read(levels, load_target("binary")) for levels in (2, 3)] == [weights // 8, weights // 4]


def test_a_target_without_bits_refuses_the_program(nets):
    module, ctx, *_ = NETWORKS["matrix"](lambda shape: Bits(nets, shape, 2)).done()
    _, made = program(nets, module, ctx, load_target("binary"))
    edge = load_target("edge")
    made = replace(made, target=edge.name, digest=edge.digest)
    assert any("edge has none of packed values" in str(f) for f in verify(made, edge))


@pytest.mark.parametrize(
    ("instruction", "field", "value", "text"),
    [
        ("set.form", "form", 3, "a form bytes, binary, ternary was expected"),
        ("ppu", "pack", 3, "a packing none, binary, ternary was expected"),
        ("ppu", "channels", 65, "channels that fill whole bytes were expected"),
    ],
)
def test_fields_that_mean_nothing_are_faults(nets, instruction, field, value, text):
    module, ctx, *_ = NETWORKS["matrix"](lambda shape: Bits(nets, shape, 2)).done()
    target = load_target("binary")
    _, made = program(nets, module, ctx, target)
    rows = decode(made.text)[instruction]
    place = rows.index[np.flatnonzero(rows["pack"] > 0)[0] if instruction == "ppu" else 0]
    kind = isa.BY_NAME[instruction]
    held, position = kind.layout[field]
    words = [int(w) for w in made.text[place]]
    payload = sum(w << 32 * i for i, w in enumerate(words[1:]))
    mask = ((1 << held.bits) - 1) << position
    payload = payload & ~mask | (value - held.low) << position
    made.text[place, 1:] = [payload >> 32 * i & 0xFFFFFFFF for i in range(3)]
    assert any(text in str(f) for f in verify(made, target))
