"""A calibrated float network becomes an integer one: 8-bit values, 32-bit sums, explicit requantize.

%1 = dnn.conv %x, %w, bias(%b)        %1 = dnn.conv %xq, %wq, bias(%bq)  : ... -> !dnn.q<i32, axis 1, [s_x * s_w[m]]>
%2 = dnn.relu %1                ->    %2 = dnn.requantize %1 to = !dnn.q<i8, s_y, z_y>
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, UnitAttr
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter

from dnnc.ir import fixed
from dnnc.ir.diagnostics import BrokenRule, Collector, where
from dnnc.ir.dnn.activation import ReluOp
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.contraction import ConvOp, MatmulOp
from dnnc.ir.dnn.elementwise import ClipOp
from dnnc.ir.dnn.movement import View
from dnnc.ir.dnn.quantize import DequantizeOp, QuantizeOp, RequantizeOp, quantized
from dnnc.ir.dnn.reduction import MaxPoolOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.interpret import main_function
from dnnc.ir.stages import ISLAND
from dnnc.ir.types import I8, I32, QuantType, integer_range, is_float, shape_of, tensor, type_name
from dnnc.ir.weights import WeightStore, store_of
from dnnc.passes.calibrate import RANGE, range_of
from dnnc.passes.fold_batch_norm import per_channel_bias
from dnnc.passes.fuse_groups import only_user

Contraction = ConvOp | MatmulOp

TINY = np.finfo(np.float32).tiny  # the smallest scale: one that keeps all its digits


@dataclass(frozen=True)
class QuantizePass(ModulePass):
    """Plain min-max int8: activations asymmetric per tensor, weights symmetric per output channel, biases int32.

    Needs the ranges `calibrate` leaves. Operations after the last contraction that have no integer form stay in float
    as islands, marked `dnn.island`; one before it is refused, unless `islands` allows it.
    """

    name = "quantize"
    rounding: str = "q31_half_even"
    islands: bool = False

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        lowering = _Lowering(op, store_of(ctx), self)
        lowering.check()
        lowering.run()


def activation_type(extremes: tuple[float, float]) -> QuantType:
    """S = (max(0, hi) - min(0, lo)) / 255, z = RNE(-128 - lo / s): the int8 type that holds the range and zero exactly."""
    low, high = min(0.0, extremes[0]), max(0.0, extremes[1])
    scale = max(np.float32((high - low) / 255), TINY) if high > low else np.float32(1)
    zero = int(np.clip(np.rint(-128 - low / float(scale)), -128, 127))
    return QuantType.per_tensor(I8, float(scale), zero)


def weight_type(w: np.ndarray, axis: int) -> QuantType:
    """s[m] = max|w[m]| / 127 for each output channel m along `axis`; zero point 0."""
    largest = np.abs(w).max(tuple(i for i in range(w.ndim) if i != axis), initial=0).astype(np.float32)
    scales = np.where(largest > 0, np.maximum(largest / np.float32(127), TINY), np.float32(1))
    return QuantType.per_channel(I8, scales, axis)


@dataclass
class _Lowering:
    module: ModuleOp
    store: WeightStore
    options: QuantizePass
    quantized: dict[SSAValue, SSAValue] = field(default_factory=dict)
    removed: list[Operation] = field(default_factory=list)

    def ops(self) -> list[Operation]:
        return list(main_function(self.module).body.block.ops)

    def check(self) -> None:
        """Refuse, all at once, what has no integer form and what was not calibrated."""
        report = Collector()
        ops = [op for op in self.ops() if isinstance(op, DnnOp) and not isinstance(op, ConstOp)]
        last = max((i for i, op in enumerate(ops) if contraction(op)), default=-1)
        for i, op in enumerate(ops):
            place = where(op.location, op.name)
            ranges = [range_of(v) for v in (op.operands[0], op.results[0])] if contraction(op) else []
            if None in ranges:
                report.error(
                    place, "expected a calibrated range, not none. Give samples with --calibrate X.npz.", "E0701"
                )
            elif not np.isfinite([r for r in ranges if r]).all():
                report.error(place, f"expected finite operands and results on the samples, not {ranges}.", "E0702")
            if i < last and not self.options.islands and not integer_form(op):
                kind = type_name(op.results[0].type.element_type)  # pyright: ignore[reportAttributeAccessIssue]
                report.refuse(
                    place,
                    f"'{op.name}' on {kind} has no int8 form yet. "
                    "Compile it to C in float (--emit c); quantize{islands=true} keeps it in float for the interpreter.",
                    "E0703",
                )
        report.raise_if_any()

    def run(self) -> None:
        for op in self.ops():
            if isinstance(op, ReturnOp):
                op.operands = [self.real(v, op) for v in op.operands]
            elif contraction(op):
                self.lower_contraction(op)  # pyright: ignore[reportArgumentType]
            elif isinstance(op, DnnOp) and integer_form(op) and op.operands and op.operands[0] in self.quantized:
                self.lower_in_type(op)
            elif isinstance(op, DnnOp) and not isinstance(op, ConstOp):
                op.operands = [self.real(v, op) for v in op.operands]
                op.attributes[ISLAND] = UnitAttr()
        for op in reversed(self.removed):
            op.erase()
        for op in self.ops():
            op.attributes.pop(RANGE, None)

    def insert(self, op: Operation, at: Operation) -> SSAValue:
        op.location = at.location
        Rewriter.insert_op(op, InsertPoint.before(at))
        return op.results[0]

    def integer(self, value: SSAValue, at: Operation) -> SSAValue:
        """The quantized form of a value, made on first need."""
        if value not in self.quantized:
            extremes = range_of(value)
            assert extremes is not None
            self.quantized[value] = self.insert(QuantizeOp(value, to=activation_type(extremes)), at)
        return self.quantized[value]

    def real(self, value: SSAValue, at: Operation) -> SSAValue:
        """The float form of a value that is now quantized."""
        if value in self.quantized and isinstance(value.owner, Operation) and value.owner.parent is None:
            real = self.insert(DequantizeOp(self.quantized[value]), at)
            real.owner.location = value.owner.location  # pyright: ignore[reportAttributeAccessIssue]
            return real
        return value

    def replace(self, op: DnnOp, value: SSAValue) -> None:
        """`value` is the quantized form of what `op` made; `op` leaves the program but stays known as its key."""
        self.quantized[op.results[0]] = value
        op.detach()
        self.removed.append(op)

    def lower_in_type(self, op: DnnOp) -> None:
        operand = self.quantized[op.operands[0]]
        attributes = {k: v for k, v in op.attributes.items() if k != RANGE}
        new = type(op).create(
            operands=[operand], properties=op.properties, attributes=attributes,
            result_types=[tensor(operand.type.element_type, shape_of(op.results[0].type))],  # pyright: ignore
        )  # fmt: skip
        self.replace(op, self.insert(new, op))

    def lower_contraction(self, op: Contraction) -> None:
        x = self.integer(op.operands[0], op)
        x_type = x.type.element_type  # pyright: ignore[reportAttributeAccessIssue]
        weights = op.operands[1].owner
        assert isinstance(weights, ConstOp)
        w = weights.array(self.store)
        axis = 1 if isinstance(op, MatmulOp) and op.trans_b is None else 0
        w_type = weight_type(w, axis)
        q = quantized(w, w_type)
        hint = weights.key.data if weights.key is not None else "weights"
        wq = ConstOp.of(q, self.store, f"{hint}.i8", tensor(w_type, w.shape))
        operands = [x, self.insert(wq, op)]
        bias = np.zeros(w_type.scale.shape, np.int64)
        if op.bias is not None:
            assert isinstance(op.bias.owner, ConstOp)
            b_type = QuantType.per_channel(I32, x_type.scale * w_type.scale, 0)
            values = np.broadcast_to(op.bias.owner.array(self.store).reshape(-1), b_type.scale.shape)
            bias = quantized(values, b_type)
            bq = ConstOp.of(bias, self.store, f"{hint}.bias.i32", tensor(b_type, bias.shape))
            operands.append(self.insert(bq, op))
        self.check_accumulator(op, np.moveaxis(q, axis, 0), x_type, bias)
        properties = {k: v for k, v in op.properties.items() if k != "operandSegmentSizes"}
        total = self.insert(type(op)(*operands, **properties), op)  # pyright: ignore[reportArgumentType]
        target = activation_type(self.output_range(op))
        self.replace(op, self.insert(RequantizeOp(total, to=target, rounding=self.options.rounding), op))

    def output_range(self, op: Contraction) -> tuple[float, float]:
        """The range of the result, or of the activation that is all that follows."""
        after = only_user(op.results[0])
        value = (
            after.results[0] if isinstance(after, (ReluOp, ClipOp)) and range_of(after.results[0]) else op.results[0]
        )
        extremes = range_of(value)
        assert extremes is not None
        return extremes

    def check_accumulator(self, op: Contraction, w: np.ndarray, x: QuantType, bias: np.ndarray) -> None:
        """Refuse a layer whose sums could leave int32: A[m] = sum |w[m]| * max|x - z| + |b[m]|."""
        low, high = integer_range(x.storage)
        bound = fixed.accumulator_bound(w.astype(np.int64), low, high, int(x.zero), bias.astype(np.int64))
        if int(np.max(bound, initial=0)) >= 2**31:
            op.emit_error(
                f"expected sums below 2^31, not up to {int(np.max(bound))}. Split the layer's input channels.",
                BrokenRule("accumulator", "E0808"),
            )


def contraction(op: Operation) -> bool:
    """Whether an operation becomes int8 multiply-accumulates: a float conv or matrix product with constant weights."""
    if not isinstance(op, (ConvOp, MatmulOp)) or not is_float(op.element()):
        return False
    constant = isinstance(op.operands[1].owner, ConstOp) and (op.bias is None or per_channel_bias(op))
    return constant and (isinstance(op, ConvOp) or len(op.shape(1)) == 2)


def integer_form(op: Operation) -> bool:
    """Whether an operation has an int8 form: contractions, and what keeps the type of its operand."""
    if isinstance(op, (ConvOp, MatmulOp)):
        return contraction(op)
    return isinstance(op, (ReluOp, ClipOp, MaxPoolOp, View, ConstOp))
