"""Arithmetic on one element: the same body runs on numpy arrays or is read as an expression (C text, operation count).

An op writes `scalar(x) = x * sigmoid(x)` once. Called with arrays it computes; called with `Expr` it records.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

# erf to double precision by W. J. Cody's rational approximations (Math. Comp. 23, 1969; coefficients as in netlib specfun).
_ERF_A = (
    1.85777706184603153e-1,
    3.16112374387056560e0,
    1.13864154151050156e2,
    3.77485237685302021e2,
    3.20937758913846947e3,
)
_ERF_B = (2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3)
_ERF_C = (
    2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e0, 6.61191906371416295e1, 2.98635138197400131e2,
    8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3, 1.23033935479799725e3,
)  # fmt: skip
_ERF_D = (
    1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3, 3.29079923573345963e3,
    4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3,
)  # fmt: skip
_ERF_P = (
    1.63153871373020978e-2,
    3.05326634961232344e-1,
    3.60344899949804439e-1,
    1.25781726111229246e-1,
    1.60837851487422766e-2,
    6.58749161529837803e-4,
)
_ERF_Q = (
    2.56852019228982242e0,
    1.87295284992346047e0,
    5.27905102951428412e-1,
    6.05183413124413191e-2,
    2.33520497626869185e-3,
)


_1_SQRT_PI = 0.56418958354775628695


def _horner(coefficients: tuple[float, ...], x: np.ndarray, start: Any) -> np.ndarray:
    for c in coefficients:
        start = start * x + c
    return start


def erf_numpy(x: np.ndarray) -> np.ndarray:
    """erf(x) = 2/sqrt(pi) * integral of exp(-t^2) from 0 to x; absolute error below 3e-16, in the dtype of x."""
    x = np.asarray(x)
    v = x.astype(np.float64)
    y = np.minimum(np.abs(v), 6.0)
    s = y * y
    small = v * _horner(_ERF_A[1:], s, _ERF_A[0]) / _horner(_ERF_B, s, 1.0)
    mid = np.exp(-s) * _horner(_ERF_C[1:], y, _ERF_C[0]) / _horner(_ERF_D, y, 1.0)
    t = 1.0 / np.maximum(s, 1.0)
    tail = t * _horner(_ERF_P[1:], t, _ERF_P[0]) / _horner(_ERF_Q, t, 1.0)
    big = np.exp(-s) * (_1_SQRT_PI - tail) / np.maximum(y, 1.0)
    out = np.where(y <= 0.46875, small, np.sign(v) * (1.0 - np.where(y <= 4.0, mid, big)))
    return np.where(np.isnan(v), v, out).astype(x.dtype)


def _integer(x: Any) -> bool:
    return np.issubdtype(np.asarray(x).dtype, np.integer)


def _divide(x: Any, y: Any) -> Any:
    """C's division: integers truncate toward zero; an integer division by zero gives 0."""
    if not (_integer(x) and _integer(y)):
        return np.true_divide(x, y)
    safe = np.where(np.equal(y, 0), np.ones_like(y), y)
    quotient = np.floor_divide(x, safe)
    inexact = np.not_equal(quotient * safe, x) & (np.less(x, 0) ^ np.less(safe, 0))
    return np.where(np.equal(y, 0), 0, quotient + inexact).astype(np.result_type(x, y))


def _power(x: Any, y: Any) -> Any:
    """x**y in the type of x, whatever the type of the exponent."""
    x = np.asarray(x)
    if np.issubdtype(x.dtype, np.integer):
        wide = np.float64 if not _integer(y) or np.any(np.less(y, 0)) else x.dtype
        return np.power(x.astype(wide), np.asarray(y).astype(wide)).astype(x.dtype)
    return np.power(x, np.asarray(y).astype(x.dtype))


def _shift(x: Any, y: Any, ufunc: Any) -> Any:
    """X shifted by y bits; by its width or more, what is left is 0 (-1 for a negative x shifted right)."""
    x = np.asarray(x)
    width = x.dtype.itemsize * 8
    rest = np.where(x < 0, -1, 0).astype(x.dtype) if ufunc is np.right_shift else 0
    return np.where(np.less(y, width), ufunc(x, np.minimum(y, width - 1)), rest).astype(x.dtype)


@dataclass(frozen=True)
class Fn:
    """A primitive: how numpy computes it, its C text on floats (`{f}`: the suffix f) and on integers."""

    numpy: Callable[..., Any]
    c: str
    c_int: str | None = None


def _call(ufunc: Callable[..., Any], name: str) -> Fn:
    return Fn(ufunc, name + "{f}({0})")


def _infix(ufunc: Callable[..., Any], sign: str) -> Fn:
    text = f"({{0}} {sign} {{1}})"
    return Fn(ufunc, text, text)


# One row a primitive. C names that begin with dnnc_ are defined by the C backend's runtime header.
FUNCTIONS: dict[str, Fn] = {
    "add": _infix(np.add, "+"),
    "sub": _infix(np.subtract, "-"),
    "mul": _infix(np.multiply, "*"),
    "div": Fn(_divide, "({0} / {1})", "dnnc_div({0}, {1})"),
    "neg": Fn(np.negative, "(-{0})", "(-{0})"),
    "abs": Fn(np.abs, "fabs{f}({0})", "({0} < 0 ? -{0} : {0})"),
    "pow": Fn(_power, "pow{f}({0}, {1})"),
    "fmod": Fn(np.fmod, "fmod{f}({0}, {1})", "({0} % {1})"),
    "mod": Fn(np.mod, "dnnc_mod{f}({0}, {1})", "dnnc_mod_int({0}, {1})"),
    "maximum": Fn(np.maximum, "dnnc_max{f}({0}, {1})", "({0} > {1} ? {0} : {1})"),
    "minimum": Fn(np.minimum, "dnnc_min{f}({0}, {1})", "({0} < {1} ? {0} : {1})"),
    "sqrt": _call(np.sqrt, "sqrt"),
    "exp": _call(np.exp, "exp"),
    "expm1": _call(np.expm1, "expm1"),
    "log": _call(np.log, "log"),
    "log1p": _call(np.log1p, "log1p"),
    "sin": _call(np.sin, "sin"),
    "cos": _call(np.cos, "cos"),
    "tan": _call(np.tan, "tan"),
    "asin": _call(np.arcsin, "asin"),
    "acos": _call(np.arccos, "acos"),
    "atan": _call(np.arctan, "atan"),
    "sinh": _call(np.sinh, "sinh"),
    "cosh": _call(np.cosh, "cosh"),
    "tanh": _call(np.tanh, "tanh"),
    "asinh": _call(np.arcsinh, "asinh"),
    "acosh": _call(np.arccosh, "acosh"),
    "atanh": _call(np.arctanh, "atanh"),
    "erf": _call(erf_numpy, "erf"),
    "floor": _call(np.floor, "floor"),
    "ceil": _call(np.ceil, "ceil"),
    "round": _call(np.rint, "rint"),
    "sign": Fn(np.sign, "dnnc_sign{f}({0})", "(({0} > 0) - ({0} < 0))"),
    "isnan": Fn(np.isnan, "(isnan({0}) != 0)"),
    "isposinf": Fn(np.isposinf, "(isinf({0}) && {0} > 0)"),
    "isneginf": Fn(np.isneginf, "(isinf({0}) && {0} < 0)"),
    "lt": _infix(np.less, "<"),
    "le": _infix(np.less_equal, "<="),
    "gt": _infix(np.greater, ">"),
    "ge": _infix(np.greater_equal, ">="),
    "eq": _infix(np.equal, "=="),
    "logical_and": _infix(np.logical_and, "&&"),
    "logical_or": _infix(np.logical_or, "||"),
    "logical_xor": _infix(np.logical_xor, "!="),
    "logical_not": Fn(np.logical_not, "(!{0})", "(!{0})"),
    "bit_and": Fn(np.bitwise_and, "", "({0} & {1})"),
    "bit_or": Fn(np.bitwise_or, "", "({0} | {1})"),
    "bit_xor": Fn(np.bitwise_xor, "", "({0} ^ {1})"),
    "bit_not": Fn(np.invert, "", "(~{0})"),
    "shift_left": Fn(lambda x, y: _shift(x, y, np.left_shift), "", "dnnc_shl({0}, {1})"),
    "shift_right": Fn(lambda x, y: _shift(x, y, np.right_shift), "", "dnnc_shr({0}, {1})"),
    "where": Fn(np.where, "({0} ? {1} : {2})", "({0} ? {1} : {2})"),
}


class _Operators:
    """Python's arithmetic on expressions."""

    def __add__(self, o):
        return apply("add", self, o)

    def __radd__(self, o):
        return apply("add", o, self)

    def __sub__(self, o):
        return apply("sub", self, o)

    def __rsub__(self, o):
        return apply("sub", o, self)

    def __mul__(self, o):
        return apply("mul", self, o)

    def __rmul__(self, o):
        return apply("mul", o, self)

    def __truediv__(self, o):
        return apply("div", self, o)

    def __rtruediv__(self, o):
        return apply("div", o, self)

    def __neg__(self):
        return apply("neg", self)

    def __lt__(self, o):
        return apply("lt", self, o)

    def __le__(self, o):
        return apply("le", self, o)

    def __gt__(self, o):
        return apply("gt", self, o)

    def __ge__(self, o):
        return apply("ge", self, o)


@dataclass(frozen=True)
class Arg(_Operators):
    """The i-th element an expression reads."""

    index: int


@dataclass(frozen=True)
class Expr(_Operators):
    """A primitive applied to arguments: expressions, elements (Arg) or Python numbers."""

    fn: str
    args: tuple[Any, ...]


def apply(fn: str, *args: Any) -> Any:
    """Compute with numpy, or record an expression when any argument is one."""
    if any(isinstance(a, (Arg, Expr)) for a in args):
        return Expr(fn, args)
    return FUNCTIONS[fn].numpy(*args)


def __getattr__(name: str) -> Callable[..., Any]:
    """`scalar.exp(x)`, `scalar.where(c, a, b)`: each primitive as a function."""
    if name not in FUNCTIONS:
        raise AttributeError(name)
    return lambda *args: apply(name, *args)


def trace(body: Callable[..., Any], arity: int) -> Any:
    """The expression a scalar body computes of `arity` elements."""
    return body(*(Arg(i) for i in range(arity)))


def count(expr: Any) -> int:
    """Number of primitives in an expression."""
    return 1 + sum(count(a) for a in expr.args) if isinstance(expr, Expr) else 0


def c_text(expr: Any, args: list[str], kind: str) -> str:
    """C text of an expression on elements of `kind` ("float", "double" or "int"); args are the C texts of its elements.

    KeyError is impossible; a primitive without a C form on that kind raises NotImplementedError with its name.
    """
    if isinstance(expr, Arg):
        return args[expr.index]
    if isinstance(expr, bool):
        return "1" if expr else "0"
    if not isinstance(expr, Expr):
        return c_literal(expr, kind)
    fn = FUNCTIONS[expr.fn]
    text = fn.c_int if kind == "int" else fn.c
    if not text:
        raise NotImplementedError(f"'{expr.fn}' has no C form on {kind}")
    parts = [c_text(a, args, kind) for a in expr.args]
    return text.format(*parts, f="f" if kind == "float" else "")


def c_literal(value: float, kind: str) -> str:
    """C text of a number, exact to the last bit in its kind."""
    if kind == "int":
        return str(int(value))
    if not np.isfinite(value):
        return "NAN" if np.isnan(value) else "INFINITY" if value > 0 else "(-INFINITY)"
    text = repr(float(np.float32(value))) if kind == "float" else repr(float(value))
    text = text if "." in text or "e" in text else text + ".0"
    text += "f" if kind == "float" else ""
    return f"({text})" if text.startswith("-") else text
