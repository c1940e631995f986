"""Draw what lies where in every memory while a network runs: who is alive at the peak, who is written over whom, what helps."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from dnnc import arguments, console
from dnnc.arguments import Parser

if TYPE_CHECKING:
    from dnnc.backends.view.memory import MemoryMap

EXAMPLES = (
    "dnnc memory lenet5.onnx --calibrate digits.npz",
    "dnnc memory lenet5.onnx -t tiny --calibrate digits.npz -o lenet5.html",
    "dnnc memory lenet5.onnx --emit c -o lenet5.svg",
)
SHOWN = 5
"""Buffers alive at the peak that a line names."""


def declare(p: Parser) -> None:
    """Its arguments."""
    arguments.model(p)
    arguments.target(p)
    what = "whose memory: the scratchpads and DRAM of a program (npu), or the arena of C (npu)"
    p.add_argument("--emit", choices=("npu", "c"), default="npu", help=what)
    arguments.pipeline(p, "those of what is emitted")
    arguments.calibrate(p)
    what = "picture (.svg), page (.html) or data (.json) to write as well"
    arguments.file(p, "-o", "--output", metavar="FILE", help=what, endings=(".svg", ".html", ".json"))
    arguments.json(p)


def run(args: Namespace) -> None:
    """The memory of a compiled network, as a table, and as a picture when a file is named."""
    from dnnc import api, given

    network = given.network(args)
    program = api.compile(network, args.target, args.emit, given.pipeline(args), given.calibration(args))
    drawn = program.memory()
    if args.json:
        console.write(args.output, drawn.json())
        return
    if args.output:
        drawn.save(args.output)
    _tables(drawn)
    if args.output:
        console.tell(f"{args.output}  {Path(args.output).stat().st_size:,} bytes")


def _tables(drawn: MemoryMap) -> None:
    """A row a space, then for each who is alive at its peak, who is written over whom, and what would lower the peak."""
    from dnnc.ir.diagnostics import short

    head = ("space", "bytes", "capacity", "least proved", "plan", "buffers", "fullest at")
    rows = [(s.name, s.bytes, s.capacity, s.proved, s.status, len(s.occupants), s.peak) for s, _ in drawn.spaces]
    console.table(head, rows)
    for space, found in drawn.spaces:
        live = [f"{short(o.label)} {o.size:,}" for o in space.live(space.peak_step)]
        more = [f"{len(live) - SHOWN} more"] if len(live) > SHOWN else []
        console.say(f"\n{space.name}, {space.peak}: {', '.join(live[:SHOWN] + more)}")
        for o in [o for o in space.occupants if o.over]:
            console.say(f"  {short(o.label)} is written over {short(o.over)}: {o.size:,} bytes at {o.offset:,}")
        for saving in found:
            console.say(f"  {saving.what}{f' (-{saving.bytes:,})' if saving.bytes else ''}: {saving.text}")
