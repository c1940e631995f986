"""Metrics against cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from dnnc import metrics


def test_probabilities_are_left_alone_and_logits_are_not():
    assert metrics.probabilities(np.array([0.25, 0.75])).tolist() == [0.25, 0.75]
    assert metrics.probabilities(np.array([0.0, np.log(3)])) == pytest.approx([0.25, 0.75])


def test_divergence():
    p, q = np.array([0.5, 0.5]), np.array([0.25, 0.75])
    assert metrics.divergence(p, q) == pytest.approx(0.5 * np.log(2) + 0.5 * np.log(2 / 3))
    assert metrics.divergence(p, p) == 0.0


def test_of_equal_scores_the_lower_class_is_first():
    scores = np.array([1.0, 3.0, 3.0])
    assert metrics.in_top(scores, 1, 1) and not metrics.in_top(scores, 2, 1) and metrics.in_top(scores, 2, 2)


def test_psnr():
    assert metrics.psnr(np.zeros(4), np.full(4, 0.1), 1.0) == pytest.approx(20.0)


def test_iou():
    a, b = np.array([[0.0, 0, 2, 2]]), np.array([[1.0, 1, 3, 3], [0, 0, 2, 2], [5, 5, 6, 6]])
    assert metrics.iou(a, b) == pytest.approx(np.array([[1 / 7, 1, 0]]))


def test_a_true_box_is_found_once():
    boxes = np.array([[0.0, 0, 2, 2], [0, 0, 2, 2], [4, 4, 6, 6]])
    found, scores = metrics.hits(boxes, np.array([0.6, 0.9, 0.8]), boxes[:1], 0.5)
    assert found.tolist() == [1, 0, 0] and scores.tolist() == [0.9, 0.8, 0.6]


def test_average_precision():
    """Ranks right, wrong, right of 2: precision 1 up to recall 1/2, then 2/3."""
    correct, scores = np.array([True, False, True]), np.array([0.9, 0.8, 0.7])
    assert metrics.average_precision(correct, scores, 2) == pytest.approx(0.5 + 0.5 * 2 / 3)
    assert metrics.average_precision(correct[:1], scores[:1], 4) == 0.25
