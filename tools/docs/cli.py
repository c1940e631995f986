"""The page of the command line, from the parsers."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from dnnc import cli, schemas
from dnnc.arguments import COMMON, Parser
from dnnc.commands import command
from tools.docs.markdown import block, literal, page, table

PROJECT = """[defaults]            # for every command that has the option
target = "edge"
calibrate = "digits.npz"

[compile]
emit = "c"

[report]
wide = true"""


def text() -> str:
    """The page."""
    parsers = cli.parsers(cli.parser())
    commands = ([f"[{name}](#dnnc-{name})", p.description or ""] for name, p in parsers.items())
    return page(
        "The command line",
        "the parsers of `tools/dnnc/commands/`",
        table(["command", "what it does"], commands),
        "## Of all commands",
        "These stand before the command's name or after it.",
        table(["option", "meaning"], ([", ".join(map(literal, names)), what] for names, what in COMMON.items())),
        "On a terminal, tables are drawn and errors coloured; work of more than a second shows its progress on stderr. In a pipe, "
        "tables are plain aligned text. `NO_COLOR` and `TERM=dumb` take colour away, `FORCE_COLOR` brings it into pipes.",
        "## Exit codes",
        table(["code", "meaning"], ([str(code), what] for code, what in cli.EXIT.items())),
        "A fault of dnnc writes a zip with the traceback, the command line, versions, the settings that matter, the pipeline and "
        "the module as text, without weights, into the current folder; attach it to a report.",
        *project(),
        *(part for name, p in parsers.items() for part in section(name, p)),
    )


def project() -> Iterator[str]:
    """What dnnc.toml says."""
    yield "## dnnc.toml"
    yield (
        "A file of this name in the current folder, or the nearest above it, holds a project's own defaults: a key is the long "
        "name of an option. The table of a command stands above `[defaults]`, the command line above both. Paths are meant from "
        "the folder of the file. `-v` says which file was read, `--no-config` reads none."
    )
    yield f"```toml\n{PROJECT}\n```"


def section(name: str, p: Parser) -> Iterator[str]:
    """The section of a command."""
    yield f"## dnnc {name}"
    yield p.description or ""
    usage = p.format_usage().removeprefix("usage: ")
    yield block(" ".join(usage.split()))
    rows = [[invocation(a), a.help or ""] for a in p.actions if shown(a)]
    if rows:
        yield table(["argument", "meaning"], rows)
    yield block("\n".join(command(name).EXAMPLES))
    if name in schemas.names():
        yield f"`--json` prints what [json.md](json.md#dnnc-{name}---json) describes."


def shown(action: argparse.Action) -> bool:
    """Whether an argument is the command's own."""
    common = {n for names in COMMON for n in names} | {"--help"}
    return not common & set(action.option_strings)


def invocation(action: argparse.Action) -> str:
    """How an argument is written."""
    value = action.metavar or ("|".join(action.choices) if action.choices else action.dest.upper())
    if not action.option_strings:
        return literal(action.metavar or action.dest if not action.choices else str(value))  # pyright: ignore
    names = ", ".join(action.option_strings)
    return literal(names if action.nargs == 0 else f"{names} {value}")
