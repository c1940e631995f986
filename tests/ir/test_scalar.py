"""The arithmetic of one element: on numpy it is what the names say, as an expression it counts and prints the same body."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnnc.ir import scalar as S
from dnnc.ir.dnn import OPS
from dnnc.ir.dnn.elementwise import Elementwise

INT = st.integers(-(2**31), 2**31 - 1)


@given(st.floats(-7, 7))
def test_erf(x: float):
    assert float(S.erf(np.float64(x))) == pytest.approx(math.erf(x), abs=3e-16, rel=1e-14)


def test_erf_at_the_ends():
    values = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, 1e-310, 40.0])
    np.testing.assert_allclose(S.erf(values), [1, -1, np.nan, 0, 0, 1e-310 * 2 / math.sqrt(math.pi), 1])


@given(INT, INT)
def test_integer_division_truncates(x: int, y: int):
    exact = 0 if y == 0 else abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)
    got = S.apply("div", np.int32(x), np.int32(y))
    assert int(got) == int(np.int64(exact).astype(np.int32))


@given(INT, INT.filter(lambda y: y != 0))
def test_remainders(x: int, y: int):
    assert int(S.mod(np.int64(x), np.int64(y))) == x % y
    assert int(S.fmod(np.int64(x), np.int64(y))) == int(math.fmod(x, y))


@given(st.integers(0, 255), st.integers(0, 40))
def test_shifts(x: int, n: int):
    assert int(S.shift_left(np.uint8(x), np.uint8(n))) == (x << n) % 256
    assert int(S.shift_right(np.uint8(x), np.uint8(n))) == x >> n


@given(st.integers(-20, 20), st.integers(0, 6))
def test_integer_power(x: int, n: int):
    assert int(S.pow(np.int64(x), np.int32(n))) == x**n


def test_power_keeps_the_type_of_its_base():
    assert S.pow(np.array([2, 3], np.int32), np.array([0.5, 2.0])).tolist() == [1, 9]
    assert S.pow(np.float32(2), np.int64(-1)).dtype == np.float32


def test_expressions():
    body = lambda x: x * S.sigmoid_like(x)  # noqa: E731
    with pytest.raises(AttributeError):
        body(1)
    expression = S.trace(lambda x, y: S.where(x < 0, 2.5 * x, S.maximum(x, y) - 1), 2)
    assert S.count(expression) == 5
    assert S.c_text(expression, ["a", "b"], "float") == "((a < 0.0f) ? (2.5f * a) : (dnnc_max(a, b) - 1.0f))".replace(
        "dnnc_max(", "dnnc_maxf("
    )
    assert S.c_text(expression.args[2], ["a", "b"], "int") == "((a > b ? a : b) - 1)"


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_c_numbers_are_exact(x: float):
    text = S.c_literal(x, "float")
    assert np.float32(text.strip("()").removesuffix("f")) == np.float32(x)
    assert float(S.c_literal(x, "double").strip("()")) == x


def test_c_numbers_that_are_not_finite():
    assert [S.c_literal(v, "float") for v in (math.inf, -math.inf, math.nan)] == ["INFINITY", "(-INFINITY)", "NAN"]


def test_what_has_no_c_form_says_so():
    with pytest.raises(NotImplementedError, match="'bit_and' has no C form on float"):
        S.c_text(S.trace(S.bit_and, 2), ["a", "b"], "float")


def plain(op: type) -> bool:
    return issubclass(op, Elementwise) and op.name not in ("dnn.cast",)


@pytest.mark.parametrize("op", [o for o in OPS if plain(o)], ids=lambda o: o.name)
def test_every_body_can_be_read_as_an_expression(op):
    """Evaluating the expression a body records gives what running the body gives."""
    definition = op.get_irdl_definition()
    instance = object.__new__(op)
    instance.properties = {}
    arity = len(definition.operands)
    rng = np.random.default_rng(9)
    integers = not op.FLOATS or "shift" in op.name
    logical = op.name in ("dnn.and", "dnn.or", "dnn.xor", "dnn.not")
    values = [rng.integers(0, 2 if logical else 9, 50).astype(bool if logical else np.int32) for _ in range(arity)]
    if not (integers or logical):
        values = [v.astype(np.float32) / 4 + np.float32(0.5) for v in values]
    if op.name == "dnn.where":
        values[0] = values[0] > 1
    with np.errstate(all="ignore"):
        want = instance.scalar(*values)
        got = run(S.trace(instance.scalar, arity), values)
    np.testing.assert_array_equal(got, want)


def run(expression, values):
    if isinstance(expression, S.Arg):
        return values[expression.index]
    if not isinstance(expression, S.Expr):
        return expression
    return S.FUNCTIONS[expression.fn].numpy(*(run(a, values) for a in expression.args))
