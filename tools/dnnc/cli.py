"""The `dnnc` command. Parsing needs only argparse; each subcommand imports what it uses, so that help answers at once."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

EXIT = """exit codes: 0 done; 1 an error in the input; 2 a wrong command line; 3 not supported; 70 a fault of dnnc itself"""

EXAMPLES = {
    "compile": "dnnc compile lenet5.onnx --calibrate digits.npz -o lenet5.npu\n"
    "  dnnc compile resnet50.onnx --emit c -o out/resnet50.c",
    "run": "dnnc run lenet5.onnx -i digits.npz\n  dnnc run lenet5.npu -i digits.npz --trace lenet5.trace",
    "report": "dnnc report resnet50.onnx -t edge --json\n  dnnc report --zoo",
    "check": "dnnc check model.onnx --dim batch=1",
    "trace": "dnnc trace lenet5.trace layers\n  dnnc trace lenet5.trace export -o lenet5.json",
    "targets": "dnnc targets",
    "passes": "dnnc passes",
    "ops": "dnnc ops",
}


def parser() -> argparse.ArgumentParser:
    """The command line of `dnnc`."""
    top = argparse.ArgumentParser(
        prog="dnnc",
        description="Compile a trained network for a DNN accelerator: a binary program with its simulator and trace, "
        "portable C, or a cost report.",
        epilog=EXIT,
    )
    top.add_argument("--version", action="store_true", help="print the version and leave")
    commands = top.add_subparsers(dest="command", metavar="COMMAND")
    _compile(_command(commands, "compile", "compile a network to a program, to C, to IR or to a report"))
    _run(_command(commands, "run", "run a network or a compiled program on inputs from an .npz file"))
    _report(_command(commands, "report", "print the analytical cost report of a network"))
    _check(_command(commands, "check", "say whether a network compiles, for which backend, and at what size"))
    _trace(_command(commands, "trace", "read a trace of the simulator"))
    for name, what in (("targets", "accelerators"), ("passes", "passes and pipelines"), ("ops", "operations")):
        _json(_command(commands, name, f"list the {what} dnnc knows"))
    return top


def _command(commands: Any, name: str, what: str) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=what,
        description=what[0].upper() + what[1:] + ".",
        epilog=f"examples:\n  {EXAMPLES[name]}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _model(p: argparse.ArgumentParser, required: bool = True) -> None:
    p.add_argument(
        "model", nargs=None if required else "?", help="network: .onnx, or .mlir with its .safetensors beside it"
    )
    p.add_argument(
        "-t", "--target", default="edge", help="accelerator: a name of `dnnc targets`, or a .toml file (edge)"
    )
    p.add_argument("--dim", action="append", default=[], metavar="NAME=VALUE", help="bind a symbolic dimension")


def _json(p: argparse.ArgumentParser) -> None:
    p.add_argument("--json", action="store_true", help="print JSON")


def _compile(p: argparse.ArgumentParser) -> None:
    _model(p)
    p.add_argument("--emit", choices=("npu", "c", "ir", "report"), default="npu", help="what to write (npu)")
    p.add_argument(
        "-o", "--output", help="file to write; by default the model's name here, with the ending of its kind"
    )
    p.add_argument("-p", "--passes", help="pipeline to run in place of the default, as for dnnc-opt")
    p.add_argument(
        "--calibrate", metavar="X.npz", help="unlabelled samples whose ranges set the scales of an int8 network"
    )
    p.add_argument(
        "--dump-after", metavar="PASS", help="print the module after a pass, or after 'all' of them, to stderr"
    )


def _run(p: argparse.ArgumentParser) -> None:
    _model(p)
    p.add_argument(
        "-i", "--input", required=True, metavar="X.npz", help="inputs, by name or in order, [N, ...] runs N samples"
    )
    p.add_argument("--on", choices=("reference", "c", "npu"), help="executor (reference; npu for a .npu program)")
    p.add_argument("--calibrate", metavar="X.npz", help="unlabelled samples, for --on npu")
    p.add_argument(
        "--labels", default="labels", help="array of class indices in the input file; accuracy is printed (labels)"
    )
    p.add_argument("-o", "--output", metavar="Y.npz", help="write the outputs here")
    p.add_argument("--trace", metavar="FILE", help="write the trace of the last sample (npu)")
    _json(p)


def _report(p: argparse.ArgumentParser) -> None:
    _model(p, required=False)
    p.add_argument("-p", "--passes", help="pipeline to run first (simplify for .onnx, none for .mlir)")
    p.add_argument("--zoo", action="store_true", help="table of the networks dnnc builds, against published counts")
    p.add_argument("--csv", action="store_true", help="print CSV")
    p.add_argument("--wide", action="store_true", help="show every column; --json and --csv always have all of them")
    p.add_argument("-o", "--output", help="write to a file")
    _json(p)


def _check(p: argparse.ArgumentParser) -> None:
    _model(p)
    p.add_argument("--calibrate", metavar="X.npz", help="samples for the check of the NPU backend")
    _json(p)


def _trace(p: argparse.ArgumentParser) -> None:
    p.add_argument("file", help="trace written by `dnnc run --trace`")
    p.add_argument(
        "view", nargs="?", default="summary", choices=("summary", "layers", "timeline", "stalls", "list", "export")
    )
    p.add_argument("--layer", help="only this layer")
    p.add_argument("--engine", help="only this engine: LD, MM, PPU, ST")
    p.add_argument("--cycles", metavar="FROM:TO", help="only instructions in this range of cycles")
    p.add_argument("--limit", type=int, default=40, help="rows of `list` (40)")
    p.add_argument("-o", "--output", help="file for `export` (Chrome/Perfetto JSON)")
    _json(p)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the `dnnc` command."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run the command; its exit code. Every failure is a message on stderr, never a traceback."""
    top = parser()
    try:
        args = top.parse_args(arguments)
    except SystemExit as e:
        return int(e.code or 0)
    if args.version:
        from dnnc import __version__

        print(f"dnnc {__version__}")
        return 0
    if args.command is None:
        top.print_help()
        return 2
    return _guarded(args)


def _guarded(args: argparse.Namespace) -> int:
    from dnnc import commands
    from dnnc.ir.diagnostics import DnncError, InternalError, UnsupportedError

    try:
        getattr(commands, args.command)(args)
        return 0
    except UnsupportedError as e:
        print(f"dnnc: unsupported: {e}", file=sys.stderr)
        return 3
    except InternalError as e:
        print(
            f"dnnc: internal error: {e}\nThis is a fault of dnnc; please report it with the command.", file=sys.stderr
        )
        return 70
    except DnncError as e:
        print(f"dnnc: error: {e}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as e:
        place = e.filename or "file"
        print(f"dnnc: error: {place}: expected a readable or writable path, not this ({e.strerror}).", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except Exception as e:  # the last line of defence: a fault of ours is told as one, with its place
        return _fault(e)


def _fault(e: Exception) -> int:
    import traceback

    frames = traceback.extract_tb(e.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    first = str(e).splitlines()[0] if str(e) else ""
    print(
        f"dnnc: internal error: {type(e).__name__} at {place}: {first}\n"
        "This is a fault of dnnc; please report it with the command and the model. DNNC_TRACEBACK=1 shows where.",
        file=sys.stderr,
    )
    if os.environ.get("DNNC_TRACEBACK"):
        traceback.print_exception(e)
    return 70
