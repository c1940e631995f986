"""Networks with weights as codes, end to end: interpreter, compiled C and simulator give the same bits."""

from __future__ import annotations

import numpy as np
import pytest

from dnnc import api

NETWORK = """
input x: f32[1, 3, 6, 6]
a = relu(conv(x, he(f32[8, 3, 3, 3]), pad=1))
b = relu(conv(a, he(f32[8, 1, 3, 3]), pad=1, groups=8))
y = matmul(flatten(b), he(f32[288, 10]))
output y
"""
FORMS = ("pow2", "codebook", "block block=16")


@pytest.fixture
def network(tmp_path):
    """Three layers, one of them depthwise."""
    (tmp_path / "net.dnn").write_text(NETWORK)
    return api.load(tmp_path / "net.dnn")


def samples(count=8):
    return np.random.default_rng(1).normal(size=(count, 3, 6, 6)).astype(np.float32)


def compiled(network, emit, passes, calibrate=True):
    return api.compile(network, "edge", emit, passes, samples()[:, None] if calibrate else None)


@pytest.mark.parametrize("form", FORMS)
def test_executors_agree_to_the_bit(network, form):
    passes = f"simplify,code-weights{{form={form}}},correct-bias"
    reference, c, npu = (
        compiled(network, emit, f"{passes},{last}") for emit, last in (("ir", "int8"), ("c", "int8"), ("npu", "npu"))
    )
    for x in samples(3):
        exact = reference.run(x[None])[0]
        np.testing.assert_array_equal(c.run(x[None])[0], exact)
        np.testing.assert_array_equal(npu.run(x[None])[0], exact)


def test_two_bytes_a_weight_run_in_c(network):
    passes = "simplify,code-weights{form=pow2 bits=5},int8"
    reference, c = compiled(network, "ir", passes), compiled(network, "c", passes)
    for x in samples(3):
        np.testing.assert_array_equal(c.run(x[None])[0], reference.run(x[None])[0])


@pytest.mark.parametrize("form", ["block block=16", "f8E4M3FN"])
def test_c_of_floats_reads_codes(network, form):
    passes = f"simplify,code-weights{{form={form} method=nearest}}"
    reference, c = compiled(network, "ir", passes, False), compiled(network, "c", f"{passes},fuse", False)
    for x in samples(2):
        np.testing.assert_allclose(c.run(x[None])[0], reference.run(x[None])[0], rtol=1e-5, atol=1e-5)
