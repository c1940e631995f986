"""Integer forms against the same formula on real numbers: quantize(f(dequantize(q))) in float64, at most one step apart."""

import numpy as np
import pytest
from xdsl.ir import Block

from dnnc.ir import fixed
from dnnc.ir.dnn.attributes import Window
from dnnc.ir.dnn.contraction import ConvTransposeOp, MatmulOp
from dnnc.ir.dnn.elementwise import MaxOp
from dnnc.ir.dnn.integer import (
    QAddOp,
    QAvgPoolOp,
    QMulOp,
    QNormalizeOp,
    QReduceMeanOp,
    QReduceSumOp,
    QSoftmaxOp,
    QSubOp,
    TableOp,
    softmax_type,
)
from dnnc.ir.dnn.movement import PadOp
from dnnc.ir.dnn.quantize import RequantizeOp
from dnnc.ir.dnn.reduction import AvgPoolOp
from dnnc.ir.dnn.resampling import ResizeOp
from dnnc.ir.types import I8, I32, QuantType, dtype, element_type, integer_range, tensor

UI8, I16 = element_type(np.uint8), element_type(np.int16)


def run(kind, types, values, **params):
    """Make an operation on operands of these element types and evaluate it."""
    block = Block(arg_types=[tensor(t, v.shape) for t, v in zip(types, values)])
    return kind(*block.args, **params).run(values)[0]


def draw(rng, q, shape):
    low, high = integer_range(q.storage)
    return rng.integers(low, high, shape, endpoint=True).astype(dtype(q))


def real(q, values):
    return float(q.scale) * (values.astype(np.int64) - int(q.zero))


def nearest(q, x):
    """The float64 reference: clamp(RNE(x / s) + z)."""
    return np.clip(np.rint(x / float(q.scale)) + int(q.zero), *integer_range(q.storage))


def some_type(rng, storage=None, scale=None):
    storage = storage or (I8, UI8)[rng.integers(2)]
    low, high = integer_range(storage)
    scale = scale or np.exp2(rng.uniform(-9, 2))
    return QuantType.per_tensor(storage, scale, int(rng.integers(low, high, endpoint=True)))


def compare(y, want):
    """(largest difference, fraction that differs)."""
    d = np.abs(y.astype(np.int64) - want)
    return int(d.max()), float((d > 0).mean())


@pytest.mark.parametrize("kind", [QAddOp, QSubOp])
def test_sums_never_differ(kind):
    rng = np.random.default_rng(1)
    for _ in range(60):
        a, b, y = (some_type(rng) for _ in range(3))
        va, vb = draw(rng, a, (64, 50)), draw(rng, b, (50,))
        want = nearest(y, real(a, va) + real(b, vb) * (1 if kind is QAddOp else -1))
        assert compare(run(kind, (a, b), (va, vb), to=y), want) == (0, 0)


def test_sums_of_16_bit_values():
    rng = np.random.default_rng(2)
    a, b, y = (some_type(rng, I16, s) for s in (2.0**-10, 2.0**-12, 2.0**-9))
    va, vb = draw(rng, a, (4000,)), draw(rng, b, (4000,))
    assert compare(run(QAddOp, (a, b), (va, vb), to=y), nearest(y, real(a, va) + real(b, vb))) == (0, 0)


def test_products_are_within_one_step():
    rng = np.random.default_rng(3)
    rates = []
    for _ in range(60):
        a, b, y = (some_type(rng) for _ in range(3))
        va, vb = draw(rng, a, (64, 50)), draw(rng, b, (50,))
        largest, rate = compare(run(QMulOp, (a, b), (va, vb), to=y), nearest(y, real(a, va) * real(b, vb)))
        assert largest <= 1
        rates.append(rate)
    assert np.mean(rates) < 1e-4


@pytest.mark.parametrize("count_pad", [False, True])
def test_average_pools_never_differ_but_on_ties(count_pad):
    rng = np.random.default_rng(4)
    for kernel, pad in (((2, 2), ()), ((3, 3), (1, 1, 1, 1)), ((7, 7), ()), ((3, 2), (1, 0, 2, 1))):
        x, y = some_type(rng), some_type(rng)
        v = draw(rng, x, (2, 3, 15, 14))
        window = Window.of(kernel, (2, 1), pad)
        f64 = element_type(np.float64)
        mean = run(AvgPoolOp, (f64,), (real(x, v),), window=window, count_pad=count_pad)
        got = run(QAvgPoolOp, (x,), (v,), window=window, count_pad=count_pad, to=y)
        assert compare(got, nearest(y, mean)) == (0, 0)


def test_an_average_pool_tells_whether_all_windows_have_one_size():
    x = Block(arg_types=[tensor(QuantType.per_tensor(I8, 0.1, 3), (1, 2, 5, 5))]).args[0]
    window = Window.of((3, 3), (1, 1), (1, 1, 1, 1))
    border = QAvgPoolOp(x, window=window, to=QuantType.per_tensor(I8, 0.1, 3))
    assert border.count() is None
    assert border.counts()[0, 0] == 4
    assert QAvgPoolOp(x, window=window, count_pad=True, to=QuantType.per_tensor(I8, 0.1, 3)).count() == 9


@pytest.mark.parametrize(("kind", "f"), [(QReduceMeanOp, np.mean), (QReduceSumOp, np.sum)])
def test_reductions_never_differ(kind, f):
    rng = np.random.default_rng(5)
    for axes in ((1,), (0, 2), (2, 3)):
        x, y = some_type(rng), some_type(rng)
        v = draw(rng, x, (7, 9, 11, 3))
        want = nearest(y, f(real(x, v), axis=axes, keepdims=True))
        assert compare(run(kind, (x,), (v,), axes=axes, keepdims=True, to=y), want) == (0, 0)


def test_requantize_from_any_storage():
    rng = np.random.default_rng(6)
    for source in (I8, UI8, I16):
        x, y = some_type(rng, source), some_type(rng)
        v = draw(rng, x, (3000,))
        largest, rate = compare(run(RequantizeOp, (x,), (v,), to=y), nearest(y, real(x, v)))
        assert largest <= 1
        assert rate < 1e-3


def test_requantize_to_its_own_type_changes_nothing():
    q = QuantType.per_tensor(UI8, 0.3, 17)
    every = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(run(RequantizeOp, (q,), (every,), to=q), every)


def test_a_table_is_read_by_storage_value():
    x, y = QuantType.per_tensor(I8, 0.1, 0), QuantType.per_tensor(UI8, 0.2, 0)
    table = np.arange(256, dtype=np.uint8)
    got = run(TableOp, (x, y), (np.array([-128, 0, 127], np.int8), table))
    np.testing.assert_array_equal(got, [0, 128, 255])
    assert got.dtype == np.uint8


@pytest.mark.parametrize(("terms", "storage"), [(10, I8), (100, UI8), (1000, UI8), (10, I16), (1, I8)])
def test_softmax(terms, storage):
    rng = np.random.default_rng(7)
    y = softmax_type(storage)
    for scale in (0.02, 0.1, 0.3):
        x = some_type(rng, I8, scale)
        v = draw(rng, x, (200, terms))
        e = np.exp(real(x, v) - real(x, v).max(1, keepdims=True))
        table = fixed.exp_table(scale, terms, 256).astype(np.int32)
        got = run(QSoftmaxOp, (x, I32), (v, table), axis=1, to=y)
        largest, rate = compare(got, nearest(y, e / e.sum(1, keepdims=True)))
        assert largest <= (1 if storage != I16 else 2)
        assert rate < (1e-4 if storage != I16 else 0.02)


def test_exponentials_of_all_terms_fit_32_bits():
    for terms in (1, 2, 3, 1000, 4096, 4097):
        e = fixed.exp_table(0.1, terms, 256)
        assert e.max() < 2**31
        assert e.max() * terms <= 2**31


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("n", [4, 64, 256, 768])
def test_normalizations(center, n):
    rng = np.random.default_rng(n)
    x, y = QuantType.per_tensor(I8, 0.05, 7), QuantType.per_tensor(I8, 0.03, -3)
    v = np.clip(rng.normal(size=(400, n)) * 30 + 7, -128, 127).astype(np.int8)
    scale, shift = rng.normal(size=n) + 1, rng.normal(size=n)
    r = real(x, v)
    d = r - r.mean(1, keepdims=True) if center else r
    want = nearest(y, scale * d / np.sqrt((d * d).mean(1, keepdims=True) + 1e-5) + shift)
    bits = 30
    gain = np.rint(scale * np.sqrt(n) / float(y.scale) * 2.0 ** (bits - 12)).astype(np.int32)
    offset = np.rint(shift / float(y.scale) * 2.0 ** (2 * bits - 12)).astype(np.int64)
    epsilon = round(1e-5 * (n**3 if center else n) / float(x.scale) ** 2)
    got = run(
        QNormalizeOp, (x, I32, element_type(np.int64)), (v, gain, offset),
        axes=(1,), center=center, epsilon=epsilon, shift=2 * bits - 12, to=y,
    )  # fmt: skip
    largest, rate = compare(got, want)
    assert largest <= 1
    assert rate < 1e-3


def test_a_constant_row_normalizes_to_the_offset():
    q = QuantType.per_tensor(I8, 0.05, 7)
    row = np.full((1, 8), 100, np.int8)
    got = run(QNormalizeOp, (q, I32), (row, np.full(8, 2**30, np.int32)), axes=(1,), center=True, shift=40, to=q)
    np.testing.assert_array_equal(got, np.full((1, 8), 7))


@pytest.mark.parametrize(("largest", "low"), [(1, 1), (2**20, 2**10), (2**45, 2**20), (2**61, 2**40)])
def test_normalized_is_d_over_root(largest, low):
    rng = np.random.default_rng(8)
    v = rng.integers(low, largest, 500, endpoint=True)
    d = (rng.uniform(-1, 1, 500) * np.sqrt(v)).astype(np.int64)
    got = fixed.normalized(d, v, fixed.root_shift(largest))
    assert np.all(np.abs(got * 2.0**-30 - d / np.sqrt(v)) <= 2.0**-19)


def test_matmul_of_two_computed_values_with_zero_points():
    rng = np.random.default_rng(9)
    a, b = QuantType.per_tensor(UI8, 0.1, 131), QuantType.per_tensor(I8, 0.2, -9)
    va, vb = draw(rng, a, (2, 3, 17, 33)), draw(rng, b, (2, 1, 5, 33))
    want = (va.astype(np.int64) - 131) @ (vb.astype(np.int64) + 9).swapaxes(-1, -2)
    np.testing.assert_array_equal(run(MatmulOp, (a, b), (va, vb), trans_b=True), want)


def test_transposed_convolution_of_quantized_values():
    rng = np.random.default_rng(10)
    x, w = QuantType.per_tensor(UI8, 0.5, 100), QuantType.per_channel(I8, [0.5, 0.25, 0.125], 1)
    vx, vw = draw(rng, x, (2, 4, 5, 6)), draw(rng, w, (4, 3, 3, 3))
    window = Window.of((3, 3), (2, 2), (1, 1, 1, 1))
    got = run(ConvTransposeOp, (x, w), (vx, vw), window=window)
    plain = run(ConvTransposeOp, (element_type(np.float64),) * 2, (vx - 100.0, vw.astype(np.float64)), window=window)
    np.testing.assert_array_equal(got, plain)
    assert got.dtype == np.int32


def test_movement_fills_with_the_quantized_constant():
    q = QuantType.per_tensor(I8, 0.5, 3)
    x = np.ones((1, 1), np.int8)
    np.testing.assert_array_equal(run(PadOp, (q,), (x,), before=(0, 1), after=(0, 0)), [[3, 1]])
    np.testing.assert_array_equal(run(PadOp, (q,), (x,), before=(0, 1), after=(0, 0), value=-2.0), [[-1, 1]])
    crop = {"mode": "nearest", "coordinates": "tf_crop_and_resize", "region": (0.0, 3.0), "extrapolation": 1.0}
    np.testing.assert_array_equal(run(ResizeOp, (q,), (np.arange(2, dtype=np.int8),), size=(2,), **crop), [0, 5])


def test_the_larger_of_two_values_of_one_type():
    q = QuantType.per_tensor(I8, 0.5, 3)
    a, b = np.array([1, -5], np.int8), np.array([-1, 7], np.int8)
    np.testing.assert_array_equal(run(MaxOp, (q, q), (a, b)), [1, 7])
