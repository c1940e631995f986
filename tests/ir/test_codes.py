"""Codes of real numbers: text reads back to the same bits, the nearest code is found, integers stand for the same numbers."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from xdsl.dialects.builtin import IntegerType
from xdsl.parser import Parser

from dnnc.ir import types
from dnnc.ir.blocks import BlockType, common_divisor
from dnnc.ir.codes import CodebookType, FixedType, Pow2Type, Powers, Scaled, ScaledType, Scales, nearest_power
from dnnc.ir.context import make_context
from dnnc.ir.dnn.quantize import decoded, encoded
from dnnc.ir.types import I8, UNSIGNED, integer_range

FLOAT32 = st.integers(0, 0xFF7FFFFF).map(lambda bits: float(np.uint32(bits).view(np.float32))).filter(np.isfinite)
SCALE = st.integers(1, 0x7F7FFFFF).map(lambda bits: float(np.uint32(bits).view(np.float32)))
SIGNED = st.integers(2, 8).map(IntegerType)
UNSIGNED_ = st.integers(1, 8).map(lambda n: IntegerType(n, UNSIGNED))
FLOATS = [ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2, ml_dtypes.float8_e4m3fnuz, ml_dtypes.bfloat16, np.float16]
FEW = st.sampled_from(FLOATS).map(types.element_type)


@st.composite
def scales(draw):
    if draw(st.booleans()):
        return Scales.of(draw(SCALE))
    return Scales.of(draw(st.lists(SCALE, min_size=1, max_size=4)), draw(st.integers(0, 3)))


@st.composite
def blocks(draw):
    storage, n = draw(SIGNED), draw(st.integers(1, 6))
    low, high = integer_range(storage)
    zeros = draw(st.lists(st.integers(low, high), min_size=n, max_size=n))
    size = tuple(draw(st.lists(st.integers(1, 64), min_size=1, max_size=4)))
    return BlockType.of(storage, size, np.array(draw(st.lists(SCALE, min_size=n, max_size=n))), np.array(zeros))


@st.composite
def codebooks(draw):
    storage = draw(UNSIGNED_)
    values = draw(st.lists(FLOAT32, min_size=1, max_size=min(8, 2**storage.width.data)))
    return CodebookType.of(storage, values, draw(scales()))


CODES = st.one_of(
    blocks(),
    codebooks(),
    st.builds(lambda b, s: Pow2Type(Powers(b, s)), SIGNED, scales()),
    st.builds(lambda f, s: ScaledType(Scaled(f, s)), FEW, scales()),
    st.builds(FixedType.of, SIGNED, SCALE, FLOAT32),
)


@given(CODES)
def test_types_read_back_to_the_same_bits(code):
    again = Parser(make_context(), str(code)).parse_attribute()
    assert again == code and repr(again.data) == repr(code.data)  # -0.0 is not 0.0


W = np.random.default_rng(0).normal(size=(3, 10)).astype(np.float32)
ROWS = Scales.of([0.1, 0.25, 0.3], 0)


def every_code(storage):
    low, high = integer_range(storage)
    return np.arange(low, high + 1)


@pytest.mark.parametrize("code", [
    Pow2Type(Powers(IntegerType(4), Scales.of(0.01))),
    Pow2Type(Powers(IntegerType(2), ROWS)),
    CodebookType.of(IntegerType(3, UNSIGNED), [1.5, -0.25, 0, 7, 3, -2, 0.5, -9], ROWS),
    BlockType.of(IntegerType(4), (1, 4), np.linspace(0.1, 0.4, 9)),
    BlockType.of(IntegerType(3, UNSIGNED), (2, 10), np.array([0.4, 0.3]), np.array([3, 1])),
    ScaledType(Scaled(types.element_type(ml_dtypes.float8_e5m2), ROWS)),
])  # fmt: skip
def test_the_nearest_number_is_found(code):
    found = code.real(code.codes(W))
    stored = types.dtype(code)
    if types.is_float(code):
        choices = np.arange(256, dtype=np.uint8).view(stored)
        choices = choices[np.isfinite(choices.astype(np.float32))]
    else:
        choices = every_code(code.storage)
        choices = choices[np.abs(choices) < 2 ** (types.bits(code) - 1)] if isinstance(code, Pow2Type) else choices
    real = np.stack([code.real(np.full(W.shape, c, stored)) for c in choices])
    least = np.abs(real - W).min(0)
    np.testing.assert_allclose(np.abs(found - W), least, rtol=1e-5, atol=1e-7)


def test_powers_of_two_go_to_the_nearer_one():
    np.testing.assert_array_equal(
        nearest_power(np.array([0, 0.49, 0.5, 1.49, 1.5, 2.9, 3, -6, 1e9]), 7), [0, 0, 1, 1, 2, 2, 3, -4, 7]
    )


@pytest.mark.parametrize("bits", range(2, 6))
def test_powers_of_two_are_integers_of_a_byte_or_two(bits):
    code = Pow2Type(Powers(IntegerType(bits), ROWS))
    codes = code.codes(10 * W)
    integers, type_ = code.integers(codes, 0)
    np.testing.assert_array_equal(decoded(integers, type_), code.real(codes))
    assert types.bits(type_) == (8 if bits < 5 else 16)


def test_powers_beyond_16_bits_have_no_integers():
    code = Pow2Type(Powers(IntegerType(6), ROWS))
    assert code.integers(code.codes(1e6 * W), 0) is None


def test_whole_numbers_of_a_codebook_are_integers():
    code = CodebookType.of(IntegerType(2, UNSIGNED), [-100, 0, 7, 127], ROWS)
    codes = code.codes(20 * W)
    integers, type_ = code.integers(codes, 0)
    np.testing.assert_array_equal(decoded(integers, type_), code.real(codes))
    assert type_ == ROWS.uniform(I8)
    assert CodebookType.of(IntegerType(2, UNSIGNED), [0.5, 1], ROWS).integers(codes, 0) is None


def test_blocks_at_whole_multiples_are_integers():
    unit = (
        np.array([[0.1], [0.3], [7.0]]).astype(np.float16).astype(np.float64)
    )  # few bits, so that multiples are exact
    code = BlockType.of(IntegerType(4), (1, 4), unit * [[1, 3, 16], [2, 2, 5], [18, 1, 1]])
    codes = code.codes(W)
    integers, type_ = code.integers(codes, 0)
    np.testing.assert_array_equal(decoded(integers, type_), code.real(codes))
    assert type_.storage == I8 and type_.axis == 0
    assert code.integers(codes, 1) is None  # a block lies across dimension 1


def test_blocks_at_any_scales_have_no_integers():
    code = BlockType.of(IntegerType(4), (1, 5), np.linspace(0.1, 0.4, 6))
    assert code.integers(code.codes(W), 0) is None


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=5), st.integers(1, 2**14), st.integers(-40, 40))
def test_the_common_divisor_divides(factors, unit, exponent):
    scales = np.ldexp(np.array(factors) * unit, exponent)
    divisor = common_divisor(scales.astype(np.float32), (0,))
    assert divisor is not None and float(divisor[0]) == np.ldexp(np.gcd.reduce(factors) * unit, exponent)


def test_a_fixed_point_input_is_slope_times_stored_plus_bias():
    code = FixedType.of(I8, 0.5, 0.1)
    np.testing.assert_array_equal(decoded(np.array([-2, 0, 3], np.int8), code), np.array([-0.9, 0.1, 1.6], np.float32))


def test_nan_has_the_code_of_zero():
    nan = np.full((1, 2), np.nan, np.float32)
    for code in (BlockType.of(I8, (1, 2), np.ones(1)), Pow2Type(Powers(I8, Scales.of(1.0)))):
        np.testing.assert_array_equal(decoded(encoded(nan, code), code), [[0, 0]])
