"""A movement, in a group of its own: a part of what is there when it can be, else copies from strides to strides."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from xdsl.ir import SSAValue

from dnnc.ir.diagnostics import Finding, UnsupportedError, where
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.movement import ConcatOp, Movement, Part, Strided, View
from dnnc.ir.dnn.structure import ConstOp, GroupOp
from dnnc.ir.sched import layout_of
from dnnc.ir.types import dtype, element_type, shape_of
from dnnc.passes.analysis.indexed import copies
from dnnc.passes.analysis.shapes import Refusal
from dnnc.passes.analysis.strides import composed, reshaped
from dnnc.passes.schedule.constants import Constants, element_of
from dnnc.passes.schedule.moves import Mover, fill_tile


class Places(Protocol):
    """Where values lie, and what moves them."""

    mover: Mover
    constants: Constants
    places: dict[SSAValue, SSAValue]
    homes: dict[SSAValue, tuple[SSAValue, int, int]]
    outputs: set[SSAValue]

    def home(self, value: SSAValue, name: str) -> SSAValue: ...
    def part(self, place: SSAValue, layout: Strided) -> SSAValue: ...
    def pack(self, value: SSAValue, name: str) -> SSAValue: ...


class Move:
    """Emits one movement."""

    def __init__(self, builder: Places, op: GroupOp, movement: DnnOp, name: str) -> None:
        self.builder, self.op, self.movement, self.name = builder, op, movement, name
        self.values = [op.inputs[arg.index] for arg in movement.operands]  # pyright: ignore
        self.result = op.results[0]

    def emit(self) -> None:
        """Place the result, and copy what is not there yet."""
        parts = self._parts()
        if isinstance(self.movement, View) and self.result not in self.builder.outputs and len(parts) == 1:
            place, read = self._read(parts[0])
            if all(s > 0 or n == 1 for n, s in zip(read.shape, read.strides)):
                self.builder.places[self.result] = self.builder.part(place, read)
                return
        target = self.builder.home(self.result, self.name)
        if isinstance(self.movement, Movement) and (fill := self.movement.fill()) is not None:
            self._fill(target, int(fill))
        start = 0
        for i, part in enumerate(parts):
            if self.builder.homes.get(self.values[i] if i < len(self.values) else self.result) != self._slot(start):
                place, read = self._read(part)
                write = self._write(part, target)
                self.builder.mover.move(f"{self.name}.move", self.op.location, place, read, target, write)
            start += self._extent(i)

    def _parts(self) -> tuple[Part, ...]:
        """The copies, all with steps forward."""
        movement = self.movement
        if isinstance(movement, Movement):
            parts = movement.parts()
            if all(s >= 0 for part in parts for s in part.read.strides):
                return parts
        known = [
            v.owner.array(self.builder.constants.store) if isinstance(v.owner, ConstOp) else None for v in self.values
        ]
        try:
            return copies(movement, known)
        except Refusal as refusal:
            text = f"expected operations that the accelerator runs, not {refusal}"
            todo = "Compile to C with --emit c, or see `dnnc explain E0803`."
            raise UnsupportedError(Finding(where(self.op.location, self.name), f"{text}. {todo}", "E0803")) from None

    def _slot(self, start: int) -> tuple[SSAValue, int, int] | None:
        if not isinstance(self.movement, ConcatOp):
            return self.result, -1, -1
        return self.result, self.movement.axis.data % len(self.movement.shape()), start

    def _extent(self, i: int) -> int:
        return self.movement.shape(i)[self.movement.axis.data] if isinstance(self.movement, ConcatOp) else 0

    def _read(self, part: Part) -> tuple[SSAValue, Strided]:
        """(buffer or view, layout in it) of what a part reads."""
        value = self.values[part.operand]
        constant = isinstance(value.owner, ConstOp)
        place = self.builder.constants.weights(value) if constant else self.builder.places[value]
        movement = self.movement if isinstance(self.movement, Movement) else None
        layout = composed(layout_of(place), part.read, movement, part.operand)
        if layout is None:
            place = self.builder.pack(value, self.name)
            layout = composed(layout_of(place), part.read, movement, part.operand)
        assert layout is not None
        return place, layout

    def _write(self, part: Part, target: SSAValue) -> Strided:
        """The layout of what a part writes."""
        layout = composed(layout_of(target), part.write, None, 0)
        if layout is not None:
            return layout
        # a box of the result, at the multi-index its offset stands for
        whole = reshaped(layout_of(target), shape_of(self.result.type))
        assert whole is not None
        start = np.unravel_index(part.write.offset, whole.shape)
        offset = whole.offset + sum(int(i) * s for i, s in zip(start, whole.strides))
        return Strided(part.write.shape, whole.strides, offset)

    def _fill(self, target: SSAValue, value: int) -> None:
        kind = dtype(element_of(self.result))
        layout, tile = fill_tile(layout_of(target), self.builder.mover.capacity, kind.itemsize)
        constant = self.builder.constants.stored(f"{self.name}.fill", np.full(tile, value, kind), element_type(kind))
        self.builder.mover.fill(self.name, self.op.location, constant, tile, target, layout)
