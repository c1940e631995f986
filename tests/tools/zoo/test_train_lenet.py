"""The trained LeNet-5 under tests/models: what it is, how well it reads, and that the script makes it again."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from dnnc.zoo import ZOO, train_lenet
from dnnc.zoo.digits import enlarge

MODELS = Path(__file__).parents[2] / "models"


@pytest.fixture(scope="module")
def held_out() -> tuple[np.ndarray, np.ndarray]:
    with np.load(MODELS / "digits_test.npz") as stored:
        return stored["x"], stored["labels"]


def logits(model: Path, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return np.concatenate([np.asarray(session.run(None, {"data": x[i : i + 1]})[0]) for i in range(len(x))])


def test_topology_is_the_zoo_s():
    trained, seeded = onnx.load(MODELS / "lenet5.onnx"), ZOO["lenet5"]()
    for tensor in [*trained.graph.initializer, *seeded.graph.initializer]:
        tensor.ClearField("raw_data")
    assert trained == seeded


def test_files_are_small():
    assert (MODELS / "lenet5.onnx").stat().st_size < 2_000_000
    assert (MODELS / "digits_test.npz").stat().st_size < 150_000
    assert (MODELS / "digits_calibration.npz").stat().st_size < 50_000


def test_held_out_images(held_out: tuple[np.ndarray, np.ndarray]):
    x, labels = held_out
    assert (x.dtype, x.shape) == (np.float32, (400, 1, 28, 28))
    assert (labels.dtype, labels.shape) == (np.int64, (400,))
    assert np.bincount(labels).min() >= 38
    assert np.array_equal(np.unique(x), np.arange(17, dtype=np.float32) / 16)


def test_calibration_images_are_none_of_the_held_out(held_out: tuple[np.ndarray, np.ndarray]):
    with np.load(MODELS / "digits_calibration.npz") as stored:
        assert stored.files == ["x"]
        calibration = stored["x"]
    assert (calibration.dtype, calibration.shape) == (np.float32, (128, 1, 28, 28))
    seen = {image.tobytes() for image in held_out[0]}
    assert not any(image.tobytes() in seen for image in calibration)


def test_accuracy_on_held_out_digits(held_out: tuple[np.ndarray, np.ndarray]):
    x, labels = held_out
    right = (logits(MODELS / "lenet5.onnx", x).argmax(1) == labels).sum()
    assert right == 399, "tests/models/README.md states 399 of 400"


def test_enlarge():
    image = np.zeros((1, 8, 8))
    image[0, 0, 0], image[0, 7, 6] = 16, 4
    large = enlarge(image)
    assert (large.dtype, large.shape) == (np.float32, (1, 1, 28, 28))
    assert (large[0, 0, 2:5, 2:5] == 1).all() and (large[0, 0, 23:26, 20:23] == 0.25).all()
    assert large.sum() == 9 + 9 * 0.25


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(train_lenet, "find_spec", lambda name: None if name == "torch" else object())
    with pytest.raises(SystemExit):
        train_lenet.main(["-o", "unused"])
    assert "torch and sklearn are expected, torch is not there. pip install 'dnnc[zoo]'" in capsys.readouterr().err


@pytest.mark.full
def test_training_repeats(tmp_path: Path):
    """The data files come out byte for byte; the weights do on one machine, so two short runs agree."""
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    for run in ("a", "b"):
        assert train_lenet.main(["-o", str(tmp_path / run), "--epochs", "2"]) == 0
    for name in ("lenet5.onnx", "digits_test.npz", "digits_calibration.npz"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    for name in ("digits_test.npz", "digits_calibration.npz"):
        with np.load(tmp_path / "a" / name) as made, np.load(MODELS / name) as stored:
            assert all(np.array_equal(made[key], stored[key]) for key in stored.files)


@pytest.mark.full
def test_training_gives_the_stated_accuracy(tmp_path: Path, held_out: tuple[np.ndarray, np.ndarray]):
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    assert train_lenet.main(["-o", str(tmp_path)]) == 0
    x, labels = held_out
    fresh = logits(tmp_path / "lenet5.onnx", x)
    assert (fresh.argmax(1) == labels).mean() >= 0.985
    weights = [numpy_helper.to_array(t) for t in onnx.load(tmp_path / "lenet5.onnx").graph.initializer]
    assert all(np.isfinite(w).all() for w in weights)
