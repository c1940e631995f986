"""A network layer by layer: how far its integers are from its floats, and where two executors first differ in a bit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from xdsl.dialects.builtin import ModuleOp, NameLoc, NoneAttr, StringAttr
from xdsl.ir import SSAValue

from dnnc import api, pipelines
from dnnc.diff_page import body, page, shortened
from dnnc.ir.arch import MODULE_ATTRIBUTE, AcceleratorAttr
from dnnc.ir.diagnostics import DnncError, Finding, node_names
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.elementwise import Unary
from dnnc.ir.dnn.quantize import DequantizeOp, QuantizeOp
from dnnc.ir.dnn.structure import ConstOp, GroupOp
from dnnc.ir.interpret import evaluate, main_function
from dnnc.ir.types import QuantType, is_float, shape_of, tensor_text
from dnnc.ir.weights import store_of
from dnnc.passes.analysis.errors import Errors
from dnnc.passes.fuse_groups import FuseGroupsPass
from dnnc.passes.pipeline import Pipeline
from dnnc.passes.quantize import QuantizePass
from dnnc.passes.quantize_dynamic import QuantizeDynamicPass
from dnnc.passes.tile import TilePass
from dnnc.progress import each, phase

if TYPE_CHECKING:
    from dnnc.backends.npu.target import Executable

ON = ("c", "npu")
Values = Mapping[object, np.ndarray]
Executor = Callable[[Sequence[np.ndarray]], Values]


@dataclass
class Layer:
    """A layer of the compiled network: the float value it stands for, its own, and what was found of it."""

    name: str
    reference: SSAValue
    value: SSAValue
    inner: SSAValue  # the same inside its group, where C sees it
    label: str  # of its stores on the accelerator
    errors: Errors
    differs: dict[str, int] = field(default_factory=dict)

    def key(self, executor: str) -> object:
        """What an executor calls its value."""
        return {"c": self.inner, "npu": self.label}.get(executor, self.value)

    def to_dict(self, executors: Sequence[str]) -> dict[str, Any]:
        """The layer as JSON has it; `differs` is null where an executor keeps no such tensor."""
        facts = {"name": self.name, "type": tensor_text(self.value.type), **self.errors.to_dict()}
        return facts | {"differs": {e: self.differs.get(e) for e in executors}}


@dataclass(frozen=True)
class Difference:
    """The first layer, in the order of the network, whose bits an executor has otherwise than the interpreter.

    `integer` is false for a layer left in float, where executors may round differently.
    """

    layer: str
    executor: str
    sample: int
    elements: int
    integer: bool


@dataclass(frozen=True)
class Diff:
    """What `diff` found: every layer over all samples, and the first difference in bits if there is one."""

    name: str
    target: str
    samples: int
    executors: tuple[str, ...]
    layers: tuple[Layer, ...]
    first: Difference | None

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON has it."""
        return {
            "model": self.name,
            "target": self.target,
            "samples": self.samples,
            "executors": list(self.executors),
            "first_difference": vars(self.first) if self.first else None,
            "layers": [layer.to_dict(self.executors) for layer in self.layers],
        }

    def table(self) -> tuple[list[str], list[list[object]]]:
        """Heads and rows, a layer each."""
        differs = [f"!= {e}" for e in self.executors]
        heads = ["layer", "max error", "mean error", "SNR [dB]", "cosine", "saturated", *differs]
        rows = [self._row(layer.to_dict(self.executors)) for layer in self.layers]
        return heads, rows

    @staticmethod
    def _row(facts: Mapping[str, Any]) -> list[object]:
        numbers = [_short(facts[k]) for k in ("max_error", "mean_error")]
        snr = None if facts["snr_db"] is None else f"{facts['snr_db']:.1f}"
        cosine = None if facts["cosine"] is None else f"{facts['cosine']:.5f}"
        return [shortened(facts["name"]), *numbers, snr, cosine, facts["saturated"], *facts["differs"].values()]

    def verdict(self) -> str:
        """One sentence on the bits."""
        if self.first is None:
            return f"every bit is the interpreter's on {' and '.join(self.executors)}" if self.executors else ""
        f = self.first
        told = f"{f.layer} is the first layer that differs: {f.elements:,} elements on {f.executor}, sample {f.sample}"
        return told if f.integer else f"{told}; it is in float, where executors may round differently"

    def save(self, path: str | Path) -> None:
        """Write the page (.html)."""
        from dnnc.ir.weights import atomic_file

        with atomic_file(path) as f:
            f.write(self.html().encode())

    def html(self) -> str:
        """A page of its own: signal to noise of each layer as bars, figures, and histograms of the errors."""
        return page(self)

    def _repr_html_(self) -> str:
        return body(self)


def _short(x: float | None) -> str | None:
    return None if x is None else f"{x:.4g}"


def diff(
    model: api.Network | str | Path,
    inputs: api.Samples,
    target: str = api.DEFAULT_TARGET,
    calibrate: api.Samples | None = None,
    on: Sequence[str] = ON,
) -> Diff:
    """Compare each layer of a network in float with what it is once compiled, and the executors with the interpreter.

    `inputs` are samples as for `compile`. Errors are those of the integers read as reals; bits are compared between the
    interpreter and each of `on` (c, npu).
    """
    network = model if isinstance(model, api.Network) else api.load(model)
    if unknown := [e for e in on if e not in ON]:
        raise DnncError(Finding("--on", f"expected some of {', '.join(ON)}, not '{unknown[0]}'.", "E0109"))
    real, fused, tiled = _compiled(network, target, calibrate, on)
    layers = matched(real.module, fused.module)
    if not layers:
        todo = "Give a network whose layers have names."
        raise DnncError(Finding(network.name, f"expected a layer to compare, found none. {todo}", "E0720"))
    samples = pipelines.as_samples(real, inputs)
    executors = {e: _executor(e, fused, tiled, target) for e in on}
    first = _compare(layers, real, fused, executors, samples)
    return Diff(network.name, target, len(samples), tuple(on), tuple(layers), first)


def _compiled(
    network: api.Network, target: str, calibrate: api.Samples | None, on: Sequence[str]
) -> tuple[api.Network, api.Network, api.Network | None]:
    """The network before it is quantized, as it is run, and with a place for everything if the accelerator runs it."""
    real = network.clone()
    real.module.attributes[MODULE_ATTRIBUTE] = AcceleratorAttr(api.load_target(target))
    npu = "npu" in on
    passes = Pipeline("npu" if npu else pipelines.default_of(network, "c", calibrate))
    cut = next(i for i, p in enumerate(passes) if isinstance(p, QuantizePass | QuantizeDynamicPass | FuseGroupsPass))
    end = next((i for i, p in enumerate(passes) if isinstance(p, TilePass)), len(passes))
    calibrate = pipelines.settled(network, passes, calibrate)
    pipelines.run_passes(real, passes[:cut])
    fused = real.clone()
    pipelines.run_passes(fused, passes[cut:end], calibrate)
    if not npu:
        return real, fused, None
    tiled = fused.clone()
    number_groups(tiled.module)
    pipelines.run_passes(tiled, passes[end:])
    return real, fused, tiled


def number_groups(module: ModuleOp) -> None:
    """Name each group and what is in it by its number, so that its stores are known when it is scheduled, cut or not."""
    for i, group in enumerate(op for op in _operations(module) if isinstance(op, GroupOp)):
        for op in group.walk():
            op.location = NameLoc(StringAttr(str(i)), NoneAttr())


def matched(real: ModuleOp, fused: ModuleOp) -> list[Layer]:
    """The layers of a compiled network, each with the float value of its last source node."""
    named = {names[-1]: op for op in _operations(real) if (names := node_names(op.location))}
    kept = {name for op in fused.walk() for name in node_names(op.location)}
    layers, groups = [], 0
    for op in _operations(fused):
        label = f"node '{groups}'" if isinstance(op, GroupOp) else ""
        groups += isinstance(op, GroupOp)
        names = node_names(op.location)
        source = named.get(names[-1]) if names else None
        if source is None or isinstance(op, QuantizeOp | DequantizeOp) or not _comparable(source, op):
            continue
        reference = _last_of_chain(source, kept)
        name = "+".join(dict.fromkeys([*names, *node_names(reference.location)]))
        inner = op.yielded()[0] if isinstance(op, GroupOp) else op.results[0]
        layers.append(
            Layer(
                name, reference.results[0], op.results[0], inner, label, Errors(_quantized(op), _quantized(reference))
            )
        )
    return layers


def _operations(module: ModuleOp) -> list[DnnOp]:
    block = main_function(module).body.block
    return [op for op in block.ops if isinstance(op, DnnOp) and not isinstance(op, ConstOp) and len(op.results) == 1]


def _comparable(source: DnnOp, op: DnnOp) -> bool:
    a, b = source.results[0].type, op.results[0].type
    number = all(_quantized(o) is not None or is_float(o.results[0].type.element_type) for o in (source, op))  # pyright: ignore
    return shape_of(a) == shape_of(b) and number


def _quantized(op: DnnOp) -> QuantType | None:
    element = op.results[0].type.element_type  # pyright: ignore[reportAttributeAccessIssue]
    return element if isinstance(element, QuantType) else None


def _last_of_chain(op: DnnOp, kept: set[str]) -> DnnOp:
    """The last of the layers after one that have no operation of their own left: a ReLU that became a bound."""
    while len(uses := list(op.results[0].uses)) == 1:
        user = uses[0].operation
        if not isinstance(user, Unary) or kept.intersection(node_names(user.location)):
            break
        if shape_of(user.results[0].type) != shape_of(op.results[0].type) or not node_names(user.location):
            break
        op = user
    return op


def _executor(name: str, fused: api.Network, tiled: api.Network | None, target: str) -> Executor:
    return _c(fused) if tiled is None or name == "c" else _npu(tiled, target)


def _c(fused: api.Network) -> Executor:
    from dnnc.backends.c.target import Options, compile_and_load, emit

    with phase("C compiler"):
        program = emit(fused.module, fused.ctx, api.c_name(fused.name), Options(probe=True))
        compiled = compile_and_load(program)

    def run(sample: Sequence[np.ndarray]) -> Values:
        seen: dict[object, np.ndarray] = {}
        compiled.watched(lambda value, x: seen.update({value: x}), *sample)
        return seen

    return run


def _npu(tiled: api.Network, target: str) -> Executor:
    from dnnc.backends.npu.probe import Probe
    from dnnc.backends.npu.target import Executable, assemble

    file: Executable = Executable(assemble(tiled.module, tiled.ctx), api.load_target(target))

    def run(sample: Sequence[np.ndarray]) -> Values:
        seen: dict[object, np.ndarray] = {}

        def keep(node: str, x: np.ndarray) -> None:
            seen[node] = x

        file.run(sample, watch=Probe(tiled.module, keep))
        return seen

    return run


def _compare(
    layers: Sequence[Layer],
    real: api.Network,
    fused: api.Network,
    executors: Mapping[str, Executor],
    samples: Sequence[Sequence[np.ndarray]],
) -> Difference | None:
    """Run every sample everywhere and add up what is found; the earliest layer that differs."""
    found: dict[tuple[int, int], Difference] = {}
    for number, sample in enumerate(each(samples, "samples compared")):
        floats = _interpreted(real, [layer.reference for layer in layers], sample)
        integers = _interpreted(fused, [layer.value for layer in layers], sample)
        for layer in layers:
            layer.errors.add(floats[layer.reference], integers[layer.value])
        for name, run in executors.items():
            seen = run(sample)
            for i, layer in enumerate(layers):
                n = differing(integers[layer.value], seen.get(layer.key(name)))
                if n is None:
                    continue
                layer.differs[name] = layer.differs.get(name, 0) + n
                if n:
                    integer = layer.errors.element is not None
                    found.setdefault((i, number), Difference(layer.name, name, number, n, integer))
    return found[min(found)] if found else None


def _interpreted(network: api.Network, wanted: Sequence[SSAValue], sample: Sequence[np.ndarray]) -> Values:
    """Values of the interpreter."""
    keys, values = set(wanted), dict[object, np.ndarray]()

    def observe(op: DnnOp, results: Sequence[np.ndarray]) -> None:
        values.update((v, x) for v, x in zip(op.results, results) if v in keys)

    evaluate(network.module, sample, store_of(network.ctx), observe)
    return values


def differing(a: np.ndarray, b: np.ndarray | None) -> int | None:
    """How many elements have other bits; None when there is no such tensor."""
    if b is None or b.shape != a.shape or b.dtype != a.dtype:
        return None
    same = np.ascontiguousarray(a).view(np.uint8) == np.ascontiguousarray(b).view(np.uint8)
    return int(np.count_nonzero(~same.reshape(-1, a.itemsize).all(1)))
