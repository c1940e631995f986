"""Operators of PULP's integer networks against their C, written out in numpy; networks of RequantShift in integers."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from dnnc.frontend.onnx import import_onnx
from dnnc.ir.context import make_context
from dnnc.ir.diagnostics import DnncError
from dnnc.ir.interpret import evaluate, main_function
from dnnc.ir.weights import store_of
from dnnc.passes.pipeline import parse, run

RNG = np.random.default_rng(9)
f = np.float32


def model(nodes, shape, constants, kind=TensorProto.FLOAT):
    info = [helper.make_tensor_value_info("x", kind, shape)]
    out = [helper.make_tensor_value_info(nodes[-1].output[0], kind, None)]
    weights = [numpy_helper.from_array(np.asarray(v), n) for n, v in constants.items()]
    return helper.make_model(
        helper.make_graph(nodes, "g", info, out, weights), opset_imports=[helper.make_opsetid("", 10)]
    )


def tensor(value):
    return numpy_helper.from_array(np.array([value], f))


def rqs(x, y, signed=0, levels=256, div=65536, suffix="", **more):
    values = {"div": tensor(div), "n_levels_out": tensor(levels), "signed": tensor(signed), **more}
    return helper.make_node("RequantShift", [x, f"m{suffix}", f"a{suffix}"], [y], **values)


def requant_shift(x, mul, add, div=65536, levels=256, signed=0):
    low, high = (-levels // 2, levels // 2 - 1) if signed else (0, levels - 1)
    v = x.astype(np.int64) * mul.astype(np.int64) + add.astype(np.int64)
    return np.clip((v + (div >> 1)) >> int(np.log2(div)), low, high)


def run_one(proto, x, passes=None):
    ctx = make_context()
    module = import_onnx(proto, ctx)
    if passes:
        run(parse(passes), module, ctx)
    module.verify()
    return evaluate(module, [x], store_of(ctx))[0], [op.name for op in main_function(module).body.block.ops]


FORMS = {
    "unsigned": {},
    "signed": {"signed": 1},
    "4 bits": {"levels": 16},
    "4 bits signed": {"levels": 16, "signed": 1},
    "div 1": {"div": 1},
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_requant_shift(form, kind):
    x = RNG.integers(-40000, 40000, (2, 3, 4, 4)).astype(kind)
    m, a = RNG.integers(1, 900, (3, 1, 1)).astype(f), RNG.integers(-(10**6), 10**6, (3, 1, 1)).astype(f)
    number = TensorProto.FLOAT if kind == np.float32 else TensorProto.INT32
    ours, _ = run_one(model([rqs("x", "y", **FORMS[form])], x.shape, {"m": m, "a": a}, number), x)
    np.testing.assert_array_equal(ours, requant_shift(x, m, a, **FORMS[form]))
    assert ours.dtype == kind


@pytest.mark.parametrize("case", ["one", "channels", "offset", "no multiple"])
def test_network_in_integers(case):
    """An int8 network of two layers: RequantShift becomes requantize where its offset is a bias."""
    x = RNG.integers(0, 256, (1, 2, 6, 6)).astype(f)
    w1, w2 = RNG.integers(-128, 128, (4, 2, 3, 3)).astype(f), RNG.integers(-128, 128, (5, 4, 1, 1)).astype(f)
    m = {"one": [77] * 4}.get(case, [77, 300, 5, 1000])
    a = {"offset": [154, -600, 50, 0], "no multiple": [1, 2, 3, 4]}.get(case, [0] * 4)
    column = lambda v: np.array(v, f).reshape(-1, 1, 1)  # noqa: E731
    constants = {"w1": w1, "w2": w2, "m0": column([1] * 2), "a0": column([0] * 2), "m": column(m), "a": column(a),
                 "m2": column([12] * 5), "a2": column([0] * 5)}  # fmt: skip
    nodes = [
        rqs("x", "q", div=1, suffix="0"),
        helper.make_node("Conv", ["q", "w1"], ["c"]),
        rqs("c", "d", signed=1),
        helper.make_node("Conv", ["d", "w2"], ["e"]),
        rqs("e", "y", signed=1, suffix="2"),
    ]
    proto = model(nodes, x.shape, constants)
    c = np.stack([sum(np.sum(x[:, k, i : i + 4, j : j + 4][..., None] * w1[:, k, i, j], 0) for k in range(2) for i in range(3)
                      for j in range(3))])  # fmt: skip
    d = requant_shift(np.moveaxis(c, -1, 1), constants["m"], constants["a"], signed=1)
    want = requant_shift(np.einsum("nchw,mc->nmhw", d, w2[:, :, 0, 0]), constants["m2"], constants["a2"], signed=1)
    np.testing.assert_array_equal(run_one(proto, x)[0], want)
    ours, ops = run_one(proto, x, "simplify,quantize-lower,canonicalize,cse,dce")
    np.testing.assert_array_equal(ours, want)
    assert ops.count("dnn.requant_shift") == (case == "no multiple")
    assert ops.count("dnn.requantize") == (2 if case == "no multiple" else 3)


def test_i_gelu():
    x = np.arange(-128, 128).astype(f).reshape(1, 256)
    b, one = -58, 3000
    proto = model([helper.make_node("iGELU", ["x"], ["y"], b=tensor(b), one=tensor(one))], x.shape, {})
    v = x.astype(np.int64)
    erf = np.sign(v) * (one - (np.minimum(np.abs(v), -b) + b) ** 2)
    np.testing.assert_array_equal(run_one(proto, x)[0], v * ((one + erf) >> 1))


def test_i_softmax():
    x = RNG.integers(-128, 128, (3, 20)).astype(f)
    a, b, c, log2 = 12, 60, 4000, 31
    given = {
        "coeffA": tensor(a),
        "coeffB": tensor(b),
        "coeffC": tensor(c),
        "log2": tensor(log2),
        "n_levels": tensor(256),
    }
    v = x.astype(np.int64)
    d = v - v.max(-1, keepdims=True)
    z = np.clip(-d // log2, 0, 31)
    e = (a * (d + z * log2 + b) ** 2 + c) >> z
    ours, _ = run_one(model([helper.make_node("iSoftmax", ["x"], ["y"], **given)], x.shape, {}), x)
    np.testing.assert_array_equal(ours, e * 255 // e.sum(-1, keepdims=True))


def test_i_layer_norm():
    x = RNG.integers(-128, 128, (3, 20)).astype(f)
    w, b = RNG.integers(-500, 500, 20).astype(f), RNG.integers(-5000, 5000, 20).astype(f)
    node = helper.make_node("iLayerNorm", ["x", "w", "b"], ["y"], D=tensor(64), n_levels=tensor(256))
    v = x.astype(np.int64)
    quotient = lambda p, q: np.trunc(p / q).astype(np.int64)  # noqa: E731
    d = v - quotient(v.sum(-1, keepdims=True), 20)
    root = np.floor(np.sqrt((d * d).sum(-1, keepdims=True) // 20 + 1)).astype(np.int64)
    want = (quotient(d * w.astype(np.int64), root) + b.astype(np.int64)) >> 6
    np.testing.assert_array_equal(run_one(model([node], x.shape, {"w": w, "b": b}), x)[0], want)


WRONG = {
    "div": (rqs("x", "y", div=1000), "expected a power of two as attribute 'div', not 1000."),
    "levels": (rqs("x", "y", levels=2**20), "expected at most 65536 levels, not 1048576."),
    "multiplier": (rqs("x", "y", suffix="half"), "expected 32-bit whole numbers as input 1, not others."),
    "missing": (
        helper.make_node("iGELU", ["x"], ["y"], b=tensor(1)),
        "expected a whole number as attribute 'one', not [nan].",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_errors(case):
    one, text = WRONG[case]
    constants = {"m": f([1]), "a": f([0]), "mhalf": f([0.5]), "ahalf": f([0])}
    with pytest.raises(DnncError) as e:
        run_one(model([one], (1, 4), constants), np.zeros((1, 4), f))
    assert text in str(e.value)
