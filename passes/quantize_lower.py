"""Float operations between dequantize and quantize become their integer forms; what is left in float is an island.

%3 = dnn.dequantize %1                  %5 = dnn.conv %1, %2 : ... -> !dnn.q<i32, axis 1, [s_x * s_w[m]]>
%4 = dnn.dequantize %2          ->      %6 = dnn.requantize %5 to = !dnn.q<i8, s_y, z_y>
%5 = dnn.conv %3, %4
%6 = dnn.quantize %5 to = !dnn.q<i8, s_y, z_y>
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, UnitAttr
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern, op_type_rewrite_pattern
from xdsl.transforms.dead_code_elimination import region_dce

from dnnc.ir import fixed
from dnnc.ir.diagnostics import BrokenRule, Collector, where
from dnnc.ir.dnn.activation import ReluOp
from dnnc.ir.dnn.attributes import Window
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.composite import SoftmaxOp
from dnnc.ir.dnn.elementwise import AddOp, ClipOp, MulOp, SubOp
from dnnc.ir.dnn.integer import (
    WIDEST,
    InterpolateOp,
    QAddOp,
    QAvgPoolOp,
    QMulOp,
    QNormalizeOp,
    QReduceMeanOp,
    QReduceSumOp,
    QSoftmaxOp,
    QSubOp,
    TableOp,
    reach,
    softmax_type,
)
from dnnc.ir.dnn.movement import ReshapeOp
from dnnc.ir.dnn.quantize import DequantizeOp, QuantizeOp, RequantizeOp
from dnnc.ir.dnn.reduction import AvgPoolOp, ReduceMeanOp, ReduceSumOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.interpret import main_function
from dnnc.ir.rewriting import apply_laws
from dnnc.ir.stages import BOUNDARY, ISLAND
from dnnc.ir.types import QuantType, bits, element_type, integer_range, shape_of, tensor, type_name
from dnnc.ir.weights import WeightStore, store_of
from dnnc.passes.analysis.contractions import Contraction
from dnnc.passes.analysis.dequantized import all_narrow, narrow, source, type_of
from dnnc.passes.analysis.integer_constants import exponentials, gains, knots, table
from dnnc.passes.analysis.integer_forms import (
    Norm,
    constant_norm,
    function_of,
    in_float,
    leaves,
    real,
)
from dnnc.passes.calibrate import SAMPLES
from dnnc.passes.expand_weights import expand
from dnnc.passes.laws.quantized_constants import ConstantBesideQuantized, WholeWeightsAreQuantized
from dnnc.passes.laws.quantized_contractions import ContractionOfDequantized
from dnnc.passes.laws.stated_multipliers import RequantShiftIsRequantize
from dnnc.passes.laws.thresholds import ThresholdOfDequantized
from dnnc.passes.laws.whole_inputs import reads_whole_input

I16 = element_type(np.int16)
TABLE_BITS = 8  # widest operand of a table


@dataclass(frozen=True)
class QuantizeLowerPass(ModulePass):
    """Integer operations only, all arithmetic by `dnnc.ir.fixed`; `rounding` is that of every requantize.

    Operations after the last contraction that have no integer form stay in float as islands, marked `dnn.island`; one
    before it is refused, unless `islands` allows it.
    """

    name = "quantize-lower"
    rounding: str = "q31_half_even"
    islands: bool = False

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        expand(op, store_of(ctx))
        report = Collector()
        apply_laws(op, laws(store_of(ctx), self.rounding, report), spared=in_island)
        region_dce(op.body)
        keep_islands(op, store_of(ctx), self.islands, report)
        report.raise_if_any()


def laws(store: WeightStore, rounding: str, report: Collector) -> list[RewritePattern]:
    """Every law, in the order they are tried."""
    return [
        QuantizeOfDequantize(rounding),
        WholeWeightsAreQuantized(store),
        ContractionOfDequantized(store, report),
        MoveOfDequantized(),
        ReluOfDequantized(),
        BoundOfQuantized(),
        MoveOfQuantized(),
        FunctionIsTable(store),
        ConstantBesideQuantized(store),
        SumOfDequantized(rounding),
        MeanOfDequantized(rounding),
        SoftmaxOfDequantized(store, rounding),
        NormOfDequantized(store),
        ThresholdOfDequantized(store),
        RequantShiftIsRequantize(store),
    ]


def keep_islands(module: ModuleOp, store: WeightStore, islands: bool, report: Collector) -> None:
    """Mark what is left in float after the last contraction, or where islands are allowed; refuse the rest, all at once."""
    ops = [op for op in main_function(module).body.block.ops if isinstance(op, DnnOp)]
    last = max((i for i, op in enumerate(ops) if isinstance(op, Contraction) and not in_float(op)), default=-1)
    for i, op in enumerate(ops):
        if isinstance(op, (ConstOp, *BOUNDARY)) or ISLAND in op.attributes or not in_float(op):
            continue
        if islands or i > last:
            op.attributes[ISLAND] = UnitAttr()
        elif reads_whole_input(op, store):
            message = f"'{op.name}' expected a calibrated range of the whole numbers it reads, not none. {SAMPLES}"
            report.error(where(op.location, op.name), message, "E0701")
        else:
            types = ", ".join(type_name(v.type.element_type) for v in op.operands)  # pyright: ignore
            report.refuse(
                where(op.location, op.name), f"'{op.name}' on ({types}) has no integer form. {REMEDY}", "E0703"
            )


REMEDY = (
    "Quantize what it reads and makes to 8 bits, compile to C in float (--emit c), or keep it in float for the "
    "interpreter: islands=true."
)


def mode(op: QuantizeOp, rounding: str) -> str:
    """The rounding of what a quantize becomes: that of the model where it says one."""
    return op.rounding.data if op.rounding is not None else rounding


def in_island(op: Operation) -> bool:
    """Whether an operation is to stay in float, or rounds what one that is gives."""
    made = op.x.owner if isinstance(op, QuantizeOp) else op
    return isinstance(made, Operation) and ISLAND in made.attributes


def within_rules(make: Callable[[], DnnOp]) -> DnnOp | None:
    """An operation, None when its types leave the range of its integers: the real one then stays."""
    try:
        return make()
    except BrokenRule:
        return None


def target(op: QuantizeOp) -> QuantType | None:
    """The type a quantize gives, when it has one scale."""
    to = op.to
    return to if isinstance(to, QuantType) and to.axis is None else None


@dataclass
class QuantizeOfDequantize(RewritePattern):
    """quantize(dequantize(q)) = q in its own type, else requantize(q)."""

    rounding: str

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: QuantizeOp, rewriter: PatternRewriter, /):
        q, to = source(op.x), target(op)
        if q is None or to is None:
            return
        if q.type == op.result.type:
            rewriter.replace(op, [], [q])
        elif bits(to) <= WIDEST:
            new = within_rules(lambda: RequantizeOp(q, to=to, rounding=op.rounding or self.rounding))
            if new is not None:
                rewriter.replace(op, new)


class MoveOfDequantized(RewritePattern):
    """move(dequantize(q)) = dequantize(move(q)), for operands of one type: values only change place, or are chosen by order."""

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /):
        if not isinstance(op, DnnOp) or not op.keeps_type() or not any(real(v) for v in op.operands):
            return
        found = all_narrow([v for v in op.operands if real(v)])
        if found is None or len({type_of(q) for q in found}) > 1:
            return
        moved = _on(op, {v: source(v) for v in op.operands if real(v)})
        outs = [DequantizeOp(r) if real(old) else None for r, old in zip(moved.results, op.results)]
        results = [d.result if d is not None else r for d, r in zip(outs, moved.results)]
        rewriter.replace(op, [moved, *(d for d in outs if d is not None)], results)


def _on(op: DnnOp, operands: dict[SSAValue, SSAValue | None]) -> DnnOp:
    """A copy of an operation on other operands, its result types inferred anew."""
    probe = op.clone({old: q for old, q in operands.items() if q is not None})
    new = type(op).create(
        operands=probe.operands,
        result_types=probe.result_types_inferred(),
        properties=op.properties,
        location=op.location,
    )
    probe.erase()
    return new


class ReluOfDequantized(RewritePattern):
    """relu(dequantize(q)) = dequantize(relu(q))."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: ReluOp, rewriter: PatternRewriter, /):
        q = narrow(op.x)
        others = [u.operation for u in op.result.uses if not isinstance(u.operation, QuantizeOp)]
        if q is not None and (others or bits(type_of(q)) > TABLE_BITS):
            relu = ReluOp(q)
            rewriter.replace(op, [relu, DequantizeOp(relu)])


class BoundOfQuantized(RewritePattern):
    """quantize(relu(x)) = relu(quantize(x)), and the same for clip: rounding keeps the order."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: QuantizeOp, rewriter: PatternRewriter, /):
        bound, to = op.x.owner, target(op)
        if not isinstance(bound, (ReluOp, ClipOp)) or to is None or bits(to) > WIDEST:
            return
        q = narrow(bound.x, TABLE_BITS)
        if q is not None and type_of(q) != to:  # one table does both
            return
        if _function(bound.x):
            return
        inner = QuantizeOp(bound.x, to=to, rounding=op.rounding)
        rewriter.replace(op, [inner, _on(bound, {bound.x: inner.result})])


def _function(value: SSAValue) -> bool:
    """Whether a value is computed, elementwise, from one quantized value that a table takes."""
    start = leaves(value)
    return value not in start and len(start) == 1 and narrow(start[0], TABLE_BITS) is not None


KNOTS = tuple(2**n + 1 for n in range(9, 14))  # counts of entries between which values are interpolated


def lookup(
    f: Callable[[np.ndarray], np.ndarray], x: QuantType, to: QuantType
) -> tuple[type[TableOp | InterpolateOp], np.ndarray]:
    """How a function of one value is looked up: of 16 bits by the fewest knots at most one step off, else by all entries."""
    exact = table(f, x, to)
    if bits(x) == 16 and integer_range(to.storage)[1] < 2**15:
        for count in KNOTS:
            few = knots(f, x, to, count)
            if np.abs(fixed.interpolated(np.arange(2**16), few) - exact).max() <= 1:
                return InterpolateOp, few
    return TableOp, exact


class MoveOfQuantized(RewritePattern):
    """quantize(move(x)) = move(quantize(x)): rounding keeps the order of values."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: QuantizeOp, rewriter: PatternRewriter, /):
        move, to = op.x.owner, target(op)
        if not isinstance(move, DnnOp) or not move.keeps_type() or to is None or bits(to) > WIDEST:
            return
        if len(move.results) > 1 or not move.operands:
            return
        inner = {v: QuantizeOp(v, to=to, rounding=op.rounding) for v in move.operands if real(v)}
        rewriter.replace(op, [*inner.values(), _on(move, {v: q.result for v, q in inner.items()})])


@dataclass
class FunctionIsTable(RewritePattern):
    """quantize(f(dequantize(q))) = table(q), f any run of elementwise operations on one value of up to 16 bits.

    Of 16 bits the table has 513 entries, or as many more as bring what is between them to within one step.
    """

    store: WeightStore

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: QuantizeOp, rewriter: PatternRewriter, /):
        start, to = leaves(op.x), target(op)
        if len(start) != 1 or start[0] is op.x or to is None or bits(to) > WIDEST:
            return
        q = narrow(start[0])
        if q is None or shape_of(start[0].type) != shape_of(op.x.type):
            return
        kind, values = lookup(lambda x: function_of(op.x, start[0], x, self.store), type_of(q), to)
        const = ConstOp.of(values, self.store, "table", tensor(to, values.shape))
        rewriter.replace(op, [const, kind(q, const)])


@dataclass
class SumOfDequantized(RewritePattern):
    """quantize(a + b) = qadd(a, b), quantize(a - b) = qsub(a, b), quantize(a * b) = qmul(a, b)."""

    rounding: str

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: QuantizeOp, rewriter: PatternRewriter, /):
        f, to = op.x.owner, target(op)
        if not isinstance(f, (AddOp, SubOp, MulOp)) or to is None or bits(to) > WIDEST:
            return
        found = all_narrow(f.operands)
        if found is None:
            return
        a, b = found
        new = within_rules(lambda: self._form(f, a, b, op))
        if new is not None:
            rewriter.replace(op, new)

    def _form(self, f: AddOp | SubOp | MulOp, a: SSAValue, b: SSAValue, op: QuantizeOp) -> DnnOp:
        if isinstance(f, MulOp):
            return QMulOp(a, b, to=op.to, rounding=op.rounding or self.rounding)
        return (QAddOp if isinstance(f, AddOp) else QSubOp)(a, b, to=op.to)


@dataclass
class MeanOfDequantized(RewritePattern):
    """quantize(mean(dequantize(q))) = mean of q - z, requantized; over all spatial axes it is an average pool."""

    rounding: str

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: QuantizeOp, rewriter: PatternRewriter, /):
        f, to = op.x.owner, target(op)
        if not isinstance(f, (AvgPoolOp, ReduceMeanOp, ReduceSumOp)) or to is None or bits(to) > WIDEST:
            return
        q = narrow(f.x)
        params = {"to": to, "rounding": op.rounding or self.rounding}
        new = None if q is None else within_rules(lambda: self._form(f, q, params))
        if new is not None:
            reshaped = [] if new.results[0].type == op.result.type else [ReshapeOp(new, shape=shape_of(op.x.type))]
            rewriter.replace(op, [new, *reshaped])

    def _form(self, f: AvgPoolOp | ReduceMeanOp | ReduceSumOp, q: SSAValue, params: dict[str, Any]) -> DnnOp:
        if isinstance(f, AvgPoolOp):
            return QAvgPoolOp(q, window=f.window, count_pad=f.count_pad, **params)
        shape = f.shape()
        if isinstance(f, ReduceMeanOp) and len(shape) > 2 and f.axes.data == tuple(range(2, len(shape))):
            return QAvgPoolOp(q, window=Window.of(shape[2:]), **params)
        kind = QReduceMeanOp if isinstance(f, ReduceMeanOp) else QReduceSumOp
        return kind(q, axes=f.axes, keepdims=f.keepdims, **params)


@dataclass
class SoftmaxOfDequantized(RewritePattern):
    """quantize(softmax(dequantize(q))) = qsoftmax(q) at scale 2^-8; for another scale 2^-16, then requantized."""

    store: WeightStore
    rounding: str

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: QuantizeOp, rewriter: PatternRewriter, /):
        f, to = op.x.owner, target(op)
        q = narrow(f.x, 8) if isinstance(f, SoftmaxOp) else None
        if q is None or to is None or not isinstance(f, SoftmaxOp) or bits(to) > WIDEST:
            return
        direct = to == softmax_type(to.storage)
        values = exponentials(type_of(q), f.shape()[f.axis.data])
        const = ConstOp.of(values, self.store, "exp")
        new = QSoftmaxOp(q, const, axis=f.axis, to=to if direct else softmax_type(I16))
        after = [] if direct else [RequantizeOp(new, to=to, rounding=op.rounding or self.rounding)]
        rewriter.replace(op, [const, new, *after])


@dataclass
class NormOfDequantized(RewritePattern):
    """quantize(norm(dequantize(q))) = qnormalize(q): gain and offset in fixed point, one reciprocal root a row."""

    store: WeightStore

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: QuantizeOp, rewriter: PatternRewriter, /):
        f, to = op.x.owner, target(op)
        if not isinstance(f, Norm) or not constant_norm(f) or to is None or bits(to) > WIDEST:
            return
        q = narrow(f.operands[0])
        if q is None:
            return
        g = gains(f, type_of(q), to, self.store)
        if _largest_norm(g.center, prod(f.shape()[a] for a in g.axes), type_of(q), g.epsilon) >= 2**62:
            return
        consts = [ConstOp.of(v, self.store, "gain") for v in (g.multiplier, g.offset) if v is not None]
        params = {"axes": g.axes, "center": g.center, "epsilon": g.epsilon, "shift": g.shift, "to": to}
        rewriter.replace(op, [*consts, QNormalizeOp(q, *consts, **params)])


def _largest_norm(center: bool, n: int, q: QuantType, epsilon: int) -> int:
    span = n * n * 4 ** (bits(q) - 1) if center else reach(q) ** 2
    return n * span + epsilon + 1
