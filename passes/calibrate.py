"""Record the range each value takes on unlabelled samples, as an attribute of the operation that makes it.

%1 = dnn.conv %x, %w        ->    %1 = dnn.conv %x, %w attributes {dnn.range = #dnn.reals<[-1.5, 2.25]>}
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from zipfile import BadZipFile

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, ModuleOp
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute, Operation, OpResult, SSAValue
from xdsl.passes import ModulePass

from dnnc.ir.diagnostics import DnncError, Finding
from dnnc.ir.dnn.attributes import Reals
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.interpret import evaluate, input_names, main_function
from dnnc.ir.types import shape_of, tensor_text
from dnnc.ir.weights import WeightStore, store_of
from dnnc.passes.analysis.histogram import METHODS, Histogram
from dnnc.passes.analysis.samples import given_samples

RANGE = "dnn.range"


@dataclass(frozen=True)
class CalibratePass(ModulePass):
    """Run samples through the network and note the range of every value: those of the file `data`, or those of the run.

    `method` min-max keeps the extremes; the others read a histogram: percentile leaves (100 - `percentile`) / 2 percent out at
    either end, mse takes the range with the least squared error at `bits`, entropy the one that keeps the distribution best
    (KL), aciq the best one of a Laplace distribution.
    """

    name = "calibrate"
    data: str = ""
    method: Literal["min-max", "percentile", "mse", "entropy", "aciq"] = "min-max"
    percentile: float = 99.99
    bits: int = 8

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        samples = load_samples(Path(self.data), main_function(op)) if self.data else given_samples(self.name)
        calibrate(op, store_of(ctx), samples)
        if self.method != "min-max":
            self._narrow(op, store_of(ctx), samples)

    def _narrow(self, module: ModuleOp, store: WeightStore, samples: Iterable[Sequence[np.ndarray]]) -> None:
        """Ranges of values that are computed, from histograms; those of inputs are theirs."""
        seen: dict[Operation, Histogram] = {}

        def observe(op: DnnOp, results: Sequence[np.ndarray]) -> None:
            if RANGE in op.attributes:
                seen.setdefault(op, Histogram()).add(results[0])

        for sample in samples:
            evaluate(module, sample, store, observe)
        for op, histogram in seen.items():
            if histogram.high > histogram.low:
                op.attributes[RANGE] = Reals(METHODS[self.method](histogram, self.bits, self.percentile))


def calibrate(module: ModuleOp, store: WeightStore, samples: Iterable[Sequence[np.ndarray]]) -> int:
    """Annotate every float operation and input with [min, max] over the samples; the number of samples seen."""
    function = main_function(module)
    seen: dict[Operation, tuple[float, float]] = {}
    inputs: list[tuple[float, float]] = [(np.inf, -np.inf)] * len(function.body.block.args)
    count = 0

    def observe(op: DnnOp, results: Sequence[np.ndarray]) -> None:
        if len(results) == 1 and np.issubdtype(results[0].dtype, np.floating):
            seen[op] = widened(seen.get(op, (np.inf, -np.inf)), results[0])

    for sample in samples:
        inputs = [widened(r, x) if np.issubdtype(x.dtype, np.floating) else r for r, x in zip(inputs, sample)]
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


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Arrays of an .npz file by name, or the one of an .npy file; a located error for anything else."""
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {path.stem: loaded}
        with loaded:
            return {k: loaded[k] for k in loaded.files}
    except FileNotFoundError as e:
        message = "expected an .npz or .npy file, found nothing there. Check the path."
        raise DnncError(Finding(str(path), message, "E0101")) from e
    except (ValueError, OSError, EOFError, KeyError, BadZipFile, NotImplementedError) as e:
        reason = str(e).split(". ")[0]
        message = f"expected an .npz or .npy file with numeric arrays, not this ({reason}). Write it with numpy.savez."
        raise DnncError(Finding(str(path), message, "E0110")) from e


def chosen(names: Sequence[str], arrays: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """The arrays of a file for these inputs: by name, else in order where no array has a name or there is one of each.

    Nothing when neither holds. `arr_0`, `arr_1`, .. are the names numpy.savez gives to arrays without one.
    """
    if set(names) <= set(arrays):
        return [arrays[n] for n in names]
    unnamed = all(re.fullmatch(r"arr_\d+", n) for n in arrays)
    return list(arrays.values()) if unnamed or len(names) == len(arrays) == 1 else []


def inputs_of(names: Sequence[str], arrays: Mapping[str, np.ndarray], source: str) -> list[np.ndarray]:
    """The array of each input, as `chosen`; DnncError where one has none."""
    found = chosen(names, arrays)
    if len(found) < len(names):
        message = f"expected arrays for the inputs {', '.join(names)}, not {', '.join(arrays) or 'none'}."
        raise DnncError(Finding(source, message, "E0115"))
    return found[: len(names)]


def load_samples(path: Path, function: FuncOp) -> list[list[np.ndarray]]:
    """Samples of an .npz or .npy file, its arrays taken as `chosen` says: [N, ...] is cut into N of the input's shape."""
    names, arrays = input_names(function), read_arrays(path)
    if "labels" not in names:
        arrays.pop("labels", None)
    inputs = inputs_of(names, arrays, str(path))
    return cut_samples(inputs, function.function_type.inputs.data, str(path))


def cut_samples(arrays: Sequence[np.ndarray], types: Sequence[Attribute], where: str) -> list[list[np.ndarray]]:
    """Arrays [N, ...] as samples that fit inputs of these types."""
    columns = []
    for x, type_ in zip(arrays, types):
        shape = shape_of(type_)
        size = int(np.prod(shape, dtype=np.int64))
        one = shape[1:] if shape and shape[0] == 1 and x.shape[1:] == shape[1:] else shape
        if x.shape == shape:
            columns.append([x])
        elif x.ndim and x.shape[1:] in (one, shape) and size:
            columns.append([x[i].reshape(shape) for i in range(x.shape[0])])
        else:
            got = "x".join(map(str, x.shape))
            raise DnncError(
                Finding(
                    where, f"expected samples of {tensor_text(type_)} stacked along a first axis, not {got}.", "E0112"
                )
            )
    counts = [len(column) for column in columns]
    if len(set(counts)) > 1:
        raise DnncError(Finding(where, f"expected as many samples for every input, not {counts}.", "E0113"))
    return [list(row) for row in zip(*columns)]
