"""What a scheme says of one layer, as an attribute of the layer: the passes that quantize read it there.

%1 = dnn.conv %x, %w attributes {dnn.scheme = {weights = "int4", algorithm = "gptq"}}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from xdsl.dialects.builtin import ArrayAttr, BoolAttr, DictionaryAttr, IntegerType, StringAttr
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute, Operation, OpResult, SSAValue

from dnnc.ir.dnn.attributes import Int, Ints, Real, Reals
from dnnc.ir.types import UNSIGNED
from dnnc.passes.analysis.histogram import METHODS

SCHEME = "dnn.scheme"

FLOAT = "float"
WIDTHS = range(2, 9)
WEIGHTS = tuple(f"int{n}" for n in WIDTHS)
ACTIVATIONS = ("int8", "uint8", "int16", "uint16")
OBSERVERS = ("min-max", *METHODS)

Test = Callable[[Any], bool]


@dataclass(frozen=True)
class Choice:
    """What is stated of a layer; None where nothing is.

    Of its weights: their type, or the bits of those of each output channel, `by` channel or tensor their scales, the pass that
    makes integers of them, and the type of `outliers`, channels whose largest weight is `outlier_ratio` times the median. Of the
    value it makes: its type, a zero point of 0 when `symmetric`, how its range is observed, or its range.
    """

    weights: str | tuple[int, ...] | None = None
    by: str | None = None
    algorithm: str | None = None
    outliers: str | None = None
    outlier_ratio: float | None = None
    activations: str | None = None
    symmetric: bool | None = None
    observer: str | None = None
    range: tuple[float, float] | None = None

    @property
    def bits(self) -> int | None:
        """The width of the weights, if it is stated: of the widest channel."""
        if isinstance(self.weights, tuple):
            return max(self.weights)
        return width(self.weights) if self.weights not in (None, FLOAT) else None

    @property
    def channels(self) -> np.ndarray | None:
        """The bits of each output channel, if they are stated one by one."""
        return np.array(self.weights) if isinstance(self.weights, tuple) else None

    @property
    def storage(self) -> IntegerType | None:
        """The integers of the value, if they are stated."""
        return None if self.activations in (None, FLOAT) else storage(self.activations)

    @property
    def island(self) -> bool:
        """Whether the layer is to stay in float."""
        return self.activations == FLOAT

    def __or__(self, later: Choice) -> Choice:
        """What is stated by either, of both the later."""
        return Choice(**(self.stated() | later.stated()))

    def stated(self) -> dict[str, Any]:
        """The keys that have a value."""
        return {k: v for k, v in asdict(self).items() if v is not None}


def width(type_: str | None) -> int:
    """The bits of a type by its name: `int4`, `uint8`."""
    return int((type_ or "").lstrip("uint"))


def storage(type_: str | None) -> IntegerType:
    """The integers a name stands for."""
    unsigned = (type_ or "").startswith("u")
    return IntegerType(width(type_), UNSIGNED) if unsigned else IntegerType(width(type_))


def one_of(words: tuple[str, ...]) -> tuple[Test, str]:
    """A key that is one of some words."""
    return (lambda v: v in words), f"one of {', '.join(words)}"


def _pair(v: Any) -> bool:
    numbers = isinstance(v, (list, tuple)) and len(v) == 2 and all(_number(x) for x in v)
    return numbers and v[0] <= v[1]


def _number(v: Any) -> bool:
    return isinstance(v, (int, float)) and not isinstance(v, bool) and bool(np.isfinite(v))


def _weights(v: Any) -> bool:
    each = isinstance(v, (list, tuple)) and len(v) > 0 and all(_number(x) and x in WIDTHS for x in v)
    return each or v in (*WEIGHTS, FLOAT)


# Each key: whether it takes a value, and what it takes.
KEYS: dict[str, tuple[Test, str]] = {
    "weights": (_weights, f"one of {', '.join((*WEIGHTS, FLOAT))}, or an array of 2 to 8 bits for each output channel"),
    "by": one_of(("channel", "tensor")),
    "algorithm": (lambda v: isinstance(v, str) and bool(v), "the name of a pass"),
    "outliers": one_of(WEIGHTS),
    "outlier-ratio": (lambda v: _number(v) and v > 1, "a number above 1"),
    "activations": one_of((*ACTIVATIONS, FLOAT)),
    "symmetric": (lambda v: isinstance(v, bool), "true or false"),
    "observer": one_of(OBSERVERS),
    "range": (_pair, "two numbers, the lower one first"),
}
OF_WEIGHTS = ("weights", "by", "algorithm", "outliers", "outlier_ratio")


def choice_of(thing: Operation | SSAValue) -> Choice:
    """What a scheme says of a layer, or of the layer or input that makes a value."""
    if isinstance(thing, OpResult):
        thing = thing.op
    if isinstance(thing, Operation):
        return _read(thing.attributes.get(SCHEME))
    function = thing.owner.parent_op()  # pyright: ignore[reportAttributeAccessIssue]
    known = isinstance(function, FuncOp) and function.arg_attrs is not None
    return _read(function.arg_attrs.data[thing.index].data.get(SCHEME)) if known else Choice()  # pyright: ignore


def set_choice(op: Operation, choice: Choice) -> None:
    """Let a layer be quantized as stated."""
    op.attributes.pop(SCHEME, None)
    if stated := choice.stated():
        op.attributes[SCHEME] = _written(stated)


def set_input_choices(function: FuncOp, choices: Mapping[int, Choice]) -> None:
    """The same for the inputs of a network, by their number."""
    count = len(function.function_type.inputs.data)
    old = [dict(a.data) for a in function.arg_attrs.data] if function.arg_attrs is not None else [{}] * count
    for i, a in enumerate(old):
        a.pop(SCHEME, None)
        stated = choices[i].stated() if i in choices else {}
        old[i] = {**a, SCHEME: _written(stated)} if stated else a
    if any(old):
        function.properties["arg_attrs"] = ArrayAttr([DictionaryAttr(a) for a in old])


def _written(stated: Mapping[str, Any]) -> DictionaryAttr:
    return DictionaryAttr({k: _attribute(v) for k, v in stated.items()})


def _attribute(v: Any) -> Attribute:
    if isinstance(v, bool):
        return BoolAttr.from_bool(v)
    if isinstance(v, str):
        return StringAttr(v)
    if isinstance(v, tuple):
        return Ints(v) if all(isinstance(x, int) for x in v) else Reals(v)
    return Real(float(v))


def _read(attribute: Attribute | None) -> Choice:
    if not isinstance(attribute, DictionaryAttr):
        return Choice()
    known = {f.name for f in fields(Choice)}
    return Choice(**{k: _value(a) for k, a in attribute.data.items() if k in known})


def _value(a: Attribute) -> Any:
    if isinstance(a, (StringAttr, Real, Reals, Int, Ints)):
        return a.data
    return bool(a.value.data)  # pyright: ignore[reportAttributeAccessIssue]
