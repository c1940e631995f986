"""How the command line is declared: a parser whose refusals name what was meant, and the arguments commands share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from dnnc import console

TARGET = "edge"
MODELS = (".onnx", ".dnn", ".mlir")
SAMPLES = (".npz", ".npy")
METHODS = ("min-max", "percentile", "mse", "entropy", "aciq")
RANGES = "min-max"
COMMON = {
    ("-v", "--verbose"): "say more: phases and their times, the traceback of a fault",
    ("-q", "--quiet"): "say less: errors, warnings and what was asked for",
    ("--no-config",): "read no dnnc.toml",
}


class Parser(argparse.ArgumentParser):
    """A parser of arguments: every value out of a list, and every unknown option, is refused with the nearest ones."""

    def __init__(self, *args: Any, **kwargs: Any):
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(*args, allow_abbrev=False, **kwargs)

    @property
    def actions(self) -> list[argparse.Action]:
        """What it takes, in order."""
        return self._actions

    def add_argument(self, *names: Any, **kwargs: Any) -> argparse.Action:
        if "choices" in kwargs:
            kwargs.setdefault("type", one_of(kwargs["choices"]))
        return super().add_argument(*names, **kwargs)

    def unknown(self, rest: Sequence[str]) -> NoReturn:
        """Refuse arguments nobody asked for."""
        options = [name for a in self.actions for name in a.option_strings]
        parts = []
        for before, word in zip(["", *rest], rest):
            if before.startswith("-") and not word.startswith("-"):
                continue  # the value of an option that does not exist
            near = nearest(word.split("=")[0], options) if word.startswith("-") else ""
            parts.append(f"expected no argument '{word}'.{near}")
        self.error(" ".join(parts))

    def error(self, message: str) -> NoReturn:
        console.error("error", f"{message} [E0120]", self.prog)
        console.note(f"{self.format_usage()}`{self.prog} --help` says more.")
        sys.exit(2)


def nearest(word: str, words: Iterable[str]) -> str:
    """` Did you mean X?`, or nothing when no word is near."""
    known = list(words)
    near = get_close_matches(word, known, 2) or [w for w in known if len(word) > 2 and w.startswith(word)][:2]
    return f" Did you mean {' or '.join(near)}?" if near else ""


def one_of(choices: Iterable[str]) -> Callable[[str], str]:
    """A type of arguments: one of some words."""

    def choice(text: str) -> str:
        if text not in choices:
            expected = f"expected one of {', '.join(choices)}, not '{text}'."
            raise argparse.ArgumentTypeError(expected + nearest(text, choices))
        return text

    return choice


def count(text: str) -> int:
    """A type of arguments: how many of something."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 0, not '{text}'.")
    return int(text)


def place(text: str) -> tuple[str, str]:
    """A type of arguments: a place in a run."""
    by, _, value = text.partition("=")
    if by not in ("layer", "instruction", "cycle") or not value or (by != "layer" and not value.isdecimal()):
        raise argparse.ArgumentTypeError(f"expected layer=NAME, instruction=N or cycle=N, not '{text}'.")
    return by, value


def named_file(text: str) -> tuple[str, str]:
    """A type of arguments: what to write, and the file to write it to."""
    name, _, path = text.partition("=")
    if not name or not path:
        raise argparse.ArgumentTypeError(f"expected NAME=FILE, not '{text}'.")
    return name, path


def common(p: argparse.ArgumentParser) -> None:
    """What every command takes, before its name or after it."""
    group = p.add_argument_group("common options")
    for names, what in COMMON.items():
        group.add_argument(*names, action="store_true", default=argparse.SUPPRESS, help=what)


def file(p: Parser, *names: str, endings: Sequence[str] = (), **kwargs: Any) -> argparse.Action:
    """An argument that is a path; `endings` are those a shell offers."""
    action = p.add_argument(*names, **kwargs)
    action.endings = tuple(endings)  # pyright: ignore[reportAttributeAccessIssue]
    return action


def model(p: Parser, required: bool = True, what: str = "network: .onnx, .dnn or .mlir", more: str = "") -> None:
    """The network, and the sizes of the dimensions it leaves open."""
    file(p, "model", nargs=None if required else "?", help=what, endings=(*MODELS, *filter(None, [more])))
    p.add_argument("--dim", action="append", default=[], metavar="NAME=VALUE", help="bind a symbolic dimension")


def target(p: Parser, programs: bool = False) -> None:
    """The accelerator; `programs`: None stands for the one a program was compiled for."""
    own = "a program's own, else " if programs else ""
    what = f"accelerator: a name of `dnnc targets`, or a .toml file ({own}{TARGET})"
    file(p, "-t", "--target", default=None if programs else TARGET, help=what, endings=(".toml",))


def pipeline(p: Parser, default: str) -> None:
    """Passes in place of the default ones, as text or in a file."""
    group = p.add_mutually_exclusive_group()
    group.add_argument(
        "-p", "--passes", metavar="PASSES", help=f"passes to run ({default}), as `dnnc passes` names them"
    )
    action = group.add_argument("--pipeline-file", metavar="X.dnnp", help="the same, in a file")
    action.endings = (".dnnp",)  # pyright: ignore[reportAttributeAccessIssue]


def calibrate(p: Parser) -> None:
    """Samples for quantization."""
    group = p.add_argument_group("calibration")
    what = (
        "unlabelled samples whose ranges set the scales of an int8 network: .npz, .npy, or a folder of arrays or pictures; "
        "data-free, or data-free:LOW..HIGH, to make them up; dynamic for scales found at run time (not npu)"
    )
    action = group.add_argument("--calibrate", metavar="X.npz", help=what)
    action.endings = SAMPLES  # pyright: ignore[reportAttributeAccessIssue]
    what = 'how pictures become inputs: a .toml file, or its lines: "resize=256, crop=224, scale=0.0078, mean=1"'
    action = group.add_argument("--preprocess", metavar="HOW", help=what)
    action.endings = (".toml",)  # pyright: ignore[reportAttributeAccessIssue]
    what = f"range of a value: its extremes, or what leaves the least error by a criterion ({RANGES})"
    group.add_argument("--ranges", choices=METHODS, type=one_of(METHODS), default=RANGES, help=what)
    scheme(p)


def scheme(p: Parser) -> None:
    """What each layer is quantized to."""
    group = p.add_argument_group("scheme")
    what = "what each layer is quantized to, by patterns of names; -p takes the place of the passes it names"
    action = group.add_argument("--scheme", metavar="S.toml", help=what)
    action.endings = (".toml",)  # pyright: ignore[reportAttributeAccessIssue]
    action = group.add_argument("--scheme-out", metavar="S.toml", help="write the scheme of this run here")
    action.endings = (".toml",)  # pyright: ignore[reportAttributeAccessIssue]


def budget(p: Parser) -> None:
    """Widths of weights by what they cost and lose."""
    group = p.add_mutually_exclusive_group()
    what = (
        "find widths of 2 to 8 bits that lose at most so much: KL divergence in nats, on half of the samples held out"
    )
    group.add_argument("--budget-kl", metavar="NATS", type=positive, help=what)
    what = "find widths of 2 to 8 bits that take so many bits a weight on average, and lose the least"
    group.add_argument("--budget-bits", metavar="BITS", type=positive, help=what)


def positive(text: str) -> float:
    """A type of arguments: a number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, not '{text}'.")
    return value


def json(p: Parser) -> None:
    """Output for programs."""
    p.add_argument("--json", action="store_true", help="print JSON; `dnnc schema COMMAND` prints its schema")
