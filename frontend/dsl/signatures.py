"""What a call of an operation may be given, read from the operation's class: a new operation needs no word here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from xdsl.irdl import OptOperandDef, OptPropertyDef, VarOperandDef

from dnnc.frontend.dsl import tree as t
from dnnc.frontend.dsl.messages import Mistake, either
from dnnc.ir.diagnostics import nearest
from dnnc.ir.dnn import OPS, DnnOp, domains
from dnnc.ir.dnn.attributes import WindowAttr
from dnnc.ir.dnn.base import SEGMENTS
from dnnc.ir.dnn.recurrent import ScanOp
from dnnc.ir.dnn.structure import ConstOp, GroupOp

WINDOW = ("kernel", "stride", "pad", "dilation", "ceil", "block")  # a window's parameters, each an argument of its own
_NOT_CALLED = (ConstOp, GroupOp, ScanOp)  # constants have initialisers, const and load; a loop names a function


@dataclass(frozen=True)
class Operand:
    """One tensor (or, variadic, several) an operation takes."""

    name: str
    optional: bool
    variadic: bool


@dataclass(frozen=True)
class Signature:
    """Operands in order, and parameters: the attribute class of each, None where it holds a type."""

    name: str
    kind: type[DnnOp]
    operands: tuple[Operand, ...]
    parameters: dict[str, type | None]
    required: frozenset[str]
    window: str | None  # the parameter that is a window

    def names(self) -> list[str]:
        """Names of everything that may be given."""
        plain = [p for p in self.parameters if p != self.window]
        return [*(o.name for o in self.operands), *(WINDOW if self.window else ()), *plain]


@cache
def operations() -> dict[str, Signature]:
    """Signatures of the dialect's operations by their short names: `conv` is `dnn.conv`."""
    called = (op for op in OPS if issubclass(op, DnnOp) and op not in _NOT_CALLED)
    return {s.name: s for s in map(_signature, called)}


def operation(name: str) -> Signature | None:
    """The operation a call names: one of the dialect by its short name, one a package adds by its whole: `acme.gate`."""
    added = domains.operation(name) if name not in operations() else None
    return _signature(added) if added else operations().get(name)


def called() -> list[str]:
    """Names of all operations that can be called, those packages add too."""
    return [*operations(), *(op.name for op, origin in domains.operations() if origin)]


@cache
def _signature(kind: type[DnnOp]) -> Signature:
    definition = kind.get_irdl_definition()
    operands = tuple(
        Operand(name, isinstance(d, OptOperandDef), isinstance(d, VarOperandDef) and not isinstance(d, OptOperandDef))
        for name, d in definition.operands
    )
    parameters: dict[str, type | None] = {}
    required = set()
    for name, d in definition.properties.items():
        if name != SEGMENTS:
            attribute = getattr(d.constr, "attr", None)
            parameters[name] = attribute if isinstance(attribute, type) else None
            if not isinstance(d, OptPropertyDef):
                required.add(name)
    window = next((n for n, a in parameters.items() if a is WindowAttr), None)
    return Signature(kind.name.removeprefix("dnn."), kind, operands, parameters, frozenset(required), window)


Given = t.Expression | list[t.Expression]


def bind(signature: Signature, call: t.Call) -> tuple[dict[str, Given], dict[str, tuple[t.Span, t.Expression]]]:
    """Expressions for operands and for parameters, by name; operands also by position, a variadic one takes the rest."""
    name, operands = signature.name, [o.name for o in signature.operands]
    given: dict[str, Given] = {}
    parameters: dict[str, tuple[t.Span, t.Expression]] = {}
    position = 0
    for argument in call.arguments:
        if isinstance(argument, t.Keyword):
            key, at = argument.name.text, argument.name.at
            if key not in signature.names():
                known = either(signature.names())
                raise Mistake(
                    at,
                    f"expected an argument of {name} ({known}), not '{key}'.{nearest(key, signature.names())}",
                    "E0307",
                )
            if key in given or key in parameters:
                raise Mistake(at, f"expected '{key}' of {name} once, not twice.", "E0308")
            if key in operands:
                given[key] = argument.value
            else:
                parameters[key] = (at, argument.value)
        elif position < len(operands) and signature.operands[position].variadic:
            rest = given.setdefault(operands[position], [])
            assert isinstance(rest, list)
            rest.append(argument)
        elif position == len(operands):
            todo = _by_name(signature)
            raise Mistake(
                argument.at, f"expected {_tensors(len(operands))} for {name}, not one more argument.{todo}", "E0310"
            )
        else:
            if operands[position] in given:
                raise Mistake(argument.at, f"expected '{operands[position]}' of {name} once, not twice.", "E0308")
            given[operands[position]] = argument
            position += 1
    _check_complete(signature, call, given, parameters)
    return given, parameters


def _by_name(signature: Signature) -> str:
    names = [n for n in signature.names() if n not in {o.name for o in signature.operands}]
    return f" Give parameters by name: {either(f'{n}=' for n in names)}." if names else ""


def _tensors(n: int) -> str:
    return "1 tensor" if n == 1 else f"{n} tensors"


def _check_complete(signature: Signature, call: t.Call, given: dict, parameters: dict) -> None:
    missing = [o.name for o in signature.operands if not o.optional and o.name not in given]
    missing += [p for p in signature.parameters if p in signature.required - {signature.window} and p not in parameters]
    if missing:
        raise Mistake(call.at, f"expected {_and(missing)} for {signature.name}, not given. {usage(signature)}", "E0309")


def _and(names: Sequence[str]) -> str:
    return " and ".join(
        [", ".join(f"'{n}'" for n in names[:-1]), f"'{names[-1]}'"] if len(names) > 1 else [f"'{names[0]}'"]
    )


def usage(signature: Signature) -> str:
    """How a call looks: `conv(x, w, [bias], [kernel=], ...)`."""
    parts = [f"[{o.name}]" if o.optional else f"{o.name}, ..." if o.variadic else o.name for o in signature.operands]
    if signature.window:
        parts += [f"[{n}=]" for n in WINDOW]
    for p in signature.parameters:
        if p != signature.window:
            parts.append(f"{p}=" if p in signature.required else f"[{p}=]")
    return f"Write {signature.name}({', '.join(parts)})."
