"""What each subcommand of `dnnc` does, on parsed arguments."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dnnc import api
from dnnc.ir.arch import to_mapping
from dnnc.ir.diagnostics import DnncError, Finding, UnsupportedError
from dnnc.ir.interpret import main_function
from dnnc.ir.text import text_of, weight_keys
from dnnc.ir.types import dtype
from dnnc.ir.weights import atomic_file, store_of
from dnnc.passes.calibrate import cut_samples, read_arrays


def parse_dims(texts: Sequence[str]) -> dict[str, int]:
    """`["batch=1"]` as a mapping; all mistakes at once."""
    dims, findings = {}, []
    for t in texts:
        name, _, value = t.partition("=")
        if name and value.isdigit():
            dims[name] = int(value)
        else:
            findings.append(Finding("--dim", f"expected NAME=VALUE with a whole number, not '{t}'."))
    if findings:
        raise DnncError(findings)
    return dims


def compile(args: Namespace) -> None:
    """`dnnc compile`."""
    network = api.load(args.model, parse_dims(args.dim))
    if args.emit == "report":
        _emit_report(args, network)
        return
    output = Path(args.output or f"{network.name}.{ {'npu': 'npu', 'c': 'c', 'ir': 'mlir'}[args.emit] }")
    network.name = output.stem  # C's functions and files bear the name asked for
    program = api.compile(network, args.target, args.emit, args.passes, args.calibrate, after=_dumper(args.dump_after))
    if not output.parent.is_dir():
        raise DnncError(
            Finding(str(output), f"expected a folder '{output.parent}', which does not exist. Create it first.")
        )
    for path in program.save(output):
        print(f"{path}  {path.stat().st_size:,} bytes")


def _emit_report(args: Namespace, network: api.Network) -> None:
    api.run_passes(network, api.pipeline_passes(args.passes or "simplify"), args.calibrate, _dumper(args.dump_after))
    report = network.report(args.target)
    ending = Path(args.output).suffix if args.output else ""
    _write(args.output, {".json": report.json, ".csv": report.csv}.get(ending, report.text)())


def _dumper(name: str | None):
    if name is None:
        return None

    def after(one: Any, module: Any) -> None:
        if name in ("all", one.name):
            print(f"// after {one.name}\n{text_of(module)}", file=sys.stderr)

    return after


def run(args: Namespace) -> None:
    """`dnnc run`: outputs, and accuracy when the input file has labels."""
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
    if args.json:
        print(json.dumps(result))
        return
    print("  ".join(_phrase(k, v) for k, v in result.items()))
    if labels is None:
        for name, a in stacked.items():
            print(f"{name}: {'x'.join(map(str, a.shape[1:]))} {a.dtype}, {_summary(a)}")


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


def report(args: Namespace) -> None:
    """`dnnc report`."""
    if args.zoo:
        _zoo(args)
        return
    if args.model is None:
        raise DnncError(Finding("dnnc report", "expected a model or --zoo, got neither."))
    network = api.load(args.model, parse_dims(args.dim), weights=False)
    default = "simplify" if args.model.endswith(".onnx") else ""  # text is reported as it stands
    api.run_passes(network, api.pipeline_passes(default if args.passes is None else args.passes))
    result = network.report(args.target)
    _write(args.output, result.json() if args.json else result.csv() if args.csv else result.text(args.wide))


def _zoo(args: Namespace) -> None:
    from dnnc.backends.report.zoo import zoo_json, zoo_table, zoo_text
    from dnnc.frontend.onnx.importer import import_onnx
    from dnnc.zoo import PUBLISHED, ZOO

    rows = zoo_table(ZOO, PUBLISHED, import_onnx)
    _write(args.output, zoo_json(rows) if args.json else zoo_text(rows))


def _write(path: str | None, content: str) -> None:
    if path is None:
        print(content, end="" if content.endswith("\n") else "\n")
        return
    with atomic_file(path) as f:
        f.write(content.encode())
    print(f"{path}  {len(content.encode()):,} bytes")


def check(args: Namespace) -> None:
    """`dnnc check`: what each backend says of the network, without writing anything."""
    network = api.load(args.model, parse_dims(args.dim))
    simplified = network.clone()
    api.run_passes(simplified, api.pipeline_passes("simplify"))
    weights = sum(store_of(network.ctx)[k].nbytes for k in weight_keys(simplified.module))
    verdicts = {"reference": {"supported": True, "weight_bytes": weights}}
    verdicts["c"] = _verdict(network, "c", args)
    verdicts["npu"] = _verdict(network, "npu", args)
    if args.json:
        print(json.dumps({"model": args.model, "target": args.target, "backends": verdicts}, indent=2))
    else:
        print(api.describe(network))
        for name, v in verdicts.items():
            facts = ", ".join(
                f"{k.replace('_', ' ')} {x:,}" for k, x in v.items() if isinstance(x, int) and k != "supported"
            )
            print(f"{name:10}{'yes' if v['supported'] else 'no'}{'  ' + facts if facts else ''}")
            for reason in v.get("reasons", ()):
                print(f"{'':10}{reason}")
    if not any(v["supported"] for v in verdicts.values()):
        raise UnsupportedError("no backend takes this network.")


def _verdict(network: api.Network, emit: str, args: Namespace) -> dict[str, Any]:
    try:
        program = api.compile(network, args.target, emit, calibrate=args.calibrate)
    except DnncError as e:
        return {"supported": False, "reasons": [str(f) for f in e.findings]}
    if program.c is not None:
        return {"supported": True, "arena_bytes": program.c.arena_bytes, "weight_bytes": program.c.weight_bytes}
    assert program.npu is not None
    return {"supported": True, "instructions": len(program.npu.text), "program_bytes": len(program.npu.to_bytes())}


def trace(args: Namespace) -> None:
    """`dnnc trace`."""
    from dnnc.trace_view import show

    _write(args.output, show(args))


def targets(args: Namespace) -> None:
    """`dnnc targets`."""
    from dnnc.backends.npu.catalog import bundled

    found = {n: api.load_target(n) for n in bundled()}
    if args.json:
        print(json.dumps([to_mapping(a) for a in found.values()], indent=2))
        return
    for name, a in found.items():
        print(f"{name:12}{a.description}")


def passes(args: Namespace) -> None:
    """`dnnc passes`."""
    from dnnc.passes import PASSES, PIPELINES
    from dnnc.passes.pipeline import options_text

    if args.json:
        rows = [{"name": n, "summary": _first(p), "options": options_text(p)} for n, p in PASSES.items()]
        print(
            json.dumps(
                {"passes": rows, "pipelines": {n: [p.name for p in ps] for n, ps in PIPELINES.items()}}, indent=2
            )
        )
        return
    for name, p in PASSES.items():
        print(f"{name:20}{_first(p)}")
    for name, ps in PIPELINES.items():
        print(f"\n{name} = {','.join(p.name for p in ps)}")


def ops(args: Namespace) -> None:
    """`dnnc ops`."""
    from dnnc.ir.dnn import OPS

    if args.json:
        print(json.dumps([{"name": o.name, "summary": _first(o)} for o in OPS], indent=2))
        return
    for o in OPS:
        print(f"{o.name:24}{_first(o)}")


def _first(cls: type) -> str:
    return (cls.__doc__ or "").strip().splitlines()[0]
