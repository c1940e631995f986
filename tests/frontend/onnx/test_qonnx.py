"""Operators of QONNX and FINN against their formulas in numpy, and networks of them in integers."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from dnnc.frontend.onnx import import_onnx
from dnnc.ir.context import make_context
from dnnc.ir.diagnostics import DnncError
from dnnc.ir.interpret import evaluate, main_function
from dnnc.ir.weights import store_of
from dnnc.passes.pipeline import parse, run

RNG = np.random.default_rng(5)
X = RNG.normal(0, 3, (2, 3, 4, 4)).astype(np.float32)
MODES = {"ROUND": np.round, "CEIL": np.ceil, "FLOOR": np.floor, "ROUND_TO_ZERO": np.trunc}


def model(nodes, inputs, constants, opset=13):
    """A model of nodes, f32 in and out, with opset entries for their domains."""
    info = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()]
    out = [helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)]
    weights = [numpy_helper.from_array(np.asarray(v), n) for n, v in constants.items()]
    domains = [helper.make_opsetid(d, 1) for d in {n.domain for n in nodes} - {""}]
    graph = helper.make_graph(nodes, "g", info, out, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), *domains])


def node(op, *inputs, domain="qonnx.custom_op.general", output="y", **attributes):
    return helper.make_node(op, inputs, [output], domain=domain, **attributes)


def integers(bits, signed, narrow):
    return (-(2 ** (bits - 1)) + narrow, 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1 - narrow)


def quant(x, scale, zero, bits, signed=1, narrow=0, rounding_mode="ROUND"):
    """The formula of Quant."""
    low, high = integers(bits, signed, narrow)
    y = MODES[rounding_mode](np.clip(x / scale + zero, low, high).astype(np.float32))
    return ((y - zero) * scale).astype(np.float32)


def run_one(proto, x):
    ctx = make_context()
    module = import_onnx(proto, ctx)
    module.verify()
    return evaluate(module, [x], store_of(ctx))[0], [op.name for op in main_function(module).body.block.ops]


f = np.float32
CHANNELS = np.array([0.5, 0.25, 0.125], np.float32).reshape(1, 3, 1, 1)
QUANTS = {
    "8 bits": (f(0.1), f(0), 8, {}),
    "unsigned": (f(0.1), f(0), 8, {"signed": 0}),
    "narrow": (f(0.03), f(0), 8, {"narrow": 1}),
    "4 bits, zero point": (f(0.7), f(2), 4, {}),
    "3 bits unsigned": (f(0.7), f(0), 3, {"signed": 0}),
    "12 bits": (f(0.001), f(0), 12, {}),
    "channels": (CHANNELS, f(0), 4, {"narrow": 1}),
    "floor": (f(0.3), f(0), 4, {"rounding_mode": "FLOOR"}),
    "ceil": (f(0.3), f(0), 4, {"rounding_mode": "CEIL"}),
    "to zero": (f(0.3), f(0), 4, {"rounding_mode": "ROUND_TO_ZERO"}),
    "broken zero point": (f(0.3), f(0.5), 4, {}),
    "24 bits": (f(0.001), f(0), 24, {}),
}


@pytest.mark.parametrize("case", QUANTS)
def test_quant(case):
    scale, zero, bits, attributes = QUANTS[case]
    domain = "onnx.brevitas" if "8 bits" in case else "qonnx.custom_op.general"
    given = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND", **attributes}
    proto = model([node("Quant", "x", "s", "z", "b", domain=domain, **given)], {"x": X.shape},
                  {"s": scale, "z": zero, "b": f(bits)})  # fmt: skip
    ours, ops = run_one(proto, X)
    np.testing.assert_array_equal(ours, quant(X, scale, zero, bits, **attributes))
    typed = not any(word in case for word in ("floor", "ceil", "to zero", "broken", "24"))
    assert ("dnn.quantize" in ops) == typed


def test_bipolar():
    scale = np.array([0.5, 1.5, 2], np.float32).reshape(1, 3, 1, 1)
    for s in (f(0.7), scale):
        ours, ops = run_one(model([node("BipolarQuant", "x", "s")], {"x": X.shape}, {"s": s}), X)
        np.testing.assert_array_equal(ours, np.where(X >= 0, s, -s))
        assert ("dnn.threshold" if np.ndim(s) == 0 else "dnn.quantize") in ops


def test_trunc():
    x = (RNG.integers(-128, 128, (2, 8)) * f(0.25)).astype(f)
    old = {"s": f(0.25), "z": f(0), "b": f(8), "c": f(4)}
    ours, _ = run_one(model([node("Trunc", "x", *old, rounding_mode="FLOOR")], {"x": x.shape}, old), x)
    np.testing.assert_array_equal(ours, np.floor(np.round(x / f(0.25)) / 16) * f(0.25))
    new = {"s": f(0.25), "z": f(0), "b": f(8), "t": f(2), "u": f(0), "c": f(4)}
    ours, _ = run_one(model([node("Trunc", "x", *new, rounding_mode="ROUND")], {"x": x.shape}, new), x)
    np.testing.assert_array_equal(ours, np.clip(np.round(np.clip(x / f(0.25) / 8, -8, 7)), -8, 7) * f(2))


def multi_threshold(x, t, scale=1.0, bias=0.0):
    t = t.reshape(t.shape[0], *(1,) * (x.ndim - 2), t.shape[1])
    return (scale * (x[..., None] >= t).sum(-1) + bias).astype(np.float32)


THRESHOLDS = {
    "one set": ((1, 15), {}),
    "channels": ((3, 7), {"out_scale": 0.5, "out_bias": -1.5}),
    "bipolar": ((3, 1), {"out_scale": 2.0, "out_bias": -1.0, "out_dtype": "BIPOLAR"}),
    "no whole bias": ((1, 3), {"out_scale": 1.0, "out_bias": 0.3}),
    "more than a byte": ((1, 300), {}),
}


@pytest.mark.parametrize("case", THRESHOLDS)
def test_multi_threshold(case):
    shape, attributes = THRESHOLDS[case]
    t = np.sort(RNG.normal(0, 3, shape).astype(np.float32))
    t[0, 0] = X.reshape(-1)[0]  # at the threshold it counts
    proto = model(
        [node("MultiThreshold", "x", "t", domain="finn.custom_op.general", **attributes)], {"x": X.shape}, {"t": t}
    )
    want = multi_threshold(X, t, attributes.get("out_scale", 1.0), attributes.get("out_bias", 0.0))
    np.testing.assert_allclose(run_one(proto, X)[0], want, rtol=1e-6)
    last = model([node("MultiThreshold", "x", "t", data_layout="NHWC")], {"x": (2, 4, 4, 3)}, {"t": t})
    moved = np.moveaxis(X, 1, -1)
    np.testing.assert_array_equal(run_one(last, moved)[0], np.moveaxis(multi_threshold(X, t), 1, -1))


@pytest.mark.parametrize("weights", ["Quant", "BipolarQuant"])
def test_network_in_integers(weights):
    """Quantized convolutions with batch norms, one of negative scale: integers within one unit of the formula."""
    w = RNG.normal(0, 1, (4, 3, 3, 3)).astype(np.float32)
    c = {"s": f(0.05), "z": f(0), "b": f(8), "w": w, "ws": f(0.02), "wb": f(6), "ys": f(0.3), "yb": f(4), "one": f(0.5),
         "g": f([1, -2, 0.5, 3]), "h": f([0.1, 2, -1, 0]), "m": f([0.5, -3, 2, 1]), "v": f([2, 3, 4, 5])}  # fmt: skip
    quantized = node("Quant", "w", "ws", "z", "wb", output="wq", narrow=1, signed=1)
    nodes = [
        node("Quant", "x", "s", "z", "b", output="xq"),
        quantized if weights == "Quant" else node("BipolarQuant", "w", "one", output="wq"),
        node("Conv", "xq", "wq", domain="", output="c"),
        node("BatchNormalization", "c", "g", "h", "m", "v", domain="", output="n"),
        node("Relu", "n", domain="", output="r"),
        node("Quant", "r", "ys", "z", "yb", signed=0, narrow=0, output="y"),
    ]
    ctx = make_context()
    module = import_onnx(model(nodes, {"x": X.shape}, c), ctx)
    (real,) = evaluate(module, [X], store_of(ctx))
    run(parse("simplify,quantize-lower,canonicalize,cse,dce"), module, ctx)
    (ours,) = evaluate(module, [X], store_of(ctx))
    names = [op.name for op in main_function(module).body.block.ops]
    assert "dnn.requantize" in names and "dnn.batch_norm" not in names and "dnn.mul" not in names
    assert np.abs(ours - real).max() < 0.301 and (ours != real).mean() < 0.02


def test_thresholds_in_integers():
    """Whole weights, a batch norm between product and thresholds: the counts of the real network, exactly."""
    w = np.where(RNG.normal(size=(12, 6)) > 0, 1, -1).astype(np.float32)
    c = {"t0": f([[0]]), "w": w, "t1": np.sort(RNG.normal(0, 2, (1, 3))).astype(f), "g": f([1, -2, 0.5, 3, -1, 1]),
         "h": f([0.1, 2, -1, 0, 1, 1]), "m": f([0.5, -3, 2, 1, 0, 0]), "v": f([2, 3, 4, 5, 6, 7]), "w2": w[:6, :5]}  # fmt: skip
    nodes = [
        node("MultiThreshold", "x", "t0", out_scale=2.0, out_bias=-1.0, output="b"),
        node("MatMul", "b", "w", domain="", output="p"),
        node("BatchNormalization", "p", "g", "h", "m", "v", domain="", output="n"),
        node("MultiThreshold", "n", "t1", output="q"),
        node("MatMul", "q", "w2", domain="", output="y"),
    ]
    x = RNG.normal(size=(7, 12)).astype(np.float32)
    ctx = make_context()
    module = import_onnx(model(nodes, {"x": x.shape}, c), ctx)
    (real,) = evaluate(module, [x], store_of(ctx))
    run(parse("simplify,quantize-lower,canonicalize,cse,dce"), module, ctx)
    assert [op.name for op in main_function(module).body.block.ops if op.name not in ("dnn.const", "func.return")] == [
        "dnn.threshold", "dnn.matmul", "dnn.threshold", "dnn.matmul", "dnn.dequantize",
    ]  # fmt: skip
    np.testing.assert_array_equal(evaluate(module, [x], store_of(ctx))[0], real)


WRONG = {
    "rounding": (node("Quant", "x", "s", "z", "b", rounding_mode="UP"), "expected a rounding_mode of ROUND, CEIL"),
    "bits": (node("Quant", "x", "s", "z", "broken"), "expected a whole number of bits from 1 to 32, not 2.5."),
    "thresholds": (node("MultiThreshold", "x", "s"), "expected thresholds of rank 2, not []."),
    "no such operator": (node("XnorPopcountMatMul", "x", "s"), "operators of the domain 'qonnx.custom_op.general'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_errors(case):
    one, text = WRONG[case]
    with pytest.raises(DnncError) as e:
        run_one(model([one], {"x": X.shape}, {"s": f(1), "z": f(0), "b": f(8), "broken": f(2.5)}), X)
    assert text in str(e.value)
