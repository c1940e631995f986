"""Expressions to values: tensors of the program, and what is known while it is written (numbers, lists, words, types)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from xdsl.dialects.builtin import NameLoc, TensorType
from xdsl.ir import Attribute, SSAValue
from xdsl.utils.exceptions import VerifyException

from dnnc.frontend.dsl import tree as t
from dnnc.frontend.dsl.messages import Mistake, Unknown
from dnnc.frontend.dsl.program import located
from dnnc.frontend.dsl.unit import Unit
from dnnc.frontend.dsl.values import Unfit, element, is_number, real, reals, shown, whole, wholes
from dnnc.ir.diagnostics import nearest, rule_code
from dnnc.ir.dnn.base import check_tensor
from dnnc.ir.types import QuantType, Uniform, dtype, element_names, is_float, shape_of, tensor, type_name

T = TypeVar("T")

WORDS = {"true": True, "false": False, "none": None, "inf": math.inf, "nan": math.nan, "same": "same"}
ARITHMETIC = {"+": "add", "-": "sub", "*": "mul", "/": "div"}  # on tensors
UNKNOWN = object()  # what a name stands for when its statement was wrong


@dataclass
class Frame:
    """Where statements are evaluated: a file, or one call of a function."""

    unit: Unit
    prefix: str = ""  # of the names of layers
    names: dict[str, Any] = field(default_factory=dict)
    places: dict[str, t.Span] = field(default_factory=dict)  # where each name is given
    later: dict[str, t.Span] = field(default_factory=dict)  # names the statements below will give
    calls: tuple[tuple[t.Source, t.Span, t.Function], ...] = ()  # those that led here, innermost first, and where
    place: tuple[t.Source, t.Span] | None = None  # where all of it is said to be, for functions of the language itself

    def location(self, name: str, at: t.Span) -> NameLoc:
        """The location of a layer written at a place of this frame."""
        return located(name, *(self.place or (self.unit.source, at)))

    def name(self, local: str) -> str:
        """The name of a layer, with those of the calls around it."""
        return f"{self.prefix}.{local}" if self.prefix else local


def fitting(at: t.Span, convert: Callable[..., T], *values: Any, what: str = "") -> T:
    """`convert(*values)`; a value that does not fit is a mistake at `at`."""
    try:
        return convert(*values)
    except Unfit as e:
        raise Mistake(at, f"{what}{e}", e.code) from e


def verified(at: t.Span, make: Callable[..., T], *values: Any) -> T:
    """`make(*values)`; what its verifier refuses is a mistake at `at`."""
    try:
        return make(*values)
    except VerifyException as e:
        raise Mistake(at, " ".join(str(e).split()), rule_code(e)) from e


def look_up(frame: Frame, name: t.Name) -> Any:
    """What a name stands for."""
    text = name.text
    if text in frame.names:
        if frame.names[text] is UNKNOWN:
            raise Unknown
        return frame.names[text]
    if text in WORDS:
        return WORDS[text]
    if text in element_names():
        return element_names()[text]
    if text in frame.unit.aliases:
        return frame.unit.aliases[text][2]
    if text in frame.later:
        at = frame.later[text]
        raise Mistake(
            name.at,
            f"expected a name given above, not '{text}', which line {at.line} gives. Move one of them.",
            "E0304",
        )
    known = [*frame.names, *WORDS, *element_names(), *frame.unit.aliases]
    raise Mistake(name.at, f"expected a name given above, not '{text}'.{nearest(text, known)}", "E0303")


def element_of(frame: Frame, expression: t.Name | t.Quantized) -> Attribute:
    """An element type: a name of one, or a quantized type written out."""
    if isinstance(expression, t.Name):
        known = [*element_names(), *frame.unit.aliases]
        if expression.text in frame.names and isinstance(frame.names[expression.text], Attribute):
            return element(frame.names[expression.text])
        if expression.text not in known:
            message = f"expected an element type, not '{expression.text}'.{nearest(expression.text, known)}"
            raise Mistake(expression.at, message + " Types are f32, f16, i8, ... or q<i8, scale, zero>.", "E0318")
        return element_names().get(expression.text) or frame.unit.aliases[expression.text][2]
    return quantized(frame, expression)


def quantized(frame: Frame, expression: t.Quantized) -> QuantType:
    """A quantized element type."""
    storage: Any = element_of(frame, expression.storage)
    scales, zeros = static(frame, expression.scales), static(frame, expression.zeros)
    at = expression.scales.at
    if expression.axis is None:
        scale = fitting(at, real, scales, what="the scale: ")
        zero = fitting(expression.at, whole, 0 if zeros is None else zeros, what="the zero point: ")
        return verified(expression.at, QuantType, Uniform(storage, (float(np.float32(scale)),), (zero,)))
    values = tuple(float(np.float32(s)) for s in fitting(at, reals, scales, what="the scales: "))
    points = (0,) * len(values) if zeros is None else fitting(expression.at, wholes, zeros, what="the zero points: ")
    axis = fitting(expression.axis.at, whole, static(frame, expression.axis), what="the axis: ")
    return verified(expression.at, QuantType, Uniform(storage, values, points, axis))


def tensor_type(frame: Frame, expression: t.Shaped) -> TensorType:
    """The type of a tensor."""
    dims = []
    for d in expression.dims:
        size = fitting(d.at, whole, static(frame, d), what="a dimension: ")
        if size < 0:
            raise Mistake(d.at, f"expected a dimension of at least 0, not {size}.", "E0329")
        dims.append(size)
    type_ = tensor(element_of(frame, expression.element), tuple(dims))
    verified(expression.at, check_tensor, type_)
    return type_


def static(frame: Frame, expression: t.Expression | None) -> Any:
    """The value of an expression that makes no operation."""
    match expression:
        case None:
            return None
        case t.Literal(value=value):
            return value
        case t.Name():
            return look_up(frame, expression)
        case t.Sequence(items=items):
            return [static(frame, item) for item in items]
        case t.Shaped():
            return tensor_type(frame, expression)
        case t.Quantized():
            return quantized(frame, expression)
        case t.Negative(value=value):
            return negated(expression.at, static(frame, value))
        case t.Binary(sign=sign, left=left, right=right):
            return arithmetic(expression.at, sign, static(frame, left), static(frame, right))
        case t.Call(name=name) if name in QUESTIONS:
            return answer(expression, [static(frame, a) for a in positional(expression)])
        case t.Call():
            raise Mistake(expression.at, f"expected a value known now, not a call of '{expression.name}'.", "E0315")
    raise AssertionError(expression)


def positional(call: t.Call) -> list[t.Expression]:
    """The arguments of a call that takes none by name."""
    for a in call.arguments:
        if isinstance(a, t.Keyword):
            raise Mistake(a.name.at, f"expected arguments of {call.name} by position, not by name.", "E0307")
    return [a for a in call.arguments if isinstance(a, t.Expression)]


def negated(at: t.Span, value: Any) -> Any:
    """-value of a number."""
    return -fitting(at, _number, value)


def _number(value: Any) -> Any:
    if not is_number(value):
        raise Unfit("a number", value)
    return value


def arithmetic(at: t.Span, sign: str, left: Any, right: Any) -> Any:
    """A sum, product, quotient or remainder of numbers; `+` also joins words and lists."""
    if sign == "+" and type(left) is type(right) and isinstance(left, (str, list)):
        return left + right
    a, b = fitting(at, _number, left), fitting(at, _number, right)
    if sign in ("/", "//", "%") and b == 0:
        raise Mistake(at, "expected a divisor other than 0.", "E0316")
    match sign:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
        case "/":
            exact = isinstance(a, int) and isinstance(b, int) and a % b == 0
            return a // b if exact else a / b
        case "//":
            return a // b
    return a % b


# Questions about tensors, answered while the program is written


def _shape(value: Any) -> tuple[int, ...]:
    if isinstance(value, TensorType):
        return shape_of(value)
    if not isinstance(value, SSAValue):
        raise Unfit("a tensor or its type", value)
    return shape_of(value.type)


def _dim(value: Any, axis: Any) -> int:
    shape = _shape(value)
    if not -len(shape) <= whole(axis) < len(shape):
        raise Unfit(f"an axis in [{-len(shape)}, {len(shape) - 1}]", axis, "E0413")
    return shape[axis]


QUESTIONS: dict[str, tuple[int, Callable[..., int]]] = {
    "dim": (2, _dim),
    "rank": (1, lambda value: len(_shape(value))),
    "size": (1, lambda value: math.prod(_shape(value))),
}


def answer(call: t.Call, values: Sequence[Any]) -> int:
    """`dim(x, axis)`, `rank(x)` or `size(x)`."""
    count, function = QUESTIONS[call.name]
    if len(values) != count:
        raise Mistake(call.at, f"expected {count} arguments of {call.name}, not {len(values)}.", "E0310")
    return fitting(call.at, function, *values)


def array_of(at: t.Span, value: Any, type_: Attribute, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Numbers (in nested lists) as an array of an element type; one number fills the shape."""
    if not is_numeric(value):
        raise Mistake(at, f"expected numbers, not {shown(value)}.", "E0317")
    kind, name = dtype(type_), type_name(type_)
    try:
        wide = np.array(value, object)
        given = np.array(value, np.float64 if is_float(type_) else None)
    except (ValueError, OverflowError) as e:
        raise Mistake(at, "expected lists of equal length and numbers of 64 bits, not these.", "E0317") from e
    if given.size and not is_float(type_):
        wrong = given.dtype.kind not in "iub" or (given.dtype.kind == "b") != (kind == np.bool_)
        if kind == np.bool_ and given.dtype.kind in "iu":
            wrong = not np.isin(given, (0, 1)).all()
        if wrong:
            raise Mistake(at, f"expected values of {name}, not {_brief(value)}.", "E0317")
    with np.errstate(all="ignore"):
        array = given.astype(kind)
    lost = given.size and np.isfinite(given.astype(np.float64)) & ~np.isfinite(array.astype(np.float64))
    if np.any(lost) or (given.size and not is_float(type_) and (array.astype(object) != wide).any()):
        raise Mistake(at, f"expected values in the range of {name}, not {_brief(value)}.", "E0317")
    if shape is not None and array.shape != shape:
        if array.ndim:
            raise Mistake(at, f"expected values of shape {list(shape)}, not {list(array.shape)}.", "E0317")
        array = np.broadcast_to(array, shape)
    return array


def _brief(value: Any) -> str:
    text = shown(value)
    return text if len(text) <= 60 else text[:57] + "..."


def is_numeric(value: Any) -> bool:
    """Whether a value is numbers, or true and false, in lists or not."""
    if isinstance(value, list):
        return all(map(is_numeric, value))
    return isinstance(value, (bool, int, float))
