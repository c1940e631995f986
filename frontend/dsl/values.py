"""Values of expressions as parameters of operations: numbers, lists, words, types, windows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from xdsl.dialects.builtin import TensorType, UnitAttr
from xdsl.ir import Attribute, SSAValue

from dnnc.ir.dnn.attributes import Int, Ints, Key, Real, Reals, Window, Word
from dnnc.ir.types import tensor_text, type_name


class Unfit(Exception):
    """A value of another kind than expected: says what was expected and what was got."""

    def __init__(self, expected: str, got: Any, code: str = "E0311"):
        self.code = code
        super().__init__(f"expected {expected}, not {shown(got)}.")


def shown(value: Any) -> str:
    """A value as messages name it."""
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case str():
            return f"'{value}'"
        case SSAValue():
            return f"a tensor ({tensor_text(value.type)})"
        case TensorType():
            return f"the type {tensor_text(value)}"
        case Attribute():
            return f"the element type {type_name(value)}"
        case list() | tuple():
            return f"[{', '.join(map(shown, value))}]"
    return str(value)


def is_number(value: Any) -> bool:
    """Whether a value is a number (true and false are none)."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def whole(value: Any) -> int:
    """A whole number."""
    if not is_number(value) or isinstance(value, float):
        raise Unfit("a whole number", value)
    return value


def wholes(value: Any) -> tuple[int, ...]:
    """A list of whole numbers; one alone counts as a list."""
    if is_number(value):
        return (whole(value),)
    if not isinstance(value, list) or any(not is_number(v) or isinstance(v, float) for v in value):
        raise Unfit("a list of whole numbers", value)
    return tuple(value)


def real(value: Any) -> float:
    """A number."""
    if not is_number(value):
        raise Unfit("a number", value)
    return float(value)


def reals(value: Any) -> tuple[float, ...]:
    """A list of numbers; one alone counts as a list."""
    if is_number(value):
        return (float(value),)
    if not isinstance(value, list) or not all(map(is_number, value)):
        raise Unfit("a list of numbers", value)
    return tuple(map(float, value))


def word(value: Any) -> str:
    """A word."""
    if not isinstance(value, str):
        raise Unfit("a word", value)
    return value


def flag(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise Unfit("true or false", value)
    return value


def element(value: Any) -> Attribute:
    """An element type."""
    if not isinstance(value, Attribute) or isinstance(value, TensorType):
        raise Unfit("an element type such as f32 or q<i8, 0.1, 0>", value)
    return value


CONVERSIONS: dict[type | None, Callable[[Any], Any]] = {
    Int: whole, Ints: wholes, Real: real, Reals: reals, Word: word, Key: word, UnitAttr: flag, None: element,
}  # fmt: skip


def window(values: Mapping[str, Any], spatial: Sequence[int], weights: Sequence[int] | None) -> Window:
    """A window over `spatial` dimensions; the kernel is that of the weights when it is not given.

    A number stands for all dimensions; `pad` is one number, one a dimension, or begins then ends, or `same`: as much as
    makes the output ceil(size / stride), the odd one at the end.
    """
    rank = len(spatial)
    if "kernel" in values:
        kernel = _each("kernel", values["kernel"], rank)
    elif weights is not None:
        kernel = tuple(weights)
    else:
        raise Unfit("a kernel", None)
    stride = _each("stride", values.get("stride", 1), rank)
    dilation = _each("dilation", values.get("dilation", 1), rank)
    pad = values.get("pad", 0)
    if pad == "same":
        pads = _same(spatial, kernel, stride, dilation)
    elif is_number(pad):
        pads = (whole(pad),) * (2 * rank)
    else:
        pads = wholes(pad)
        if len(pads) not in (rank, 2 * rank):
            raise Unfit(f"1, {rank} or {2 * rank} pads", len(pads), "E0415")
        pads = pads * 2 if len(pads) == rank else pads
    block = _each("block", values["block"], rank) if "block" in values else ()
    return Window.of(kernel, stride, pads, dilation, flag(values.get("ceil", False)), block)


def _each(name: str, value: Any, rank: int) -> tuple[int, ...]:
    """One whole number for each dimension."""
    if is_number(value):
        return (whole(value),) * rank
    given = wholes(value)
    if len(given) != rank:
        raise Unfit(f"{rank} numbers for {name}", len(given), "E0415")
    return given


def _same(
    spatial: Sequence[int], kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> tuple[int, ...]:
    if min(stride, default=1) < 1:
        raise Unfit("a stride of at least 1", list(stride), "E0416")
    totals = [
        max(0, (-(-n // u) - 1) * u + (k - 1) * d + 1 - n) for n, k, u, d in zip(spatial, kernel, stride, dilation)
    ]
    return (*(p // 2 for p in totals), *(p - p // 2 for p in totals))
