"""Calls to operations: expressions bound to operands and parameters, parameters turned into what the class takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xdsl.dialects.builtin import LocationAttr, TensorType
from xdsl.ir import Attribute, SSAValue
from xdsl.utils.exceptions import VerifyException

from dnnc.frontend.dsl import tree as t
from dnnc.frontend.dsl.evaluate import Frame, fitting, look_up, static
from dnnc.frontend.dsl.messages import Mistake
from dnnc.frontend.dsl.signatures import WINDOW, Signature
from dnnc.frontend.dsl.values import CONVERSIONS, Unfit, shown, window
from dnnc.ir.diagnostics import BeyondDialect, rule_code
from dnnc.ir.dnn import DnnOp
from dnnc.ir.dnn.attributes import Word
from dnnc.ir.types import I1, I64, QuantType, is_float, shape_of, tensor_text

Arguments = Mapping[str, tuple[t.Span, t.Expression]]

_ELEMENTS = {"indices": I64, "condition": I1}  # of numbers given for these operands


class Beyond(Mistake):
    """Something valid that the dialect does not have."""


def parameters(
    signature: Signature, call: t.Call, given: Arguments, operands: Sequence[Any], frame: Frame
) -> dict[str, Any]:
    """Parameters as the operation's class takes them; arguments of a window are gathered into one."""
    values: dict[str, Any] = {}
    windows: dict[str, Any] = {}
    for name, (_, expression) in given.items():
        what = f"{name} of {signature.name}: "
        if name in WINDOW and signature.window:
            windows[name] = static(frame, expression)
            continue
        kind = signature.parameters[name]
        value = _word(frame, expression) if kind is Word else static(frame, expression)
        if value is None and name in signature.required:
            raise Mistake(expression.at, f"expected a value for {name} of {signature.name}, not none.", "E0309")
        if value is not None:
            values[name] = fitting(expression.at, CONVERSIONS[kind], value, what=what)
    if signature.window:
        values[signature.window] = _window(signature, call, windows, given, operands)
    return values


def _word(frame: Frame, expression: t.Expression) -> Any:
    """A bare word stands for itself, unless it names a value."""
    if isinstance(expression, t.Name) and expression.text not in frame.names:
        return expression.text
    return look_up(frame, expression) if isinstance(expression, t.Name) else static(frame, expression)


def _window(
    signature: Signature, call: t.Call, values: dict[str, Any], given: Arguments, operands: Sequence[Any]
) -> Any:
    x = operands[0]
    weights = operands[1] if len(signature.operands) > 1 else None
    kernel = shape_of(weights.type)[2:] if isinstance(weights, SSAValue) else None
    if not isinstance(x, SSAValue):
        raise Mistake(call.at, f"expected a tensor for {signature.name}, not {shown(x)}.", "E0313")
    if "kernel" not in values and kernel is None:
        raise Mistake(
            call.at, f"expected a kernel for {signature.name}, not given. Write kernel=3 or kernel=[3, 5].", "E0309"
        )
    try:
        return window(values, shape_of(x.type)[2:], kernel)
    except Unfit as e:
        at = next((at for name, (at, _) in given.items() if name in WINDOW and name in str(e)), call.at)
        raise Mistake(at, f"window of {signature.name}: {e}", e.code) from e


def element_for(name: str, value: Any, operands: Sequence[Any]) -> Attribute | None:
    """Element type of numbers given where a tensor is expected: that of the first tensor beside them they fit."""
    if name in _ELEMENTS:
        return _ELEMENTS[name]
    for other in operands:
        if isinstance(other, SSAValue) and isinstance(other.type, TensorType):
            element = other.type.element_type
            plain = not isinstance(element, QuantType) and element != I1
            if plain and (is_float(element) or not _has_fraction(value)):
                return element
    return None


def _has_fraction(value: Any) -> bool:
    return any(map(_has_fraction, value)) if isinstance(value, list) else isinstance(value, float)


def build(
    signature: Signature, call: t.Call, operands: Sequence[Any], values: Mapping[str, Any], location: LocationAttr
) -> DnnOp:
    """The operation, its types inferred; what it refuses is a mistake at the call."""
    try:
        op = signature.kind(*operands, location=location, **values)
        op.verify_()
        return op
    except BeyondDialect as e:
        raise Beyond(call.at, _refusal(signature, operands, e), rule_code(e)) from e
    except VerifyException as e:
        raise Mistake(call.at, _refusal(signature, operands, e), rule_code(e)) from e


def _refusal(signature: Signature, operands: Sequence[Any], e: VerifyException) -> str:
    parts = []
    for declared, value in zip(signature.operands, operands):
        several = value if isinstance(value, list) else [value] if value is not None else []
        if several:
            parts.append(f"{declared.name} {', '.join(tensor_text(v.type) for v in several)}")
    return f"{signature.name}: {' '.join(str(e).split())} Operands: {'; '.join(parts)}."
