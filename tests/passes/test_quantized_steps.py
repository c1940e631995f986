"""The integer step of LSTM, GRU and RNN: near its float form, and the same bits as C."""

import numpy as np
import pytest

from dnnc.backends.c.target import compile_and_load, emit
from dnnc.ir import fixed
from dnnc.ir.context import make_context
from dnnc.ir.dnn.integer import InterpolateOp
from dnnc.ir.dnn.recurrent import ScanOp
from dnnc.ir.interpret import evaluate
from dnnc.ir.text import parse
from dnnc.ir.types import QuantType, element_type
from dnnc.ir.weights import store_of
from dnnc.passes import pipeline
from dnnc.passes.analysis.integer_constants import knots, table
from dnnc.passes.analysis.integer_forms import in_float
from tests.recurrent_nets import CASES, programs, samples

I16 = element_type(np.int16)


@pytest.mark.parametrize("operator, attributes", CASES)
def test_a_step_is_within_two_of_its_float_form(operator, attributes):
    """One step from the same states: two steps of the state in an LSTM.

    In a GRU, whose reset gate comes before another tanh, two steps of what that tanh reads: a table one off may turn its rounding.
    """
    _, typed, integers, ctx = programs(operator, 1, attributes)
    scan = next(op for op in integers.walk() if isinstance(op, ScanOp))
    scales = [float(r.type.element_type.scale) for r in scan.results[: len(scan.states)]]  # pyright: ignore
    if operator == "GRU":
        read = [op.element() for op in scan.walk() if isinstance(op, InterpolateOp)]
        scales = [max(float(q.scale) for q in read if isinstance(q, QuantType))]
    for sample in samples(1, 50, seed=2):
        want, got = (evaluate(m, sample, store_of(ctx)) for m in (typed, integers))
        for a, b, scale in zip(want[1:], got[1:], scales):
            assert np.abs(a - b).max() <= 2.01 * scale


@pytest.mark.parametrize("operator, attributes", CASES)
def test_integers_follow_the_float_network(operator, attributes):
    module, _, integers, ctx = programs(operator, 12, attributes)
    inside = [op for scan in integers.walk() if isinstance(scan, ScanOp) for op in scan.walk()]
    assert not any(in_float(op) for op in inside)
    for sample in samples(12, 5, seed=3):
        want, got = (evaluate(m, sample, store_of(ctx)) for m in (module, integers))
        for a, b in zip(want, got):
            assert np.sqrt(np.mean((a - b) ** 2) / np.mean(a**2)) <= 0.04


@pytest.mark.parametrize("operator, attributes", [CASES[0], CASES[3]])
def test_c_gives_the_same_bits(operator, attributes):
    _, _, integers, ctx = programs(operator, 12, attributes)
    run = compile_and_load(emit(integers, ctx, "net"))
    for sample in samples(12, 20, seed=4):
        for a, b in zip(evaluate(integers, sample, store_of(ctx)), run(*sample)):
            np.testing.assert_array_equal(a, b)


def q16(scale):
    return QuantType.per_tensor(I16, scale)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("f, count, off", [(sigmoid, 513, 1), (np.tanh, 513, 2), (np.tanh, 1025, 1)])
def test_what_lies_between_knots(f, count, off):
    """All 65536 values of Q3.12, against the rounded function."""
    x, y = q16(2.0**-12), q16(2.0**-15)
    got = fixed.interpolated(np.arange(2**16), knots(f, x, y, count))
    assert np.abs(got - table(f, x, y)).max() == off


def test_a_function_that_is_not_smooth_keeps_all_entries():
    """A sign between 16-bit values is a table of 65536 entries: a line between knots would not do."""
    x = "tensor<4x!dnn.q<i16, 0.001, 0>>"
    text = (
        f"func.func @main(%0: {x}) -> {x} {{\n  %a = dnn.dequantize %0 : ({x}) -> tensor<4xf32>\n"
        "  %b = dnn.{} %a : (tensor<4xf32>) -> tensor<4xf32>\n"
        f"  %y = dnn.quantize %b to = !dnn.q<i16, 0.001, 0> : (tensor<4xf32>) -> {x}\n  func.return %y : {x}\n}}"
    )
    for name, kind in {"sign": "dnn.table", "tanh": "dnn.interpolate"}.items():
        ctx = make_context()
        module = parse(ctx, text.replace("{}", name))
        pipeline.run(pipeline.parse("quantize-lower"), module, ctx)
        assert [op.name for op in module.walk() if op.name in ("dnn.table", InterpolateOp.name)] == [kind]
        values = np.array([-32768, -1, 0, 32767], np.int16)
        f = {"sign": np.sign, "tanh": np.tanh}[name]
        want = np.clip(np.rint(f(values * np.float32(0.001)) / 0.001), -32768, 32767)
        assert np.abs(evaluate(module, [values], store_of(ctx))[0] - want).max() <= (2 if name == "tanh" else 0)
