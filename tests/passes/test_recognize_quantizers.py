"""Networks as five ways of training leave them, in plain ONNX operators, against the papers' formulas in float64.

The integers of the last layer are those of the formula, every one; nothing between the input and them is real.
"""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from dnnc import api
from dnnc.backends.npu.catalog import load_target
from dnnc.frontend.onnx import import_onnx
from dnnc.ir.context import make_context
from dnnc.ir.dnn.bitwise import BitContraction
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.interpret import evaluate, main_function
from dnnc.ir.types import QuantType
from dnnc.ir.weights import store_of
from dnnc.passes.analysis.grid_weights import grid_of
from dnnc.passes.analysis.staircases import staircase_at
from dnnc.passes.pipeline import parse, run

f = np.float32


class Graph:
    """An ONNX graph, node by node; `last` is its last value."""

    def __init__(self, shape):
        self.nodes, self.weights, self.last, self.shape = [], [], "x", shape

    def const(self, value):
        name = f"c{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(value, f), name))
        return name

    def add(self, op, *others, first=False, **attributes):
        names = [self.const(v) if not isinstance(v, str) else v for v in others]
        name = f"{op.lower()}{len(self.nodes)}"
        inputs = [*names, self.last] if first else [self.last, *names]
        self.nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        self.last = name
        return self

    def model(self):
        given = helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)
        out = helper.make_tensor_value_info(self.last, TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, "g", [given], [out], self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])


def conv(x, w):
    """A 3x3 convolution padded with zeros, in float64."""
    x = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    view = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(2, 3))
    return np.einsum("nchwrs,mcrs->nmhw", view, w.astype(np.float64))


class Binary:
    """BinaryConnect, XNOR-Net: x >= 0 ? 1 : -1, weights a[m] * sign(w)."""

    scale, packed = 1.0, "binary"

    def weights(self, rng, shape):
        alpha = rng.uniform(0.1, 0.5, (shape[0], *(1,) * (len(shape) - 1))).astype(f)
        return alpha * rng.choice([-1, 1], shape).astype(f)

    def real(self, v):
        return np.where(v >= 0, 1.0, -1.0)

    def onnx(self, g):
        before = g.last
        g.add("GreaterOrEqual", 0.0)
        test, g.last = g.last, before
        g.nodes.append(helper.make_node("Where", [test, g.const(1.0), g.const(-1.0)], [f"sign{len(g.nodes)}"]))
        g.last = g.nodes[-1].output[0]


class Ternary(Binary):
    """Ternary weight networks: weights of -a, 0, +a; sign(x) between them."""

    packed = "ternary"

    def weights(self, rng, shape):
        alpha = rng.uniform(0.1, 0.5, (shape[0], *(1,) * (len(shape) - 1))).astype(f)
        return alpha * rng.choice([-1, 0, 1], shape).astype(f)

    def real(self, v):
        return np.sign(v)

    def onnx(self, g):
        g.add("Sign")


class Dorefa:
    """DoReFa-Net: round(clip(x, 0, 1) * n) / n, weights 2 * round(n * (tanh(w) / (2 max|tanh w|) + 1/2)) / n - 1."""

    n, packed = 3, None
    scale = 1 / 3

    def weights(self, rng, shape):
        t = np.tanh(rng.normal(size=shape))
        return (2 * np.rint(self.n * (t / (2 * np.abs(t).max()) + 0.5)) / self.n - 1).astype(f)

    def real(self, v):
        return np.rint(np.clip(v, 0, 1) * self.n) / self.n

    def onnx(self, g):
        g.add("Clip", 0.0, 1.0).add("Mul", float(self.n)).add("Round").add("Div", float(self.n))


class Pact(Dorefa):
    """PACT: round(clip(x, 0, a) * n / a) * a / n, 4 bits; weights whole steps of 4 bits."""

    n, alpha = 15, 1.7
    scale = 1.7 / 15

    def weights(self, rng, shape):
        return (rng.integers(-7, 8, shape) * 0.043).astype(f)

    def real(self, v):
        return np.rint(np.clip(v, 0, self.alpha) * (self.n / self.alpha)) * (self.alpha / self.n)

    def onnx(self, g):
        g.add("Clip", 0.0, self.alpha).add("Mul", self.n / self.alpha).add("Round").add("Mul", self.alpha / self.n)


class Inq(Pact):
    """INQ: weights 0 or a power of two from 2^-6 to 1; activations of 4 bits."""

    def weights(self, rng, shape):
        return np.where(
            rng.random(shape) < 0.2, 0, rng.choice([-1, 1], shape) * 2.0 ** rng.integers(-6, 1, shape)
        ).astype(f)


FAMILIES = {"binary": Binary(), "ternary": Ternary(), "inq": Inq(), "dorefa": Dorefa(), "pact": Pact()}


def network(family, seed=0):
    """(model, inputs, what the formula gives): quantizer, convolution, batch norm, twice, then a classifier."""
    rng = np.random.default_rng(seed)
    g, x = Graph((2, 16, 6, 5)), rng.normal(0.4, 0.7, (2, 16, 6, 5)).astype(f)
    value = x.astype(np.float64)
    for channels in (24, 8):
        family.onnx(g)
        value = family.real(value)
        w = family.weights(rng, (channels, value.shape[1], 3, 3))
        norm = [rng.uniform(-0.5, 1.5, channels), rng.normal(0.3, 0.3, channels), rng.normal(0, 0.5, channels)]
        norm = [v.astype(f) for v in norm] + [rng.uniform(1, 4, channels).astype(f)]
        g.add("Conv", w, kernel_shape=[3, 3], pads=[1, 1, 1, 1]).add("BatchNormalization", *norm, epsilon=0.0)
        gain, shift, mean, var = (v.astype(np.float64).reshape(-1, 1, 1) for v in norm)
        value = (conv(value, w) - mean) / np.sqrt(var) * gain + shift
    family.onnx(g)
    value = family.real(value).reshape(2, -1)
    w = family.weights(rng, (10, value.shape[1]))
    g.nodes.append(helper.make_node("Flatten", [g.last], ["flat"]))
    g.last = "flat"
    g.nodes.append(helper.make_node("Gemm", ["flat", g.const(w)], ["y"], transB=1))
    g.last = "y"
    return g.model(), x, value @ w.T.astype(np.float64)


def integers_only(module):
    """Whether every contraction takes quantized values or packed ones and gives int32 sums."""
    found = [op for op in module.walk() if op.name.split(".")[1] in ("conv", "matmul", "bit_conv", "bit_matmul")]
    return len(found) == 3 and all(isinstance(op.results[0].type.element_type, QuantType) for op in found)


@pytest.mark.parametrize("name", FAMILIES)
def test_integers_are_those_of_the_formula(name):
    family = FAMILIES[name]
    model, x, want = network(family)
    ctx = make_context()
    module = import_onnx(model, ctx)
    run(parse("int8"), module, ctx)
    assert integers_only(module)
    (got,) = evaluate(module, [x], store_of(ctx))
    np.testing.assert_allclose(got, want, rtol=3e-6, atol=1e-5)
    steps = np.abs(want).max(0) * 0 + family.scale * scales_of(module, ctx)
    np.testing.assert_array_equal(np.rint(got / steps), np.rint(want / steps))
    assert len(np.unique(np.rint(want / steps))) > 8


def scales_of(module, ctx):
    """Scales of the classifier's weights."""
    const = [
        op for op in main_function(module).walk() if isinstance(op, ConstOp) and op.array(store_of(ctx)).shape[0] == 10
    ]
    element = const[-1].result.type.element_type
    return element.scale if isinstance(element, QuantType) else element.uniform().scale


@pytest.mark.parametrize(
    "name", [n if n in ("binary", "pact") else pytest.param(n, marks=pytest.mark.full) for n in FAMILIES]
)
def test_every_executor_gives_these_integers(name):
    model, x, want = network(FAMILIES[name], seed=1)
    for emit, target in (("c", "edge"), ("npu", "edge"), ("npu", "binary")):
        program = api.compile(api.load(model), target=target, emit=emit)
        np.testing.assert_allclose(program.run(x)[0], want, rtol=3e-6, atol=1e-5)
    bitwise = any(isinstance(op, BitContraction) for op in program.graph.module.walk())
    assert bitwise == (FAMILIES[name].packed is not None) and load_target("binary").array.bits_per_cycle == 8


def test_ternary_weights_in_a_network_of_bytes_are_ternary_integers():
    rng = np.random.default_rng(3)
    w = Ternary().weights(rng, (5, 4, 3, 3))
    q, s = grid_of(w)
    assert set(np.unique(q)) == {-1, 0, 1}
    np.testing.assert_allclose(s.reshape(-1, 1, 1, 1) * q, w, rtol=1e-6)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (np.random.default_rng(0).normal(size=(3, 50)), "as training leaves weights"),
        (np.arange(1, 300.0)[None], "more than 127 steps"),
        (np.array([[1.0, np.inf]]), "not finite"),
    ],
)
def test_weights_on_no_grid(rows, reason):
    assert grid_of(rows.astype(f)) is None, reason


def staircase(*ops):
    """The staircase of a chain of ONNX operators."""
    g = Graph((1, 4))
    for op, *others in ops:
        g.add(op, *others)
    ctx = make_context()
    module = import_onnx(g.model(), ctx)
    found = (staircase_at(op, store_of(ctx)) for op in main_function(module).body.block.ops)
    return next((s for s in found if s is not None), None)


def test_thresholds_are_the_first_floats_of_a_step():
    found = staircase(("Clip", 0.0, 1.0), ("Mul", 3.0), ("Round",), ("Div", 3.0))
    t = found.thresholds[0]
    formula = lambda x: np.rint(np.clip(x, f(0), f(1)) * f(3))  # noqa: E731
    np.testing.assert_array_equal(formula(t), [1, 2, 3])
    np.testing.assert_array_equal(formula(np.nextafter(t, f(-1))), [0, 1, 2])
    assert (found.first, found.step, float(found.type.scale)) == (0, 1, float(f(1 / 3)))


def test_bounds_may_come_after_the_steps():
    found = staircase(("Div", 0.25), ("Round",), ("Clip", -3.0, 4.0), ("Mul", 0.25))
    assert (found.first, found.thresholds.size, float(found.type.scale)) == (-3, 7, 0.25)


@pytest.mark.parametrize(
    "ops",
    [
        (("Round",),),
        (("Clip", 0.0, 1.0), ("Mul", 255.0), ("Round",), ("Div", 255.0)),
        (("Mul", -1.0), ("Clip", 0.0, 3.0), ("Round",)),
    ],
    ids=["no bounds", "many steps", "falling"],
)
def test_what_is_no_staircase(ops):
    assert staircase(*ops) is None
