"""Part of a program as a program of its own: what comes from outside is an input, fed with the values it really had."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, ModuleOp, NameLoc, StringAttr
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Attribute, Block, Operation, OpResult, Region, SSAValue

from dnnc.ir.dnn.attributes import Reals
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.interpret import main_function
from dnnc.ir.weights import store_of
from dnnc.memo import Memo, constant_values
from dnnc.passes.calibrate import RANGE, range_of
from dnnc.stimuli import Stimulus

T = TypeVar("T")


@dataclass(frozen=True)
class Piece:
    """A program with its inputs and the outputs they gave."""

    module: ModuleOp
    stimulus: Stimulus
    outputs: list[np.ndarray]
    names: list[str]


@dataclass
class Observed:
    """A program and every value it takes on one stimulus."""

    module: ModuleOp
    ctx: Context
    stimulus: Stimulus
    values: dict[SSAValue, np.ndarray]
    _folded: dict[SSAValue, ConstOp] = field(default_factory=dict)

    @staticmethod
    def of(module: ModuleOp, ctx: Context, stimulus: Stimulus, memo: Memo) -> Observed:
        """Run the program and keep what it computes."""
        return Observed(module, ctx, stimulus, memo.values(module, stimulus.inputs))

    @cached_property
    def ops(self) -> list[Operation]:
        """The operations that can be cut away."""
        return [op for op in main_function(self.module).body.block.ops if not isinstance(op, (ConstOp, ReturnOp))]

    @cached_property
    def constants(self) -> set[SSAValue]:
        """Values that are the same whatever the inputs."""
        return constant_values(main_function(self.module).body.block)

    def around(self, op: Operation) -> Iterator[list[Operation]]:
        """Wider and wider neighbourhoods of an operation, up to the whole program."""
        found, last = {op} & set(self.ops), 0
        while len(found) > last:
            yield [o for o in self.ops if o in found]
            last = len(found)
            found |= {n for o in found for n in _neighbours(o)} & set(self.ops)
        if last < len(self.ops):
            yield self.ops

    def results(self, ops: Sequence[Operation]) -> list[SSAValue]:
        """Values the operations make for others."""
        inside = set(ops)
        return [r for op in ops for r in op.results if any(u.operation not in inside for u in r.uses)]

    def piece(self, ops: Sequence[Operation], outputs: Sequence[SSAValue]) -> Piece:
        """The operations, in the order of the program, as a program with these outputs."""
        block = Block()
        made = {r for op in ops for r in op.results}
        mapping: dict[SSAValue, SSAValue] = {}
        arguments: list[SSAValue] = []
        for v in dict.fromkeys(v for op in ops for v in op.operands if v not in made):
            if v in self.constants:
                block.add_op(constant := self._constant(v).clone())
                mapping[v] = constant.result
            else:
                mapping[v] = block.insert_arg(v.type, len(block.args))
                arguments.append(v)
        for op in ops:
            block.add_op(op.clone(mapping))
        block.add_op(ReturnOp(*(mapping[v] for v in outputs)))
        types = [v.type for v in arguments], [v.type for v in outputs]
        names = _unique([name_of(v) for v in outputs])
        function = FuncOp(
            "main", types, Region(block), arg_attrs=_inputs(arguments), res_attrs=ArrayAttr([_named(n) for n in names])
        )
        stimulus = Stimulus(self.stimulus.name, [self.values[v] for v in arguments], self.stimulus.special)
        module = ModuleOp([function], dict(self.module.attributes))
        return Piece(module, stimulus, [self.values[v] for v in outputs], names)

    def _constant(self, v: SSAValue) -> ConstOp:
        """What makes a constant value; of a computed one, the value itself."""
        if isinstance(v.owner, ConstOp):
            return v.owner
        if v not in self._folded:
            hint, type_ = f"{name_of(v)}.observed", v.type
            self._folded[v] = ConstOp.of(self.values[v], store_of(self.ctx), hint, type_)  # pyright: ignore
        return self._folded[v]


def _neighbours(op: Operation) -> Iterator[Operation]:
    for v in op.operands:
        if isinstance(v, OpResult):
            yield v.op
    for r in op.results:
        yield from (u.operation for u in r.uses)


def name_of(value: SSAValue) -> str:
    """A word for a value: its node's name, or its own."""
    location = value.owner.location if isinstance(value.owner, Operation) else None
    name = location.desc.data if isinstance(location, NameLoc) else value.name_hint or "value"
    return re.sub(r"\W+", "_", name).strip("_") or "value"


def _unique(names: Sequence[str]) -> list[str]:
    """Names with a number behind those that were there before."""
    found: list[str] = []
    for name in names:
        numbered = (f"{name}_{i}" for i in range(1, len(names) + 1))
        found.append(name if name not in found else next(n for n in numbered if n not in found))
    return found


def _inputs(arguments: Sequence[SSAValue]) -> ArrayAttr[DictionaryAttr]:
    """Names and calibrated ranges of inputs."""
    names = _unique([name_of(v) for v in arguments])
    return ArrayAttr([_named(n, range_of(v)) for n, v in zip(names, arguments)])


def _named(name: str, extremes: tuple[float, float] | None = None) -> DictionaryAttr:
    attributes: dict[str, Attribute] = {"dnn.name": StringAttr(name)}
    return DictionaryAttr(attributes if extremes is None else {**attributes, RANGE: Reals(extremes)})


def shrink(items: Sequence[T], fails: Callable[[Sequence[T]], bool]) -> list[T]:
    """A part that still fails while none of its items can go, by halves first, then smaller parts (ddmin, Zeller 2002)."""
    left, parts = list(items), 2
    while len(left) > 1:
        size = -(-len(left) // parts)
        chunks = [left[i : i + size] for i in range(0, len(left), size)]
        rests = [[x for other in chunks if other is not c for x in other] for c in chunks]
        smaller = next((c for c in chunks if len(chunks) > 2 and fails(c)), None)
        rest = next((r for r in rests if fails(r)), None) if smaller is None else None
        if smaller is not None:
            left, parts = smaller, 2
        elif rest is not None:
            left, parts = rest, max(parts - 1, 2)
        elif size == 1:
            break
        else:
            parts = min(2 * parts, len(left))
    return left
