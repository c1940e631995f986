"""Layer by layer against ONNX Runtime on a network that comes quantized: which integers differ, and whether a tie is why.

Each layer is fed with what ONNX Runtime gave it, so that errors do not add up. Before it rounds, a layer has the exact value
v = sum * M; both sides round v to an integer, ONNX Runtime after float32 arithmetic of its own. A difference is explained
when v lies so near the middle of two integers, |frac(v) - 1/2| < 2^-15, that one float32 rounding takes it across. Without
fusion ONNX Runtime adds products in float32 too: then the bound is 2^-15 + 2^-24 * (n + 2) * sum |x - z| |w| * M, of n products.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np
import onnx
import onnxruntime
from onnx import ModelProto, NodeProto, helper
from xdsl.ir import SSAValue

from dnnc import api, pipelines
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.contraction import ConvOp, MatmulOp
from dnnc.ir.dnn.integer import QAvgPoolOp, QMulOp, QReduction, QSoftmaxOp, Sum
from dnnc.ir.dnn.movement import ConcatOp, Movement
from dnnc.ir.dnn.quantize import RequantizeOp, along
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.interpret import evaluate, main_function
from dnnc.ir.types import QuantType
from dnnc.ir.weights import store_of
from dnnc.passes.pipeline import Pipeline

NEAR = 2.0**-15
Arrays = dict[str, np.ndarray]


@dataclass
class LayerTies:
    """One layer over all samples: how many integers differ, by how much, how far the farthest is from a tie, how many too far."""

    name: str
    operator: str = "-"
    elements: int = 0
    differing: int = 0
    largest: int = 0
    farthest: float = 0.0
    unexplained: int = 0


def session(model: ModelProto, fused: bool) -> onnxruntime.InferenceSession:
    """ONNX Runtime, with all its optimizations or with none."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    level = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if fused else level.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def quantized_tensors(model: ModelProto) -> list[str]:
    """What a layer ends in: results of QuantizeLinear and of the QLinear operators."""
    weights = {i.name for i in model.graph.initializer}
    ends = [n for n in model.graph.node if n.op_type == "QuantizeLinear" or n.op_type.startswith(("QLinear", "QGemm"))]
    return [n.output[0] for n in ends if n.input[0] not in weights]


def layer_of(model: ModelProto, end: str, known: Arrays) -> tuple[ModelProto, list[str]]:
    """The nodes between known tensors and one more, as a model; and which known tensors it reads."""
    made = {o: n for n in model.graph.node for o in n.output}
    weights = {i.name: i for i in model.graph.initializer}
    nodes: dict[str, NodeProto] = {}
    read: dict[str, None] = {}
    todo = [end]
    while todo:
        name = todo.pop()
        if name in known and name != end:
            read[name] = None
        elif name in made and made[name].output[0] not in nodes:
            nodes[made[name].output[0]] = made[name]
            todo += [i for i in made[name].input if i]
    ordered = [n for n in model.graph.node if n.output[0] in nodes]
    used = {i for n in ordered for i in n.input}
    inputs = [_info(n, known[n]) for n in read]
    graph = helper.make_graph(
        ordered, "layer", inputs, [_info(end, known[end])], [w for n, w in weights.items() if n in used]
    )
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version), list(read)


def _info(name: str, x: np.ndarray) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)


@dataclass(frozen=True)
class Rounded:
    """A value that an operation rounded: what it was exactly, and how far from that another engine may have had it."""

    operator: str
    exact: np.ndarray
    loose: np.ndarray

    def moved(self, op: Movement) -> Rounded:
        """The same after an operation that puts values elsewhere."""
        exact, loose = (op.run([a.reshape(op.shape())])[0] for a in (self.exact, self.loose))
        return Rounded(self.operator, exact, loose)


def given(x: np.ndarray) -> Rounded:
    """Integers that nothing rounded."""
    return Rounded("-", x.astype(np.float64), np.zeros(x.shape))


def joined(parts: Sequence[Rounded], axis: int) -> Rounded:
    """Rounded values one after another along an axis."""
    exact, loose = (np.concatenate([getattr(p, n) for p in parts], axis) for n in ("exact", "loose"))
    return Rounded(parts[0].operator, exact, loose)


@dataclass
class _Followed:
    """The rounded values of a layer, by value; `sums` is how far another engine's sums may be off."""

    values: dict[SSAValue, Rounded] = field(default_factory=dict)
    sums: dict[SSAValue, np.ndarray | float] = field(default_factory=dict)

    def see(self, op: DnnOp, operands: Sequence[np.ndarray]) -> None:
        """Take in an operation that is no contraction."""
        if (found := unrounded(op, operands)) is not None:
            exact, factor = found
            loose = np.broadcast_to(self.sums.get(op.operands[0], 0.0) * factor, exact.shape)
            self.values[op.results[0]] = Rounded(op.name, exact, loose)
            return
        parts = [self.values[v] for v in op.operands if v in self.values]
        if isinstance(op, ConcatOp) and parts:
            each = [self.values.get(v, given(x)) for v, x in zip(op.operands, operands)]
            self.values[op.result] = joined(each, op.axis.data)
        elif len(parts) == 1 and isinstance(op, Movement) and not op.is_view():
            self.values[op.results[0]] = parts[0].moved(op)
        elif len(parts) == 1 and operands[0].size == parts[0].exact.size:
            self.values[op.results[0]] = parts[0]


class Walk:
    """The layers of a model that comes quantized; `add` takes one sample in."""

    def __init__(
        self, model: ModelProto, fused: bool = True, rounding: str = "q31_half_even", real_bias: bool = False
    ) -> None:
        """With `fused` ONNX Runtime optimizes, so that contractions sum integers; `rounding` is that of the integer forms.

        A bias that the model has in float, `real_bias`, is half a product away at most: that much more of v is explained.
        """
        self.model, self.fused, self.real_bias = model, fused, real_bias
        self.names = quantized_tensors(model)
        self.session = session(showing(model, self.names), fused)
        self.passes = f"simplify,quantize-lower{{rounding={rounding} islands=true}},canonicalize,dce"
        self.networks: dict[str, tuple[api.Network, list[str]]] = {}
        self.layers = {name: LayerTies(name) for name in self.names}

    def add(self, feed: Mapping[str, np.ndarray]) -> None:
        """Compare every layer on a sample, each fed with what ONNX Runtime gave the layers before."""
        given = self.session.run(self.names, dict(feed))
        known: Arrays = dict(feed) | {name: np.asarray(x) for name, x in zip(self.names, given)}
        for name, layer in self.layers.items():
            if name not in self.networks:
                self.networks[name] = self._network(name, known)
            network, read = self.networks[name]
            last, ours = self._run(network, [known[n] for n in read])
            _judge(layer, last, ours, known[name])

    def _run(self, network: api.Network, inputs: Sequence[np.ndarray]) -> tuple[Rounded | None, np.ndarray]:
        store, block = store_of(network.ctx), main_function(network.module).body.block
        values: dict[SSAValue, np.ndarray] = dict(zip(block.args, inputs))
        values |= {op.result: op.array(store) for op in block.ops if isinstance(op, ConstOp)}
        followed = _Followed()

        def observe(op: DnnOp, results: Sequence[np.ndarray]) -> None:
            operands = [values[v] for v in op.operands]
            values.update(zip(op.results, results))
            if isinstance(op, ConvOp | MatmulOp):
                followed.sums[op.result] = 0.5 * self.real_bias + (0.0 if self.fused else looseness(op, operands))
            else:
                followed.see(op, operands)

        (ours,) = evaluate(network.module, inputs, store, observe)
        assert block.last_op is not None
        return followed.values.get(block.last_op.operands[0]), ours

    def _network(self, name: str, known: Arrays) -> tuple[api.Network, list[str]]:
        model, read = layer_of(self.model, name, known)
        network = api.load(model)
        pipelines.run_passes(network, Pipeline(self.passes))
        return network, read


def showing(model: ModelProto, names: Sequence[str]) -> ModelProto:
    """A model with more of its tensors among its outputs."""
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    have = {o.name for o in shown.graph.output}
    shown.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names if n not in have)
    return shown


def looseness(op: ConvOp | MatmulOp, operands: Sequence[np.ndarray]) -> np.ndarray:
    """2^-24 * (n + 2) * sum |x - z| |w|: how far float32 sums of n products may be from the exact ones, in their units."""
    x, w, *bias = operands
    sizes = [np.abs(centered(op, i, a)) + _zero(op, i, a) for i, a in enumerate((x, w))]
    total = op.evaluate(sizes[0], sizes[1], np.abs(bias[0]) if bias else None)
    n = prod(op.shape(1)[1:]) if isinstance(op, ConvOp) else op.shape(0)[-1]
    return 2.0**-24 * (n + 2) * total


def centered(op: DnnOp, i: int, x: np.ndarray) -> np.ndarray:
    """Q - z of an operand."""
    return x.astype(np.int64) - _zero(op, i, x)


def _zero(op: DnnOp, i: int, x: np.ndarray) -> np.ndarray:
    q = op.element(i)
    assert isinstance(q, QuantType)
    return along(q.zero, q.axis, x.ndim)


def unrounded(op: DnnOp, operands: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray | float] | None:
    """(what an operation rounds, before its zero point is added, in float64; the factor of sums before it); None for others."""
    if isinstance(op, RequantizeOp):
        x, source = centered(op, 0, operands[0]), op.element()
        assert isinstance(source, QuantType)
        m = np.asarray(along(_factor(op.multipliers()), source.axis, x.ndim))
        return x * m, m
    if isinstance(op, Sum):
        ma, mb, shift = op.multipliers()
        total = centered(op, 0, operands[0]) * ma + centered(op, 1, operands[1]) * mb
        return np.ldexp(total.astype(np.float64), -shift), 1.0
    if isinstance(op, QMulOp):
        return centered(op, 0, operands[0]) * centered(op, 1, operands[1]) * _factor(op.multipliers()), 1.0
    if isinstance(op, QAvgPoolOp | QReduction):
        n = op.counts() if isinstance(op, QAvgPoolOp) else np.array(op.divisor())
        return op.totals(operands[0]) * _factor(op.multiplier_of(n)), 1.0
    if isinstance(op, QSoftmaxOp):
        wide, axis = operands[0].astype(np.int64), op.axis.data
        e = operands[1].astype(np.int64)[wide.max(axis, keepdims=True) - wide]
        return e / e.sum(axis, keepdims=True) / float(op.target().scale), 1.0
    return None


def _factor(multiplier: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    q, shift = multiplier
    return np.ldexp(np.asarray(q, np.float64), -np.asarray(shift, np.int64))


def _judge(layer: LayerTies, last: Rounded | None, ours: np.ndarray, theirs: np.ndarray) -> None:
    difference = np.abs(ours.astype(np.int64) - theirs.astype(np.int64))
    wrong = difference > 0
    layer.operator = last.operator if last is not None else "-"
    layer.elements += ours.size
    layer.differing += (n := int(wrong.sum()))
    layer.largest = max(layer.largest, int(difference.max(initial=0)))
    if n and (last is None or last.exact.size != ours.size):
        layer.farthest, layer.unexplained = np.inf, layer.unexplained + n
    elif n and last is not None:
        v, loose = (a.reshape(ours.shape)[wrong] for a in (last.exact, last.loose))
        far = np.abs(v - np.floor(v) - 0.5)
        layer.farthest = max(layer.farthest, float(far.max()))
        layer.unexplained += int(np.count_nonzero(far >= NEAR + loose))
