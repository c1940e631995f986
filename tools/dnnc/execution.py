"""A network or a program run on the samples of a file: what `dnnc run` does."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dnnc import api
from dnnc.dims import parse_dims
from dnnc.ir.diagnostics import DnncError, Finding
from dnnc.ir.interpret import main_function
from dnnc.ir.types import dtype
from dnnc.ir.weights import atomic_file
from dnnc.passes.calibrate import cut_samples, read_arrays


def run(args: Namespace) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What happened, and the outputs by name, [N, ...] each."""
    arrays = read_arrays(Path(args.input))
    labels = arrays.pop(args.labels, None)
    executor = _executor(args)
    samples = executor.samples(arrays, args.input)
    outputs = [executor.call(s) for s in samples]
    stacked = {n: np.stack([o[i] for o in outputs]) for i, n in enumerate(executor.outputs)}
    result: dict[str, Any] = {"on": executor.on, "samples": len(samples)}
    if labels is not None:
        result |= accuracy(next(iter(stacked.values())), labels, args.input)
    if args.output:
        with atomic_file(args.output) as f:
            np.savez(f, **{n: a[:, 0] if a.ndim > 1 and a.shape[1] == 1 else a for n, a in stacked.items()})  # pyright: ignore
        result["output"] = args.output
    if args.trace:
        executor.trace(args.trace)
        result["trace"] = args.trace
    return result, stacked


def described(result: Mapping[str, Any], outputs: Mapping[str, np.ndarray]) -> str:
    """The result for people."""
    lines = ["  ".join(_phrase(k, v) for k, v in result.items())]
    if "accuracy" not in result:
        lines += [f"{n}: {'x'.join(map(str, a.shape[1:]))} {a.dtype}, {_summary(a)}" for n, a in outputs.items()]
    return "\n".join(lines)


def _phrase(key: str, value: Any) -> str:
    if key == "accuracy":
        return f"accuracy {100 * value:.2f} %"
    return {"on": f"on {value}", "samples": f"{value} samples", "correct": f"{value} correct"}.get(
        key, f"{key} {value}"
    )


def _summary(a: np.ndarray) -> str:
    if not a.size:
        return "empty"
    first = a[0].reshape(-1)
    best = f"first sample: largest at {int(first.argmax())}, " if first.dtype != np.bool_ and first.size > 1 else ""
    return f"{best}min {a.min():.6g}, max {a.max():.6g}"


def accuracy(scores: np.ndarray, labels: np.ndarray, source: str) -> dict[str, Any]:
    """Top-1: how many samples have their largest score at the label."""
    flat = scores.reshape(scores.shape[0], -1)
    if labels.shape != (flat.shape[0],):
        raise DnncError(Finding(source, f"expected {flat.shape[0]} labels, one a sample, not {list(labels.shape)}."))
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
        chosen = [arrays[n] for n in names] if set(names) <= set(arrays) else list(arrays.values())
        if len(chosen) < len(names):
            found = ", ".join(arrays) or "none"
            raise DnncError(Finding(source, f"expected arrays for the inputs {', '.join(names)}, not {found}."))
        for n, a, t in zip(names, chosen, self.types):
            if a.dtype != (wanted := dtype(t.element_type)):
                raise DnncError(
                    Finding(source, f"expected '{n}' as {wanted}, not {a.dtype}. Convert it with .astype().")
                )
        return cut_samples(chosen[: len(names)], self.types, source)

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

        self.on = "npu"
        self.file = Executable(container.load(args.model), api.load_target(args.target))
        self.types = self.file.input_types()
        self.inputs = [s.name for s in self.file.program.symbols if s.direction == "input"]
        self.outputs = [s.name for s in self.file.program.symbols if s.direction == "output"]

    def call(self, sample: list[np.ndarray]) -> list[np.ndarray]:
        outputs, self.last = self.file.run(sample)
        return outputs

    def trace(self, path: str) -> None:
        self.last.trace.save(path)


def _executor(args: Namespace) -> _Executor:
    if args.model.endswith(".npu"):
        return _Binary(args)
    on = args.on or "reference"
    if args.trace and on != "npu":
        raise DnncError(Finding("--trace", f"expected the simulator, not --on {on}. Add --on npu."))
    network = api.load(args.model, parse_dims(args.dim))
    if on == "reference":
        return _Executor(on, network, api.Program(network, "ir", args.target))
    return _Executor(on, network, api.compile(network, args.target, on, calibrate=args.calibrate))
