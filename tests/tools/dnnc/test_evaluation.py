"""Figures of networks whose outputs are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dnnc import DnncError, load
from dnnc.evaluation import evaluate


@pytest.fixture
def detector(tmp_path: Path):
    """A network that gives its inputs: two boxes and their scores."""
    path = tmp_path / "d.dnn"
    path.write_text(
        "input b: f32[1, 2, 4]\ninput s: f32[1, 2]\nboxes = relu(b)\nscores = relu(s)\noutput boxes, scores\n"
    )
    return load(path)


def test_boxes(detector):
    boxes = np.array([[[0, 0, 2, 2], [4, 4, 6, 6]], [[0, 0, 2, 2], [4, 4, 6, 6]]], np.float32)
    scores = np.array([[0.9, 0.6], [0.8, 0.1]], np.float32)
    labels = {"boxes": np.array([[0, 0, 2, 2], [4, 4, 6, 6], [1, 1, 3, 3]]), "image": np.array([0, 0, 1])}
    (row,) = evaluate(detector, [boxes, scores], labels, "boxes")["executors"]
    assert row["precision"] == pytest.approx(2 / 3) and row["recall"] == pytest.approx(2 / 3)
    assert row["iou"] == 1 and row["map"] == pytest.approx(1 / 3 + 2 / 3 * 1 / 3)


def test_pictures(tmp_path: Path):
    (tmp_path / "p.dnn").write_text("input x: f32[1, 1, 2, 2]\ny = relu(x)\noutput y\n")
    pictures = np.array([[[[0, 1], [0, 1]]], [[[0, 1], [0, 1]]]], np.float32)
    labels = {"y": pictures - np.float32(0.1) * np.array([0, 1], np.float32).reshape(2, 1, 1, 1)}
    (row,) = evaluate(load(tmp_path / "p.dnn"), pictures, labels, "pictures")["executors"]
    assert row["exact"] == 1 and row["psnr_db"] == pytest.approx(10 * np.log10(1.1**2 / 0.01), rel=1e-5)


def test_labels_that_do_not_fit(detector):
    data = [np.zeros((2, 2, 4), np.float32), np.zeros((2, 2), np.float32)]
    for labels, task in (({"labels": np.zeros((3,), int)}, "classes"), ({"boxes": np.zeros((1, 4))}, "boxes")):
        with pytest.raises(DnncError, match="E0116"):
            evaluate(detector, data, labels, task)
