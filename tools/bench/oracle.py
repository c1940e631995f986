"""What another engine gives for a network that comes quantized: ONNX Runtime without optimizations, or outputs that are stored.

QONNX and FINN networks run there in standard operators (`tools.bench.qonnx`); those of PULP have stored outputs alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, numpy_helper

from dnnc import api, given, pipelines
from dnnc.ir.dnn.quantize import DequantizeOp
from dnnc.ir.interpret import main_function
from dnnc.ir.types import QuantType, is_float
from tools.bench import qonnx, ties

Sample = Sequence[np.ndarray]


@dataclass(frozen=True)
class Stored:
    """A model of a folder: its network, stored inputs and outputs, and more samples from elsewhere."""

    path: Path
    more: Sequence[Path] = ()

    @property
    def name(self) -> str:
        """Name of its folder."""
        return self.path.parent.name

    @cached_property
    def model(self) -> ModelProto:
        """The model as it stands."""
        return onnx.load(str(self.path))

    @cached_property
    def network(self) -> api.Network:
        """The network, its open dimensions those of the inputs."""
        arrays = {f"arr_{i}": x for i, x in enumerate(self.arrays("input"))}
        return api.load(self.path, given.sizes(str(self.path), arrays, {}))

    def arrays(self, kind: str) -> list[np.ndarray]:
        """The stored inputs or outputs."""
        return [np.load(p) for p in sorted(self.path.parent.glob(f"{kind}_[0-9].npy"))]

    @cached_property
    def samples(self) -> list[Sample]:
        """The stored inputs, then the samples of each further file that belongs to the model."""
        first = self.arrays("input")
        files = [p for p in self.more if self.name.startswith(p.stem.rstrip("0123456789"))]
        return [first, *([_fitting(self.model, x, first[0])] for p in files for x in np.load(p)["x"])]


def _fitting(model: ModelProto, x: np.ndarray, like: np.ndarray) -> np.ndarray:
    """A sample in the shape and type of an input; of an integer input by the scale of the DequantizeLinear that reads it."""
    if like.dtype.kind == "f":
        return x.reshape(like.shape).astype(like.dtype)
    scale, zero = _scale(model, model.graph.input[0].name)
    info = np.iinfo(like.dtype)
    picture = x.dtype == np.uint8 and scale * 255 < 2
    real = x / 255 if picture else x.astype(np.float64)
    return np.clip(np.rint(real / scale) + zero, info.min, info.max).astype(like.dtype).reshape(like.shape)


def _scale(model: ModelProto, name: str) -> tuple[float, int]:
    """Scale and zero point of the first DequantizeLinear behind an input."""
    known = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    reader = next(n for n in model.graph.node if name in n.input)
    if reader.op_type != "DequantizeLinear":
        return _scale(model, reader.output[0])
    return known[reader.input[1]].item(), int(known[reader.input[2]].item())


@dataclass
class Against:
    """The integers of a network against its reference over all samples; `largest` is in steps of the output."""

    name: str
    reference: str
    samples: int = 0
    elements: int = 0
    differing: int = 0
    largest: float = 0.0
    same_class: int = 0
    layers: list[ties.LayerTies] = field(default_factory=list)

    def cells(self) -> list[str]:
        """The row of the table."""
        sums = (sum(getattr(layer, n) for layer in self.layers) for n in ("elements", "differing", "unexplained"))
        inside = [f"{n:,}" for n in sums] if self.layers else ["-"] * 3
        outputs = [f"{self.differing:,} of {self.elements:,}", f"{self.largest:.3g}", f"{self.same_class}"]
        return [self.name, self.reference, str(self.samples), *outputs, *inside]

    def add(self, ours: Sequence[np.ndarray], theirs: Sequence[np.ndarray], step: float) -> None:
        """Take one sample in; elements differ by half a step or more."""
        self.samples += 1
        self.same_class += all(a.argmax() == b.argmax() for a, b in zip(ours, theirs, strict=True))
        for a, b in zip(ours, theirs, strict=True):
            steps = np.abs(a.astype(np.float64) - b) / step
            self.elements += a.size
            self.differing += int(np.count_nonzero(steps >= 0.5))
            self.largest = max(self.largest, float(np.rint(steps).max(initial=0)))


def against(stored: Stored) -> Against:
    """A network as C runs it against the reference, and layer by layer where that shows them."""
    passes = pipelines.default_pipeline("c", stored.network.module, False)
    program = api.compile(stored.network, emit="ir", pipeline=passes).network
    step = output_step(program)
    if any(n.op_type == "RequantShift" for n in stored.model.graph.node):
        found = Against(stored.name, "stored output")
        found.add(program.run(*stored.samples[0]), stored.arrays("output"), step)
        return found
    found, model = Against(stored.name, "ONNX Runtime"), qonnx.standard(stored.model)
    session, names = ties.session(model, False), _inputs(model)
    walk = ties.Walk(model, fused=False, real_bias=any(n.op_type == "Quant" for n in stored.model.graph.node))
    for sample in stored.samples:
        feed = dict(zip(names, sample))
        found.add(program.run(*sample), [np.asarray(a) for a in session.run(None, feed)], step)
        walk.add(feed)
    found.layers = list(walk.layers.values())
    return found


def _inputs(model: ModelProto) -> list[str]:
    weights = {i.name for i in model.graph.initializer}
    return [i.name for i in model.graph.input if i.name not in weights]


def output_step(network: api.Network) -> float:
    """The scale of an output that stands for integers, for other real numbers 2^-8 of their unit, for integers 1."""
    end = main_function(network.module).body.block.last_op
    assert end is not None
    made = end.operands[0].owner
    if isinstance(made, DequantizeOp) and isinstance(q := made.element(), QuantType):
        return float(np.max(q.scale))
    return 2.0**-8 if is_float(end.operands[0].type.element_type) else 1.0  # pyright: ignore[reportAttributeAccessIssue]
