"""Element types, quantized types and parameters: what is written reads back to the same bits."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from xdsl.parser import Parser
from xdsl.utils.exceptions import VerifyException

from dnnc.ir import types
from dnnc.ir.context import make_context
from dnnc.ir.dnn.attributes import Int, Ints, Key, Real, Reals, Window, WindowAttr, Word, normal_axes, normal_axis
from dnnc.ir.types import F32, I1, I8, I32, I64, QuantType

SCALE = st.integers(1, 0x7F7FFFFF).map(
    lambda bits: float(np.uint32(bits).view(np.float32))
)  # every positive finite float32
STORAGE = st.sampled_from([types.element_type(d) for d in (np.int8, np.uint8, np.int16, np.uint16, np.int32)])
REAL = st.floats(allow_nan=False)


def read_back(attribute):
    return Parser(make_context(), str(attribute)).parse_attribute()


@st.composite
def quant_types(draw):
    storage = draw(STORAGE)
    low, high = types.integer_range(storage)
    scales = draw(st.lists(SCALE, min_size=1, max_size=4))
    zeros = draw(st.lists(st.integers(low, high), min_size=len(scales), max_size=len(scales)))
    if draw(st.booleans()):
        return QuantType.per_tensor(storage, scales[0], zeros[0])
    return QuantType.per_channel(storage, scales, draw(st.integers(0, 3)), zeros)


@given(quant_types())
def test_quantized_types_read_back(q: QuantType):
    again = read_back(q)
    assert again == q
    np.testing.assert_array_equal(again.scale.view(np.uint32), q.scale.view(np.uint32))


@given(st.one_of(
    st.integers().map(Int),
    st.lists(st.integers()).map(lambda v: Ints(tuple(v))),
    REAL.map(Real),
    st.lists(REAL).map(lambda v: Reals(tuple(v))),
    st.from_regex(r"[a-z][a-z0-9_]*", fullmatch=True).map(Word),
    st.text(st.characters(exclude_categories=["Cs"])).map(Key),
))  # fmt: skip
def test_parameters_read_back(attribute):
    assert read_back(attribute) == attribute
    assert repr(read_back(attribute).data) == repr(attribute.data)  # -0.0 is not 0.0


@st.composite
def windows(draw):
    n = draw(st.integers(1, 3))
    some = lambda low, count: draw(st.lists(st.integers(low, 5), min_size=count, max_size=count))  # noqa: E731
    return Window.of(some(1, n), some(1, n), some(0, 2 * n), some(1, n), draw(st.booleans()))


@given(windows())
def test_windows_read_back(window: Window):
    assert read_back(WindowAttr(window)).data == window


def test_what_is_default_is_left_out():
    assert WindowAttr(Window.of([3, 3])).text() == "<[3, 3]>"
    assert WindowAttr(Window.of([2], [2], [0, 1], [1], True)).text() == "<[2], stride [2], pad [0, 1], ceil>"


@pytest.mark.parametrize(
    ("window", "size", "output"),
    [
        (Window.of([3], [2]), [8], (3,)),
        (Window.of([3], [2], ceil=True), [8], (4,)),
        (
            Window.of([2], [2], [0, 1], ceil=True),
            [4],
            (2,),
        ),  # a window that would start in the right padding is dropped
        (Window.of([3], [2], [1, 1], ceil=True), [8], (5,)),
        (Window.of([3], dilation=[3]), [8], (2,)),
        (Window.of([3, 1], [1, 4], [1, 0, 1, 0]), [5, 9], (5, 3)),
    ],
)
def test_output_size(window: Window, size, output):
    assert window.output(size) == output


def test_every_element_type_has_its_dtype():
    names = [
        "float32",
        "float64",
        "float16",
        "bool",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
    ]
    extra = (ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2, ml_dtypes.int4, ml_dtypes.uint4)
    for dt in [*map(np.dtype, names), *map(np.dtype, extra)]:
        element = types.element_type(dt)
        assert types.dtype(element) == dt and types.supported(dt) and types.storable(element)
        assert types.bits(element) == {"bool": 1, "int4": 4, "uint4": 4}.get(dt.name, dt.itemsize * 8)
        assert types.is_float(element) == ("float" in dt.name)
        assert read_back(element) == element
    assert not types.supported(np.dtype(np.complex64))


def test_sizes_and_names():
    q = QuantType.per_tensor(I8, 0.1, 3)
    assert types.nbytes(types.tensor(F32, (2, 3))) == 24
    assert types.nbytes(types.tensor(q, (2, 3))) == 6
    assert types.nbytes(types.tensor(types.element_type(ml_dtypes.int4), (5,))) == 3
    assert types.nbytes(types.tensor(I64, (0, 7))) == 0
    assert types.nbytes(types.tensor(I1, ())) == 1
    assert types.tensor_text(types.tensor(q, (1, 64, 7, 7))) == "1x64x7x7 q<i8>"
    assert types.tensor_text(types.tensor(I32, ())) == "scalar i32"
    assert types.integer_range(I8) == (-128, 127)
    assert types.integer_range(I1) == (0, 1)
    assert types.integer_range(types.element_type(np.uint16)) == (0, 65535)
    assert types.float_range(F32) == (float(np.finfo(np.float32).min), float(np.finfo(np.float32).max))
    assert types.tensor(F32, (1, 2)) is types.tensor(F32, (1, 2))


def test_scales_are_rounded_to_float32():
    q = QuantType.per_tensor(I8, 0.1)
    assert float(q.scale) == float(np.float32(0.1)) != 0.1
    assert str(q) == "!dnn.q<i8, 0.1, 0>"


def test_axes():
    assert normal_axes((-1, 0), 3) == (0, 2)
    assert normal_axis(3, 3, last=3) == 3
    with pytest.raises(VerifyException, match=r"expected an axis in \[-3, 2\], not 3."):
        normal_axis(3, 3)
    with pytest.raises(VerifyException, match=r"expected distinct axes, not \[1, -2\]."):
        normal_axes((1, -2), 3)
