"""Old operators as opset 21 writes them, so that the importer knows one opset.

A rule `(since, rewrite)` says: a node read by an opset below `since` means the nodes that `rewrite` gives, read by
opset `since`. Rules see the shapes of operands, since broadcasting and flattening once depended on attributes that the
new operators express with Reshape. (`onnx.version_converter` does the same for a whole model; it stops at the first
operator it does not know, at nodes out of order and at attributes newer than the stamp, and skips subgraphs.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Protocol

import numpy as np
from onnx import TensorProto

from dnnc.frontend.onnx.graph import Node

NEWEST = 28  # the newest opset whose operators were read when this was written


class Surroundings(Protocol):
    """What a rule may ask of the graph around its node."""

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a tensor."""
        ...

    def dtype(self, name: str) -> np.dtype:
        """Numpy type of a tensor."""
        ...

    def values(self, name: str) -> np.ndarray:
        """Values of a constant tensor."""
        ...

    def constant(self, array: np.ndarray) -> str:
        """Name of a new constant tensor."""
        ...

    def fresh(self, hint: str) -> str:
        """A tensor name not in use."""
        ...


Rewrite = Callable[[Node, Surroundings], list[Node]]


@dataclass(frozen=True)
class Rule:
    """Nodes stamped below opset `since` are rewritten."""

    since: int
    rewrite: Rewrite


def upgraded(node: Node, around: Surroundings) -> list[Node]:
    """The nodes a node means in today's operators; the node itself when nothing changed."""
    if node.domain:
        return [node]
    if node.version < 6 and "consumed_inputs" in node.attributes:  # a hint for in-place execution
        node = node.with_attributes(drop=("consumed_inputs",))
    for rule in RULES.get(node.op, ()):
        if node.version < rule.since:
            new = rule.rewrite(replace(node, version=rule.since), around)
            return [n for part in new for n in upgraded(part, around)]
    return [node]


def _drop(*names: str) -> Rewrite:
    """Attributes that say nothing about inference."""
    return lambda node, around: [node.with_attributes(drop=names)]


def _default(**values: Any) -> Rewrite:
    """Attributes whose default changed."""
    return lambda node, around: [node.with_attributes(**{**values, **node.attributes})]


def _rename(**names: str) -> Rewrite:
    """Attributes that got another name."""

    def rewrite(node: Node, around: Surroundings) -> list[Node]:
        moved = {new: node.attributes[old] for old, new in names.items() if old in node.attributes}
        return [node.with_attributes(drop=names, **moved)]

    return rewrite


def _operator(name: str) -> Rewrite:
    """An operator that got another name."""
    return lambda node, around: [replace(node, op=name)]


def _inputs(**places: int) -> Rewrite:
    """Integer attributes that became inputs: name -> position of the input."""

    def rewrite(node: Node, around: Surroundings) -> list[Node]:
        for name, at in places.items():
            if name in node.attributes:
                node = node.with_input(at, around.constant(np.array(node.attributes[name], np.int64)))
        return [node.with_attributes(drop=places)]

    return rewrite


def _broadcast(node: Node, around: Surroundings) -> list[Node]:
    """Before opset 7: `b` is aligned with the dimensions of `a` from `axis` on."""
    axis = node.attributes.get("axis")
    node = node.with_attributes(drop=("axis", "broadcast"))
    if axis is None:
        return [node]
    a, b = around.shape(node.input(0)), around.shape(node.input(1))
    trailing = len(a) - len(b) - (axis % max(1, len(a)))
    return _reshaped_input(node, 1, (*b, *(1,) * trailing), around) if trailing > 0 else [node]


def _reshaped_input(node: Node, i: int, shape: tuple[int, ...], around: Surroundings) -> list[Node]:
    """The node with its i-th input reshaped first."""
    new = around.fresh(node.input(i))
    return [_reshape(node, node.input(i), new, shape, around), node.with_input(i, new)]


def _reshape(node: Node, source: str, result: str, shape: tuple[int, ...], around: Surroundings) -> Node:
    inputs = (source, around.constant(np.array(shape, np.int64)))
    return replace(node, op="Reshape", inputs=inputs, outputs=(result,), attributes={"allowzero": 1})


def _prelu(node: Node, around: Surroundings) -> list[Node]:
    """Before opset 7: a slope for each channel."""
    x, slope = around.shape(node.input(0)), around.shape(node.input(1))
    if len(slope) != 1 or slope == (1,) or len(x) < 3:
        return [node]
    return _reshaped_input(node, 1, (*slope, *(1,) * (len(x) - 2)), around)


def _batch_norm(node: Node, around: Surroundings) -> list[Node]:
    """Before opset 9: spatial = 0 has statistics for each element of a sample."""
    spatial = node.attributes.get("spatial", 1)
    node = node.with_attributes(drop=("spatial", "is_test"))
    if spatial:
        return [node]
    shape = around.shape(node.input(0))
    n = prod(shape[1:])
    parts: list[Node] = []
    for i, flat in enumerate([(shape[0], n), *[(n,)] * 4]):
        *new, node = _reshaped_input(node, i, flat, around)
        parts += new
    y = around.fresh(node.outputs[0])
    return [*parts, replace(node, outputs=(y,)), _reshape(node, y, node.outputs[0], shape, around)]


def _cast(node: Node, around: Surroundings) -> list[Node]:
    """Before opset 6: the type by its name."""
    to = node.attributes.get("to")
    if isinstance(to, str) and to.upper() in TensorProto.DataType.keys():  # noqa: SIM118
        node = node.with_attributes(to=TensorProto.DataType.Value(to.upper()))
    return [node]


def _clip(node: Node, around: Surroundings) -> list[Node]:
    """Before opset 11: the bounds as attributes."""
    for i, name in enumerate(("min", "max"), 1):
        if name in node.attributes:
            bound = np.array(node.attributes[name]).astype(around.dtype(node.input(0)))
            node = node.with_input(i, around.constant(bound))
    return [node.with_attributes(drop=("min", "max"))]


def _softmax(node: Node, around: Surroundings) -> list[Node]:
    """Before opset 13: over all dimensions from `axis` (1 by default) on, flattened."""
    shape = around.shape(node.input(0))
    axis = node.attributes.get("axis", 1) % max(1, len(shape))
    if prod(shape[axis + 1 :]) == 1:
        return [node.with_attributes(axis=axis)]
    first, *_, softmax = _reshaped_input(node, 0, (prod(shape[:axis]), prod(shape[axis:])), around)
    y = around.fresh(node.outputs[0])
    last = _reshape(node, y, node.outputs[0], shape, around)
    return [first, replace(softmax, outputs=(y,)).with_attributes(axis=-1), last]


def _pad(node: Node, around: Surroundings) -> list[Node]:
    """Before opset 11: pads and value as attributes."""
    (node,) = _inputs(pads=1)(node, around)
    if "value" in node.attributes:
        value = np.array(node.attributes["value"]).astype(around.dtype(node.input(0)))
        node = node.with_input(2, around.constant(value))
    return [node.with_attributes(drop=("value",))]


def _upsample_attributes(node: Node, around: Surroundings) -> list[Node]:
    """Before opset 7: a scale for the width and one for the height."""
    scales = [1.0, 1.0, node.attributes.get("height_scale", 1.0), node.attributes.get("width_scale", 1.0)]
    old = ("height_scale", "width_scale")
    return [node.with_attributes(drop=old, scales=node.attributes.get("scales", scales))]


def _upsample_input(node: Node, around: Surroundings) -> list[Node]:
    """Before opset 9: the scales as an attribute."""
    if "scales" in node.attributes:
        node = node.with_input(1, around.constant(np.array(node.attributes["scales"], np.float32)))
    return [node.with_attributes(drop=("scales",))]


def _resize(node: Node, around: Surroundings) -> list[Node]:
    """Before opset 11 (and as Upsample): no region, coordinates x / scale, rounded down."""
    inputs = (node.input(0), "", *node.inputs[1:])
    node = replace(node, op="Resize", inputs=inputs)
    return [node.with_attributes(coordinate_transformation_mode="asymmetric", nearest_mode="floor")]


def _tile(node: Node, around: Surroundings) -> list[Node]:
    """Before opset 6: `tiles` repeats along one `axis`, both inputs."""
    repeats = np.ones(len(around.shape(node.input(0))), np.int64)
    repeats[int(around.values(node.input(2)).item())] = int(around.values(node.input(1)).item())
    return [replace(node, inputs=(node.input(0), around.constant(repeats)))]


def _group_norm(node: Node, around: Surroundings) -> list[Node]:
    """Before opset 21: one scale and shift for each group instead of each channel."""
    groups, channels = node.attributes.get("num_groups", 0), around.shape(node.input(0))[1]
    if groups < 1 or channels % groups:
        return [node]
    parts: list[Node] = []
    for i in (1, 2):
        *new, node = _reshaped_input(node, i, (groups, 1), around)
        spread = around.fresh(node.input(i))
        size = around.constant(np.array([groups, channels // groups], np.int64))
        expand = replace(node, op="Expand", inputs=(node.input(i), size), outputs=(spread,), attributes={})
        *flat, node = _reshaped_input(node.with_input(i, spread), i, (channels,), around)
        parts += [*new, expand, *flat]
    return [*parts, node]


def _whole_p(node: Node, around: Surroundings) -> list[Node]:
    """Before opset 2: p as a real number."""
    p = node.attributes.get("p", 2.0)
    return [node.with_attributes(p=int(p) if float(p).is_integer() else p)]


_ALIGNED = (Rule(7, _broadcast),)
_FLATTENED = (Rule(13, _softmax),)
_AXES = (Rule(18, _inputs(axes=1)),)

RULES: dict[str, tuple[Rule, ...]] = {
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor"), _ALIGNED),
    **dict.fromkeys(("Equal", "Greater", "Less"), _ALIGNED),
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax"), _FLATTENED),
    **dict.fromkeys(("ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2"), _AXES),
    **dict.fromkeys(("ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare"), _AXES),
    **dict.fromkeys(("ReduceSum", "Squeeze", "Unsqueeze"), (Rule(13, _inputs(axes=1)),)),
    **dict.fromkeys(("LpPool", "GlobalLpPool"), (Rule(2, _whole_p),)),
    "BatchNormalization": (Rule(9, _batch_norm),),
    "Cast": (Rule(6, _cast),),
    "Clip": (Rule(11, _clip),),
    "Concat": (Rule(4, _default(axis=1)),),
    "Dropout": (Rule(12, _drop("is_test", "ratio")),),
    "Gemm": (Rule(7, _drop("broadcast")),),
    "GroupNormalization": (Rule(21, _group_norm),),
    "PRelu": (Rule(7, _prelu),),
    "Pad": (Rule(2, _rename(paddings="pads")), Rule(11, _pad)),
    "Reshape": (Rule(5, _inputs(shape=1)),),
    "Resize": (Rule(11, _resize),),
    "Scatter": (Rule(11, _operator("ScatterElements")),),
    "Selu": (Rule(6, _default(alpha=1.6732, gamma=1.0507)),),
    "Slice": (Rule(10, _inputs(starts=1, ends=2, axes=3)),),
    "Split": (Rule(13, _inputs(split=1)),),
    "Tile": (Rule(6, _tile),),
    "TopK": (Rule(10, _inputs(k=1)),),
    "Upsample": (Rule(7, _upsample_attributes), Rule(9, _upsample_input), Rule(NEWEST + 1, _resize)),
}
