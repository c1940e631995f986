"""IR to .dnn: one statement an operation, so that reading the text gives the same IR again."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import (
    ArrayAttr,
    DictionaryAttr,
    ModuleOp,
    NameLoc,
    StringAttr,
    TensorType,
    UnitAttr,
)
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Attribute, SSAValue

from dnnc.frontend.dsl.constants import NOTES
from dnnc.frontend.dsl.evaluate import WORDS
from dnnc.frontend.dsl.signatures import Signature, operation
from dnnc.ir.blocked import BLOCKED, blocked_of
from dnnc.ir.diagnostics import Collector, where
from dnnc.ir.dnn import DnnOp
from dnnc.ir.dnn.attributes import Int, Ints, Key, Real, Reals, Window, WindowAttr, Word
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.interpret import main_function
from dnnc.ir.stages import CALIBRATED
from dnnc.ir.text import weight_keys, weights_path
from dnnc.ir.types import Quantized, QuantType, dtype, element_names, is_float, shape_of, type_name
from dnnc.ir.weights import atomic_file, store_of

_WIDTH = 120
_NAMED = "dnn.name"


def save_dnn(module: ModuleOp, ctx: Context, path: Path) -> None:
    """Write a program as .dnn text, and the weights it names as a .safetensors file beside it."""
    keys, weights = weight_keys(module), weights_path(path)
    text = dnn_text(module, weights.name if keys else None)
    if keys:
        store_of(ctx).save(weights, keys)
    with atomic_file(path) as f:
        f.write(text.encode())


def dnn_text(module: ModuleOp, weights: str | None = None) -> str:
    """A program as .dnn text; `weights` names the file of its constants. UnsupportedError for what .dnn has no words for."""
    return _Writer(module).text(weights)


class _Writer:
    """The text of one program: the names of its values, the aliases of its types, what cannot be written."""

    def __init__(self, module: ModuleOp):
        self.refused = Collector()
        self.function = _only_function(module, self.refused)
        told = module.attributes.get(CALIBRATED)
        self.calibrated = told if isinstance(told, StringAttr) else None
        self.blocked = blocked_of(module)
        self.block = self.function.body.block
        self.names = _value_names([*self.block.args, *(r for op in self.block.ops for r in op.results)])
        self.aliases: dict[Attribute, str] = {}

    def text(self, weights: str | None) -> str:
        inputs = self.inputs()
        lines: list[str] = []
        outputs = ""
        for op in self.block.ops:
            if isinstance(op, ReturnOp):
                outputs = self.outputs(op)
            elif isinstance(op, DnnOp) and _are_notes(op.attributes) and not op.regions:
                lines += self.statement(op)
            else:
                why = f"with attributes {', '.join(op.attributes)}" if op.attributes else "as it is"
                what = f"an operation .dnn has a form for, not '{op.name}' {why}"
                message = f"expected {what}. Write the program before this pass, or as .mlir."
                self.refused.refuse(where(op.location, op.name), message, "E0331")
        self.refused.raise_if_any()
        head = [f"# calibrated: {self.calibrated.data}"] if self.calibrated else []
        head += [f"# {self.blocked.text()}"] if self.blocked else []
        head += [f"weights {_quoted(weights)}"] if weights else []
        types = [_wrapped(f"type {name} = {_element(t)}") for t, name in self.aliases.items()]
        parts = [part for part in (head, types, inputs, lines, [outputs]) if part]
        return "\n\n".join("\n".join(part) for part in parts) + "\n"

    def inputs(self) -> list[str]:
        """One line for each input."""
        outside = _outside(self.function.arg_attrs, len(self.block.args), self.refused)
        lines = []
        for value, (name, notes) in zip(self.block.args, outside):
            own = self.names[value]
            lines.append(f"input {own}: {self.type(value.type)}{_notes(notes)}{_node(name, own)}")
        return lines

    def outputs(self, op: ReturnOp) -> str:
        """The last line."""
        names = _outside(self.function.res_attrs, len(op.operands), self.refused)
        if not op.operands:
            self.refused.refuse(
                "func.return",
                "expected at least one result, not none. A .dnn text ends in an output; write the program as .mlir.",
                "E0331",
            )
        if any(notes for _, notes in names):
            self.refused.refuse(
                "func.func",
                "expected no notes on results, which .dnn has no place for. Write the program as .mlir.",
                "E0331",
            )
        parts = [self.names[v] + _node(name, self.names[v]) for v, (name, _) in zip(op.operands, names)]
        return f"output {', '.join(parts)}"

    def statement(self, op: DnnOp) -> list[str]:
        """The line of an operation."""
        own = ", ".join(self.names[r] for r in op.results)
        return [_wrapped(f"{own} = {self.call(op)}{_notes(op.attributes)}{_node(*self.node_name(op))}")]

    def node_name(self, op: DnnOp) -> tuple[str | None, str]:
        """The node an operation came from, and the one the text would give it: its own name, a constant's first user."""
        location = op.location
        given = location.desc.data if isinstance(location, NameLoc) else None
        default = self.names[op.results[0]]
        if isinstance(op, ConstOp):
            uses = {u.operation for u in op.result.uses}
            user = next((o for o in self.block.ops if o in uses and isinstance(o, DnnOp)), None) if uses else None
            if user is not None:
                default = user.location.desc.data if isinstance(user.location, NameLoc) else self.names[user.results[0]]
        return given, default

    def call(self, op: DnnOp) -> str:
        """`conv(x, w, bias=b, pad=1)`."""
        if isinstance(op, ConstOp):
            type_ = self.type(op.result.type)
            if op.key is not None:
                return f"load({_quoted(op.key.data)}, {type_})"
            return f"const({_values(op)}, {type_})"
        signature = operation(op.name.removeprefix("dnn."))
        assert signature is not None
        parts = self.operands(op, signature)
        for name in signature.parameters:
            value = op.properties.get(name)
            if isinstance(value, WindowAttr):
                parts += _window(value.data, _kernel(op, signature))
            elif value is not None and value != op.get_irdl_definition().properties[name].default_value:
                parts.append(f"{name}={self.parameter(op, name, value)}")
        return f"{signature.name}({', '.join(parts)})"

    def operands(self, op: DnnOp, signature: Signature) -> list[str]:
        """Operands: those always there by position, optional ones by name."""
        parts: list[str] = []
        for declared, value in zip(signature.operands, op.grouped(op.operands)):
            if declared.variadic:
                parts += [self.names[v] for v in value]
            elif value is not None:
                parts.append(f"{declared.name}={self.names[value]}" if declared.optional else self.names[value])
        return parts

    def parameter(self, op: DnnOp, name: str, value: Attribute) -> str:
        """The text of a parameter."""
        match value:
            case Word(data=text):
                return text if re.fullmatch(r"[^\W\d]\w*", text) and text not in self.names.values() else _quoted(text)
            case Key(data=text):
                return _quoted(text)
            case Int(data=number) | Real(data=number):
                return repr(number)
            case Ints(data=numbers) | Reals(data=numbers):
                return f"[{', '.join(map(repr, numbers))}]"
            case UnitAttr():
                return "true"
        if op.get_irdl_definition().properties[name].default_value is None and _is_element(value):
            return self.element(value)
        self.refused.refuse(
            where(op.location, op.name),
            f"expected {name} of '{op.name}' as .dnn has it, not {value}. Write the program as .mlir.",
            "E0331",
        )
        return ""

    def type(self, type_: Attribute) -> str:
        """`f32[1, 3, 32, 32]`."""
        assert isinstance(type_, TensorType)
        return f"{self.element(type_.element_type)}[{', '.join(map(str, shape_of(type_)))}]"

    def element(self, element: Attribute) -> str:
        """An element type; one with a scale for each channel is long and gets an alias."""
        if isinstance(element, Quantized) and not isinstance(element, QuantType):
            message = f"expected an element type .dnn has words for, not {element}. Write the program as .mlir."
            self.refused.refuse("module", message, "E0331")
            return ""
        if not isinstance(element, QuantType) or element.axis is None:
            return _element(element)
        if element not in self.aliases:
            taken = {*self.names.values(), *self.aliases.values()}
            self.aliases[element] = next(
                n for i in range(len(taken) + 1) if (n := f"q{len(self.aliases) + i}") not in taken
            )
        return self.aliases[element]


def _only_function(module: ModuleOp, refused: Collector) -> FuncOp:
    """`main`; anything beside it is refused."""
    function = main_function(module)
    for op in module.body.block.ops:
        if op is not function:
            refused.refuse(
                where(op.location, op.name),
                f"expected @main alone, not '{op.name}' beside it. Write the program as .mlir.",
                "E0331",
            )
    if names := ", ".join(name for name in module.attributes if name not in (CALIBRATED, BLOCKED)):
        refused.refuse(
            "module",
            f"expected no attributes, not {names}. Write the program as .dnn before they are set, or as .mlir.",
            "E0331",
        )
    return function


def _value_names(values: Sequence[SSAValue]) -> dict[SSAValue, str]:
    """A name for each value: its hint, `x.1` for a second x, `_0` for one without."""
    reserved = {*WORDS, *element_names()}
    count: dict[str, int] = {name: 1 for name in reserved}
    names: dict[SSAValue, str] = {}
    for value in values:
        base = re.sub(r"[^A-Za-z0-9_]", "_", value.name_hint or "")
        n = count.get(base, 0)
        count[base] = n + 1
        names[value] = f"_{n}" if not base else f"{base}.{n}" if n else base
    return names


Attributes = Mapping[str, Attribute]


def _outside(
    attributes: ArrayAttr[DictionaryAttr] | None, count: int, refused: Collector
) -> list[tuple[str | None, Attributes]]:
    """Names of inputs or outputs, and the notes beside them."""
    found: list[tuple[str | None, Attributes]] = []
    for a in attributes.data if attributes is not None else [DictionaryAttr({})] * count:
        notes = {k: v for k, v in a.data.items() if k != _NAMED}
        if not _are_notes(notes):
            refused.refuse(
                "func.func",
                f"expected range and island as notes, not {', '.join(notes)}. Write the program as .mlir.",
                "E0331",
            )
        name = a.data.get(_NAMED)
        found.append((name.data if isinstance(name, StringAttr) else None, notes))
    return found


def _are_notes(attributes: Attributes) -> bool:
    """Whether attributes are such as the text has notes for."""
    known = all(k.startswith("dnn.") and k[4:] in NOTES for k in attributes)
    return known and all(isinstance(v, (UnitAttr, Reals)) for v in attributes.values())


def _notes(attributes: Attributes) -> str:
    """` {range=[-1.0, 1.0]}`."""
    parts = [k[4:] + (f"={list(v.data)}" if isinstance(v, Reals) else "") for k, v in attributes.items()]
    return f" {{{', '.join(parts)}}}" if parts else ""


def _node(given: str | None, default: str) -> str:
    return "" if given is None or given == default else f" @ {_quoted(given)}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _wrapped(line: str) -> str:
    """A long line as several; they only break inside brackets, since spaces stand nowhere else in a list."""
    if len(line) <= _WIDTH or "[" not in line or '"' in line:
        return line
    cut = line.index("[") + 1
    rest = textwrap.wrap(line[cut:], _WIDTH - 2, break_long_words=False, break_on_hyphens=False)
    return "\n  ".join([line[:cut], *rest])


def _is_element(value: Attribute) -> bool:
    return isinstance(value, QuantType) or value in element_names().values()


def _element(element: Attribute) -> str:
    """The text of an element type."""
    if not isinstance(element, QuantType):
        return type_name(element)
    q = element.data
    scales, storage = [str(np.float32(s)) for s in q.scales], type_name(q.storage)
    if q.axis is None:
        return f"q<{storage}, {scales[0]}, {q.zeros[0]}>"
    zeros = f", [{', '.join(map(str, q.zeros))}]" if any(q.zeros) else ""
    return f"q<{storage}, axis {q.axis}, [{', '.join(scales)}]{zeros}>"


def _values(op: ConstOp) -> str:
    """The values of a constant as nested lists, or one number for all."""
    assert op.value is not None and isinstance(op.result.type, TensorType)
    element = op.result.type.element_type
    values = np.array(op.value.get_values(), dtype(element))
    one: Callable[[Any], str]
    if is_float(element):
        one = str
    elif values.dtype == np.bool_:
        one = lambda v: str(bool(v)).lower()  # noqa: E731
    else:
        one = lambda v: str(int(v))  # noqa: E731
    if op.value.is_splat():
        return one(values.reshape(-1)[0])
    return _nested(values.reshape(shape_of(op.result.type)), one)


def _nested(values: np.ndarray, one: Callable[[Any], str]) -> str:
    if not values.ndim:
        return one(values[()])
    return f"[{', '.join(_nested(v, one) for v in values)}]"


def _kernel(op: DnnOp, signature: Signature) -> tuple[int, ...] | None:
    """The kernel the weights have, which needs no word."""
    return op.shape(1)[2:] if len(signature.operands) > 1 else None


def _window(window: Window, known: tuple[int, ...] | None) -> list[str]:
    """A window as arguments, without what is default; one number where all dimensions agree."""
    parts = [] if window.kernel == known else [f"kernel={_short(window.kernel)}"]
    if any(u != 1 for u in window.stride):
        parts.append(f"stride={_short(window.stride)}")
    if any(window.pad):
        half = window.pad[: window.rank]
        parts.append(f"pad={_short(half) if half * 2 == window.pad else list(window.pad)}")
    if any(d != 1 for d in window.dilation):
        parts.append(f"dilation={_short(window.dilation)}")
    if window.block:
        parts.append(f"block={_short(window.block)}")
    return parts + ["ceil=true"] * window.ceil


def _short(values: tuple[int, ...]) -> str:
    return str(values[0]) if values and len(set(values)) == 1 else str(list(values))
