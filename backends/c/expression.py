"""The scalar body of an operation as C: floats by `scalar.c_text`, integers with two's-complement wrap after each step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dnnc.backends.c.text import C_TYPES, kind_of, numpy_type
from dnnc.ir import scalar as S
from dnnc.ir.dnn.elementwise import CastOp, Elementwise


def element_text(op: Elementwise, args: Sequence[str]) -> str:
    """C text of an elementwise operation on the texts of its elements, in the C type of its result."""
    source, result = arithmetic_type(op), numpy_type(op.results[0])
    if isinstance(op, CastOp):
        return cast_text(args[0], numpy_type(op.operands[0]), result)
    expression = op.expression()
    if _leaves_integers(expression, source):
        source = np.dtype(np.float64)
    texts = [operand_text(a, numpy_type(v), source) for a, v in zip(args, op.operands)]
    text = expression_text(expression, texts, source)
    return (
        text if kind_of(source) == kind_of(result) != "int" and source == result else f"({C_TYPES[result.name]}){text}"
    )


def _leaves_integers(expression: Any, source: np.dtype) -> bool:
    """Whether integers meet a number outside their type, so that the arithmetic is that of reals, as in numpy."""
    if kind_of(source) != "int" or isinstance(expression, S.Arg):
        return False
    if isinstance(expression, S.Expr):
        return any(_leaves_integers(a, source) for a in expression.args)
    return not float(expression).is_integer() or (expression < 0 and source == np.uint64)


def arithmetic_type(op: Elementwise) -> np.dtype:
    """The type an operation computes in: that of its first operand that is not a condition."""
    types = [numpy_type(v) for v in op.operands]
    return next((t for t in types if t != np.bool_), types[0])


def operand_text(text: str, dt: np.dtype, source: np.dtype) -> str:
    """An element as an operand of arithmetic in `source`: integers are widened so that steps cannot overflow."""
    if dt == np.bool_ and source != np.bool_:
        return text  # a condition
    if kind_of(source) == "int" and kind_of(dt) == "int":
        return f"({_wide(source)}){text}"
    return text if dt == source else f"({C_TYPES[source.name]}){text}"


def cast_text(text: str, source: np.dtype, target: np.dtype) -> str:
    """An element converted: to i1 as x != 0, floats to narrow integers through 32 bits."""
    if target == np.bool_:
        return f"(uint8_t)({text} != 0)"
    narrow = kind_of(source) != "int" == kind_of(target) and target.itemsize < 4
    return f"({C_TYPES[target.name]}){'(int32_t)' if narrow else ''}{text}"


def expression_text(expression: Any, args: list[str], source: np.dtype) -> str:
    """C text of an expression of `scalar.Arg`s on elements of type `source`."""
    kind = kind_of(source)
    return _integer_text(expression, args, source) if kind == "int" else S.c_text(expression, args, kind)


def _wide(dt: np.dtype) -> str:
    return "uint64_t" if dt == np.uint64 else "int64_t"


def _integer_text(expression: Any, args: list[str], source: np.dtype) -> str:
    """C text on integers: elements are held in 64 bits and wrapped to their type after each step that can leave it."""
    if not isinstance(expression, S.Expr):
        return S.c_text(expression, args, "int")
    parts = [_integer_text(a, args, source) for a in expression.args]
    special = _SPECIAL.get(expression.fn)
    if special is not None:
        return special(parts, source)
    template = S.FUNCTIONS[expression.fn].c_int
    if not template:
        raise NotImplementedError(f"'{expression.fn}' has no C form on integers")
    return template.format(*parts)


def _wrapped(text: str, dt: np.dtype) -> str:
    return f"({_wide(dt)})({C_TYPES[dt.name]})({text})"


def _infix(sign: str) -> Callable[[list[str], np.dtype], str]:
    return lambda p, dt: f"({_wrapped(f'(uint64_t){p[0]} {sign} (uint64_t){p[1]}', dt)})"


def _negated(p: list[str], dt: np.dtype) -> str:
    return f"({_wrapped(f'0u - (uint64_t){p[0]}', dt)})"


def _signed(dt: np.dtype) -> bool:
    return np.issubdtype(dt, np.signedinteger)


def _call(name: str) -> Callable[[list[str], np.dtype], str]:
    def text(p: list[str], dt: np.dtype) -> str:
        suffix = "_u64" if dt == np.uint64 else ""
        arguments = ", ".join(p)
        return f"({_wrapped(f'dnnc_{name}{suffix}({arguments})', dt)})"

    return text


def _shifted(name: str) -> Callable[[list[str], np.dtype], str]:
    return lambda p, dt: _call(name)([*p, str(dt.itemsize * 8)], dt)


_SPECIAL: dict[str, Callable[[list[str], np.dtype], str]] = {
    "add": _infix("+"),
    "sub": _infix("-"),
    "mul": _infix("*"),
    "neg": _negated,
    "abs": lambda p, dt: f"({p[0]} < 0 ? {_negated(p, dt)} : {p[0]})" if _signed(dt) else p[0],
    "sign": lambda p, dt: f"(({p[0]} > 0) - ({p[0]} < 0))" if _signed(dt) else f"({p[0]} > 0)",
    "lt": lambda p, dt: f"({p[0]} < {p[1]})" if _signed(dt) or p[1] != "0" else "0",
    "div": _call("div"),
    "fmod": _call("rem"),
    "mod": _call("mod_int"),
    "pow": _call("pow_int"),
    "bit_not": lambda p, dt: f"({_wrapped(f'~{p[0]}', dt)})",
    "shift_left": _shifted("shl"),
    "shift_right": _shifted("shr"),
}
