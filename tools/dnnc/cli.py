"""The `dnnc` command: finds the command named, parses its line, and turns every failure into a message and an exit code."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from dnnc import console
from dnnc.arguments import Parser, nearest
from dnnc.commands import NAMES, command

EXIT = "exit codes: 0 done; 1 an error in the input; 2 a wrong command line; 3 not supported; 70 a fault of dnnc itself"
DESCRIPTION = (
    "Compile a trained network for a DNN accelerator: a binary program with its simulator and trace,\n"
    "portable C, or a cost report."
)


def parser(names: Iterable[str] = NAMES) -> Parser:
    """The command line of `dnnc`, with the commands named."""
    top = Parser(prog="dnnc", description=DESCRIPTION, epilog=EXIT)
    top.add_argument("--version", action="store_true", help="print the version and leave")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", title="commands", parser_class=Parser)
    for name in names:
        module = command(name)
        what = module.__doc__.splitlines()[0]
        examples = "\n".join(f"  {line}" for line in module.EXAMPLES)
        short = what[0].lower() + what[1:].rstrip(".")
        p = commands.add_parser(name, help=short, description=what, epilog=f"examples:\n{examples}\n\n{EXIT}")
        module.declare(p)
        p.set_defaults(parser=p)
    return top


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The arguments read; only the command named is loaded."""
    name = next((a for a in arguments if not a.startswith("-")), None)
    if name is not None and name not in NAMES:
        parser(()).error(f"expected a command, not '{name}'.{nearest(name, NAMES)}")
    top = parser(NAMES if name is None else (name,))
    args, rest = top.parse_known_args(arguments)
    if rest:
        getattr(args, "parser", top).unknown(rest)
    if args.command is None and not args.version:
        top.print_help()
        sys.exit(2)
    return args


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the `dnnc` command."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run the command; its exit code. Every failure is a message on stderr, never a traceback."""
    try:
        args = parse(arguments)
    except SystemExit as e:
        return int(e.code or 0)
    if args.version:
        from dnnc import __version__

        print(f"dnnc {__version__}")
        return 0
    return _guarded(args)


def _guarded(args: argparse.Namespace) -> int:
    from dnnc.ir.diagnostics import DnncError, InternalError, UnsupportedError

    try:
        command(args.command).run(args)
        return 0
    except UnsupportedError as e:
        console.error("unsupported", str(e))
        return 3
    except InternalError as e:
        console.error("internal error", f"{e}\nThis is a fault of dnnc; please report it with the command.")
        return 70
    except DnncError as e:
        console.error("error", str(e))
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as e:
        place = e.filename or "file"
        console.error("error", f"{place}: expected a readable or writable path, not this ({e.strerror}).")
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
    report = "This is a fault of dnnc; please report it with the command and the model. DNNC_TRACEBACK=1 shows where."
    console.error("internal error", f"{type(e).__name__} at {place}: {first}\n{report}")
    if os.environ.get("DNNC_TRACEBACK"):
        traceback.print_exception(e)
    return 70
