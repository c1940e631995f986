"""List the accelerators dnnc knows."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from dnnc import arguments, console
from dnnc.arguments import Parser

if TYPE_CHECKING:
    from dnnc.ir.arch import Accelerator

EXAMPLES = ("dnnc targets", "dnnc targets --json")
HEAD = ("target", "array", "MHz", "on-chip bytes", "from", "description")


def declare(p: Parser) -> None:
    """Its arguments."""
    arguments.json(p)


def run(args: Namespace) -> None:
    """The accelerators by name, those of plug-ins too."""
    from dnnc.backends.npu.catalog import known
    from dnnc.ir.arch import to_mapping

    if args.json:
        console.json([{**to_mapping(a), "from": str(origin or "dnnc")} for a, origin in known()])
    else:
        console.table(HEAD, [_row(a, str(origin or "dnnc")) for a, origin in known()])


def _row(a: Accelerator, origin: str) -> list[object]:
    on_chip = sum(m.bytes for m in a.memory)
    return [a.name, f"{a.array.rows}x{a.array.columns}", a.clock_mhz, on_chip, origin, a.description]
