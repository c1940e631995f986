"""Graph inputs in fixed point with slope and bias become uniformly quantized; what of the bias is no whole step goes on.

%1 = dnn.dequantize %x : !dnn.fixed<ui8, S, B>        %q = x stored as !dnn.q<ui8, S, z>, z = round(-B / S)
%2 = dnn.conv %1, %w, bias(%b)                  ->    %1 = dnn.dequantize %q
                                                      %2 = dnn.conv %1, %w, bias(%b + (B + S z) * sum of w)
"""

from __future__ import annotations

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.rewriter import Rewriter

from dnnc.ir.codes import FixedType
from dnnc.ir.diagnostics import Collector, where
from dnnc.ir.dnn.contraction import ConvOp, MatmulOp
from dnnc.ir.dnn.movement import StorageCastOp
from dnnc.ir.dnn.quantize import DequantizeOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.types import F32, QuantType, integer_range
from dnnc.ir.weights import WeightStore
from dnnc.passes.analysis.biases import add_to_bias, with_bias
from dnnc.passes.analysis.contractions import bias_values


def fold_slope_bias(module: ModuleOp, store: WeightStore) -> None:
    """Every input of fixed point as a uniform one; DnncError lists the readers that cannot take up the rest of its bias."""
    inputs = [o for o in module.walk() if isinstance(o, DequantizeOp) and isinstance(o.element(), FixedType)]
    report = Collector()
    for op in inputs:
        if split(op.element())[1]:  # pyright: ignore[reportArgumentType]
            for use in op.result.uses:
                _check(use.operation, store, report)
    report.raise_if_any()
    for op in inputs:
        _fold(op, store)


def _fold(op: DequantizeOp, store: WeightStore) -> None:
    type_, rest = split(op.element())  # pyright: ignore[reportArgumentType]
    readers = [use.operation for use in op.result.uses] if rest else []
    stored = StorageCastOp(op.x, to=type_.storage, location=op.location)
    uniform = StorageCastOp(stored, to=type_, location=op.location)
    real = DequantizeOp(uniform, location=op.location)
    real.attributes.update(op.attributes)
    Rewriter.replace_op(op, [stored, uniform, real])
    for reader in readers:
        _shift(reader, rest, store)  # pyright: ignore[reportArgumentType]


def split(fixed: FixedType) -> tuple[QuantType, float]:
    """The uniform type with the nearest whole zero point, and what it leaves of the bias: B + S * z, 0 where z = -B / S."""
    low, high = integer_range(fixed.storage)
    zero = float(np.clip(np.rint(-fixed.data.bias / fixed.data.slope), low, high))
    rest = fixed.data.bias + fixed.data.slope * zero
    whole = abs(rest) < abs(fixed.data.bias) * 2.0**-23  # as exact as the bias is itself
    return QuantType.per_tensor(fixed.storage, fixed.data.slope, int(zero)), 0.0 if whole else rest


def _check(op: Operation, store: WeightStore, report: Collector) -> None:
    taken = isinstance(op, (ConvOp, MatmulOp)) and isinstance(op.operands[1].owner, ConstOp) and op.element(1) == F32
    plain = taken and (op.bias is None or bias_values(op, store) is not None)  # pyright: ignore
    if plain and not (isinstance(op, ConvOp) and op.window.data.filled):
        return
    todo = "Give the input a bias that is a whole multiple of its slope, or pad before it is quantized."
    message = (
        f"'{op.name}' expected a zero point that is a whole number: only layers of constant weights without padding "
        f"take up a real one, in their bias. {todo}"
    )
    report.error(where(op.location, op.name), message, "E0716")


def _shift(op: ConvOp | MatmulOp, rest: float, store: WeightStore) -> None:
    """b[m] += rest * sum of w[m]."""
    w = op.operands[1].owner.array(store).astype(np.float64)  # pyright: ignore[reportAttributeAccessIssue]
    axis = 0 if isinstance(op, ConvOp) or op.trans_b is not None else 1
    sums = w.sum(tuple(i for i in range(w.ndim) if i != axis))
    add_to_bias(with_bias(op, store), rest * sums, store, "shifted")
