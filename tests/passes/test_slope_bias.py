"""Inputs in fixed point with a real zero point: the layers that read them take it up, or say that they cannot."""

import numpy as np
import pytest

from dnnc.ir.codes import FixedType
from dnnc.ir.diagnostics import DnncError
from dnnc.ir.interpret import evaluate, main_function
from dnnc.ir.types import I8
from dnnc.ir.weights import WeightStore, store_of
from dnnc.passes import pipeline
from dnnc.passes.analysis.samples import providing
from dnnc.passes.calibrate import calibrate
from dnnc.passes.laws.slope_bias import fold_slope_bias, split


def conv(bias, pad=""):
    x = f"1x2x6x6x!dnn.fixed<ui8, 0.0078125, {bias}>"
    return f"""
func.func @main(%x: tensor<{x}>) -> tensor<1x3x4x4xf32> {{
  %0 = dnn.dequantize %x : (tensor<{x}>) -> tensor<1x2x6x6xf32>
  %w = dnn.const key = "w" : () -> tensor<3x2x3x3xf32>
  %b = dnn.const key = "b" : () -> tensor<3xf32>
  %y = dnn.conv %0, %w, bias(%b) window = <[3, 3]{pad}>
    : (tensor<1x2x6x6xf32>, tensor<3x2x3x3xf32>, tensor<3xf32>) -> tensor<1x3x4x4xf32>
  func.return %y : tensor<1x3x4x4xf32>
}}
"""


MATMUL = """
func.func @main(%x: tensor<1x9x!dnn.fixed<i8, 0.5, 0.1>>) -> tensor<1x2xf32> {
  %0 = dnn.dequantize %x : (tensor<1x9x!dnn.fixed<i8, 0.5, 0.1>>) -> tensor<1x9xf32>
  %w = dnn.const key = "m" : () -> tensor<9x2xf32>
  %y = dnn.matmul %0, %w : (tensor<1x9xf32>, tensor<9x2xf32>) -> tensor<1x2xf32>
  func.return %y : tensor<1x2xf32>
}
"""


def network(program, text):
    rng, store = np.random.default_rng(1), WeightStore()
    for key, shape in {"w": (3, 2, 3, 3), "b": (3,), "m": (9, 2)}.items():
        store.add(key, rng.normal(size=shape).astype(np.float32))
    return program(text, store)


def inputs(module, count):
    (x,) = main_function(module).body.block.args
    low, high = (0, 256) if "ui8" in str(x.type) else (-128, 128)
    kind = np.uint8 if low == 0 else np.int8
    return [[np.random.default_rng(i).integers(low, high, x.type.get_shape()).astype(kind)] for i in range(count)]


@pytest.mark.parametrize("text", [conv(-1.003), conv(-1.0), conv(0.7), MATMUL])
def test_the_rest_of_a_bias_goes_into_that_of_the_layer(program, text):
    module, ctx = network(program, text)
    samples = inputs(module, 8)
    exact = [evaluate(module, x, store_of(ctx))[0] for x in samples]
    fold_slope_bias(module, store_of(ctx))
    module.verify()
    for x, y in zip(samples, exact):
        np.testing.assert_allclose(evaluate(module, x, store_of(ctx))[0], y, rtol=1e-4, atol=1e-4)


def test_the_integer_network_is_within_its_step(program):
    module, ctx = network(program, conv(-1.003))
    samples = inputs(module, 32)
    exact = np.stack([evaluate(module, x, store_of(ctx))[0] for x in samples])
    calibrate(module, store_of(ctx), samples)
    with providing(lambda: samples):
        pipeline.run(pipeline.parse("quantize,quantize-lower,canonicalize,dce"), module, ctx)
    assert "dnn.fixed" not in str(module) and "dnn.requantize" in str(module)
    got = np.stack([evaluate(module, x, store_of(ctx))[0] for x in samples])
    step = (exact.max() - exact.min()) / 255
    assert np.abs(got - exact).max() < 2 * step


def test_a_whole_zero_point_stands_before_any_reader(program):
    module, ctx = network(program, conv(-1.0, ", pad [1, 1, 1, 1]").replace("1x3x4x4", "1x3x6x6"))
    fold_slope_bias(module, store_of(ctx))
    assert "!dnn.q<ui8, 0.0078125, 128>" in str(module)


def test_padding_needs_a_whole_zero_point(program):
    module, ctx = network(program, conv(-1.003, ", pad [1, 1, 1, 1]").replace("1x3x4x4", "1x3x6x6"))
    with pytest.raises(DnncError, match=r"'dnn.conv' expected a zero point that is a whole number.*E0716"):
        fold_slope_bias(module, store_of(ctx))


def test_splitting_leaves_half_a_step_at_most():
    type_, rest = split(FixedType.of(I8, 0.5, 0.1))
    assert int(type_.zero) == 0 and rest == pytest.approx(0.1)
    type_, rest = split(FixedType.of(I8, 0.25, -3.0))
    assert int(type_.zero) == 12 and rest == 0
    type_, rest = split(FixedType.of(I8, 0.25, 100.0))  # beyond the storage
    assert int(type_.zero) == -128 and rest == 68
