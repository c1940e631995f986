"""A network or a program run on the samples of a file: what `dnnc run` does."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dnnc import api, given
from dnnc.ir.diagnostics import Collector, DnncError, Finding
from dnnc.ir.interpret import main_function
from dnnc.ir.types import dtype
from dnnc.ir.weights import atomic_file
from dnnc.passes.analysis.sources import cut_samples, inputs_of, read_arrays
from dnnc.progress import each

if TYPE_CHECKING:
    from dnnc.backends.npu.target import Executable
    from dnnc.backends.npu.trace import Trace
    from dnnc.checked import Compiled

TOP = 3  # classes shown
LABELS = "labels"  # the array that holds them, where nothing is said


def run(args: Namespace) -> dict[str, Any]:
    """Run the samples; what happened, with a summary of each output."""
    _refuse(args)
    if args.timing_only:
        from dnnc.simulation import timing

        return timing(_executor(args, None).executable(), args)
    arrays = read_arrays(Path(args.input))
    labels = _labels(arrays, args)
    executor = _executor(args, arrays)
    samples = executor.samples(arrays, args.input)
    if not samples:
        raise DnncError(Finding(args.input, "expected at least one sample, not none. Put inputs in it.", "E0111"))
    if args.until or args.dump:
        return _inspected(executor, samples[0], args)
    outputs = list(executor.calls(samples, args))
    stacked = {n: np.stack([o[i] for o in outputs]) for i, n in enumerate(executor.outputs)}
    result: dict[str, Any] = {"on": executor.on, "samples": len(samples)}
    if labels is not None:
        result |= accuracy(next(iter(stacked.values())), labels, args.input)
    result["outputs"] = [summary(name, a) for name, a in stacked.items()]
    if args.output:
        with atomic_file(args.output) as f:
            np.savez(f, **{n: _without_stack(a) for n, a in stacked.items()})  # pyright: ignore
        result["output"] = args.output
    return result | executor.facts(args)


NEEDS = {
    "--trace": "trace",
    "--traces": "traces",
    "--check": "check",
    "--seed": "seed",
    "--timing-only": "timing_only",
    "--jobs": "jobs",
    "--until": "until",
    "--dump": "dump",
}
"""Options of the simulator alone."""

ALONE = {
    "--timing-only": ("--check", "--until", "--dump", "-o"),
    "--check": ("--until", "--dump"),
    "--until": ("-o",),
    "--dump": ("-o",),
}
"""What does not go with them."""


def _refuse(args: Namespace) -> None:
    """Raise DnncError for options that need one another, all of them."""
    problems = Collector()
    on = args.on or ("npu" if args.model.endswith(".npu") else "reference")
    for option, name in NEEDS.items():
        if _given(args, name) and on != "npu":
            problems.error(option, f"expected the simulator, not --on {on}. Add --on npu.", "E0108")
    if args.input is None and not args.timing_only:
        problems.error("-i", "expected inputs, not none. Add -i X.npz, or --timing-only.", "E0108")
    for option, others in ALONE.items():
        for other in others if _given(args, NEEDS[option]) else ():
            if _given(args, NEEDS.get(other, "output")):
                problems.error(other, f"expected it without {option}. Leave one of them out.", "E0108")
    if args.model.endswith(".npu"):
        _as_compiled(args, problems)
    problems.raise_if_any()


def _as_compiled(args: Namespace, problems: Collector) -> None:
    """A program is run as it was compiled; note what would make it another one."""
    for option, value in (("--scheme", args.scheme), ("--scheme-out", args.scheme_out)):
        if value is not None:
            message = f"expected a network to quantize, not the program {args.model}, which is as compiled."
            problems.error(option, f"{message} Give it to `dnnc compile`, or run the network.", "E0713")
    if args.on not in (None, "npu"):
        message = f"expected npu for the program {args.model}, not {args.on}. Leave it out, or run the network."
        problems.error("--on", message, "E0108")


def _given(args: Namespace, name: str) -> bool:
    value = getattr(args, name)
    return value is not None and value is not False and value != []


def _inspected(executor: _Executor, sample: list[np.ndarray], args: Namespace) -> dict[str, Any]:
    """The first sample run until a place, or to the end, and memories written."""
    from dnnc.simulation import stopped

    facts, outputs = stopped(executor.executable(), sample, args)
    facts["outputs"] = [summary(name, o[None]) for name, o in zip(executor.outputs, outputs)]
    return facts


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
    if "layers" in result:
        return f"on {result['on']}  {result['cycles']:,} cycles, without arithmetic"
    facts = {k: v for k, v in result.items() if k not in ("outputs", "stopped", "dumps")}
    lines = ["  ".join(_phrase(k, v) for k, v in facts.items())]
    if "dumps" in result:
        from dnnc.simulation import story

        lines += story(dict(result))
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
        case "checked":
            return f"{value:,} stores are the interpreter's, byte by byte"
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

    def calls(self, samples: Sequence[list[np.ndarray]], args: Namespace) -> Iterator[list[np.ndarray]]:
        """Outputs for each sample, in order."""
        for sample in each(samples, f"samples on {self.on}"):
            yield self.program.run(*sample)

    def executable(self) -> Executable:
        """The program with the host's share."""
        return self.program.executable()

    def facts(self, args: Namespace) -> dict[str, Any]:
        """What else there is to tell; on the simulator the traces are written."""
        return {}


class _Simulated(_Executor):
    """A network compiled for the accelerator, and run on the simulator."""

    checked = 0

    def compared(self) -> Compiled:
        """The program beside its network."""
        return self.program

    def calls(self, samples: Sequence[list[np.ndarray]], args: Namespace) -> Iterator[list[np.ndarray]]:
        if args.check:
            yield from self._checked(samples, args)
            return
        from dnnc.simulation import outcomes

        self.traces: list[Trace] = []
        for outputs, run in outcomes(self.executable(), samples, args.seed, args.jobs or 1):
            self._keep(run.trace, args)
            yield outputs

    def _checked(self, samples: Sequence[list[np.ndarray]], args: Namespace) -> Iterator[list[np.ndarray]]:
        """Outputs, each store compared."""
        from dnnc.checked import check_all

        self.traces, done = [], 0
        found = each(check_all(self.compared(), samples, args.seed, args.jobs or 1), "samples checked", len(samples))
        try:
            for one in found:
                self.checked += one.stores
                self._keep(one.run.trace, args)
                yield one.outputs
                done += 1
        except DnncError as e:
            raise DnncError(Finding(f"sample {done}, {f.where}", f.message, f.code) for f in e.findings) from e

    def _keep(self, trace: Trace, args: Namespace) -> None:
        """All traces when they are to be written, else the last."""
        self.traces = [*self.traces, trace] if args.traces else [trace]

    def facts(self, args: Namespace) -> dict[str, Any]:
        from dnnc.simulation import traced

        checked = {"checked": self.checked} if args.check else {}
        return checked | traced(self.traces, args)


class _Binary(_Simulated):
    """A compiled .npu file, with what the host does before and after."""

    def __init__(self, args: Namespace):
        from dnnc.backends.npu.catalog import target_of
        from dnnc.backends.npu.program import load
        from dnnc.backends.npu.target import Executable

        self.on, program = "npu", load(args.model)
        self.file = Executable(program, target_of(program, args.target))
        if args.check:
            from dnnc.carried import carried

            self.carried = carried(self.file, args.model)
        self.types = self.file.input_types()
        self.inputs, self.outputs = self.file.inputs(), self.file.outputs()

    def executable(self) -> Executable:
        return self.file

    def compared(self) -> Compiled:
        return self.carried


def _executor(args: Namespace, arrays: Mapping[str, np.ndarray] | None) -> _Executor:
    if args.model.endswith(".npu"):
        return _Binary(args)
    on, target = args.on or "reference", args.target or api.DEFAULT_TARGET
    model = given.network(args, arrays)
    if on == "reference" and model.asked is None:
        return _Executor(on, model, api.Program(model, "ir", target))
    emit = "ir" if on == "reference" else on
    kind = _Simulated if on == "npu" else _Executor
    return kind(on, model, api.compile(model, target, emit, calibrate=given.calibration(args)))
