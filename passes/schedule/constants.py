"""What layers read that is known before they run: weights as they are, records of the post-processing unit, tables."""

from __future__ import annotations

import numpy as np
from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute, Block, SSAValue

from dnnc.ir import fixed
from dnnc.ir.diagnostics import DnncError, Finding, UnsupportedError, where
from dnnc.ir.dnn.structure import ConstOp, GroupOp
from dnnc.ir.sched import BufferOp
from dnnc.ir.types import QuantType, integer_range
from dnnc.ir.weights import WeightStore
from dnnc.passes.analysis.group import Group
from dnnc.passes.analysis.group_operands import UI8
from dnnc.passes.analysis.group_stages import Levels


class Constants:
    """The buffers of constants off chip, declared in a block as they are asked for."""

    def __init__(self, store: WeightStore, block: Block) -> None:
        self.store, self.block = store, block
        self.found: dict[str, SSAValue] = {}

    def weights(self, value: SSAValue) -> SSAValue:
        """The buffer of a constant of the network."""
        constant = value.owner
        assert isinstance(constant, ConstOp)
        key = constant.key.data if constant.key is not None else None
        if key is None:
            key = self.store.add("weights", constant.array(self.store))
        if key not in self.found:
            type_ = constant.result.type
            assert isinstance(type_, TensorType)
            buffer = BufferOp(key, "weights", type_.element_type, type_.get_shape(), constant=key)
            self.block.add_op(buffer)
            self.found[key] = buffer.result
        return self.found[key]

    def stored(self, label: str, array: np.ndarray, element: Attribute = UI8) -> SSAValue:
        """A buffer of bytes that the compiler has made."""
        buffer = BufferOp(label, "parameters", element, array.shape, constant=self.store.add(label, array))
        self.block.add_op(buffer)
        return buffer.result

    def records(self, op: GroupOp, group: Group) -> np.ndarray:
        """Bias, multiplier and shift, or thresholds, of every channel as bytes; the input's zero point is folded in."""
        if group.levels is not None:
            return self._thresholds(op, group, group.levels)
        assert group.scale is not None
        bias = self.bias(op, group) if group.weights is not None else 0
        return group.scale.records(group.layer.records, bias, lambda i: self.array(op, i))

    def _thresholds(self, op: GroupOp, group: Group, levels: Levels) -> np.ndarray:
        """Thresholds less the bias: sums + bias >= t where sums >= t - bias."""
        t = self.array(op, levels.argument).astype(np.int64)
        t = (t - self.bias(op, group).reshape(-1, len(t), 1)).reshape(-1, t.shape[1])
        bounds = np.iinfo(np.int32)
        return np.clip(t, bounds.min, bounds.max).astype("<i4").view(np.uint8)

    def bias(self, op: GroupOp, group: Group) -> np.ndarray:
        """B[m] - z_x * sum of (w[m] - z_w); computed weights leave z_x to the matrix unit, which subtracts it."""
        assert group.weights is not None
        layer, x = group.layer, group.source
        channels = layer.groups * layer.M
        bias = np.zeros(channels, np.int64)
        if group.bias is not None:
            stated = self.array(op, group.bias)  # one for every channel, or the same for each matrix of a batch
            rows = stated.reshape(-1, min(stated.size, layer.M))
            bias = np.broadcast_to(rows, (layer.groups, layer.M)).reshape(-1).astype(np.int64)
        if layer.values > 1:
            _check_sums(op, group, np.abs(bias) + layer.C * layer.taps * layer.values)
            return bias.astype(np.int32)
        low, high = integer_range(x.storage)
        if not isinstance(op.inputs[group.weights].owner, ConstOp):
            most = np.full((1, layer.C * layer.taps), _reach(element_of(op.inputs[group.weights])))
            _check_sums(op, group, fixed.accumulator_bound(most, low, high, int(x.zero), np.abs(bias).max()))
            return bias
        stored, zero = self.array(op, group.weights), int(np.max(element_of(op.inputs[group.weights]).zero))
        weights = stored.astype(np.int16 if stored.dtype.itemsize == 1 else np.int64)
        weights -= zero
        by_channel = (weights.swapaxes(-1, -2) if layer.in_major else weights).reshape(channels, -1)
        _check_sums(op, group, fixed.accumulator_bound(by_channel, low, high, int(x.zero), bias))
        return (bias - int(x.zero) * by_channel.sum(axis=1, dtype=np.int64)).astype(np.int32)

    def array(self, op: GroupOp, index: int) -> np.ndarray:
        """The values of an operand that is constant."""
        constant = op.inputs[index].owner
        if not isinstance(constant, ConstOp):
            text = "a constant bias and table were expected, not computed ones. Choose the c target."
            raise UnsupportedError(Finding(where(op.location, "group"), text, "E0807"))
        return constant.array(self.store)


def element_of(value: SSAValue) -> QuantType:
    """The quantized element type of a value."""
    assert isinstance(value.type, TensorType) and isinstance(value.type.element_type, QuantType)
    return value.type.element_type


def _reach(q: QuantType) -> int:
    low, high = integer_range(q.storage)
    return max(int(np.max(q.zero)) - low, high - int(np.min(q.zero)))


def _check_sums(op: GroupOp, group: Group, bound: np.ndarray) -> None:
    """Raise DnncError when some input could overflow the int32 sums."""
    if bound.max() >= 2**31:
        text = f"sums below 2**31 were expected, not up to {bound.max()} in channel {bound.argmax()}"
        raise DnncError(
            Finding(where(op.location, group.layer.name), f"{text}. Quantize the weights with fewer bits.", "E0808")
        )
