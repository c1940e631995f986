"""The stages of the post-processing unit in their order, what each computes, and the unit a group is read into."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from xdsl.ir import SSAValue

from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.fixed import AFFINE, OFFSET_RECORD, RECORD
from dnnc.ir.types import QuantType
from dnnc.passes.analysis.group_operands import argument, behind_views
from dnnc.passes.analysis.layer import Layer
from dnnc.passes.analysis.shapes import Refusal

Int = np.ndarray


class Stage(IntEnum):
    """Where in the machine a value is; a value moves forward only."""

    MEMORY = 0
    SUMS = 1
    POOL_SUM = 2
    SCALE = 3
    TABLE = 4
    SECOND = 5
    POOL_MAX = 6
    VECTOR = 7
    PACK = 8


@dataclass(frozen=True)
class Offset:
    """factor * (values of an argument - zero), one for all channels or one each."""

    argument: int
    zero: int = 0
    factor: int = 1

    def values(self, array: Callable[[int], Int]) -> Int:
        """The numbers; `array` gives an argument's values."""
        return self.factor * (array(self.argument).reshape(-1).astype(np.int64) - self.zero)


@dataclass(frozen=True)
class Scale:
    """clip(round((v + bias) * multiplier * 2**-shift) + zero, low, high), scalars or one value a channel.

    With an offset it is clip(round(((v + bias) * multiplier + offset) * 2**-shift) + zero, low, high), one shift for all
    channels; the multiplier may be an argument.
    """

    multiplier: Int | int
    shift: Int
    rounding: str
    zero: int
    low: int
    high: int
    offset: Offset | None = None

    def records(self, count: int, bias: Int | int, array: Callable[[int], Int]) -> Int:
        """The constants of each channel, as bytes; matrices of a batch share those of their columns."""
        found = np.zeros(count, OFFSET_RECORD if self.offset else RECORD)
        factor = array(self.multiplier).reshape(-1) if isinstance(self.multiplier, int) else self.multiplier
        last = ("offset", self.offset.values(array)) if self.offset is not None else ("shift", self.shift)
        for name, values in (("bias", bias), ("multiplier", factor), last):
            found[name].reshape(-1, np.size(values))[:] = values
        return found.view(np.uint8).reshape(-1, found.itemsize)


@dataclass(frozen=True)
class Levels:
    """first + step * (number of k with v >= thresholds[c][k]), the thresholds an argument of the body."""

    argument: int
    first: int
    step: int


@dataclass(frozen=True)
class Second:
    """The stage that takes another operand in, an argument of the body: `mode` says how.

    add: clip(half_even((v - zero_a)*Ma + (b - zero_b)*Mb, shift) + zero); multiply: clip(round((v - zero_a)*(b - zero_b)
    * Ma * 2**-shift) + zero); maximum and minimum of v and b as they are.
    """

    argument: int
    type: QuantType
    mode: str
    zero_a: int = 0
    zero_b: int = 0
    multipliers: tuple[int, int] = (0, 0)
    shift: int = 0
    rounding: str = "q31_half_even"
    zero: int = 0
    low: int = -256
    high: int = 255


@dataclass(frozen=True)
class Vector:
    """A softmax or normalization: which arguments hold its constants, and the numbers of `dnn.qnormalize`."""

    arguments: tuple[int, ...]
    records: int = 0
    center: bool = False
    epsilon: int = 0
    shift: int = 0
    root_shift: int = 0

    def constants(self, array: Callable[[int], Int]) -> Int:
        """The exponentials, or the records, as bytes."""
        first, *rest = (array(i) for i in self.arguments)
        if not self.records:
            return first.astype("<i4").view(np.uint8)
        found = np.zeros(self.records, AFFINE)
        found["multiplier"] = first.reshape(-1)
        for offset in rest:
            found["offset"] = offset.reshape(-1)
        return found.view(np.uint8).reshape(-1, AFFINE.itemsize)


@dataclass
class Unit:
    """A group half read: where the value is, and what the stages so far do."""

    name: str
    stage: Stage = Stage.MEMORY
    layer: Layer | None = None
    value: SSAValue | None = None
    x: int = 0
    weights: int | None = None
    bias: int | None = None
    scale: Scale | None = None
    levels: Levels | None = None
    steps: list[Int | int] = field(default_factory=list)
    kinds: list[QuantType] = field(default_factory=list)
    second: Second | None = None
    counts: Int | None = None
    entries: QuantType | None = None
    shift: int = 0
    vector: Vector | None = None

    def enter(self, op: DnnOp, stage: Stage, layer: Callable[[], Layer], operand: int = 0) -> Layer:
        """Move on to a stage; the first operation of a group makes the layer."""
        if stage <= self.stage:
            raise Refusal(f"'{op.name}' after {self.stage.name.lower().replace('_', ' ')}")
        if self.layer is None:
            self.x = argument(behind_views(op.operands[operand]))
            self.layer = layer()
        elif behind_views(op.operands[operand]) is not self.value:
            raise Refusal(f"'{op.name}' of a value from elsewhere")
        self.stage = stage
        return self.layer
