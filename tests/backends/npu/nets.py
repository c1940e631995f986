"""Small quantized networks built operation by operation, as `quantize` and `fuse-groups` leave them."""

import numpy as np
from xdsl.dialects.builtin import ModuleOp, NameLoc, NoneAttr, StringAttr, UnitAttr
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, Region

from dnnc.backends.npu.catalog import load_target
from dnnc.ir import arch
from dnnc.ir.arch import MODULE_ATTRIBUTE, AcceleratorAttr
from dnnc.ir.context import make_context
from dnnc.ir.dnn.activation import ReluOp, TanhOp
from dnnc.ir.dnn.attributes import Window
from dnnc.ir.dnn.contraction import ConvOp, MatmulOp
from dnnc.ir.dnn.integer import TableOp
from dnnc.ir.dnn.movement import ReshapeOp
from dnnc.ir.dnn.quantize import DequantizeOp, QuantizeOp, RequantizeOp
from dnnc.ir.dnn.reduction import MaxPoolOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.stages import ISLAND
from dnnc.ir.types import F32, I8, I32, QuantType, element_type, shape_of, tensor
from dnnc.ir.weights import store_of
from dnnc.passes.fuse_groups import FuseGroupsPass
from dnnc.passes.plan_memory import PlanMemoryPass
from dnnc.passes.tile import TilePass

UI8 = element_type(np.uint8)


class Net:
    """Builds @main; every method appends a layer."""

    def __init__(self, shape, seed=0, storage=I8, scale=0.03, zero=-7):
        self.rng = np.random.default_rng(seed)
        self.ctx = make_context()
        self.store = store_of(self.ctx)
        self.storage = storage
        self.block = Block(arg_types=[tensor(F32, shape)])
        self.block.args[0].name_hint = "x"
        type_ = QuantType.per_tensor(storage, scale, zero if storage == I8 else 120)
        self.v = self.add(QuantizeOp(self.block.args[0], to=type_))
        self.count = 0

    def add(self, op):
        self.block.add_op(op)
        return op.results[0]

    def const(self, array, type_):
        return self.add(ConstOp.of(array, self.store, "c", type_))

    def finish(self, acc, relu, pool, rounding):
        name = NameLoc(StringAttr(f"layer{self.count}"), NoneAttr())
        self.count += 1
        zero = int(self.rng.integers(-40, 40)) + (128 if self.storage != I8 else 0)
        to = QuantType.per_tensor(self.storage, float(self.rng.uniform(0.8, 1.2)) * self.size, zero)
        self.v = self.add(RequantizeOp(acc, to=to, rounding=rounding))
        if relu:
            self.v = self.add(relu(self.v))
        if pool:
            self.v = self.add(MaxPoolOp(self.v, window=pool))
        op = self.v.owner
        while op is not None and not isinstance(op, ConstOp | QuantizeOp):
            op.location = name
            op = op.operands[0].owner if op.operands and not isinstance(op, ConvOp | MatmulOp) else None
        return self

    def scale_like(self, channels, taps):
        element = self.v.type.element_type
        # about four standard deviations of the sums fill the output's range
        self.size = float(element.scale) * 0.01 * np.sqrt(taps) * 73 * 40 / 30
        return self.rng.uniform(0.005, 0.015, channels).astype(np.float32)

    def conv(
        self,
        m,
        kernel,
        stride=1,
        pad=0,
        dilation=1,
        groups=1,
        relu=None,
        pool=None,
        bias=True,
        per_channel=True,
        rounding="q31_half_even",
        block=(),
    ):
        _, c, *hw = shape_of(self.v.type)
        kernel = (kernel,) * len(hw) if isinstance(kernel, int) else tuple(kernel)
        pad = (pad,) * (2 * len(hw)) if isinstance(pad, int) else tuple(pad)
        stride, dilation = ((v,) * len(hw) if isinstance(v, int) else tuple(v) for v in (stride, dilation))
        window = Window.of(kernel, stride, pad, dilation, block=block)
        w = self.rng.integers(-127, 128, (m, c // groups, *kernel)).astype(np.int8)
        scales = self.scale_like(m, w[0].size)
        wt = QuantType.per_channel(I8, scales, 0) if per_channel else QuantType.per_tensor(I8, scales[0])
        wv = self.const(w, tensor(wt, w.shape))
        b = self.const(self.rng.integers(-3000, 3000, m).astype(np.int32), tensor(I32, (m,))) if bias else None
        acc = self.add(ConvOp(self.v, wv, b, window=window, groups=groups))
        return self.finish(acc, relu, pool, rounding)

    def flatten(self):
        n, *rest = shape_of(self.v.type)
        self.v = self.add(ReshapeOp(self.v, shape=(n, int(np.prod(rest)))))
        return self

    def fc(self, m, trans_b=True, relu=None, rounding="q31_half_even"):
        k = shape_of(self.v.type)[-1]
        w = self.rng.integers(-127, 128, (m, k) if trans_b else (k, m)).astype(np.int8)
        wv = self.const(w, tensor(QuantType.per_tensor(I8, self.scale_like(1, k)[0]), w.shape))
        b = self.const(self.rng.integers(-3000, 3000, m).astype(np.int32), tensor(I32, (m,)))
        acc = self.add(MatmulOp(self.v, wv, b, trans_b=trans_b))
        return self.finish(acc, relu, None, rounding)

    def pool(self, kernel, stride, pad=(0, 0, 0, 0), ceil=False):
        self.v = self.add(MaxPoolOp(self.v, window=Window.of(kernel, stride, pad, ceil=ceil)))
        return self

    def quant(self, scale=1.0, zero=3):
        """A type of other scale than the last value's."""
        element = self.v.type.element_type
        shift = 0 if self.storage == I8 else 128
        return QuantType.per_tensor(self.storage, scale * float(element.scale), zero + shift)

    def apply(self, op):
        """Append an operation made of the last value."""
        self.v = self.add(op(self.v))
        return self

    def values(self, shape, scale=0.05, zero=-3, low=-128):
        """A quantized constant."""
        array = self.rng.integers(low, 128, shape).astype(np.int8)
        return self.const(array, tensor(QuantType.per_tensor(I8, scale, zero), shape))

    def lookup(self, seed=5):
        """A table of random bytes, and a type for them."""
        entries = np.random.default_rng(seed).integers(-128, 128, 256).astype(np.int8)
        if self.storage != I8:
            entries = entries.view(np.uint8)
        return self.apply(lambda v: TableOp(v, self.const(entries, tensor(self.quant(0.7, 1), (256,)))))

    def unary(self, op):
        self.v = self.add(op(self.v))
        return self

    def done(self, island=None, also=None):
        """(module, context): a dequantize at the end, a float island after it, another value returned too."""
        out = self.add(DequantizeOp(self.v))
        if island is not None:
            op = island(out)
            op.attributes[ISLAND] = UnitAttr()
            out = self.add(op)
        outs = [out] if also is None else [out, self.add(DequantizeOp(also))]
        self.block.add_op(ReturnOp(*outs))
        types = [a.type for a in self.block.args], [o.type for o in outs]
        function = FuncOp("main", types, Region(self.block))
        module = ModuleOp([function])
        FuseGroupsPass().apply(self.ctx, module)
        module.verify()
        return module, self.ctx


def schedule(module, ctx, target, slack=10):
    """A copy of the module, tiled and planned for a target."""
    out = module.clone()
    out.attributes[MODULE_ATTRIBUTE] = AcceleratorAttr(target)
    TilePass(slack=slack).apply(ctx, out)
    out.verify()
    PlanMemoryPass().apply(ctx, out)
    out.verify()
    return out


def small(parameters=400):
    """A target so small that every layer is tiled, with memories of its own for inputs, weights and outputs."""
    edge = arch.to_mapping(load_target("tiny"))
    shared = edge["memory"].pop("scratchpad")
    for role, size in (("input", 4096), ("weight", 3072), ("output", 1024)):
        edge["memory"][f"{role}s"] = shared | {"bytes": size, "holds": [role]}
    edge["memory"]["accumulator"]["bytes"] = 4096
    edge["memory"]["parameter"]["bytes"] = parameters
    edge["name"] = "small"
    edge["array"]["rows"], edge["array"]["columns"] = 4, 8
    edge["dma"]["channels"] = 2
    edge["array"]["dataflow"] = "output-stationary"
    return arch.from_mapping(edge, "small")


def lenet(seed=0, storage=I8):
    net = Net((1, 1, 28, 28), seed, storage)
    two = Window.of((2, 2), (2, 2))
    net.conv(20, 5, pool=two).conv(50, 5, pool=two).flatten().fc(500, relu=ReluOp).fc(10, trans_b=False)
    return net.done()


def random(seed):
    """A random network of one to three convolutions, sometimes a classifier, and an input for it."""
    rng = np.random.default_rng(seed)
    pick = lambda low, high: int(rng.integers(low, high))  # noqa: E731
    shape = (pick(1, 3), pick(1, 20), pick(9, 20), pick(9, 20))
    net = Net(shape, seed, UI8 if rng.random() < 0.3 else I8)
    for _ in range(pick(1, 4)):
        k, channels = pick(1, 4), shape_of(net.v.type)[1]
        if min(shape_of(net.v.type)[2:]) < 5:
            break
        groups, m = [(1, pick(1, 30)), (channels, channels)][pick(0, 4) == 0]
        size = pick(1, 3)
        pool = Window.of((size, size), (pick(1, 3),) * 2, rng.integers(0, size, 4).tolist(), ceil=rng.random() < 0.5)
        net.conv(
            m, k, pick(1, 3), rng.integers(0, k, 4).tolist(), groups=groups, bias=rng.random() < 0.8,
            relu=[None, ReluOp, TanhOp][pick(0, 3)], pool=pool if rng.random() < 0.5 else None,
        )  # fmt: skip
    if rng.random() < 0.4:
        net.flatten().fc(pick(1, 60), trans_b=rng.random() < 0.5).fc(7)
    return *net.done(), rng.normal(0, 1.5, shape).astype(np.float32)
