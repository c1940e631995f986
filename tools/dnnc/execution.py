"""A network or a program run on the samples of a file: what `dnnc run` does."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dnnc import api, given
from dnnc.ir.diagnostics import Collector, DnncError, Finding
from dnnc.ir.interpret import main_function
from dnnc.ir.types import dtype
from dnnc.ir.weights import atomic_file
from dnnc.passes.analysis.sources import cut_samples, inputs_of, read_arrays
from dnnc.progress import each

TOP = 3  # classes shown
LABELS = "labels"  # the array that holds them, where nothing is said


def run(args: Namespace) -> dict[str, Any]:
    """Run the samples; what happened, with a summary of each output."""
    arrays = read_arrays(Path(args.input))
    labels = _labels(arrays, args)
    executor = _executor(args, arrays)
    samples = executor.samples(arrays, args.input)
    if not samples:
        raise DnncError(Finding(args.input, "expected at least one sample, not none. Put inputs in it.", "E0111"))
    outputs = [executor.call(s) for s in each(samples, f"samples on {executor.on}")]
    stacked = {n: np.stack([o[i] for o in outputs]) for i, n in enumerate(executor.outputs)}
    result: dict[str, Any] = {"on": executor.on, "samples": len(samples)}
    if labels is not None:
        result |= accuracy(next(iter(stacked.values())), labels, args.input)
    result["outputs"] = [summary(name, a) for name, a in stacked.items()]
    if args.output:
        with atomic_file(args.output) as f:
            np.savez(f, **{n: _without_stack(a) for n, a in stacked.items()})  # pyright: ignore
        result["output"] = args.output
    if args.trace:
        executor.trace(args.trace)
        result["trace"] = args.trace
    return result


def _labels(arrays: dict[str, np.ndarray], args: Namespace) -> np.ndarray | None:
    """The labels among the arrays, taken out; those asked for by a name of their own have to be there."""
    if args.labels not in arrays and args.labels != LABELS:
        message = f"expected labels in an array '{args.labels}', not only {', '.join(arrays)}. Name one with --labels."
        raise DnncError(Finding(args.input, message, "E0116"))
    return arrays.pop(args.labels, None)


def _without_stack(a: np.ndarray) -> np.ndarray:
    """[N, 1, ...] as [N, ...]."""
    return a[:, 0] if a.ndim > 1 and a.shape[1] == 1 else a


def summary(name: str, a: np.ndarray) -> dict[str, Any]:
    """Shape of one sample, type, extremes over all samples; for scores of classes the best of the first sample."""
    facts: dict[str, Any] = {"name": name, "shape": list(a.shape[1:]), "dtype": a.dtype.name}
    if not a.size:
        return facts
    facts |= {"min": _number(a.min()), "max": _number(a.max())}
    classes = max(a.shape[1:], default=1)
    if a.dtype == np.bool_ or classes < 2 or classes != a[0].size:
        return facts
    first = a[0].reshape(-1)
    best = np.argsort(-first.astype(np.float64), kind="stable")[:TOP]
    return facts | {"top": [{"class": int(i), "score": _number(first[i])} for i in best]}


def _number(value: Any) -> float | int | None:
    """A number as JSON has it, which knows no infinity and no NaN."""
    plain = value.item()
    return plain if np.isfinite(plain) else None


def described(result: Mapping[str, Any]) -> str:
    """The result for people."""
    facts = {k: v for k, v in result.items() if k != "outputs"}
    lines = ["  ".join(_phrase(k, v) for k, v in facts.items())]
    if "accuracy" not in result:
        lines += map(_line, result["outputs"])
    return "\n".join(lines)


def _phrase(key: str, value: Any) -> str:
    match key:
        case "on":
            return f"on {value}"
        case "samples":
            return f"{value} sample{'s' if value != 1 else ''}"
        case "correct":
            return f"{value} correct"
        case "accuracy":
            return f"accuracy {100 * value:.2f} %"
    return f"{key} {value}"


def _line(output: Mapping[str, Any]) -> str:
    shape = "x".join(map(str, output["shape"])) or "scalar"
    if "min" not in output:
        return f"{output['name']}: {shape} {output['dtype']}, empty"
    top = ", ".join(f"class {t['class']} ({_shown(t['score'])})" for t in output.get("top", ()))
    extremes = f"min {_shown(output['min'])}, max {_shown(output['max'])}"
    return f"{output['name']}: {shape} {output['dtype']}, {extremes}" + (f"; first sample: {top}" if top else "")


def _shown(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.6g}"


def accuracy(scores: np.ndarray, labels: np.ndarray, source: str) -> dict[str, Any]:
    """Top-1: how many samples have their largest score at the label; [1, N, ...] is one batch of N."""
    if len(scores) == 1 and scores.ndim > 1 and labels.shape == scores.shape[1:2]:
        scores = scores[0]
    flat = scores.reshape(scores.shape[0], -1)
    if labels.shape != (flat.shape[0],):
        message = f"expected {flat.shape[0]} labels, one a sample, not {list(labels.shape)}."
        raise DnncError(Finding(source, message, "E0116"))
    correct = int((flat.argmax(1) == labels).sum())
    return {"correct": correct, "accuracy": correct / max(1, len(labels))}


class _Executor:
    """One of the three ways to run a network on samples of its inputs."""

    def __init__(self, on: str, network: api.Network, program: api.Program):
        self.on, self.program = on, program
        self.inputs, self.outputs = network.inputs(), network.outputs()
        self.types: Sequence[Any] = main_function(network.module).function_type.inputs.data

    def samples(self, arrays: Mapping[str, np.ndarray], source: str) -> list[list[np.ndarray]]:
        """The arrays of a file, by input name or in order, cut into samples."""
        names = self.inputs
        chosen = inputs_of(names, arrays, source)
        for n, a, t in zip(names, chosen, self.types):
            if a.dtype != (wanted := dtype(t.element_type)):
                message = f"expected '{n}' as {wanted}, not {a.dtype}. Convert it with .astype()."
                raise DnncError(Finding(source, message, "E0114"))
        return cut_samples(chosen, self.types, source)

    def call(self, sample: list[np.ndarray]) -> list[np.ndarray]:
        """Outputs for one sample."""
        return self.program.run(*sample)

    def trace(self, path: str) -> None:
        """Write the trace of the last sample."""
        self.program.trace().save(path)


class _Binary(_Executor):
    """A compiled .npu file, with what the host does before and after."""

    def __init__(self, args: Namespace):
        from dnnc.backends.npu import program as container
        from dnnc.backends.npu.target import Executable

        _as_compiled(args)
        self.on = "npu"
        self.file = Executable(container.load(args.model), api.load_target(args.target))
        self.types = self.file.input_types()
        self.inputs, self.outputs = self.file.inputs(), self.file.outputs()

    def call(self, sample: list[np.ndarray]) -> list[np.ndarray]:
        outputs, self.last = self.file.run(sample)
        return outputs

    def trace(self, path: str) -> None:
        self.last.trace.save(path)


def _as_compiled(args: Namespace) -> None:
    """A program is run as it was compiled; what would make it another one is told."""
    problems, todo = Collector(), "Give it to `dnnc compile`, or run the network."
    for option, value in (("--scheme", args.scheme), ("--scheme-out", args.scheme_out)):
        if value is not None:
            message = f"expected a network to quantize, not the program {args.model}, which is as compiled. {todo}"
            problems.error(option, message, "E0713")
    if args.on not in (None, "npu"):
        message = f"expected npu for the program {args.model}, not {args.on}. Leave it out, or run the network."
        problems.error("--on", message, "E0108")
    problems.raise_if_any()


def _executor(args: Namespace, arrays: Mapping[str, np.ndarray]) -> _Executor:
    if args.model.endswith(".npu"):
        return _Binary(args)
    on = args.on or "reference"
    if args.trace and on != "npu":
        raise DnncError(Finding("--trace", f"expected the simulator, not --on {on}. Add --on npu.", "E0108"))
    model = given.network(args, arrays)
    if on == "reference" and model.asked is None:
        return _Executor(on, model, api.Program(model, "ir", args.target))
    if on == "reference":
        return _Executor(on, model, api.compile(model, args.target, "ir", calibrate=given.calibration(args)))
    return _Executor(on, model, api.compile(model, args.target, on, calibrate=given.calibration(args)))
