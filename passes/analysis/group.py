"""A group read as one pass through the accelerator: sums, summing pool, scale, table, second operand, maximum pool.

The post-processing unit has these stages in this order. A group whose operations do not follow it is not one unit, and
is cut where the order breaks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from xdsl.dialects.builtin import LocationAttr
from xdsl.ir import Block, SSAValue

from dnnc.ir.diagnostics import Finding, UnsupportedError, where
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.movement import Movement
from dnnc.ir.fixed import table_entries
from dnnc.ir.types import QuantType, bits, integer_range, shape_of
from dnnc.passes.analysis.group_forms import FORMS
from dnnc.passes.analysis.group_operands import behind_views, check_weights, quantized, span
from dnnc.passes.analysis.group_stages import Int, Levels, Scale, Second, Stage, Unit, Vector
from dnnc.passes.analysis.layer import Layer
from dnnc.passes.analysis.shapes import Refusal


@dataclass(frozen=True)
class Group:
    """A group taken apart: its layer, what follows, and which of the body's arguments it reads (None when absent).

    `steps` compose to the table, from type to type of `kinds`: arrays over all values, or arguments that hold one.
    Of 16-bit values the table has knots, 2^shift values apart.
    `counts` has, for each output position of a summing pool whose windows differ, which record scales it.
    """

    layer: Layer
    x: int
    weights: int | None
    bias: int | None
    source: QuantType
    result: QuantType
    scale: Scale | None = None
    levels: Levels | None = None
    steps: tuple[Int | int, ...] = ()
    kinds: tuple[QuantType, ...] = ()
    second: Second | None = None
    counts: Int | None = None
    entries: QuantType | None = None
    shift: int = 0
    vector: Vector | None = None

    @property
    def looked_up(self) -> QuantType:
        """The type of what the table gives."""
        return self.entries or self.result

    def table(self, array: Callable[[int], Int]) -> Int:
        """The composed table as bytes: 256 entries by the bits of a byte, or knots; `array` gives an argument's values."""
        if self.shift:
            return array(_only(self.steps)).view(np.uint8)
        values = np.arange(*span(self.kinds[0]))
        for step, kind in zip(self.steps, self.kinds):
            entries = array(step) if isinstance(step, int) else step
            values = entries[values.astype(np.int64) - integer_range(kind.storage)[0]]
        return np.roll(values, integer_range(self.kinds[0].storage)[0]).view(np.uint8)


def _only(steps: tuple[Int | int, ...]) -> int:
    """The one step of a table of knots, an argument."""
    (step,) = steps
    assert isinstance(step, int)
    return step


def group_of(body: Block, name: str, location: LocationAttr) -> Group:
    """Take a group's body apart; UnsupportedError says which operation of it has no place on the accelerator."""
    try:
        return _read(operations(body), body, name)
    except Refusal as refusal:
        text = f"expected operations that the accelerator runs, not {refusal}"
        todo = "Compile to C with --emit c, or see `dnnc explain E0803`."
        raise UnsupportedError(Finding(where(location, name), f"{text}. {todo}", "E0803")) from None


def operations(body: Block) -> list[DnnOp]:
    """The operations of a group that do something: no views."""
    return [o for o in body.ops if isinstance(o, DnnOp) and not (isinstance(o, Movement) and o.is_view())]


def _read(ops: list[DnnOp], body: Block, name: str) -> Group:
    results = body.last_op.operands if body.last_op else ()
    if len(results) != 1 or not ops:
        raise Refusal(f"a group of {len(ops)} operations with {len(results)} results")
    if not all(prod(shape_of(v.type)) for op in ops for v in (*op.operands, *op.results)):
        raise Refusal("values without elements")
    unit = Unit(name)
    for op in ops:
        form = next((form for kind, form in FORMS.items() if isinstance(op, kind)), None)
        if form is None:
            raise Refusal(f"'{op.name}'")
        form(unit, op)
        unit.value = op.results[0]
    return _group(unit, body, results[0])


def _group(unit: Unit, body: Block, result: SSAValue) -> Group:
    """The group, once all operations are read."""
    assert unit.layer is not None
    wide = unit.stage == Stage.SUMS
    if wide and unit.bias is not None:
        raise Refusal("sums with a bias that are not requantized to 8 bits")
    if behind_views(result) is not unit.value:
        raise Refusal("a result from before its last operation")
    constants = 0 if unit.scale is None or unit.layer.kind != "none" else np.size(unit.scale.multiplier)
    constants = max(constants, unit.layer.constants)
    source, to = quantized(body.args[unit.x]), quantized(result, wide)
    if unit.weights is not None:
        check_weights(body.args[unit.weights])
        if bits(source) > 8:
            raise Refusal(f"a product of values of {bits(source)} bits in place of 8")
    beside = unit.second.type if unit.second is not None else source
    widths = (bits(source) // 8, bits(beside) // 8, 1 if wide else bits(to) // 8)
    layer = replace(unit.layer, table_bytes=_table_bytes(unit), constants=constants, wide=wide, widths=widths)
    return Group(
        layer, unit.x, unit.weights, unit.bias, source, to, unit.scale, unit.levels,
        tuple(unit.steps), tuple(unit.kinds), unit.second, unit.counts, unit.entries, unit.shift,
        unit.vector,
    )  # fmt: skip


def _table_bytes(unit: Unit) -> int:
    """Bytes of the table: 256 entries, or knots every 2^shift values."""
    if unit.entries is None:
        return 0
    return table_entries(unit.shift) * bits(unit.entries) // 8
