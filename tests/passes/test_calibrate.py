"""Samples from files and folders: how they are cut, what is refused, which ranges they give."""

import re
from pathlib import Path

import numpy as np
import pytest

from dnnc.ir.diagnostics import DnncError
from dnnc.ir.interpret import main_function
from dnnc.ir.weights import WeightStore, store_of
from dnnc.passes.analysis.images import prepared, read_preprocessing
from dnnc.passes.analysis.sources import chosen, cut_samples, load_samples, of_rows, samples_at, samples_of
from dnnc.passes.calibrate import CalibratePass, calibrate, range_of


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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for i in (2, 0, 1):
        np.save(tmp_path / f"{i}.npy", np.full((2, 3), i, np.float32))
    (tmp_path / "notes.txt").write_text("not a sample")
    return tmp_path


def test_a_folder_is_a_sample_a_file_in_the_order_of_names(relu, folder: Path):
    samples = samples_at(folder, main_function(relu[0]))
    assert [x[0][0, 0, 0] for x in samples] == [0, 1, 2] and samples[-1][0].shape == (1, 2, 3)
    assert len(samples[1:]) == 2


def test_samples_of_a_folder_are_read_when_they_are_asked_for(relu, folder: Path):
    samples = samples_at(folder, main_function(relu[0]))
    np.save(folder / "1.npy", np.full((2, 3), 7, np.float32))
    assert samples[1][0].max() == 7


def test_the_digest_tells_sets_of_samples_apart(relu, folder: Path):
    def digest():
        return samples_at(folder, main_function(relu[0])).digest()

    first = digest()
    assert first == digest() and len(first) == 64
    (folder / "1.npy").rename(folder / "3.npy")
    assert digest() != first
    one, other = (of_rows([[np.full(3, v)] for v in values]).digest() for values in ((1.0, 2.0), (2.0, 1.0)))
    assert one != other


def test_a_calibrated_module_names_its_samples(relu, folder: Path):
    module, ctx = relu
    CalibratePass(data=str(folder), method="mse").apply(ctx, module)
    assert re.fullmatch(r"mse, 3 samples, sha256 [0-9a-f]{64}", module.attributes["dnn.calibrated"].data)
    assert range_of(main_function(module).body.block.args[0]) == (0, 2)


def test_a_folder_of_npz_files_holds_every_input(main_program, tmp_path: Path):
    module, _ = main_program("dnn.add %a, %b", *["tensor<1x2xf32>"] * 2, result="tensor<1x2xf32>")
    for i in range(3):
        values = {n: np.full((1, 2), i + k, np.float32) for k, n in enumerate(("input0", "input1"))}
        np.savez(tmp_path / f"{i}.npz", **values)
    assert [[x[0, 0] for x in s] for s in samples_at(tmp_path, main_function(module))] == [[0, 1], [1, 2], [2, 3]]


@pytest.mark.parametrize("layout, channels, shape", [("NCHW", "RGB", (3, 2, 4)), ("NHWC", "BGR", (2, 4, 3))])
def test_pictures_become_inputs_as_stated(layout, channels, shape):
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
    how = read_preprocessing(
        f"crop=[2, 4], scale=0.5, mean=[1, 2, 3], std=[4, 5, 6], layout='{layout}', channels='{channels}'"
    )
    x = prepared(pixels, how, "here")
    assert x.shape == shape and x.dtype == np.float32
    for c, (row, column) in ((0, (0, 0)), (2, (1, 3))):
        pixel = pixels[1 + row, 1 + column, 2 - c if channels == "BGR" else c]
        got = x[c, row, column] if layout == "NCHW" else x[row, column, c]
        assert got == pytest.approx((0.5 * pixel - (1, 2, 3)[c]) / (4, 5, 6)[c])


def test_a_folder_of_pictures_is_read_through_pillow(relu, tmp_path: Path):
    for i in range(2):
        (tmp_path / f"{i}.pgm").write_bytes(b"P5 6 4 255\n" + bytes([i * 100] * 24))
    how = read_preprocessing("resize=[2, 3], channels='L', scale=0.01")
    module = relu[0]
    assert [x[0].tolist() for x in samples_at(tmp_path, main_function(module), how)] == [
        [[[0.0] * 3] * 2],
        [[[1.0] * 3] * 2],
    ]
    with pytest.raises(DnncError, match=r"0\.pgm: expected a picture that becomes 1x2x3 f32, not 1x4x6"):
        samples_at(tmp_path, main_function(module), read_preprocessing("channels='L'"))[0]


def test_a_network_that_comes_quantized_is_not_said_to_be_calibrated(main_program, folder: Path):
    to = "!dnn.q<i8, 0.1, 3>"
    module, ctx = main_program(f"dnn.quantize %a to = {to}", "tensor<1x2x3xf32>", result=f"tensor<1x2x3x{to}>")
    CalibratePass(data=str(folder)).apply(ctx, module)
    assert "dnn.calibrated" not in module.attributes


def test_preprocessing_is_of_pictures_alone(relu, folder: Path):
    module, store = relu[0], WeightStore()
    for source in (str(folder), str(next(folder.iterdir())), "data-free"):
        with pytest.raises(DnncError, match="E0128"):
            samples_of(module, store, source, "channels='L'")


def test_a_preprocessing_tells_all_its_mistakes(tmp_path: Path):
    with pytest.raises(DnncError) as e:
        read_preprocessing("resise=3, crop=-1, std=0, layout='HWC'")
    text = str(e.value)
    assert "Did you mean 'resize'?" in text and "for crop, not -1" in text and "for std, not 0" in text
    assert "one of NCHW, NHWC for layout, not 'HWC'" in text
    (tmp_path / "p.toml").write_text("resize = 8\nmean = [1, 2, 3]\n")
    assert read_preprocessing(str(tmp_path / "p.toml")).mean == (1, 2, 3)
