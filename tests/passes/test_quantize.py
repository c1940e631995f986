"""Min-max int8: types from ranges, networks close to float, sums that fit, every refusal in one report."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnnc.ir.diagnostics import DnncError, UnsupportedError
from dnnc.ir.dnn.quantize import RequantizeOp, quantized
from dnnc.ir.interpret import evaluate, main_function
from dnnc.ir.stages import check
from dnnc.ir.weights import WeightStore, store_of
from dnnc.passes import pipeline
from dnnc.passes.analysis.quantized_types import activation_type, power_above, weight_type
from dnnc.passes.calibrate import calibrate

FINITE = st.floats(-(2.0**100), 2.0**100, width=32)

NETWORK = """
func.func @main(%x: tensor<1x3x12x12xf32>) -> tensor<1x10xf32> {
  %w1 = dnn.const key = "w1" : () -> tensor<8x3x3x3xf32>
  %b1 = dnn.const key = "b1" : () -> tensor<8xf32>
  %w2 = dnn.const key = "w2" : () -> tensor<8x1x3x3xf32>
  %w3 = dnn.const key = "w3" : () -> tensor<10x288xf32>
  %b3 = dnn.const key = "b3" : () -> tensor<10xf32>
  %1 = dnn.conv %x, %w1, bias(%b1) window = <[3, 3], pad [1, 1, 1, 1]>
    : (tensor<1x3x12x12xf32>, tensor<8x3x3x3xf32>, tensor<8xf32>) -> tensor<1x8x12x12xf32>
  %2 = dnn.relu %1 : (tensor<1x8x12x12xf32>) -> tensor<1x8x12x12xf32>
  %3 = dnn.max_pool %2 window = <[2, 2], stride [2, 2]> : (tensor<1x8x12x12xf32>) -> tensor<1x8x6x6xf32>
  %4 = dnn.conv %3, %w2 window = <[3, 3], pad [1, 1, 1, 1]> groups = 8
    : (tensor<1x8x6x6xf32>, tensor<8x1x3x3xf32>) -> tensor<1x8x6x6xf32>
  %5 = dnn.clip %4 low = 0.0 high = 6.0 : (tensor<1x8x6x6xf32>) -> tensor<1x8x6x6xf32>
  %6 = dnn.reshape %5 shape = [1, 288] : (tensor<1x8x6x6xf32>) -> tensor<1x288xf32>
  %7 = dnn.matmul %6, %w3, bias(%b3) trans_b : (tensor<1x288xf32>, tensor<10x288xf32>, tensor<10xf32>) -> tensor<1x10xf32>
  func.return %7 : tensor<1x10xf32>
}
"""


def network(program):
    rng = np.random.default_rng(2)
    store = WeightStore()
    shapes = {"w1": (8, 3, 3, 3), "b1": (8,), "w2": (8, 1, 3, 3), "w3": (10, 288), "b3": (10,)}
    for key, shape in shapes.items():
        store.add(key, (rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]) or 1)).astype(np.float32))
    module, ctx = program(NETWORK, store)
    samples = [[rng.normal(size=(1, 3, 12, 12)).astype(np.float32)] for _ in range(16)]
    return module, ctx, samples


def test_int8_is_close_to_float_and_deterministic(program):
    results = []
    for _ in range(2):
        module, ctx, samples = network(program)
        exact = np.stack([evaluate(module, x, store_of(ctx))[0] for x in samples])
        pipeline.run(pipeline.parse("simplify"), module, ctx)
        assert calibrate(module, store_of(ctx), samples) == len(samples)
        pipeline.run(pipeline.parse("int8"), module, ctx)
        check(module, "fused")
        check(module, "quantized")
        results.append(np.stack([evaluate(module, x, store_of(ctx))[0] for x in samples]))
    error = results[0] - exact
    # Signal to quantization noise of three 8-bit layers; plain min-max gives about 35 dB here.
    assert 10 * np.log10(np.mean(exact**2) / np.mean(error**2)) > 30
    np.testing.assert_array_equal(results[0], results[1])


def test_ranges_taken_before_simplify_serve_too(program):
    module, ctx, samples = network(program)
    exact = np.stack([evaluate(module, x, store_of(ctx))[0] for x in samples])
    calibrate(module, store_of(ctx), samples)
    pipeline.run(pipeline.parse("int8"), module, ctx)
    got = np.stack([evaluate(module, x, store_of(ctx))[0] for x in samples])
    assert 10 * np.log10(np.mean(exact**2) / np.mean((got - exact) ** 2)) > 30


@given(FINITE, FINITE)
def test_activation_type_holds_its_range(a: float, b: float):
    low, high = min(a, b, 0.0), max(a, b, 0.0)
    q = activation_type((min(a, b), max(a, b)))
    scale, zero = float(q.scale), int(q.zero)
    assert quantized(np.zeros(1, np.float32), q)[0] == zero  # zero is exact
    span = np.array([low, high])
    back = scale * (quantized(span.astype(np.float32), q).astype(np.int64) - zero)
    assert np.all(np.abs(back - span) <= scale * 1.001)


@given(st.lists(st.lists(st.floats(-(2.0**120), 2.0**120, width=32), min_size=3, max_size=3), min_size=1, max_size=4))
def test_weight_type_reaches_127_in_every_channel(rows):
    w = np.array(rows, np.float32)
    q = weight_type(w, 0)
    values = quantized(w, q)
    largest = np.abs(w).max(1)
    assert np.all(np.abs(values.astype(int)).max(1)[largest > 2.0**-110] == 127)
    assert not values[largest == 0].any()


def test_a_layer_whose_sums_could_overflow_is_refused(program):
    store = WeightStore()
    store.add("w", np.full((70000, 1), 1, np.float32))
    text = """func.func @main(%x: tensor<1x70000xf32> {dnn.range = #dnn.reals<[-1.0, 0.0]>}) -> tensor<1x1xf32> {
  %w = dnn.const key = "w" : () -> tensor<70000x1xf32>
  %y = dnn.matmul %x, %w attributes {dnn.range = #dnn.reals<[0.0, 1.0]>}
    : (tensor<1x70000xf32>, tensor<70000x1xf32>) -> tensor<1x1xf32>
  func.return %y : tensor<1x1xf32>
}"""
    module, ctx = program(text, store)
    bound = 70000 * 127 * 255
    sums = f"'dnn.matmul' expected sums below 2^31, not up to {bound}."
    message = f"test.mlir:3:3: {sums} Split the layer's input channels. [E0808]"
    with pytest.raises(DnncError) as e:
        pipeline.run(pipeline.parse("quantize,quantize-lower"), module, ctx)
    assert str(e.value) == message


def test_the_ranges_are_gone_afterwards(program):
    module, ctx, samples = network(program)
    calibrate(module, store_of(ctx), samples)
    pipeline.run(pipeline.parse("quantize"), module, ctx)
    assert not any("dnn.range" in op.attributes for op in main_function(module).body.block.ops)


def test_ranges_that_are_not_finite_are_refused(program):
    text = """func.func @main(%x: tensor<1x1xf32> {dnn.range = #dnn.reals<["-inf", 1.0]>}) -> tensor<1x1xf32> {
  %w = dnn.const value = dense<1.0> : tensor<1x1xf32> : () -> tensor<1x1xf32>
  %y = dnn.matmul %x, %w attributes {dnn.range = #dnn.reals<[0.0, 1.0]>} : (tensor<1x1xf32>, tensor<1x1xf32>) -> tensor<1x1xf32>
  func.return %y : tensor<1x1xf32>
}"""
    module, ctx = program(text)
    message = (
        "test.mlir:3:3: expected finite operands and results on the samples, not [(-inf, 1.0), (0.0, 1.0)]. "
        "Look for nan and inf in the samples. [E0702]"
    )
    with pytest.raises(DnncError) as e:
        pipeline.run(pipeline.parse("quantize"), module, ctx)
    assert str(e.value) == message


def test_every_refusal_is_in_one_report(program):
    text = """func.func @main(%x: tensor<2x2xf32> {dnn.range = #dnn.reals<[0.0, 1.0]>}) -> tensor<2x2xf32> {
  %w = dnn.const value = dense<1.0> : tensor<2x2xf32> : () -> tensor<2x2xf32>
  %a = dnn.hardmax %x axis = 1 : (tensor<2x2xf32>) -> tensor<2x2xf32>
  %b = dnn.div %x, %a : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %y = dnn.matmul %x, %w attributes {dnn.range = #dnn.reals<[0.0, 1.0]>} : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  func.return %y : tensor<2x2xf32>
}"""
    module, ctx = program(text)
    with pytest.raises(UnsupportedError) as e:
        pipeline.run(pipeline.parse("quantize"), module, ctx)
    assert [f.where for f in e.value.findings] == ["test.mlir:3:3", "test.mlir:4:3"]
    assert str(e.value).startswith("2 unsupported things:\n")


def test_with_powers_of_two_every_requantize_is_a_shift(program):
    module, ctx, samples = network(program)
    exact = np.stack([evaluate(module, x, store_of(ctx))[0] for x in samples])
    calibrate(module, store_of(ctx), samples)
    pipeline.run(pipeline.parse("quantize{power-of-two=true},quantize-lower"), module, ctx)
    multipliers = [op.multipliers()[0] for op in module.walk() if isinstance(op, RequantizeOp)]
    assert multipliers and all(np.all(m == 1 << 30) for m in multipliers)
    got = np.stack([evaluate(module, x, store_of(ctx))[0] for x in samples])
    assert 10 * np.log10(np.mean(exact**2) / np.mean((got - exact) ** 2)) > 26


@pytest.mark.parametrize(("scale", "power"), [(0.3, 0.5), (0.5, 0.5), (0.50001, 1.0), (3.0, 4.0)])
def test_the_next_power_of_two_is_no_smaller(scale, power):
    assert power_above(np.float32(scale)) == power


def test_zeros_that_are_added_have_no_scale_of_their_own(program):
    """The sum of tiny values and a bias of zeros is those values."""
    text = """func.func @main(%x: tensor<1x4xf32>) -> tensor<1x4xf32> {
  %w = dnn.const key = "w" : () -> tensor<4x4xf32>
  %z = dnn.const key = "z" : () -> tensor<1x4xf32>
  %0 = dnn.matmul %x, %w : (tensor<1x4xf32>, tensor<4x4xf32>) -> tensor<1x4xf32>
  %1 = dnn.add %z, %0 : (tensor<1x4xf32>, tensor<1x4xf32>) -> tensor<1x4xf32>
  %2 = dnn.matmul %1, %w : (tensor<1x4xf32>, tensor<4x4xf32>) -> tensor<1x4xf32>
  func.return %2 : tensor<1x4xf32>
}"""
    store, rng = WeightStore(), np.random.default_rng(0)
    store.add("w", rng.normal(size=(4, 4)).astype(np.float32))
    store.add("z", np.zeros((1, 4), np.float32))
    module, ctx = program(text, store)
    calibrate(module, store_of(ctx), [[(rng.normal(size=(1, 4)) * 1e-10).astype(np.float32)] for _ in range(4)])
    pipeline.run(pipeline.parse("quantize,quantize-lower"), module, ctx)
    check(module, "quantized")
    assert not any(op.name == "dnn.qadd" for op in module.walk())
