"""Networks of QONNX and FINN in operators that ONNX Runtime knows, by the formulas their repositories state.

Quant with a whole zero point and ROUND is Clip, QuantizeLinear, DequantizeLinear; of an initializer it is a DequantizeLinear of
its integers. MultiThreshold is comparisons that are counted: out_scale * sum_k [x >= t_k] + out_bias.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper


def standard(model: ModelProto) -> ModelProto:
    """The model without operators of QONNX and FINN, in the same opset."""
    out = onnx.ModelProto()
    out.CopyFrom(model)
    known = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    rewriting = _Rewriting(known)
    for node in model.graph.node:
        RULES.get(node.op_type, _Rewriting.keep)(rewriting, node)
    del out.graph.node[:], out.graph.value_info[:], out.opset_import[:]
    out.graph.node.extend(rewriting.nodes)
    out.graph.initializer.extend(rewriting.initializers)
    opset = next(o.version for o in model.opset_import if o.domain == "")
    out.opset_import.append(helper.make_opsetid("", max(opset, 13)))
    return out


@dataclass
class _Rewriting:
    known: dict[str, np.ndarray]
    nodes: list[NodeProto] = field(default_factory=list)
    initializers: list[TensorProto] = field(default_factory=list)

    def keep(self, node: NodeProto) -> None:
        """A node as it is; axes of views are inputs from opset 13 on."""
        axes = next((list(a.ints) for a in node.attribute if a.name == "axes"), None)
        if node.op_type in ("Squeeze", "Unsqueeze") and axes is not None:
            return self.node(node.op_type, [node.input[0], self.array(node, "axes", np.array(axes))], node.output[0])
        self.nodes.append(node)

    def node(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> None:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=f"{kind}_{output}", **attributes))

    def array(self, node: NodeProto, what: str, values: np.ndarray | np.floating) -> str:
        """The name of a new initializer."""
        name = f"{node.output[0]}_{what}"
        self.initializers.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def quant(self, node: NodeProto) -> None:
        """Y = s * round(clip(x / s, low, high))."""
        options = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        scale, zero, bits = (self.known[n] for n in node.input[1:4])
        if options.get("rounding_mode", b"ROUND") != b"ROUND" or np.any(zero):
            raise ValueError(f"{node.name}: ROUND and zero point 0 were expected")
        low, high = bounds(int(bits), bool(options.get("signed", 1)), bool(options.get("narrow", 1)))
        kind = np.int8 if low < 0 else np.uint8
        axis = int(np.argmax(scale.shape)) if scale.size > 1 else 0
        y, s = node.output[0], self.array(node, "s", scale.reshape(-1) if scale.size > 1 else scale.reshape(()))
        z = self.array(node, "z", np.zeros(scale.size if scale.size > 1 else (), kind))
        if (x := self.known.get(node.input[0])) is not None:
            q = self.array(node, "q", np.clip(np.rint(x / scale), low, high).astype(kind))
            return self.node("DequantizeLinear", [q, s, z], y, axis=axis)
        ends = [self.array(node, e, np.float32(v) * scale.reshape(())) for e, v in (("low", low), ("high", high))]
        self.node("Clip", [node.input[0], *ends], f"{y}_clipped")
        self.node("QuantizeLinear", [f"{y}_clipped", s, z], f"{y}_q")
        self.node("DequantizeLinear", [f"{y}_q", s, z], y)

    def thresholds(self, node: NodeProto) -> None:
        """out_scale * (number of thresholds not above x) + out_bias, for [N, C] and one row of thresholds for all."""
        options = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        levels = self.known[node.input[1]]
        if len(levels) != 1:
            raise ValueError(f"{node.name}: one row of thresholds was expected")
        y = node.output[0]
        self.node("Unsqueeze", [node.input[0], self.array(node, "last", np.array([-1]))], f"{y}_each")
        self.node("Less", [f"{y}_each", self.array(node, "levels", levels[0])], f"{y}_below")
        self.node("Not", [f"{y}_below"], f"{y}_reached")
        self.node("Cast", [f"{y}_reached"], f"{y}_ones", to=TensorProto.FLOAT)
        self.node("ReduceSum", [f"{y}_ones", self.array(node, "axis", np.array([-1]))], f"{y}_count", keepdims=0)
        factor, offset = (np.float32(options.get(n, d)) for n, d in (("out_scale", 1.0), ("out_bias", 0.0)))
        self.node("Mul", [f"{y}_count", self.array(node, "scale", factor)], f"{y}_scaled")
        self.node("Add", [f"{y}_scaled", self.array(node, "bias", offset)], y)


def bounds(bits: int, signed: bool, narrow: bool) -> tuple[int, int]:
    """Smallest and largest integer; `narrow` leaves one out."""
    return (-(2 ** (bits - 1)) + narrow, 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1 - narrow)


RULES: dict[str, Callable[[_Rewriting, NodeProto], None]] = {
    "Quant": _Rewriting.quant,
    "MultiThreshold": _Rewriting.thresholds,
}
