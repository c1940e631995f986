"""A loop: a function that is called once a step, on states and on slices, becomes the body of a `dnn.scan`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from xdsl.ir import Block, SSAValue

from dnnc.frontend.dsl import tree as t
from dnnc.frontend.dsl.constants import outer_name
from dnnc.frontend.dsl.evaluate import Frame, static
from dnnc.frontend.dsl.messages import Mistake, either
from dnnc.frontend.dsl.unit import Unit
from dnnc.frontend.dsl.values import shown
from dnnc.ir.diagnostics import nearest
from dnnc.ir.dnn.recurrent import ScanOp, slice_type
from dnnc.ir.dnn.structure import YieldOp
from dnnc.ir.types import shape_of

if TYPE_CHECKING:
    from dnnc.frontend.dsl.lower import Lowering

NAME = "scan"
LISTS = ("states", "sequences", "fixed")
_USAGE = "Write scan(step, [states=[..]], [sequences=[..]], [fixed=[..]], [steps=], [reverse=])."


def scan(lowering: Lowering, frame: Frame, call: t.Call, names: Sequence[str], node: t.Node | None) -> Any:
    """The last states, then what each step gives beside them, stacked."""
    given = _arguments(call)
    owner, function = _function(frame, call, given)
    lists = {k: _tensors(lowering, frame, given.get(k), f"{names[0]}.{k}") for k in LISTS}
    states, sequences, fixed = lists.values()
    steps = _steps(frame, call, given, sequences)
    types = [*(v.type for v in states), *(slice_type(v.type) for v in sequences), *(v.type for v in fixed)]
    block = Block(arg_types=types)
    results = _body(lowering, lowering.entered(frame, call, owner, function, names[0]), call, function, block, names[0])
    if len(results) < len(states):
        message = (
            f"expected {function.name} to return the next states first, {len(states)} of them, not {len(results)}."
        )
        raise Mistake(call.at, message, "E0312")
    block.add_op(YieldOp.create(operands=results))
    reverse = bool(static(frame, given.get("reverse")))
    location = frame.location(outer_name(node, names[0]), call.at)
    op = ScanOp.of(block, states, sequences, fixed, steps, reverse, location)
    values = lowering.program.append(op, [*names, *(f"{names[0]}.{i}" for i in range(len(names), len(op.results)))])
    return values[0] if len(values) == 1 else values


def _arguments(call: t.Call) -> dict[str, t.Expression]:
    """Arguments by name; the function, the one by position, under `step`."""
    known = ("step", *LISTS, "steps", "reverse")
    given: dict[str, t.Expression] = {}
    for argument in call.arguments:
        key = argument.name.text if isinstance(argument, t.Keyword) else "step"
        at = argument.name.at if isinstance(argument, t.Keyword) else argument.at
        if key not in known:
            wanted = f"expected an argument of scan ({either(known)}), not '{key}'.{nearest(key, known)}"
            raise Mistake(at, wanted, "E0307")
        if key in given:
            raise Mistake(at, f"expected '{key}' of scan once, not twice. {_USAGE}", "E0308")
        given[key] = argument.value if isinstance(argument, t.Keyword) else argument
    if "step" not in given:
        raise Mistake(call.at, f"expected 'step' for scan, not given. {_USAGE}", "E0309")
    return given


def _function(frame: Frame, call: t.Call, given: dict[str, t.Expression]) -> tuple[Unit, t.Function]:
    step, functions = given["step"], frame.unit.functions
    name = step.text if isinstance(step, t.Name) else ""
    if name not in functions:
        hint = nearest(name, functions) if name else ""
        raise Mistake(step.at, f"expected the name of a function of this file as step of scan.{hint} {_USAGE}", "E0306")
    return functions[name]


def _tensors(lowering: Lowering, frame: Frame, expression: t.Expression | None, name: str) -> list[SSAValue]:
    items = expression.items if isinstance(expression, t.Sequence) else () if expression is None else (expression,)
    return [lowering.tensor(frame, item, f"{name}.{i}") for i, item in enumerate(items)]


def _steps(frame: Frame, call: t.Call, given: dict[str, t.Expression], sequences: Sequence[SSAValue]) -> int:
    """The number of steps: what is given, or the first dimension of the sequences."""
    if "steps" in given:
        steps = static(frame, given["steps"])
        if not isinstance(steps, int) or isinstance(steps, bool):
            raise Mistake(given["steps"].at, f"expected a whole number of steps, not {shown(steps)}.", "E0313")
        return steps
    if not sequences or not all(shape_of(v.type) for v in sequences):
        raise Mistake(call.at, f"expected sequences of rank 1 or more, or steps. {_USAGE}", "E0309")
    return shape_of(sequences[0].type)[0]


def _body(
    lowering: Lowering, inner: Frame, call: t.Call, function: t.Function, block: Block, name: str
) -> list[SSAValue]:
    """The statements of the function, its parameters the arguments of the block; what it returns."""
    if len(function.parameters) != len(block.args):
        wanted = f"expected a function of {len(block.args)} parameters (states, slices, fixed), not {function.name} of "
        raise Mistake(call.at, f"{wanted}{len(function.parameters)}.", "E0310")
    for parameter, value in zip(function.parameters, block.args):
        inner.names[parameter.name.text] = value
        inner.places[parameter.name.text] = parameter.name.at
        value.name_hint = parameter.name.text if parameter.name.text.isidentifier() else None
    outer, lowering.program.block = lowering.program.block, block
    try:
        found = lowering.body(inner, function, [name], None)
    finally:
        lowering.program.block = outer
    results = list(found) if isinstance(found, tuple) else [found]
    for value in results:
        if not isinstance(value, SSAValue):
            raise Mistake(call.at, f"expected {function.name} to return tensors, not {shown(value)}.", "E0313")
    return results
