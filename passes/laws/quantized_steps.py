"""Bodies of loops get the types of a recurrent step: values int16 at a power of two, operands of products int8.

%y = dnn.scan [%h], [%z], [] {           %y = dnn.scan [%hq], [%zq], [] {
  %a = dnn.add %z, %p                      %a = dnn.add (dequantize %z), ..
  %g = dnn.sigmoid %a              ->      %q = dnn.quantize %a to = !dnn.q<i16, 2^-12, 0>
  ...                                      %g = dnn.sigmoid (dequantize %q)
}                                          ...
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil, log2

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from dnnc.ir.diagnostics import Collector, where
from dnnc.ir.dnn.activation import SigmoidOp, TanhOp
from dnnc.ir.dnn.attributes import Reals
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.elementwise import AddOp, MulOp, SubOp, Unary
from dnnc.ir.dnn.quantize import DequantizeOp, QuantizeOp, quantized
from dnnc.ir.dnn.recurrent import ScanOp
from dnnc.ir.dnn.structure import ConstOp, YieldOp
from dnnc.ir.interpret import main_function
from dnnc.ir.rewriting import allowed
from dnnc.ir.types import I32, QuantType, element_type, shape_of, tensor
from dnnc.ir.weights import WeightStore
from dnnc.passes.analysis.contractions import Contraction, channel_axis, weight_axis
from dnnc.passes.analysis.integer_forms import bounds, contraction, real, single
from dnnc.passes.analysis.quantized_types import LARGEST_BIAS, Range, activation_type, weight_type
from dnnc.passes.calibrate import RANGE, SAMPLES, range_of

I16 = element_type(np.int16)
UNIT: Range = (-1.0, 1.0)  # of a sigmoid and a tanh, whatever the samples reach: Q0.15
REACH: Range = (-8.0, 8.0)  # where they leave their limits by more than a step: Q3.12
_BOUNDED = (SigmoidOp, TanhOp)


def quantize_steps(module: ModuleOp, store: WeightStore) -> None:
    """Give the bodies of loops on floats, whose operations all have integer forms, types from the ranges of `calibrate`.

    Values are int16 of a scale that is a power of two, zero point 0: the cell state, gates in Q3.12 before and Q0.15 after
    their sigmoid or tanh. What a product reads is int8 beside them, its weights int8 for each output channel.
    """
    report = Collector()
    for scan in [s for s in main_function(module).body.block.ops if isinstance(s, ScanOp)]:
        if _integer(scan) and allowed("QuantizedStep", scan):
            _Step(scan, store, report).run()
    report.raise_if_any()


def step_type(extremes: Range) -> QuantType:
    """The int16 type of the least scale 2^-k whose values reach both ends, zero point 0."""
    largest = max(-extremes[0], extremes[1])
    k = ceil(log2(largest)) - 15 if largest > 0 else -15
    return QuantType.per_tensor(I16, 2.0 ** max(k, -30))


def _integer(scan: ScanOp) -> bool:
    """Whether a loop computes on floats, and everything it does has an integer form."""
    ops = [op for op in scan.body.block.ops if isinstance(op, DnnOp)]
    computed = any(real(v) for v in (*scan.operands, *scan.results))
    return computed and all(isinstance(op, ConstOp) or _has_form(op) for op in ops)


def _has_form(op: DnnOp) -> bool:
    if not any(real(v) for v in (*op.operands, *op.results)):
        return True
    known = isinstance(op, (AddOp, SubOp, MulOp, Unary)) or op.keeps_type() or contraction(op)
    return known and all(real(v) for v in op.results)


@dataclass
class _Step:
    scan: ScanOp
    store: WeightStore
    report: Collector
    parent: dict[SSAValue, SSAValue] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.block = self.scan.body.block
        self.ops = [op for op in self.block.ops if isinstance(op, DnnOp) and not isinstance(op, ConstOp)]
        for op in self.ops:
            if op.keeps_type() or bounds(op):
                self._join([v for v in (*op.operands, *op.results) if real(v)])
        for arg, value in zip(self.block.args, self.scan.yielded()[: len(self.scan.states)]):
            self._join([arg, value])

    def _join(self, values: Iterable[SSAValue]) -> None:
        first, *rest = values
        for v in rest:
            if self._root(v) is not self._root(first):
                self.parent[self._root(v)] = self._root(first)

    def _root(self, value: SSAValue) -> SSAValue:
        while value in self.parent:
            value = self.parent[value]
        return value

    # Types

    def _values(self) -> list[SSAValue]:
        """What is computed in a step or comes into it, and constants of which a sum or a product reads several values."""
        made = [*self.block.args, *(r for op in self.ops for r in op.results)]
        read = [v for op in self.ops if not contraction(op) for v in op.operands if isinstance(v.owner, ConstOp)]
        kept = [v for op in self.ops if op.keeps_type() for v in op.operands if isinstance(v.owner, ConstOp)]
        return [v for v in dict.fromkeys([*made, *(v for v in read if not single(v)), *kept]) if real(v)]

    def _range(self, value: SSAValue) -> Range | None:
        if isinstance(value.owner, _BOUNDED):
            return UNIT
        outer = self._outer(value)
        if isinstance(outer.owner, ConstOp):
            array = outer.owner.array(self.store)
            return float(array.min(initial=0)), float(array.max(initial=0))
        return range_of(outer)

    def _outer(self, value: SSAValue) -> SSAValue:
        """What comes into the first step as an argument."""
        return self.scan.operands[value.index] if value in self.block.args else value  # pyright: ignore

    def _ranges(self, values: list[SSAValue]) -> dict[SSAValue, Range]:
        """The range of each value's class, by its root; the classes of which nothing is known are reported."""
        found: dict[SSAValue, Range] = {}
        for v in values:
            own, root = self._range(v), self._root(v)
            if own is None:
                message = f"expected a calibrated range, not none. {SAMPLES}"
                self.report.error(where(self.scan.location, self.scan.name), message, "E0701")
                return {}
            low, high = found.get(root, (0.0, 0.0))
            found[root] = min(low, own[0]), max(high, own[1])
        for root in {self._root(v) for v in values if self._gates(v, values)}:
            found[root] = max(found[root][0], REACH[0]), min(found[root][1], REACH[1])
        return found

    def _gates(self, value: SSAValue, values: list[SSAValue]) -> bool:
        """Whether all that is computed from the values of one type is sigmoids and tanhs of them."""
        mine = [v for v in values if self._root(v) is self._root(value)]
        moved = {r for v in mine for r in mine if v in (r.owner.operands if isinstance(r.owner, DnnOp) else ())}
        readers = {u.operation for v in mine for u in v.uses if not any(r in moved for r in u.operation.results)}
        return all(isinstance(r, _BOUNDED) for r in readers)

    # Rewriting

    def run(self) -> None:
        """Replace the loop by one whose states, slices and results are quantized."""
        values = self._values()
        ranges = self._ranges(values)
        if not ranges:
            return
        stacked = [self._range_of_yielded(v, ranges) for v in self.scan.yielded()]
        types = {v: step_type(ranges[self._root(v)]) for v in values}
        for op in self.ops:
            if contraction(op):
                self._products(op, ranges)  # pyright: ignore[reportArgumentType]
            elif isinstance(op, _BOUNDED) and float(types[op.x].scale) > float(step_type(REACH).scale):
                self._feed(op, 0, [QuantizeOp(op.x, to=step_type(REACH))])
        operands = [self._outside(v, types.get(a)) for v, a in zip(self.scan.operands, self.block.args)]
        for v, type_ in types.items():
            self._wrap(v, type_)
        for op in self.ops:
            op.attributes.pop(RANGE, None)
        self._replace(operands, stacked)

    def _range_of_yielded(self, value: SSAValue, ranges: dict[SSAValue, Range]) -> Range | None:
        return ranges.get(self._root(value)) if real(value) else None

    def _products(self, op: Contraction, ranges: dict[SSAValue, Range]) -> None:
        """Operands of a product in int8; constants as `quantize` makes them."""
        x = activation_type(ranges[self._root(op.operands[0])])
        w, bias = op.operands[1].owner, op.bias.owner if op.bias is not None else None
        self._feed(op, 0, [QuantizeOp(op.operands[0], to=x)])
        if not isinstance(w, ConstOp):
            self._feed(op, 1, [QuantizeOp(op.operands[1], to=activation_type(ranges[self._root(op.operands[1])]))])
            return
        array, b = w.array(self.store), bias.array(self.store) if isinstance(bias, ConstOp) else np.zeros(1)
        least = np.abs(b).max(initial=0) / (float(x.scale) * LARGEST_BIAS)
        type_ = weight_type(array, weight_axis(op) if array.ndim > 1 else None, least)
        self._feed(op, 1, [self._constant(w, type_, array)])
        if isinstance(bias, ConstOp):
            sums = np.asarray(x.scale * type_.scale, np.float32)
            values = np.broadcast_to(b.reshape(-1), (shape_of(op.result.type)[channel_axis(op)],))
            kind = QuantType.per_channel(I32, sums, 0) if sums.ndim else QuantType.per_tensor(I32, float(sums))
            self._feed(op, 2, [self._constant(bias, kind, values)])

    def _constant(self, op: ConstOp, type_: QuantType, values: np.ndarray) -> ConstOp:
        hint = op.key.data if op.key is not None else "const"
        return ConstOp.of(quantized(values, type_), self.store, f"{hint}.step", tensor(type_, values.shape))

    def _feed(self, op: DnnOp, index: int, new: list[Operation]) -> None:
        new = [*new, DequantizeOp(new[-1])]
        for one in new:
            one.location = op.location
        Rewriter.insert_op(new, InsertPoint.before(op))
        op.operands[index] = new[-1].results[0]

    def _outside(self, value: SSAValue, type_: QuantType | None) -> SSAValue:
        """What the loop reads, in the type of the argument it becomes."""
        if type_ is None:
            return value
        new: Operation = QuantizeOp(value, to=type_)
        if isinstance(value.owner, ConstOp):
            new = self._constant(value.owner, type_, value.owner.array(self.store))
        new.location = self.scan.location
        Rewriter.insert_op(new, InsertPoint.before(self.scan))
        return new.results[0]

    def _wrap(self, value: SSAValue, type_: QuantType) -> None:
        """Everyone in the body reads the dequantized value; an argument is quantized itself."""
        owner = value.owner
        if value in self.block.args:
            arg = self.block.insert_arg(tensor(type_, shape_of(value.type)), value.index)  # pyright: ignore
            back = DequantizeOp(arg)
            assert self.block.first_op is not None
            self.block.insert_op_before(back, self.block.first_op)
            value.replace_all_uses_with(back.result)
            self.block.erase_arg(value)  # pyright: ignore[reportArgumentType]
            new: list[Operation] = [back]
        else:
            assert isinstance(owner, DnnOp)
            known = isinstance(owner, ConstOp)
            q = self._constant(owner, type_, owner.array(self.store)) if known else QuantizeOp(value, to=type_)
            back = DequantizeOp(q)
            value.replace_uses_with_if(back.result, lambda use: use.operation is not q)
            Rewriter.insert_op([q, back], InsertPoint.after(owner))
            new = [q, back]
        for op in new:
            op.location = owner.location if isinstance(owner, Operation) else self.scan.location

    def _replace(self, operands: list[SSAValue], ranges: list[Range | None]) -> None:
        scan, last = self.scan, self.block.last_op
        assert isinstance(last, YieldOp)
        last.operands = [v.owner.x if isinstance(v.owner, DequantizeOp) else v for v in last.operands]
        n, m = len(scan.states), len(scan.states) + len(scan.sequences)
        block = scan.detach_region(scan.body).detach_block(0)
        parameters = (scan.steps.data, scan.reverse is not None, scan.location)
        new = ScanOp.of(block, operands[:n], operands[n:m], operands[m:], *parameters)
        Rewriter.insert_op(new, InsertPoint.before(scan))
        for old, result, extremes in zip(list(scan.results), new.results, ranges):
            back = DequantizeOp(result) if extremes is not None else None
            if back is not None and extremes is not None:
                back.attributes[RANGE] = Reals(extremes)
                back.location = scan.location
                Rewriter.insert_op(back, InsertPoint.before(scan))
            old.replace_all_uses_with(back.result if back is not None else result)
        Rewriter.erase_op(scan)
