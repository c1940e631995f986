"""Evaluating with a memory gives what the interpreter gives, and computes no operation twice."""

from pathlib import Path

import numpy as np
import pytest

import dnnc
from dnnc.ir.weights import store_of
from dnnc.memo import Memo
from dnnc.numerics import distance
from dnnc.stimuli import draw_inputs, read_stimuli, stimuli

MODELS = Path(__file__).parents[2] / "models"


@pytest.fixture(scope="module")
def lenet():
    return dnnc.load(MODELS / "lenet5.onnx")


def test_the_same_bits_as_the_interpreter(lenet):
    inputs = draw_inputs(lenet.module)
    memo = Memo(store_of(lenet.ctx))
    for _ in range(2):
        for a, b in zip(lenet.run(*inputs), memo.outputs(lenet.module, inputs)):
            np.testing.assert_array_equal(a, b)


def test_only_what_is_new_is_computed(lenet):
    inputs = draw_inputs(lenet.module)
    memo = Memo(store_of(lenet.ctx))
    memo.outputs(lenet.module, inputs)
    once = memo.computed
    fused = lenet.clone()
    dnnc.passes.PASSES["fuse-groups"]().apply(fused.ctx, fused.module)
    memo.outputs(fused.module, inputs)
    assert memo.computed == once


def test_no_budget_means_no_memory(lenet):
    inputs = draw_inputs(lenet.module)
    memo = Memo(store_of(lenet.ctx), budget=0)
    memo.outputs(lenet.module, inputs)
    once = memo.computed
    memo.outputs(lenet.module, inputs)
    assert memo.computed == 2 * once


def test_stimuli_of_a_program_hold_its_edges(main_program):
    line = "dnn.clip %a low = -0.5 high = 6.0"
    module, _ = main_program(line, "tensor<64xf32>", result="tensor<64xf32>")
    found = {s.name: s.inputs[0] for s in stimuli(module)}
    assert {"random values", "values at edges", "large values", "zeros", "NaN and infinities"} <= found.keys()
    edges = found["values at edges"]
    assert (edges == 6).any() and (edges == np.nextafter(np.float32(6), np.float32(7))).any()
    assert not np.isfinite(found["NaN and infinities"]).all() and np.signbit(found["zeros"]).any()


def test_quantized_inputs_reach_the_ends_of_their_range(main_program):
    q = "!dnn.q<i8, 0.5, 3>"
    module, _ = main_program("dnn.relu %a", f"tensor<64x{q}>", result=f"tensor<64x{q}>")
    found = {s.name: s.inputs[0] for s in stimuli(module)}
    assert set(np.unique(found["large values"])) == {-128, 127} and set(np.unique(found["zeros"])) == {3}


def test_types_numpy_does_not_know_come_back_from_a_file(main_program, tmp_path):
    module, _ = main_program("dnn.relu %a", "tensor<4xbf16>", result="tensor<4xbf16>")
    inputs = draw_inputs(module)
    np.savez(tmp_path / "x.npz", x=inputs[0])
    (read,) = read_stimuli(tmp_path / "x.npz", module)
    assert read.inputs[0].dtype == inputs[0].dtype and (read.inputs[0] == inputs[0]).all()


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0),
        ([1.0, 2.0], [1.0, 1.0], 0.5),
        ([np.nan, 2.0], [np.nan, 2.0], 0.0),
        ([np.nan, 2.0], [1.0, 2.0], np.inf),
        ([np.inf, 2.0], [-np.inf, 2.0], np.inf),
        ([1, 2, 3, 4], [1, 2, 3, 5], 0.25),
        ([], [], 0.0),
    ],
)
def test_distances(a, b, expected):
    assert distance(np.array(a), np.array(b)) == expected


def test_where_bits_count_zeros_have_signs():
    assert distance(np.array([0.0, 1.0]), np.array([-0.0, 1.0]), exact=True) == 0.5
