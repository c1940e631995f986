"""Float inputs of whole numbers: integers at scale 1 once their range is known, the same numbers on every executor."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from dnnc import api
from dnnc.ir.diagnostics import DnncError
from dnnc.ir.interpret import main_function

RNG = np.random.default_rng(5)
PROGRAM = """
builtin.module {{
  func.func @main(%x: tensor<1x2x6x6xf32> {{dnn.name = "x"}}) -> (tensor<1x3x4x4xf32> {{dnn.name = "y"}}) {{
    %t = dnn.transpose %x perm = [0, 1, 3, 2] : (tensor<1x2x6x6xf32>) -> tensor<1x2x6x6xf32>
    %w = dnn.const key = "w" : () -> tensor<3x2x3x3xf32>
    %s = dnn.conv %t, %w window = <[3, 3]> : (tensor<1x2x6x6xf32>, tensor<3x2x3x3xf32>) -> tensor<1x3x4x4xf32>
    %q = dnn.quantize %s to = !dnn.q<i32, {scale}, 0> : (tensor<1x3x4x4xf32>) -> tensor<1x3x4x4x!dnn.q<i32, {scale}, 0>>
    %r = dnn.requantize %q to = !dnn.q<i8, 1.0, 0> rounding = half_up multiplier = [9] shift = 10
      : (tensor<1x3x4x4x!dnn.q<i32, {scale}, 0>>) -> tensor<1x3x4x4x!dnn.q<i8, 1.0, 0>>
    %d = dnn.dequantize %r : (tensor<1x3x4x4x!dnn.q<i8, 1.0, 0>>) -> tensor<1x3x4x4xf32>
    %v = dnn.const key = "v" : () -> tensor<3x3x1x1xf32>
    %o = dnn.conv %d, %v window = <[1, 1]> : (tensor<1x3x4x4xf32>, tensor<3x3x1x1xf32>) -> tensor<1x3x4x4xf32>
    %p = dnn.quantize %o to = !dnn.q<i8, 64.0, 0> : (tensor<1x3x4x4xf32>) -> tensor<1x3x4x4x!dnn.q<i8, 64.0, 0>>
    %y = dnn.dequantize %p : (tensor<1x3x4x4x!dnn.q<i8, 64.0, 0>>) -> tensor<1x3x4x4xf32>
    func.return %y : tensor<1x3x4x4xf32>
  }}
}}
"""


@pytest.fixture
def network(tmp_path):
    def made(step=1.0, scale=1.0):
        w = (RNG.integers(-64, 64, (3, 2, 3, 3)) * 2 * step).astype(np.float32)
        v = RNG.integers(-64, 64, (3, 3, 1, 1)).astype(np.float32)
        save_file({"w": w, "v": v}, tmp_path / "net.safetensors")
        (tmp_path / "net.mlir").write_text(PROGRAM.format(scale=scale))
        return api.load(tmp_path / "net.mlir")

    return made


def types(program):
    """Storage of what is quantized from floats."""
    ops = main_function(program.network.module).body.block.ops
    return [str(op.to.storage) for op in ops if op.name == "dnn.quantize"]


@pytest.mark.parametrize(
    "low, high, storage", [(0, 256, "ui8"), (0, 100, "ui8"), (-128, 128, "i8"), (-3, 200, "i16"), (0, 300, "ui16")]
)
def test_range_says_which_integers(network, low, high, storage):
    """Weights that are multiples of two stay at scale 1, and bytes have a sign where the range has one."""
    net = network()
    x = RNG.integers(low, high, (4, 1, 2, 6, 6)).astype(np.float32)
    x[0, 0, 0, 0, :2] = low, high - 1
    program = api.compile(net, emit="ir", pipeline="int8", calibrate=[x[:, 0]])
    assert types(program) == [storage]
    for sample in x:
        np.testing.assert_array_equal(program.run(sample)[0], net.run(sample)[0])


@pytest.mark.parametrize("target", ["edge", "tiny"])
def test_runs_on_the_accelerator(network, target):
    net, x = network(), RNG.integers(0, 256, (1, 2, 6, 6)).astype(np.float32)
    program = api.compile(net, target, calibrate=[x])
    np.testing.assert_array_equal(program.run(x)[0], net.run(x)[0])


def test_without_a_range(network):
    with pytest.raises(DnncError, match=r"expected a calibrated range of the whole numbers it reads.*E0701"):
        api.compile(network())


@pytest.mark.parametrize("change", [{"step": 0.25}, {"scale": 0.5}])
def test_other_numbers_stay(network, change):
    """Weights that are not whole, or sums rounded to another scale, need no whole inputs."""
    x = RNG.integers(0, 256, (1, 2, 6, 6)).astype(np.float32)
    with pytest.raises(DnncError, match="has no integer form"):
        api.compile(network(**change), calibrate=[x])
    assert types(api.compile(network(**change), emit="ir", pipeline="quantize", calibrate=[x])) == ["i32", "i8"]
