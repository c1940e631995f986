"""Networks in float16 and bfloat16 are quantized as in float32; inputs and outputs keep their types."""

import numpy as np
import pytest

from dnnc import api
from dnnc.ir.dnn.elementwise import CastOp
from dnnc.ir.dnn.quantize import DequantizeOp, QuantizeOp
from dnnc.ir.interpret import main_function
from dnnc.ir.stages import check
from dnnc.ir.types import dtype

TEXT = """
input x: {kind}[1, 3, 8, 8]
n = (x - 0.5) * 2.0
a = relu(conv(n, he({kind}[4, 3, 3, 3]), he({kind}[4])))
b = concat(a, sigmoid(a), axis=1)
s = reshape(conv(b, he({kind}[5, 8, 6, 6])), shape=[1, 5])
y = softmax(s, axis=1)
output y, s, x
"""


@pytest.mark.parametrize("kind", ["f16", "bf16"])
def test_a_network_of_half_floats_is_quantized(kind, tmp_path):
    (path := tmp_path / "half.dnn").write_text(TEXT.format(kind=kind))
    network = api.load(path)
    main = main_function(network.module)
    half = dtype(main.body.block.args[0].type.element_type)
    x = np.random.default_rng(0).uniform(0, 1, (8, 3, 8, 8)).astype(half)
    program = api.compile(network, calibrate=x)
    check(api.compile(network, emit="ir", pipeline="int8", calibrate=x).network.module, "quantized")
    for sample in x[:2]:
        outputs, exact = program.run(sample[None], check=True), network.run(sample[None])
        assert [o.dtype for o in outputs] == [half] * 3
        np.testing.assert_array_equal(outputs[2], sample[None])
        for got, want in zip(outputs, exact, strict=True):
            np.testing.assert_allclose(
                got.astype(np.float32), want.astype(np.float32), atol=0.05 * np.ptp(want.astype(np.float32)) + 0.02
            )


def test_only_inputs_and_outputs_are_cast(tmp_path):
    (path := tmp_path / "half.dnn").write_text(TEXT.format(kind="f16"))
    x = np.random.default_rng(0).uniform(0, 1, (1, 3, 8, 8)).astype(np.float16)
    integers = api.compile(path, emit="ir", pipeline="int8", calibrate=x).network.module
    kinds = [type(op) for op in main_function(integers).body.block.ops]
    assert kinds.count(CastOp) == 3 and kinds.count(QuantizeOp) == 1 and kinds.count(DequantizeOp) >= 1
