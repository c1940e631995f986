"""Mixed widths against uniform ones on a generated network: figures that fit together, bits that are the same everywhere."""

import json

import numpy as np
import pytest

from tools.bench.precision import Uniform, interpolated, main

NETWORK = """
input x: f32[1, 2, 6, 6]
a = relu(conv(x, he(f32[6, 2, 3, 3]), pad=1))
b = relu(conv(a, he(f32[8, 6, 3, 3]), pad=1))
y = matmul(flatten(b), he(f32[288, 5]))
output y
"""


@pytest.fixture
def files(tmp_path):
    (tmp_path / "net.dnn").write_text(NETWORK)
    np.savez(tmp_path / "x.npz", x=np.random.default_rng(0).normal(size=(12, 2, 6, 6)).astype(np.float32))
    return str(tmp_path / "net.dnn"), str(tmp_path / "x.npz")


def test_the_width_between_two_is_that_of_equal_loss():
    uniform = [Uniform(2, 1e-1), Uniform(3, 1e-3), Uniform(4, 1e-4)]
    assert interpolated(uniform, 1e-2) == pytest.approx(2.5)
    assert interpolated(uniform, 1e-4) == pytest.approx(4)
    assert interpolated(uniform, 1.0) is None


def said(capsys, *arguments):
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_mixed_widths_hold_the_loss_of_a_uniform_one(files, capsys):
    model, samples = files
    found = said(capsys, model, "--calibrate", samples, "--quantizer", "quantize-weights")
    losses = [u["kl"] for u in found["uniform"]]
    assert found["mixed"] and all(m["budget"] in losses and m["kl"] <= m["budget"] for m in found["mixed"])
    assert all(m["whole"] is not None and m["fewer"] == 100 * (1 - m["bits"] / m["whole"]) for m in found["mixed"])


@pytest.mark.full
def test_mixed_networks_have_the_same_bits_everywhere(files, capsys):
    model, samples = files
    found = said(capsys, model, "--calibrate", samples, "--run", "1")
    assert found["runs"] and all(r["same_bits"] for r in found["runs"])
