"""Constants of a text: values written out, entries of a file of weights, initialisers."""

from __future__ import annotations

from typing import Any

from xdsl.dialects.builtin import TensorType, UnitAttr
from xdsl.ir import Attribute, SSAValue

from dnnc.frontend.dsl import tree as t
from dnnc.frontend.dsl.evaluate import Frame, array_of, fitting, static
from dnnc.frontend.dsl.initialisers import INITIALISERS, initial, refusal
from dnnc.frontend.dsl.messages import Mistake, either
from dnnc.frontend.dsl.program import Program
from dnnc.frontend.dsl.values import real, reals, shown, whole, word
from dnnc.ir.diagnostics import nearest
from dnnc.ir.dnn.attributes import Reals
from dnnc.ir.types import dtype, element_type, shape_of, supported, tensor, tensor_text

_REQUIRED = object()


# What may be noted of a value: the range `calibrate` would record, and that `quantize` leaves an operation in float.
NOTES = ("range", "island")


def outer_name(node: t.Node | None, default: str) -> str:
    """The name of a node: as given, else that of the text."""
    return node.name if node is not None and node.name is not None else default


def notes(frame: Frame, node: t.Node | None) -> dict[str, Attribute]:
    """Notes as attributes: `{range=[-1, 1]}` is dnn.range, a note without a value a flag."""
    found: dict[str, Attribute] = {}
    for note in node.notes if node is not None else ():
        name, at = note.name.text, note.name.at
        if name not in NOTES:
            raise Mistake(at, f"expected a note of {either(NOTES)}, not '{name}'.{nearest(name, NOTES)}", "E0314")
        value = None if note.value is None else fitting(note.value.at, reals, static(frame, note.value))
        wanted = "two numbers, as {range=[-1, 1]}" if name == "range" else "no value, as {island}"
        if (value is None) == (name == "range") or (value is not None and len(value) != 2):
            raise Mistake(at, f"expected {wanted} for the note '{name}'.", "E0314")
        found[f"dnn.{name}"] = UnitAttr() if value is None else Reals(value)
    return found


def constant(program: Program, frame: Frame, call: t.Call, name: str, node: t.Node | None) -> SSAValue:
    """A call of `const`, `load` or an initialiser, made under a name."""
    location = frame.location(outer_name(node, name), call.at)
    make = {"const": _const, "load": _load}.get(call.name, _initialised)
    op = make(program, frame, call, name, location)
    op.attributes.update(notes(frame, node))
    return program.constant(op, name, node is not None and node.name is not None)


def _arguments(frame: Frame, call: t.Call, known: dict[str, Any]) -> dict[str, tuple[t.Span, Any]]:
    """Arguments by name, each where it stands with its value; `known` gives the order and the defaults."""
    found: dict[str, tuple[t.Span, Any]] = {}
    for i, argument in enumerate(call.arguments):
        keyword = isinstance(argument, t.Keyword)
        key = argument.name.text if keyword else list(known)[i] if i < len(known) else ""
        at, value = (argument.name.at, argument.value) if keyword else (argument.at, argument)
        if key not in known:
            hint = nearest(key, known) if key else ""
            got = f"'{key}'" if key else "one more"
            raise Mistake(at, f"expected arguments of {call.name} ({either(known)}), not {got}.{hint}", "E0307")
        if key in found:
            raise Mistake(at, f"expected '{key}' of {call.name} once, not twice.", "E0308")
        found[key] = (value.at, static(frame, value))
    for key, default in known.items():
        if default is _REQUIRED and key not in found:
            raise Mistake(
                call.at,
                f"expected '{key}' for {call.name}, not given. Write {_EXAMPLES.get(call.name, _SHAPED)}",
                "E0309",
            )
        found.setdefault(key, (call.at, default))
    return found


_EXAMPLES = {"const": "const([0.5, 1], f32[2]).", "load": 'load("conv1.weight").', "full": "full(f32[64], 0.5)."}
_SHAPED = "for example he(f32[64, 3, 3, 3])."


def _type(found: tuple[t.Span, Any]) -> TensorType:
    at, value = found
    if not isinstance(value, TensorType):
        raise Mistake(at, f"expected the type of a tensor such as f32[64, 3, 3, 3], not {shown(value)}.", "E0311")
    return value


def _const(program: Program, frame: Frame, call: t.Call, name: str, location: Any) -> Any:
    """`const([0.5, 1], f32[2])`; of a quantized type the values are the stored integers."""
    found = _arguments(frame, call, {"values": _REQUIRED, "type": _REQUIRED})
    type_ = _type(found["type"])
    at, values = found["values"]
    array = array_of(at, values, type_.element_type, shape_of(type_))
    return program.written(array, type_, name, location)


def _initialised(program: Program, frame: Frame, call: t.Call, name: str, location: Any) -> Any:
    """`he(f32[64, 3, 3, 3])` and the like."""
    initialiser = INITIALISERS[call.name]
    own = {p: _REQUIRED if default is None else default for p, default in initialiser.parameters.items()}
    seeded = {"seed": None} if initialiser.draw is not None else {}
    found = _arguments(frame, call, {"type": _REQUIRED, **own, **seeded})
    type_ = _type(found["type"])
    values = {p: fitting(at, _plain, v, what=f"{p} of {call.name}: ") for p, (at, v) in found.items() if p in own}
    at, given = found.get("seed", (call.at, None))
    seed = program.seed if given is None else fitting(at, whole, given, what=f"seed of {call.name}: ")
    if seed < 0:
        raise Mistake(at, f"expected a seed of at least 0, not {seed}.", "E0332")
    problem = refusal(initialiser, call.name, type_, values)
    if problem:
        raise Mistake(found["type"][0], problem, "E0317")
    return program.filled(lambda: initial(initialiser, type_, seed, name, values), type_, name, location)


def _plain(value: Any) -> int | float:
    """A number as it is written: whole ones stay exact."""
    return value if isinstance(value, int) and not isinstance(value, bool) else real(value)


def _load(program: Program, frame: Frame, call: t.Call, name: str, location: Any) -> Any:
    """`load("conv1.weight")`, with a type when the file does not say it (a quantized one)."""
    found = _arguments(frame, call, {"key": _REQUIRED, "type": None})
    at, key = found["key"]
    key = fitting(at, word, key, what="key of load: ")
    type_ = _type(found["type"]) if found["type"][1] is not None else None
    store, arrays = program.store, frame.unit.arrays
    if key not in arrays and key in program.known:  # what came with the context, unread
        type_ = type_ or tensor(element_type(store[key].dtype), store[key].shape)
        program.loaded[("", key)] = key
        return program.stored(lambda: store[key], type_, "", key, location)
    if key not in arrays:
        if not frame.unit.weights:
            todo = 'Name one in a line above: weights "net.safetensors"'
            raise Mistake(at, f"expected a file of weights for '{key}', found none. {todo}", "E0326")
        files = either(f"'{w}'" for w in frame.unit.weights)
        raise Mistake(at, f"expected a key in {files}, not '{key}'.{nearest(key, arrays)}", "E0326")
    try:
        array = arrays[key]()
    except ValueError as e:
        raise Mistake(at, f"expected an array of numbers under '{key}', not this one ({e}).", "E0335") from e
    if not supported(array.dtype):
        raise Mistake(at, f"expected an array of a type dnnc knows under '{key}', not {array.dtype}.", "E0335")
    held = tensor(element_type(array.dtype), array.shape)
    if type_ is not None and (shape_of(type_) != array.shape or dtype(type_.element_type) != array.dtype):
        raise Mistake(
            found["type"][0],
            f"expected the type of '{key}' in the file, {tensor_text(held)}, not {tensor_text(type_)}.",
            "E0327",
        )
    return program.stored(array, type_ or held, str(frame.unit.folder), key, location)
