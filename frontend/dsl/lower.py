"""Statements to operations: a .dnn text becomes the program it means, every mistake of it reported at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Attribute, SSAValue

from dnnc.frontend.dsl import loops
from dnnc.frontend.dsl import tree as t
from dnnc.frontend.dsl.calls import Beyond, build, element_for, parameters
from dnnc.frontend.dsl.constants import constant, notes, outer_name
from dnnc.frontend.dsl.evaluate import (
    ARITHMETIC,
    QUESTIONS,
    UNKNOWN,
    Frame,
    answer,
    arithmetic,
    array_of,
    is_numeric,
    negated,
    positional,
    static,
    tensor_type,
)
from dnnc.frontend.dsl.files import Reader, main_unit, prelude
from dnnc.frontend.dsl.initialisers import INITIALISERS
from dnnc.frontend.dsl.messages import Mistake, Unknown, finding
from dnnc.frontend.dsl.program import Program
from dnnc.frontend.dsl.signatures import Signature, bind, called, operation, operations
from dnnc.frontend.dsl.unit import Unit
from dnnc.frontend.dsl.values import shown
from dnnc.ir.diagnostics import Collector, DnncError, Finding, nearest
from dnnc.ir.text import verify
from dnnc.ir.types import tensor
from dnnc.ir.weights import WeightStore, store_of

CONSTANTS = ("const", "load", *INITIALISERS)  # calls that make a constant


def read_dnn(path: str | os.PathLike[str], ctx: Context) -> tuple[ModuleOp, str]:
    """The program of a .dnn file and its name, its weights in the store of `ctx`; DnncError with every mistake."""
    problems = Collector()
    with shallow(Path(path).name):
        unit = main_unit(Path(path), problems)
    return _lowered(unit, ctx, problems, Path(path).stem)


def parse_dnn(text: str, ctx: Context, name: str = "network.dnn", folder: str | os.PathLike[str] = ".") -> ModuleOp:
    """The program of a .dnn text; `folder` is where the files it names are, `load` also finds what `ctx` stores."""
    problems = Collector()
    with shallow(name):
        unit = Reader(problems).read(t.Source(name, text), Path(folder))
    return _lowered(unit, ctx, problems, name)[0]


@contextmanager
def shallow(name: str) -> Iterator[None]:
    """Say of a text whose brackets nest too deeply that they do."""
    try:
        yield
    except RecursionError:
        message = "expected calls and brackets a few hundred deep at most, not deeper. Give inner values names."
        raise DnncError(Finding(name, message, "E0301")) from None


def _lowered(unit: Unit, ctx: Context, problems: Collector, name: str) -> tuple[ModuleOp, str]:
    problems.raise_if_any()
    with shallow(name):
        module = Lowering(unit, store_of(ctx), problems).run()
    given = [s.name for s in unit.statements if isinstance(s, t.Network)]
    return module, given[0] if given else name


class Lowering:
    """One text on its way to a program."""

    def __init__(self, unit: Unit, store: WeightStore, problems: Collector):
        self.unit = unit
        self.problems = problems
        self.program = Program(store, unit.seed)
        self.outputs: list[tuple[SSAValue, str]] = []
        self.said: set[Finding] = set()

    def run(self) -> ModuleOp:
        """The module; raises every mistake of the text."""
        frame = Frame(self.unit)
        frame.later = {n.text: n.at for s in self.unit.statements for n in _given(s)}
        for statement in self.unit.statements:
            parts = (
                [t.Output(r[0].at, (r,)) for r in statement.results] if isinstance(statement, t.Output) else [statement]
            )
            for part in parts:
                self.noting(frame, part, self.top_level)
        if not any(isinstance(s, t.Output) for s in self.unit.statements):
            message = "expected an output, found none. Name it in a last line: output y."
            if self.unit.functions:
                message += " A file of functions is for others to import."
            self.problems.error(self.unit.source.name, message, "E0321")
        self.problems.raise_if_any()
        values, names = zip(*self.outputs)
        module = self.program.module(values, names)
        verify(module)
        return module

    # Statements

    def noting(self, frame: Frame, statement: t.Statement, run: Callable[[Frame, t.Statement], None]) -> None:
        """Run one statement; when it is wrong note why, and leave what it names without meaning."""
        try:
            run(frame, statement)
        except Unknown:
            self.forget(frame, statement)
        except Mistake as e:
            calls = tuple((source, at) for source, at, _ in frame.calls)
            found = finding(frame.unit.source, e.at, str(e), e.code, calls)
            place = Finding(found.where, str(e), e.code)  # in a function called twice it is one mistake
            if place not in self.said:
                (self.problems.unsupported if isinstance(e, Beyond) else self.problems.errors).append(found)
            self.said.add(place)
            self.forget(frame, statement)

    def forget(self, frame: Frame, statement: t.Statement) -> None:
        """Names of a statement that was wrong: using them is no second mistake."""
        for name in _given(statement):
            frame.names.setdefault(name.text, UNKNOWN)
            frame.places.setdefault(name.text, name.at)

    def top_level(self, frame: Frame, statement: t.Statement) -> None:
        """One statement of the file; functions, types and imports were read before."""
        match statement:
            case t.Input():
                type_ = tensor_type(frame, statement.type)
                outside = outer_name(statement.node, statement.name.text)
                value = self.program.argument(type_, statement.name.text, outside, notes(frame, statement.node))
                self.give(frame, statement.name, value)
            case t.Output():
                for name, node in statement.results:
                    value = self.tensor(frame, name, name.text)
                    if node is not None and node.notes:
                        raise Mistake(
                            node.at, "expected notes where a value is made, not where it is given back.", "E0314"
                        )
                    self.outputs.append((value, outer_name(node, name.text)))
            case t.Assign():
                self.assign(frame, statement)

    def give(self, frame: Frame, name: t.Name, value: Any) -> None:
        """Bind a name, once."""
        if name.text == "_":
            return
        if name.text in frame.places:
            line = frame.places[name.text].line
            raise Mistake(name.at, f"expected a new name, not '{name.text}', which line {line} gives.", "E0305")
        frame.names[name.text] = value
        frame.places[name.text] = name.at
        frame.later.pop(name.text, None)

    def assign(self, frame: Frame, statement: t.Assign) -> None:
        """`y = ...` or `a, b = ...`."""
        for name in statement.targets:
            if name.text != "_" and name.text in frame.places:
                self.give(frame, name, None)  # says that it is not new
        names = [frame.name(n.text) for n in statement.targets]
        value = self.value(frame, statement.value, names, statement.node)
        if len(names) == 1:
            if isinstance(value, tuple):
                todo = f"Write {', '.join('abcdefgh'[: len(value)])} = ..."
                raise Mistake(statement.at, f"expected {len(value)} names, one for each result, not 1. {todo}", "E0312")
            self.give(frame, statement.targets[0], value)
            return
        if not isinstance(value, tuple) or len(value) != len(names):
            got = len(value) if isinstance(value, tuple) else 1
            raise Mistake(statement.value.at, f"expected {len(names)} results, one for each name, not {got}.", "E0312")
        for name, v in zip(statement.targets, value):
            self.give(frame, name, v)

    # Expressions

    def value(self, frame: Frame, expression: t.Expression, names: Sequence[str], node: t.Node | None = None) -> Any:
        """The value of an expression; operations in it are named `names`, those inside others after them."""
        match expression:
            case t.Call(name=name) if name in frame.unit.functions:
                return self.function(frame, expression, *frame.unit.functions[name], names, node)
            case t.Call(name=name) if name in QUESTIONS:
                inner = [self.value(frame, a, [f"{names[0]}.{name}"]) for a in positional(expression)]
                return answer(expression, inner)
            case t.Call(name=name) if name in CONSTANTS:
                return constant(self.program, frame, expression, names[0], node)
            case t.Call(name=loops.NAME):
                return loops.scan(self, frame, expression, names, node)  # pyright: ignore[reportArgumentType]
            case t.Call(name=name) if (signature := operation(name)) is not None:
                return self.operation(frame, expression, signature, names, node)
            case t.Call(name=name) if name in prelude().functions:
                return self.function(frame, expression, *prelude().functions[name], names, node)
            case t.Call(at=at, name=name):
                known = [*frame.unit.functions, *CONSTANTS, *QUESTIONS, loops.NAME, *called(), *prelude().functions]
                raise Mistake(at, f"expected an operation or a function, not '{name}'.{nearest(name, known)}", "E0306")
            case t.Sequence(items=items):
                return [self.value(frame, item, [f"{names[0]}.{i}"]) for i, item in enumerate(items)]
            case t.Negative(at=at, value=inner):
                value = self.value(frame, inner, [self.inner_name(frame, inner, names[0], "x")])
                if not isinstance(value, SSAValue):
                    return negated(at, value)
                return self.emit(frame, t.Call(at, "neg", ()), operations()["neg"], [value], {}, names, node)
            case t.Binary():
                return self.binary(frame, expression, names, node)
        if node is not None:
            raise Mistake(
                node.at,
                "expected the name of a node behind an operation, not behind a value it does not make.",
                "E0330",
            )
        return static(frame, expression)

    def binary(self, frame: Frame, expression: t.Binary, names: Sequence[str], node: t.Node | None) -> Any:
        """Arithmetic on numbers now, on tensors in the program."""
        left, right = (
            self.value(frame, e, [self.inner_name(frame, e, names[0], operand)])
            for e, operand in ((expression.left, "a"), (expression.right, "b"))
        )
        at, sign = expression.at, expression.sign
        if not isinstance(left, SSAValue) and not isinstance(right, SSAValue):
            return arithmetic(at, sign, left, right)
        if sign not in ARITHMETIC:
            raise Mistake(at, f"expected +, -, * or / between tensors, not '{sign}'.", "E0333")
        signature, call = operations()[ARITHMETIC[sign]], t.Call(at, ARITHMETIC[sign], ())
        operands = self.operands(frame, signature, [left, right], [expression.left, expression.right], names[0])
        return self.emit(frame, call, signature, operands, {}, names, node)

    def tensor(self, frame: Frame, expression: t.Expression, name: str) -> SSAValue:
        """An expression that must be a tensor."""
        value = self.value(frame, expression, [name])
        if not isinstance(value, SSAValue):
            raise Mistake(expression.at, f"expected a tensor, not {shown(value)}.", "E0313")
        return value

    def operation(
        self, frame: Frame, call: t.Call, signature: Signature, names: Sequence[str], node: t.Node | None
    ) -> Any:
        """A call of an operation."""
        given, arguments = bind(signature, call)
        values: list[Any] = []
        places: list[t.Expression] = []
        for declared in signature.operands:
            argument = given.get(declared.name)
            several = argument if isinstance(argument, list) else [argument] if argument is not None else []
            found = [self.value(frame, e, [self.inner_name(frame, e, names[0], declared.name)]) for e in several]
            if declared.variadic:
                values.append([v for f in found for v in (f if isinstance(f, list) else [f])])
            else:
                values.append(found[0] if found else None)
            places.append(several[0] if several else call)
        operands = self.operands(frame, signature, values, places, names[0])
        params = parameters(signature, call, arguments, operands, frame)
        return self.emit(frame, call, signature, operands, params, names, node)

    def inner_name(self, frame: Frame, expression: t.Expression, outer: str, operand: str) -> str:
        """The name of what stands inside a call: a weight is named by its operand, a layer by its operation."""
        match expression:
            case t.Call(name=name) if name not in CONSTANTS or name in frame.unit.functions:
                return self.program.unique(f"{outer}.{name}")
            case t.Binary(sign=sign) if sign in ARITHMETIC:
                return self.program.unique(f"{outer}.{ARITHMETIC[sign]}")
        return f"{outer}.{operand}"

    def operands(
        self, frame: Frame, signature: Signature, values: list[Any], places: Sequence[t.Expression], name: str
    ) -> list[Any]:
        """Operands as tensors; numbers become constants of the type of the tensors beside them."""
        out: list[Any] = []
        for declared, value, expression in zip(signature.operands, values, places):
            if declared.variadic:
                parts = value if isinstance(value, list) else [value]
                if not all(isinstance(v, SSAValue) for v in parts):
                    raise Mistake(expression.at, f"expected tensors for {signature.name}, not {shown(value)}.", "E0313")
                out.append(parts)
            elif isinstance(value, SSAValue) or (value is None and declared.optional):
                out.append(value)
            else:
                element = element_for(declared.name, value, values)
                if element is None or not is_numeric(value):
                    todo = " Give it a type: const(0.5, f32[1])." if is_numeric(value) else ""
                    what = f"expected a tensor for '{declared.name}' of {signature.name}, not {shown(value)}."
                    raise Mistake(expression.at, what + todo, "E0334")
                out.append(self.numbers(frame, expression, value, element, f"{name}.{declared.name}", name))
        return out

    def numbers(
        self, frame: Frame, expression: t.Expression, value: Any, element: Attribute, name: str, layer: str
    ) -> SSAValue:
        """A constant of numbers written where a tensor is expected."""
        array = array_of(expression.at, value, element)
        location = frame.location(layer, expression.at)
        op = self.program.written(array, tensor(element, array.shape), name, location)
        return self.program.constant(op, name, False)

    def emit(
        self,
        frame: Frame,
        call: t.Call,
        signature: Signature,
        operands: Sequence[Any],
        params: dict[str, Any],
        names: Sequence[str],
        node: t.Node | None,
    ) -> Any:
        """Add an operation to the program; its result, or a tuple of them."""
        location = frame.location(outer_name(node, names[0]), call.at)
        op = build(signature, call, operands, params, location)
        op.attributes.update(notes(frame, node))
        results = [*names, *(f"{names[0]}.{i}" for i in range(len(names), len(op.results)))]
        values = self.program.append(op, results)
        return values[0] if len(values) == 1 else values

    # Functions

    def function(
        self,
        frame: Frame,
        call: t.Call,
        owner: Unit,
        function: t.Function,
        names: Sequence[str],
        node: t.Node | None,
    ) -> Any:
        """A call of a function: its statements, with the parameters given, written where it is called."""
        inner = self.entered(frame, call, owner, function, names[0])
        for parameter, value in self.arguments(frame, call, owner, function, names[0]):
            inner.names[parameter.text] = value
            inner.places[parameter.text] = parameter.at
        return self.body(inner, function, names, node)

    def entered(self, frame: Frame, call: t.Call, owner: Unit, function: t.Function, name: str) -> Frame:
        """The frame of a function that is called, its parameters without values yet."""
        active = [f for _, _, f in frame.calls]
        if any(f is function for f in active):
            chain = " -> ".join([*(f.name for f in reversed(active)), function.name])
            raise Mistake(call.at, f"expected functions that do not call themselves, not {chain}.", "E0319")
        inner = Frame(owner, name, calls=((frame.unit.source, call.at, function), *frame.calls))
        inner.place = frame.place or ((frame.unit.source, call.at) if owner is prelude() else None)
        inner.later = {n.text: n.at for s in function.body for n in _given(s)}
        return inner

    def arguments(
        self, frame: Frame, call: t.Call, owner: Unit, function: t.Function, name: str
    ) -> list[tuple[t.Name, Any]]:
        """Parameters of a function with their values."""
        known = [p.name.text for p in function.parameters]
        given: dict[str, t.Expression] = {}
        for i, argument in enumerate(call.arguments):
            if isinstance(argument, t.Keyword):
                key, at, value = argument.name.text, argument.name.at, argument.value
            elif i < len(known):
                key, at, value = known[i], argument.at, argument
            else:
                raise Mistake(
                    argument.at,
                    f"expected {len(known)} arguments for {call.name}, not one more. {_head(function)}",
                    "E0310",
                )
            if key not in known:
                raise Mistake(
                    at,
                    f"expected a parameter of {call.name}, not '{key}'.{nearest(key, known)} {_head(function)}",
                    "E0307",
                )
            if key in given:
                raise Mistake(at, f"expected '{key}' of {call.name} once, not twice.", "E0308")
            given[key] = value
        missing = [p.name.text for p in function.parameters if p.default is None and p.name.text not in given]
        if missing:
            listed = ", ".join(f"'{m}'" for m in missing)
            raise Mistake(call.at, f"expected {listed} for {call.name}, not given. {_head(function)}", "E0309")
        out: list[tuple[t.Name, Any]] = []
        for p in function.parameters:
            if p.name.text in given:
                value = given[p.name.text]
                out.append((p.name, self.value(frame, value, [self.inner_name(frame, value, name, p.name.text)])))
            else:
                out.append((p.name, static(Frame(owner), p.default)))
        return out

    def body(self, frame: Frame, function: t.Function, names: Sequence[str], node: t.Node | None) -> Any:
        """The statements of a function; the value of its return."""
        last = function.body[-1] if function.body else None
        returns = [s for s in function.body if isinstance(s, t.Return)]
        if returns != [last]:
            at = returns[0].at if returns else function.at
            self.noting(frame, t.Return(at, ()), _no_return)
            raise Unknown
        found: list[Any] = []
        for statement in function.body:
            if isinstance(statement, t.Assign):
                self.noting(frame, statement, self.assign)  # pyright: ignore[reportArgumentType]
            else:
                self.noting(frame, statement, lambda f, s: found.append(self.returned(f, s, names, node)))  # pyright: ignore
        if not found:
            raise Unknown
        return found[0]

    def returned(self, frame: Frame, statement: t.Return, names: Sequence[str], node: t.Node | None) -> Any:
        """The values of a return; layers written in it bear the names of the call's results."""
        if len(statement.values) == 1:
            return self.value(frame, statement.values[0], names, node)
        own = (
            names if len(names) == len(statement.values) else [f"{names[0]}.{i}" for i in range(len(statement.values))]
        )
        return tuple(self.value(frame, e, [n]) for e, n in zip(statement.values, own))


def _no_return(frame: Frame, statement: t.Statement) -> None:
    raise Mistake(statement.at, "expected one return, as the last line of a function.", "E0320")


def _head(function: t.Function) -> str:
    parts = [p.name.text if p.default is None else f"[{p.name.text}]" for p in function.parameters]
    return f"Write {function.name}({', '.join(parts)})."


def _given(statement: t.Statement) -> tuple[t.Name, ...]:
    """The names a statement gives."""
    match statement:
        case t.Assign(targets=targets):
            return targets
        case t.Input(name=name):
            return (name,)
    return ()
