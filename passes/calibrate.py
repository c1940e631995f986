"""Record the range each value takes on unlabelled samples, as an attribute of the operation that makes it.

%1 = dnn.conv %x, %w        ->    %1 = dnn.conv %x, %w attributes {dnn.range = #dnn.reals<[-1.5, 2.25]>}
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, ModuleOp, StringAttr
from xdsl.dialects.func import FuncOp
from xdsl.ir import Operation, OpResult, SSAValue
from xdsl.passes import ModulePass

from dnnc.ir.diagnostics import DnncError, Finding
from dnnc.ir.dnn.attributes import Reals
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.interpret import evaluate, main_function
from dnnc.ir.stages import CALIBRATED
from dnnc.ir.types import element_type, is_float
from dnnc.ir.weights import WeightStore, store_of
from dnnc.passes.analysis.choices import choice_of
from dnnc.passes.analysis.histogram import METHODS, Histogram
from dnnc.passes.analysis.integer_forms import bounds, comes_quantized
from dnnc.passes.analysis.samples import Sample, given_samples, watched
from dnnc.passes.analysis.sources import Samples, samples_of

RANGE = "dnn.range"
SAMPLES = "Give samples with --calibrate X.npz."  # what to do about missing ranges

Method = Literal["min-max", "percentile", "mse", "entropy", "aciq"]


@dataclass(frozen=True)
class CalibratePass(ModulePass):
    """Run samples through the network and note the range of every value: those of `data`, or those of the run.

    `data` is an .npz or .npy file, a folder of arrays or of pictures, these made inputs as `preprocess` says, or `data-free`:
    inputs made up, which batch norms shape (`data-free:0..1` when they lie between 0 and 1). `method` min-max keeps the
    extremes; the others read a histogram: percentile leaves (100 - `percentile`) / 2 percent out at either end, mse takes the
    range with the least squared error at `bits`, entropy the one that keeps the distribution best (KL), aciq the best one of a
    Laplace distribution.
    """

    name = "calibrate"
    data: str = ""
    preprocess: str = ""
    method: Method = "min-max"
    percentile: float = 99.99
    bits: int = 8

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        samples = self._samples(op, store_of(ctx))
        calibrate(op, store_of(ctx), watched(samples, "calibration samples"))
        if self.method != "min-max" or any(_observer(x) for x in main_function(op).body.block.ops):
            self._narrow(op, store_of(ctx), watched(samples, "calibration samples, again"))
        if isinstance(samples, Samples) and not comes_quantized(op):
            op.attributes[CALIBRATED] = StringAttr(f"{self.method}, {samples.told()}")

    def _samples(self, module: ModuleOp, store: WeightStore) -> Sequence[Sample]:
        return samples_of(module, store, self.data, self.preprocess) if self.data else given_samples(self.name)

    def _narrow(self, module: ModuleOp, store: WeightStore, samples: Iterable[Sample]) -> None:
        """Ranges of values that are computed, from histograms; those of inputs are theirs."""
        seen: dict[Operation, Histogram] = {}
        method = {op: _observer(op) or self.method for op in main_function(module).body.block.ops}

        def observe(op: DnnOp, results: Sequence[np.ndarray]) -> None:
            if RANGE in op.attributes and method.get(op, "min-max") != "min-max":
                seen.setdefault(op, Histogram()).add(results[0])

        for sample in samples:
            evaluate(module, sample, store, observe)
        for op, histogram in seen.items():
            if histogram.high > histogram.low:
                op.attributes[RANGE] = Reals(METHODS[method[op]](histogram, self.bits, self.percentile))


def _observer(op: Operation) -> str | None:
    """How a scheme wants the range of a value found; of what bounds or moves one, that of the value."""
    while isinstance(op, DnnOp) and (bounds(op) or op.keeps_type()) and isinstance(op.operands[0].owner, Operation):
        op = op.operands[0].owner
    return choice_of(op).observer


def calibrate(module: ModuleOp, store: WeightStore, samples: Iterable[Sample]) -> int:
    """Annotate every float operation and input with [min, max] over the samples; the number of samples seen."""
    function = main_function(module)
    seen: dict[Operation, tuple[float, float]] = {}
    inputs: list[tuple[float, float]] = [(np.inf, -np.inf)] * len(function.body.block.args)
    count = 0

    def observe(op: DnnOp, results: Sequence[np.ndarray]) -> None:
        if len(results) == 1 and _real(results[0]):
            seen[op] = widened(seen.get(op, (np.inf, -np.inf)), results[0])

    for sample in samples:
        inputs = [widened(r, x) if _real(x) else r for r, x in zip(inputs, sample)]
        evaluate(module, sample, store, observe)
        count += 1
    if not count:
        raise DnncError(
            Finding(
                "calibration", "expected at least one sample, not none. Give an .npz with unlabelled inputs.", "E0111"
            )
        )
    for op, extremes in seen.items():
        op.attributes[RANGE] = Reals(extremes)
    _annotate_inputs(function, inputs)
    return count


def _real(x: np.ndarray) -> bool:
    return is_float(element_type(x.dtype))


def widened(extremes: tuple[float, float], x: np.ndarray) -> tuple[float, float]:
    """The range that also holds x; NaN once a value is."""
    low, high = np.minimum(extremes[0], x.min(initial=np.inf)), np.maximum(extremes[1], x.max(initial=-np.inf))
    return float(low), float(high)


def _annotate_inputs(function: FuncOp, inputs: Sequence[tuple[float, float]]) -> None:
    old = function.arg_attrs.data if function.arg_attrs is not None else [DictionaryAttr({})] * len(inputs)
    attrs = [DictionaryAttr({**a.data, RANGE: Reals(r)}) if r != (np.inf, -np.inf) else a for a, r in zip(old, inputs)]
    function.properties["arg_attrs"] = ArrayAttr(attrs)


def range_of(value: SSAValue) -> tuple[float, float] | None:
    """The calibrated [min, max] of a value, if it was calibrated."""
    if isinstance(value, OpResult):
        attribute = value.op.attributes.get(RANGE)
    else:
        function = value.owner.parent_op()  # pyright: ignore[reportAttributeAccessIssue]
        known = isinstance(function, FuncOp) and function.arg_attrs is not None
        attribute = function.arg_attrs.data[value.index].data.get(RANGE) if known else None  # pyright: ignore
    return (attribute.data[0], attribute.data[1]) if isinstance(attribute, Reals) else None
