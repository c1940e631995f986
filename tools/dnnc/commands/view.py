"""Draw a network at any stage: a picture, or a page to move and search in."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from dnnc import arguments, console
from dnnc.arguments import Parser

if TYPE_CHECKING:
    from dnnc.passes.pipeline import Pipeline

EXAMPLES = (
    "dnnc view lenet5.onnx -o lenet5.html",
    "dnnc view lenet5.onnx -p fuse -o lenet5.svg",
    "dnnc view lenet5.onnx --stage tiled --calibrate digits.npz -o lenet5.html",
)
STAGES = ("imported", "simplified", "quantized", "fused", "tiled", "placed")


def declare(p: Parser) -> None:
    """Its arguments."""
    arguments.model(p)
    arguments.target(p)
    arguments.pipeline(p, "simplify for .onnx, none for text; npu with --stage or --after")
    where = p.add_mutually_exclusive_group()
    where.add_argument(
        "--stage", choices=STAGES, type=arguments.one_of(STAGES), help="stop where this stage is reached"
    )
    where.add_argument("--after", metavar="PASS", help="stop after the first run of this pass")
    arguments.calibrate(p)
    what = "picture (.svg), page (.html) or data (.json) to write; by default a page with the model's name here"
    arguments.file(p, "-o", "--output", metavar="FILE", help=what, endings=(".svg", ".html", ".json"))
    arguments.json(p)


def run(args: Namespace) -> None:
    """The view of the network after the passes asked for."""
    from dnnc import api, given

    passes = _passes(args)
    network = api.compile(
        given.network(args, weights=False), args.target, "ir", passes, given.calibration(args)
    ).network
    view = network.view(stage=f"after {passes[-1].name}" if len(passes) else "")
    if args.json:
        console.write(args.output, view.json())
        return
    path = Path(args.output or f"{Path(args.model).stem}.html")
    view.save(path)
    console.tell(f"{path}  {path.stat().st_size:,} bytes")
    console.tell(f"  {view.summary}")


def _passes(args: Namespace) -> Pipeline:
    from dnnc import api, given

    asked = given.pipeline(args)
    if args.stage is None and args.after is None:
        default = "simplify" if args.model.endswith(".onnx") else ""  # text is drawn as it stands
        return api.Pipeline(default if asked is None else asked)
    whole = api.Pipeline("npu" if asked is None else asked)
    return _until_stage(whole, args.stage) if args.stage else _until_pass(whole, args.after)


def _until_stage(whole: Pipeline, stage: str) -> Pipeline:
    """The passes before a stage is reached, and the one that reaches it."""
    from dnnc import api
    from dnnc.passes import REACHES

    if stage == "imported":
        return whole[:0]
    if stage == "simplified":
        return api.Pipeline("simplify")
    reached = [REACHES.get(type(one), "") for one in whole]
    return whole[: _place("--stage", stage, reached) + 1]


def _until_pass(whole: Pipeline, name: str) -> Pipeline:
    """The passes up to the first of a name."""
    return whole[: _place("--after", name, [one.name for one in whole]) + 1]


def _place(option: str, word: str, words: list[str]) -> int:
    """The place of a word; what could be said instead when it is not there."""
    from dnnc.ir.diagnostics import DnncError, Finding

    if word in words:
        return words.index(word)
    known = ", ".join(dict.fromkeys(filter(None, words))) or "none"
    message = f"expected one that the passes run to ({known}), not '{word}'. Give other passes with -p."
    raise DnncError(Finding(option, message, "E0907"))
