"""The `dnnc` command: finds the command named, parses its line, and turns every failure into a message and an exit code."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Iterable, Sequence

from dnnc import __version__, config, console
from dnnc import arguments as declared
from dnnc.arguments import Parser, nearest
from dnnc.commands import NAMES, command
from dnnc.warned import warned

EXIT = {
    0: "done",
    1: "an error in the input",
    2: "a wrong command line",
    3: "not supported",
    70: "a fault of dnnc itself, with a bundle to report it by",
}
DESCRIPTION = (
    "Compile a trained network for a DNN accelerator: a binary program with its simulator and trace,\n"
    "portable C, or a cost report."
)


def parser(names: Iterable[str] = NAMES) -> Parser:
    """The command line of `dnnc`, with the commands named."""
    exits = "exit codes:\n" + "\n".join(f"  {code:<4}{what}" for code, what in EXIT.items())
    more = "`dnnc COMMAND --help` says more of one; dnnc.toml, here or above, holds a project's own defaults.\n\n"
    top = Parser(prog="dnnc", description=DESCRIPTION, epilog=more + exits)
    top.add_argument("--version", action="store_true", help="print the version and leave")
    declared.common(top)
    commands = top.add_subparsers(dest="command", metavar="COMMAND", title="commands", parser_class=Parser)
    for name in names:
        module = command(name)
        what = module.__doc__.splitlines()[0]
        examples = "\n".join(f"  {line}" for line in module.EXAMPLES)
        short = what[0].lower() + what[1:].rstrip(".")
        p = commands.add_parser(name, help=short, description=what, epilog=f"examples:\n{examples}\n\n{exits}")
        module.declare(p)
        declared.common(p)
        p.set_defaults(parser=p)
    return top


def parsers(top: Parser) -> dict[str, Parser]:
    """The parser of each command."""
    return next(a.choices for a in top.actions if isinstance(a, argparse._SubParsersAction))


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The arguments read, over the project's defaults; only the command named is loaded."""
    name = next((a for a in arguments if not a.startswith("-")), None)
    if name is not None and name not in NAMES:
        parser(()).error(f"expected a command, not '{name}'.{nearest(name, NAMES)}")
    top = parser(NAMES if name is None else (name,))
    if name is not None and not {"--no-config", "-h", "--help"} & set(arguments):
        config.apply(parsers(top)[name], name, lambda: parsers(parser()))
    args, rest = top.parse_known_args(arguments)
    if rest:
        getattr(args, "parser", top).unknown(rest)
    if args.command is None and not args.version:
        top.print_help()
        sys.exit(2)
    return args


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the `dnnc` command."""
    # Imports and IR make many objects and little garbage: by default 30 ms of start-up go there
    gc.set_threshold(100_000)
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run the command; its exit code. Every failure is a message on stderr, never a traceback."""
    verbose = bool({"-v", "--verbose"} & set(arguments))
    console.level = console.Level(verbose, bool({"-q", "--quiet"} & set(arguments)))
    try:
        args = parse(arguments)
        console.level = console.Level("verbose" in args, "quiet" in args)
        with warned("dnnc"):
            _run(args)
        sys.stdout.flush()
        return 0
    except SystemExit as e:
        return int(e.code or 0)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as e:
        from dnnc import failures

        return failures.told(e, arguments)


def _run(args: argparse.Namespace) -> None:
    if args.command is None:
        console.say(f"dnnc {__version__}")
    else:
        command(args.command).run(args)
