"""List the accelerators dnnc knows, or print the file of one: a start for your own."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from dnnc import arguments, console
from dnnc.arguments import Parser

if TYPE_CHECKING:
    from dnnc.ir.arch import Accelerator
    from dnnc.ir.plugins import Origin

EXAMPLES = ("dnnc targets", "dnnc targets --json", "dnnc targets edge")
HEAD = ("target", "array", "MHz", "on-chip bytes", "from", "description")


def declare(p: Parser) -> None:
    """Its arguments."""
    p.add_argument("of", nargs="?", metavar="TARGET", help="print the TOML file of this one; none lists them all")
    arguments.json(p)


def run(args: Namespace) -> None:
    """The accelerators by name, those of plug-ins too; or the text of one's file."""
    from dnnc.backends.npu.catalog import file_of, known, with_origin

    if args.json:
        chosen = known() if args.of is None else [with_origin(args.of)]
        console.json([_mapping(a, origin) for a, origin in chosen])
    elif args.of is not None:
        with_origin(args.of)  # a file with mistakes is no target
        console.say(file_of(args.of).read_text().rstrip("\n"))
    else:
        console.table(HEAD, [_row(a, str(origin or "dnnc")) for a, origin in known()])


def _mapping(a: Accelerator, origin: Origin | None) -> dict[str, object]:
    from dnnc.ir.arch import to_mapping

    return {**to_mapping(a), "from": str(origin or "dnnc")}


def _row(a: Accelerator, origin: str) -> list[object]:
    on_chip = sum(m.bytes for m in a.memory)
    return [a.name, f"{a.array.rows}x{a.array.columns}", a.clock_mhz, on_chip, origin, a.description]
