"""Samples from .npz files: how they are cut, what is refused, which ranges they give."""

import re
from pathlib import Path

import numpy as np
import pytest

from dnnc.ir.diagnostics import DnncError
from dnnc.ir.interpret import main_function
from dnnc.ir.weights import store_of
from dnnc.passes.calibrate import calibrate, chosen, cut_samples, load_samples, range_of


@pytest.fixture
def relu(main_program):
    return main_program("dnn.relu %a", "tensor<1x2x3xf32>", result="tensor<1x2x3xf32>")


def input_types(module):
    return [a.type for a in main_function(module).body.block.args]


@pytest.mark.parametrize("shape", [(5, 2, 3), (5, 1, 2, 3)])
def test_samples_are_cut_along_the_first_axis(relu, shape):
    x = np.arange(30, dtype=np.float32).reshape(shape)
    samples = cut_samples([x], input_types(relu[0]), "s.npz")
    assert len(samples) == 5
    assert all(one[0].shape == (1, 2, 3) for one in samples)
    np.testing.assert_array_equal(np.concatenate([s[0] for s in samples]).ravel(), np.arange(30))


def test_an_array_of_the_inputs_shape_is_one_sample(relu):
    assert len(cut_samples([np.zeros((1, 2, 3), np.float32)], input_types(relu[0]), "s.npz")) == 1


def test_ranges_hold_every_sample(relu):
    module, ctx = relu
    samples = [[np.full((1, 2, 3), v, np.float32)] for v in (-2.0, 0.5, 3.0)]
    assert calibrate(module, store_of(ctx), samples) == 3
    block = main_function(module).body.block
    assert range_of(block.args[0]) == (-2.0, 3.0)
    assert range_of(block.first_op.results[0]) == (0.0, 3.0)


def test_what_is_not_finite_shows_in_the_range(relu):
    module, ctx = relu
    calibrate(module, store_of(ctx), [[np.full((1, 2, 3), v, np.float32)] for v in (1.0, -np.inf, np.nan, 0.0)])
    assert np.isnan(range_of(main_function(module).body.block.args[0])).all()


def test_inputs_have_as_many_samples(main_program):
    module, _ = main_program("dnn.add %a, %b", *["tensor<1x2xf32>"] * 2, result="tensor<1x2xf32>")
    with pytest.raises(DnncError, match=r"s.npz: expected as many samples for every input, not \[3, 4\]."):
        cut_samples([np.zeros((3, 2)), np.zeros((4, 2))], input_types(module), "s.npz")


def refused(relu, path: Path) -> str:
    with pytest.raises(DnncError) as e:
        load_samples(path, main_function(relu[0]))
    return str(e.value).replace(str(path), path.name)


def test_what_is_no_sample_file_is_refused(relu, tmp_path: Path):
    missing = tmp_path / "missing.npz"
    assert (
        refused(relu, missing)
        == "missing.npz: expected an .npz or .npy file, found nothing there. Check the path. [E0101]"
    )
    text = tmp_path / "text.npz"
    text.write_text("hello")
    assert re.match(
        r"text.npz: expected an .npz or .npy file with numeric arrays, not this \(.*\). Write it with numpy.savez. \[E0110\]",
        refused(relu, text),
    )
    empty = tmp_path / "empty.npz"
    np.savez(empty)
    assert refused(relu, empty) == "empty.npz: expected arrays for the inputs input0, not none. [E0115]"
    objects = tmp_path / "objects.npz"
    np.savez(objects, x=np.array([{}], object))
    assert refused(relu, objects).startswith(
        "objects.npz: expected an .npz or .npy file with numeric arrays, not this ("
    )
    wrong = tmp_path / "wrong.npz"
    np.savez(wrong, x=np.zeros((4, 5), np.float32))
    assert (
        refused(relu, wrong) == "wrong.npz: expected samples of 1x2x3 f32 stacked along a first axis, not 4x5. [E0112]"
    )


def test_no_samples_are_refused(relu):
    with pytest.raises(DnncError, match=r"calibration: expected at least one sample, not none. Give an .npz"):
        calibrate(relu[0], store_of(relu[1]), [])


def test_integer_inputs_have_no_range(main_program):
    module, ctx = main_program("dnn.cast %a to = f32", "tensor<2xi64>", result="tensor<2xf32>")
    calibrate(module, store_of(ctx), [[np.array([3, 5])]])
    block = main_function(module).body.block
    assert range_of(block.args[0]) is None
    assert range_of(block.first_op.results[0]) == (3.0, 5.0)


def test_arrays_are_taken_by_the_names_of_the_inputs():
    a, b = np.zeros((1, 4)), np.ones((1, 4))
    assert [x[0, 0] for x in chosen(["a", "b"], {"b": b, "other": b, "a": a})] == [0, 1]
    assert [x[0, 0] for x in chosen(["a", "b"], {"arr_0": b, "arr_1": a})] == [1, 0]
    assert len(chosen(["a"], {"image": a})) == 1
    assert not chosen(["a", "b"], {"x": a, "y": b})
