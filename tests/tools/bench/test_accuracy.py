"""The accuracy table on a few committed digits: rows come as they are measured, layouts are found."""

from dataclasses import replace

import numpy as np
import pytest

from tools.bench import accuracy


def few(task, count):
    return replace(task, x=task.x[:count], labels=task.labels[:count])


@pytest.mark.full
def test_rows_of_drops(monkeypatch):
    schemes = {
        name: accuracy.SCHEMES[name] for name in ("int8 min-max", "int8 data-free", "int8 dynamic", "W2 rounded")
    }
    monkeypatch.setattr(accuracy, "SCHEMES", schemes)
    rows = list(accuracy.drops([few(accuracy.committed(), 40)]))
    assert [row[0] for row in rows] == ["drop in points of accuracy", "float, %", *schemes]
    assert rows[1][1] == "100.00" and [row[1] for row in rows[2:5]] == ["0.00"] * 3
    assert float(rows[5][1]) > 5


@pytest.mark.full
def test_rows_of_counts(monkeypatch):
    monkeypatch.setattr(accuracy, "MLPERF", ["int8 min-max"])
    assert list(accuracy.counts([few(accuracy.committed(), 20)]))[1:] == [["float", "20"], ["int8 min-max", "20 / 20"]]


def test_samples_are_laid_out_as_the_input_is():
    network = accuracy.committed().network
    x = np.arange(3 * 28 * 28).reshape(3, 28, 28, 1)
    np.testing.assert_array_equal(accuracy.batched(network, x)[2, 0, 0], x[2, ..., 0])
