"""What the programs of decompose.mlir do not reach: other ranks and types, infinite values, wrong options."""

import numpy as np
import pytest

from dnnc.ir.diagnostics import DnncError
from dnnc.ir.interpret import evaluate
from dnnc.ir.text import verify
from dnnc.ir.weights import store_of
from dnnc.passes.decompose import DecomposePass

VECTOR = "tensor<4xf32>"
CASES = [
    ("dnn.softmax %a axis = 0", ["tensor<f32>"]),
    ("dnn.log_softmax %a axis = -1", ["tensor<f32>"]),
    ("dnn.softmax %a axis = 1", ["tensor<2x3x4xf64>"]),
    ("dnn.batch_norm %a, %b, %c, %d, %e", ["tensor<2x4xf32>", *[VECTOR] * 4]),
    ("dnn.instance_norm %a, %b, %c", ["tensor<2x4x5xf32>", *[VECTOR] * 2]),
    ("dnn.layer_norm %a, %b, shift(%c) axis = 1", ["tensor<2x3x4xf32>", "tensor<3x4xf32>", VECTOR]),
    ("dnn.rms_norm %a, %b axis = -2", ["tensor<2x3x4xf32>", VECTOR]),
    ("dnn.group_norm %a, %b, %c groups = 4", ["tensor<2x4xf32>", *[VECTOR] * 2]),
    ("dnn.mean_variance_norm %a axes = [-1, 0]", ["tensor<2x3x4xf32>"]),
    ("dnn.lrn %a size = 4 alpha = 0.7 beta = 0.6 bias = 1.5", ["tensor<2x6x3x2xf32>"]),
    ("dnn.lrn %a size = 3", ["tensor<2x5xf32>"]),
    ("dnn.reduce_log_sum_exp %a axes = [0, -1] keepdims", ["tensor<2x3x4xf32>"]),
]


def decomposed(main_program, line, operands, result, inputs):
    module, ctx = main_program(line, *operands, result=result)
    with np.errstate(all="ignore"):
        before = evaluate(module, inputs, store_of(ctx))[0]
        DecomposePass().apply(ctx, module)
        verify(module)
        return before, evaluate(module, inputs, store_of(ctx))[0]


@pytest.mark.parametrize(("line", "operands"), CASES)
def test_laws(main_program, line, operands):
    rng = np.random.default_rng(3)
    shapes = [[int(d) for d in t[7:-1].split("x")[:-1]] for t in operands]
    kind = np.float64 if "f64" in operands[0] else np.float32
    inputs = [np.asarray(rng.uniform(0.5, 2, s), kind) for s in shapes]
    result = "tensor<1x3x1xf32>" if "keepdims" in line else operands[0]
    before, after = decomposed(main_program, line, operands, result, inputs)
    np.testing.assert_allclose(after, before, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("values", [[-np.inf, -np.inf], [np.inf, 1], [-np.inf, 2], [np.nan, 0], [3e38, 3e38]])
def test_infinite_sums(main_program, values):
    line = "dnn.reduce_log_sum_exp %a axes = [0]"
    inputs = [np.array(values, np.float32)]
    before, after = decomposed(main_program, line, ["tensor<2xf32>"], "tensor<f32>", inputs)
    with np.errstate(invalid="ignore"):
        exact = np.logaddexp.reduce(inputs[0].astype(np.float64)).astype(np.float32)
    np.testing.assert_array_equal(before, exact)
    np.testing.assert_array_equal(after, before)


def test_unknown_names_are_refused(main_program):
    module, ctx = main_program("dnn.relu %a", "tensor<f32>", result="tensor<f32>")
    expected = "decompose: expected names among softmax, log-softmax, .* in keep, not soft, relu."
    with pytest.raises(DnncError, match=expected):
        DecomposePass(keep=("soft", "softmax", "relu")).apply(ctx, module)
