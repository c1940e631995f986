"""Integer weights: every width, better than nearest where samples help, means kept, the same bits each time."""

import numpy as np
import pytest

from dnnc.ir.diagnostics import DnncError
from dnnc.ir.interpret import evaluate, main_function
from dnnc.ir.types import type_name
from dnnc.ir.weights import WeightStore, store_of
from dnnc.passes import pipeline
from dnnc.passes.analysis.samples import providing
from dnnc.passes.calibrate import calibrate

NETWORK = """
func.func @main(%x: tensor<1x3x12x12xf32>) -> tensor<1x10xf32> {
  %w1 = dnn.const key = "w1" : () -> tensor<8x3x3x3xf32>
  %b1 = dnn.const key = "b1" : () -> tensor<8xf32>
  %w2 = dnn.const key = "w2" : () -> tensor<8x1x3x3xf32>
  %w3 = dnn.const key = "w3" : () -> tensor<10x288xf32>
  %1 = dnn.conv %x, %w1, bias(%b1) window = <[3, 3], pad [1, 1, 1, 1]>
    : (tensor<1x3x12x12xf32>, tensor<8x3x3x3xf32>, tensor<8xf32>) -> tensor<1x8x12x12xf32>
  %2 = dnn.relu %1 : (tensor<1x8x12x12xf32>) -> tensor<1x8x12x12xf32>
  %3 = dnn.max_pool %2 window = <[2, 2], stride [2, 2]> : (tensor<1x8x12x12xf32>) -> tensor<1x8x6x6xf32>
  %4 = dnn.conv %3, %w2 window = <[3, 3], pad [1, 1, 1, 1]> groups = 8
    : (tensor<1x8x6x6xf32>, tensor<8x1x3x3xf32>) -> tensor<1x8x6x6xf32>
  %6 = dnn.reshape %4 shape = [1, 288] : (tensor<1x8x6x6xf32>) -> tensor<1x288xf32>
  %7 = dnn.matmul %6, %w3 trans_b : (tensor<1x288xf32>, tensor<10x288xf32>) -> tensor<1x10xf32>
  func.return %7 : tensor<1x10xf32>
}
"""
SHAPES = {"w1": (8, 3, 3, 3), "b1": (8,), "w2": (8, 1, 3, 3), "w3": (10, 288)}


def samples(seed, count):
    """Smooth images, whose neighbouring pixels depend on each other as those of photographs do."""
    noise = np.random.default_rng(seed).normal(size=(count, 1, 3, 14, 14)).astype(np.float32)
    smooth = sum(noise[..., i : i + 12, j : j + 12] for i in range(3) for j in range(3))
    return [[x] for x in smooth / 3]


def network(program):
    rng = np.random.default_rng(2)
    store = WeightStore()
    for key, shape in SHAPES.items():
        store.add(key, (rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]) or 1)).astype(np.float32))
    return program(NETWORK, store)


def outputs(module, ctx):
    return np.stack([evaluate(module, x, store_of(ctx))[0] for x in samples(7, 16)])


def error(program, passes):
    """The mean square of what passes change, on samples they have not seen."""
    module, ctx = network(program)
    exact = outputs(module, ctx)
    with providing(lambda: samples(3, 24)):
        pipeline.run(pipeline.parse(passes), module, ctx)
    return float(np.mean((outputs(module, ctx) - exact) ** 2))


def test_each_bit_more_leaves_less_error(program):
    errors = [error(program, f"quantize-weights{{bits={bits}}}") for bits in range(2, 9)]
    assert errors == sorted(errors, reverse=True)


@pytest.mark.parametrize("bits", [3, 4])
def test_gptq_leaves_less_error_than_the_nearest_integers(program, bits):
    assert error(program, f"gptq{{bits={bits}}}") < 0.5 * error(program, f"quantize-weights{{bits={bits}}}")


def test_correct_bias_keeps_the_mean_of_every_output(program):
    module, ctx = network(program)
    seen = samples(3, 24)
    exact = np.mean([evaluate(module, x, store_of(ctx))[0] for x in seen], 0)
    with providing(lambda: seen):
        pipeline.run(pipeline.parse("quantize-weights{bits=2},correct-bias"), module, ctx)
    corrected = np.mean([evaluate(module, x, store_of(ctx))[0] for x in seen], 0)
    np.testing.assert_allclose(corrected, exact, atol=1e-5)


def test_correct_bias_keeps_the_mean_of_every_channel(program):
    means = []
    for passes in ("simplify", "quantize-weights{bits=2},correct-bias"):
        module, ctx = network(program)
        found = []
        with providing(lambda: samples(3, 24)):
            pipeline.run(pipeline.parse(passes), module, ctx)
        for x in samples(3, 24):
            seen = {}
            evaluate(module, x, store_of(ctx), lambda op, results, seen=seen: seen.setdefault(op.name, results[0]))
            found.append(seen["dnn.conv"].mean((0, 2, 3)))
        means.append(np.mean(found, 0))
    np.testing.assert_allclose(means[1], means[0], atol=1e-5)


@pytest.mark.parametrize("bits", range(2, 8))
def test_int8_holds_narrow_weights_in_bytes(program, bits):
    module, ctx = network(program)
    pipeline.run(pipeline.parse(f"quantize-weights{{bits={bits}}}"), module, ctx)
    before = outputs(module, ctx)
    pipeline.run(pipeline.parse("widen-weights"), module, ctx)
    types = [type_name(op.results[0].type.element_type) for op in main_function(module).body.block.ops if op.results]
    assert f"q<i{bits}>" in types  # read through dequantize: left for `quantize-lower`
    calibrate(module, store_of(ctx), samples(3, 8))
    pipeline.run(pipeline.parse("int8"), module, ctx)
    kinds = {type_name(op.results[0].type.element_type) for op in module.walk() if op.name == "dnn.const"}
    assert kinds <= {"q<i8>", "q<i32>"}
    assert np.corrcoef(before.reshape(-1), outputs(module, ctx).reshape(-1))[0, 1] > 0.99


def test_weights_have_the_type_of_their_width_and_are_the_same_each_time(program):
    results = []
    for _ in range(2):
        module, ctx = network(program)
        with providing(lambda: samples(3, 8)):
            pipeline.run(pipeline.parse("gptq{bits=3}"), module, ctx)
        results.append(outputs(module, ctx))
    types = [type_name(op.results[0].type.element_type) for op in main_function(module).body.block.ops if op.results]
    assert types.count("q<i3>") == 3
    np.testing.assert_array_equal(results[0], results[1])


def test_int8_keeps_integer_weights(program):
    module, ctx = network(program)
    exact = outputs(module, ctx)
    seen = samples(3, 16)
    with providing(lambda: seen):
        pipeline.run(pipeline.parse("gptq{bits=6},correct-bias"), module, ctx)
    calibrate(module, store_of(ctx), seen)
    pipeline.run(pipeline.parse("int8"), module, ctx)
    assert 10 * np.log10(np.mean(exact**2) / np.mean((outputs(module, ctx) - exact) ** 2)) > 25


def test_without_samples_gptq_says_so(program):
    module, ctx = network(program)
    with pytest.raises(DnncError, match="E0704"):
        pipeline.run(pipeline.parse("gptq"), module, ctx)


def test_weights_of_one_bit_are_refused(program):
    module, ctx = network(program)
    with pytest.raises(DnncError, match="E0705"):
        pipeline.run(pipeline.parse("quantize-weights{bits=1}"), module, ctx)


def test_adaround_leaves_less_error_than_the_nearest_integers_and_at_two_bits_than_gptq(program):
    assert error(program, "adaround{bits=3}") < 0.4 * error(program, "quantize-weights{bits=3}")
    assert error(program, "adaround{bits=2}") < error(program, "gptq{bits=2}")


def test_adaround_gives_the_same_weights_each_time(program):
    results = []
    for _ in range(2):
        module, ctx = network(program)
        with providing(lambda: samples(3, 8)):
            pipeline.run(pipeline.parse("adaround{bits=3 iterations=50}"), module, ctx)
        results.append(outputs(module, ctx))
    np.testing.assert_array_equal(results[0], results[1])
