"""Bounds on DRAM traffic against brute force, hand computation and the figures measured for VGG-16."""

from math import sqrt

import pytest

from dnnc.backends.report.traffic import reached, tiling_bound
from dnnc.ir.dnn.attributes import Window

WINDOWS = [
    (9, Window.of([3], [1], [1, 1])),
    (9, Window.of([3], [2], [0, 0])),
    (10, Window.of([1], [3], [0, 0])),
    (10, Window.of([2], [5], [0, 4])),
    (7, Window.of([3], [2], [2, 2], [3])),
    (4, Window.of([2], [3], [5, 1])),
    (3, Window.of([2], [2], [4, 4])),
    (8, Window.of([3], [3], [1, 0], ceil=True)),
]


@pytest.mark.parametrize(("size", "window"), WINDOWS)
def test_reached_is_what_the_windows_cover(size: int, window: Window):
    (u,), (d,), ((pad, _),), (e,) = window.stride, window.dilation, window.pads, window.output((size,))
    covered = {i * u + tap * d - pad for i in range(e) for tap in range(window.kernel[0])}
    assert reached(window, (size,)) == [len(covered & set(range(size)))]


@pytest.mark.parametrize("macs", [0, 1, 1000, 123_456_789, 2**40])
@pytest.mark.parametrize(("taps", "strides"), [(1, 1), (9, 1), (9, 4), (1, 4)])
@pytest.mark.parametrize("bits", [4, 8, 16, 32])
def test_tiling_bound_is_the_formula_rounded_up(macs: int, taps: int, strides: int, bits: int):
    words = 5000 * 8 / bits
    exact = 2 * macs / sqrt(max(1, taps / strides) * words) * bits / 8
    assert exact * (1 - 1e-12) <= tiling_bound(macs, taps, strides, bits, 5000) < exact * (1 + 1e-12) + 1


def test_tiling_bound_of_a_square():
    # 2 * 1024 / sqrt(1 * 256) = 128 bytes exactly; one MAC more needs one byte more
    assert tiling_bound(1024, 1, 1, 8, 256) == 128
    assert tiling_bound(1025, 1, 1, 8, 256) == 129


VGG16 = [
    (224, 3, 64), (224, 64, 64), (112, 64, 128), (112, 128, 128), (56, 128, 256), (56, 256, 256), (56, 256, 256),
    (28, 256, 512), (28, 512, 512), (28, 512, 512), (14, 512, 512), (14, 512, 512), (14, 512, 512),
]  # fmt: skip


@pytest.mark.parametrize(
    ("width", "kilobytes", "megabytes"),
    [(2, 66.5, 122.3), (2, 108, 103.2), (2, 512, 75.5), (1, 66.5, 48.3), (1, 108, 42.2), (1, 512, 37.3)],
)
def test_bound_of_vgg16_convolutions_as_measured(width: int, kilobytes: float, megabytes: float):
    """Sums of max(compulsory, bound) over the 13 layers, in MB = 1e6 B, from an exhaustive study of tilings."""
    total = 0
    for size, c, m in VGG16:
        compulsory = width * (size * size * (c + m) + 9 * c * m)
        total += max(compulsory, tiling_bound(size * size * c * m * 9, 9, 1, 8 * width, int(kilobytes * 1024)))
    assert total / 1e6 == pytest.approx(megabytes, abs=0.051)
