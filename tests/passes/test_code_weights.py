"""Weights as codes: less error by samples than to the nearest, integers that give the same bits, least squares of a codebook."""

import numpy as np
import pytest

from dnnc.ir.codes import WeightCode
from dnnc.ir.dnn.quantize import DequantizeOp
from dnnc.ir.interpret import evaluate
from dnnc.ir.types import QuantType
from dnnc.ir.weights import WeightStore, store_of
from dnnc.passes import pipeline
from dnnc.passes.analysis.codebook import error, first_values, least_squares
from dnnc.passes.analysis.compensation import Compensation
from dnnc.passes.analysis.samples import providing

NETWORK = """
func.func @main(%x: tensor<1x3x12x12xf32>) -> tensor<1x10xf32> {
  %w1 = dnn.const key = "w1" : () -> tensor<8x3x3x3xf32>
  %b1 = dnn.const key = "b1" : () -> tensor<8xf32>
  %w2 = dnn.const key = "w2" : () -> tensor<8x1x3x3xf32>
  %w3 = dnn.const key = "w3" : () -> tensor<288x10xf32>
  %1 = dnn.conv %x, %w1, bias(%b1) window = <[3, 3], pad [1, 1, 1, 1]>
    : (tensor<1x3x12x12xf32>, tensor<8x3x3x3xf32>, tensor<8xf32>) -> tensor<1x8x12x12xf32>
  %2 = dnn.relu %1 : (tensor<1x8x12x12xf32>) -> tensor<1x8x12x12xf32>
  %3 = dnn.max_pool %2 window = <[2, 2], stride [2, 2]> : (tensor<1x8x12x12xf32>) -> tensor<1x8x6x6xf32>
  %4 = dnn.conv %3, %w2 window = <[3, 3], pad [1, 1, 1, 1]> groups = 8
    : (tensor<1x8x6x6xf32>, tensor<8x1x3x3xf32>) -> tensor<1x8x6x6xf32>
  %6 = dnn.reshape %4 shape = [1, 288] : (tensor<1x8x6x6xf32>) -> tensor<1x288xf32>
  %7 = dnn.matmul %6, %w3 : (tensor<1x288xf32>, tensor<288x10xf32>) -> tensor<1x10xf32>
  func.return %7 : tensor<1x10xf32>
}
"""
SHAPES = {"w1": (8, 3, 3, 3), "b1": (8,), "w2": (8, 1, 3, 3), "w3": (288, 10)}
FORMS = ("pow2", "pow2 free=true", "codebook", "block", "block block=9", "f8E4M3FN", "bf16")


def samples(seed, count):
    """Smooth images, whose neighbouring pixels depend on each other as those of photographs do."""
    noise = np.random.default_rng(seed).normal(size=(count, 1, 3, 14, 14)).astype(np.float32)
    smooth = sum(noise[..., i : i + 12, j : j + 12] for i in range(3) for j in range(3))
    return [[x] for x in smooth / 3]


def ran(program, passes):
    rng = np.random.default_rng(2)
    store = WeightStore()
    for key, shape in SHAPES.items():
        fan = shape[0] if key == "w3" else np.prod(shape[1:]) or 1
        store.add(key, (rng.normal(size=shape) / np.sqrt(fan)).astype(np.float32))
    module, ctx = program(NETWORK, store)
    with providing(lambda: samples(3, 24)):
        pipeline.run(pipeline.parse(passes), module, ctx)
    return module, ctx


def outputs(module, ctx):
    return np.stack([evaluate(module, x, store_of(ctx))[0] for x in samples(7, 16)])


def left(program, options):
    """The mean square of what codes change, on samples they have not seen."""
    exact = outputs(*ran(program, "canonicalize"))
    return float(np.mean((outputs(*ran(program, f"code-weights{{{options}}}")) - exact) ** 2))


@pytest.mark.parametrize("form", ["pow2", "pow2 free=true", "codebook", "block", "f8E5M2"])
def test_samples_leave_less_error_than_the_nearest_codes(program, form):
    assert left(program, f"form={form}") < 0.7 * left(program, f"form={form} method=nearest")


def test_one_of_the_floats_of_16_bits_leaves_next_to_none(program):
    assert left(program, "form=bf16 method=nearest") < 1e-4


@pytest.mark.parametrize("form", FORMS)
def test_expanded_codes_give_the_same_bits(program, form):
    codes = ran(program, f"code-weights{{form={form} method=nearest}}")
    integers = ran(program, f"code-weights{{form={form} method=nearest}},expand-weights")
    np.testing.assert_array_equal(outputs(*codes), outputs(*integers))
    kinds = [type(op.element()) for op in integers[0].walk() if isinstance(op, DequantizeOp)]
    assert kinds == ([] if form in ("f8E4M3FN", "bf16") else [QuantType] * 3)
    assert all(isinstance(op.element(), WeightCode) for op in codes[0].walk() if isinstance(op, DequantizeOp))


def test_the_same_network_gives_the_same_codes(program):
    first, second = (str(ran(program, "code-weights{form=codebook}")[0]) for _ in range(2))
    assert first == second


def problem():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(1, 24, 200)) * rng.uniform(0.2, 2, size=(1, 24, 1))
    return rng.normal(size=(1, 6, 24)), x @ x.swapaxes(1, 2) / 200


def test_least_squares_values_are_the_best_for_their_codes():
    rows, h = problem()
    grid = first_values(rows, np.diagonal(h, axis1=1, axis2=2), 3)
    w = Compensation.of(h, 0.01).rounded(rows, grid.nearest)
    found = least_squares(rows, h, w, grid)
    index = np.abs(w[..., None] / grid.scale[..., None, None] - grid.values).argmin(-1)
    least = error(rows, h, found.values[index] * found.scale[..., None]).sum()
    for t in range(8):
        for step in (-1e-3, 1e-3):
            moved = found.values + step * (np.arange(8) == t)
            assert error(rows, h, moved[index] * found.scale[..., None]).sum() >= least


def test_a_codebook_keeps_zeros():
    rows, _ = problem()
    rows[0, :, ::3] = 0
    grid = first_values(rows, np.ones((1, 24)), 2)
    np.testing.assert_array_equal(grid.whole().nearest(rows)[0, :, ::3], 0)
