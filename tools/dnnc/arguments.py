"""How the command line is declared: a parser whose refusals name what was meant, and the arguments commands share."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

TARGET = "edge"


class Parser(argparse.ArgumentParser):
    """A parser of arguments: every value out of a list, and every unknown option, is refused with the nearest ones."""

    def __init__(self, *args: Any, **kwargs: Any):
        self.options: list[str] = []
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(*args, allow_abbrev=False, **kwargs)

    def add_argument(self, *names: Any, **kwargs: Any) -> argparse.Action:
        self.options += [n for n in names if n.startswith("--")]
        if "choices" in kwargs:
            kwargs.setdefault("type", one_of(kwargs["choices"]))
        return super().add_argument(*names, **kwargs)

    def unknown(self, rest: Sequence[str]) -> NoReturn:
        """Refuse arguments nobody asked for."""
        parts = []
        for word in rest:
            near = nearest(word.split("=")[0], self.options) if word.startswith("-") else ""
            parts.append(f"expected no argument '{word}'." + near)
        self.error(" ".join(parts))

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: error: {message} [E0120]", file=sys.stderr)
        print(f"{self.format_usage()}Run `{self.prog} --help` for all of it.", file=sys.stderr)
        sys.exit(2)


def nearest(word: str, words: Iterable[str]) -> str:
    """` Did you mean X?`, or nothing when no word is near."""
    known = list(words)
    near = difflib.get_close_matches(word, known, 2) or [w for w in known if len(word) > 2 and w.startswith(word)][:2]
    return f" Did you mean {' or '.join(near)}?" if near else ""


def one_of(choices: Iterable[str]) -> Callable[[str], str]:
    """A type of arguments: one of some words."""

    def choice(text: str) -> str:
        if text not in choices:
            expected = f"expected one of {', '.join(choices)}, not '{text}'."
            raise argparse.ArgumentTypeError(expected + nearest(text, choices))
        return text

    return choice


def model(p: Parser, required: bool = True, help: str = "network: .onnx, .dnn, or .mlir") -> None:
    """The network, and the sizes of the dimensions it leaves open."""
    p.add_argument("model", nargs=None if required else "?", help=help)
    p.add_argument("--dim", action="append", default=[], metavar="NAME=VALUE", help="bind a symbolic dimension")


def target(p: Parser) -> None:
    """The accelerator."""
    what = f"accelerator: a name of `dnnc targets`, or a .toml file ({TARGET})"
    p.add_argument("-t", "--target", default=TARGET, help=what)


def calibrate(p: Parser) -> None:
    """Samples for quantization."""
    what = "unlabelled samples whose ranges set the scales of an int8 network"
    p.add_argument("--calibrate", metavar="X.npz", help=what)


def json(p: Parser) -> None:
    """Output for programs."""
    p.add_argument("--json", action="store_true", help="print JSON")
