"""Factors of each channel after contractions of quantized weights: the same real numbers, the integers kept or mirrored."""

import numpy as np
import pytest

from dnnc.ir.interpret import evaluate
from dnnc.ir.weights import WeightStore, store_of
from dnnc.passes.fold_batch_norm import FoldBatchNormPass

PROGRAM = """
func.func @main(%x: tensor<1x4x5x5xf32>) -> tensor<1x6x3x3xf32> {{
  %0 = dnn.const key = "w" : () -> tensor<6x2x3x3x{type}>
  %1 = dnn.dequantize %0 : (tensor<6x2x3x3x{type}>) -> tensor<6x2x3x3xf32>
  %b = dnn.const key = "b" : () -> tensor<6x!dnn.q<i32, 0.001, 0>>
  %2 = dnn.dequantize %b : (tensor<6x!dnn.q<i32, 0.001, 0>>) -> tensor<6xf32>
  %3 = dnn.conv %x, %1, bias(%2) window = <[3, 3]> groups = 2
    : (tensor<1x4x5x5xf32>, tensor<6x2x3x3xf32>, tensor<6xf32>) -> tensor<1x6x3x3xf32>
  %f = dnn.const key = "f" : () -> tensor<6x1x1xf32>
  %4 = dnn.mul %3, %f : (tensor<1x6x3x3xf32>, tensor<6x1x1xf32>) -> tensor<1x6x3x3xf32>
  func.return %4 : tensor<1x6x3x3xf32>
}}
"""
CHANNELS = "!dnn.q<i8, axis 0, [0.5, 0.25, 0.125, 1.0, 2.0, 0.1]>"


def made(program, type_: str, factor: list[float], lowest: int = -127):
    rng = np.random.default_rng(3)
    module, ctx = program(PROGRAM.format(type=type_), store := WeightStore())
    w = rng.integers(lowest, 128, (6, 2, 3, 3)).astype(np.int8)
    w[1, 0, 0, 0] = lowest
    store.add("w", w)
    store.add("b", rng.integers(-500, 500, 6).astype(np.int32))
    store.add("f", np.array(factor, np.float32).reshape(6, 1, 1))
    return module, ctx, rng.normal(size=(1, 4, 5, 5)).astype(np.float32)


@pytest.mark.parametrize("type_", [CHANNELS, "!dnn.q<i8, 0.5, 0>"])
@pytest.mark.parametrize("factor", [[2, 3, 0.5, 1, 4, 5], [2, -3, 0.5, 0, 4, -5], [2] * 6])
def test_folds(program, type_, factor):
    module, ctx, x = made(program, type_, factor)
    (before,) = evaluate(module, [x], store_of(ctx))
    FoldBatchNormPass().apply(ctx, module)
    module.verify()
    assert not any(op.name == "dnn.mul" for op in module.walk())
    np.testing.assert_allclose(evaluate(module, [x], store_of(ctx))[0], before, rtol=1e-5, atol=1e-4)
    kept = [op.key.data for op in module.walk() if op.name == "dnn.const" and op.key is not None]
    assert ("w.mirrored" in kept) == (min(factor) <= 0)


def test_a_value_without_a_mirror_image_stays(program):
    """-128 has no positive counterpart in int8."""
    module, ctx, _ = made(program, CHANNELS, [2, -3, 1, 1, 1, 1], lowest=-128)
    FoldBatchNormPass().apply(ctx, module)
    assert any(op.name == "dnn.mul" for op in module.walk())
