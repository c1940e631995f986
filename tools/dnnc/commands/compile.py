"""Compile a network to a program, to C, to IR or to a report."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnnc import arguments, console
from dnnc.arguments import Parser

if TYPE_CHECKING:
    from dnnc.api import Network, Program
    from dnnc.passes.pipeline import Pipeline

EXAMPLES = (
    "dnnc compile lenet5.onnx --calibrate digits.npz -o lenet5.npu",
    "dnnc compile lenet5.onnx --calibrate digits.npz --with-network -o lenet5.npu",
    "dnnc compile lenet5.onnx --emit c -o lenet5.c",
    "dnnc compile lenet5.onnx --emit c --calibrate digits.npz --self-test 3",
    "dnnc compile lenet5.onnx --calibrate digits.npz --budget-bits 4 --scheme-out mixed.toml",
    "dnnc compile lenet5.onnx --emit ir -p simplify,fuse-groups",
)
ENDINGS = {"npu": "npu", "c": "c", "ir": "mlir"}


def declare(p: Parser) -> None:
    """Its arguments."""
    arguments.model(p)
    arguments.target(p)
    p.add_argument("--emit", choices=("npu", "c", "ir", "report"), default="npu", help="what to write (npu)")
    what = "file to write; by default the model's name here, with the ending of its kind"
    arguments.file(p, "-o", "--output", metavar="FILE", help=what, endings=(".npu", ".c", ".mlir"))
    arguments.pipeline(p, "those of what is emitted")
    arguments.calibrate(p)
    arguments.budget(p)
    p.add_argument(
        "--self-test",
        metavar="N",
        type=arguments.count,
        default=0,
        help="with --emit c: also a test of N inputs and their outputs",
    )
    what = "keep the network in the program, so that `dnnc run X.npu --check` needs nothing else"
    p.add_argument("--with-network", action="store_true", help=what)
    p.add_argument("--dump-after", metavar="PASS", help="print the module after a pass, or 'all' of them, to stderr")
    arguments.json(p)


def run(args: Namespace) -> None:
    """The network compiled into files."""
    from dnnc import api, given
    from dnnc.ir.diagnostics import DnncError, Finding

    if args.emit == "report" and args.json and not args.output:
        message = "expected a file to write with -o, not none. `dnnc report --json` prints a report as JSON."
        raise DnncError(Finding("--emit report --json", message, "E0108"))
    output = Path(args.output or f"{Path(args.model).stem}.{ENDINGS.get(args.emit, 'txt')}")
    kind = next((k for k, ending in ENDINGS.items() if output.suffix == f".{ending}"), args.emit)
    if args.emit in ENDINGS and kind != args.emit:
        message = f"expected a file that ends in .{ENDINGS[args.emit]}, not {output.suffix}. Or add --emit {kind}."
        raise DnncError(Finding(str(output), message, "E0127"))
    if not output.parent.is_dir():
        message = f"expected a folder '{output.parent}', which does not exist. Create it first."
        raise DnncError(Finding(str(output), message, "E0104"))
    if output.is_dir():
        raise DnncError(Finding(str(output), "expected a file to write, not a folder. Name a file in it.", "E0103"))
    if args.self_test and args.emit != "c":
        raise DnncError(Finding("--self-test", f"expected --emit c, not --emit {args.emit}. Add --emit c.", "E0108"))
    if args.with_network and args.emit != "npu":
        raise DnncError(
            Finding("--with-network", f"expected --emit npu, not --emit {args.emit}. Leave it out.", "E0108")
        )
    network = given.network(args)
    if args.emit == "report":
        _emit_report(args, network)
        return
    network.name = output.stem  # C's functions and files bear the name asked for
    passes = _passes(args, network)
    program = api.compile(
        network, args.target, args.emit, passes, given.calibration(args), after=_dumper(args.dump_after)
    )
    files = program.save(output, args.with_network)
    files += _scheme(args, program, output)
    files += [program.save_self_test(output, args.self_test)] if args.self_test else []
    _written(args, program, files, output)


def _scheme(args: Namespace, program: Program, output: Path) -> list[Path]:
    """The scheme, if this run quantized: where --scheme-out says, else beside the output."""
    from dnnc.schemes import ENDING, save

    if program.network.scheme is None:
        return []
    return [Path(args.scheme_out) if args.scheme_out else save(program.network.scheme, output.with_suffix(ENDING))]


def _written(args: Namespace, program: Program, files: Sequence[Path], output: Path) -> None:
    if args.json:
        written = [_file(path) for path in files]
        told: dict[str, Any] = {"calibrated": program.calibrated} if program.calibrated else {}
        told |= {"blocked": vars(program.blocked)} if program.blocked else {}
        console.json({"emit": args.emit, "target": args.target, **told, "files": written, **_figures(program)})
        return
    for path in files:
        console.tell(f"{path}  {path.stat().st_size:,} bytes")
    for what, value in _figures(program).items():
        console.tell(f"  {what.replace('_', ' ')} {value:,}")
    if program.calibrated:
        console.tell(f"  calibrated {program.calibrated}")
    if program.blocked:
        console.tell(f"  {program.blocked.text()}")
    console.hint(_next(args, output))


def _figures(program: Program) -> dict[str, int]:
    """What a user wants to know of an output beside its size."""
    if program.c is not None:
        return {"weight_bytes": program.c.weight_bytes, "arena_bytes": program.c.arena_bytes}
    if program.npu is not None:
        return {"instructions": len(program.npu.text), "dram_bytes": sum(r.bytes for r in program.npu.regions)}
    return {}


def _next(args: Namespace, path: Path) -> str:
    """The command one would type next."""
    target = "" if args.target == arguments.TARGET else f" -t {args.target}"
    return {
        "npu": f"Run it: dnnc run {path}{target} -i INPUTS.npz --trace {path.stem}.trace",
        "c": f"Build it: cc -std=c99 -O3 -c {path}",
        "ir": f"Go on from it: dnnc compile {path}{target}, or dnnc-opt {path}",
    }[args.emit]


def _emit_report(args: Namespace, network: Network) -> None:
    from dnnc import given, pipelines

    pipelines.run_passes(network, _passes(args, network), given.calibration(args), _dumper(args.dump_after))
    report = network.report(args.target)
    ending = Path(args.output).suffix if args.output else ""
    text = {".json": report.json, ".csv": report.csv}.get(ending, report.text)()
    if args.json:
        console.save(args.output, text)
        console.json({"emit": "report", "target": args.target, "files": [_file(Path(args.output))]})
        return
    console.write(args.output, text)


def _passes(args: Namespace, network: Network) -> Pipeline:
    """The passes that run, the one to dump after among them."""
    from dnnc import api, given, pipelines

    default = pipelines.default_of(network, args.emit, args.calibrate)
    passes = api.Pipeline(given.pipeline(args) or default)
    if args.dump_after:
        from dnnc.observers import known_passes

        known_passes("--dump-after", [args.dump_after], network.asked.passes(passes) if network.asked else passes)
    return passes


def _file(path: Path) -> dict[str, Any]:
    return {"path": str(path), "bytes": path.stat().st_size}


def _dumper(name: str | None) -> Callable[[Any, Any], None] | None:
    if name is None:
        return None
    from dnnc.ir.text import text_of

    def after(one: Any, module: Any) -> None:
        if name in ("all", one.name):
            console.note(f"// after {one.name}\n{text_of(module)}")

    return after
