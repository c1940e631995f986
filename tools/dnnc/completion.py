"""Completion scripts: what the parsers declare, with files by their endings, and the names of targets, passes and codes."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any

import shtab

from dnnc import cli, errors
from dnnc.backends.npu import catalog
from dnnc.passes import PASSES, PIPELINES
from dnnc.passes.pipeline.registry import PLUGINS


def script(shell: str) -> str:
    """The script that makes a shell complete `dnnc`."""
    top = cli.parser()
    for p in cli.parsers(top).values():
        for action in p.actions:
            how = completer(action)
            if how is not None:
                action.complete = how  # pyright: ignore[reportAttributeAccessIssue]
    return shtab.complete(top, shell)


def completer(action: argparse.Action) -> Any:
    """How the value of an argument is completed; None leaves it to its choices."""
    if action.dest == "target":
        return words_or_files("targets", [*catalog.bundled(), *catalog.PLUGINS.names()], "*.toml")
    if action.dest in ("passes", "dump_after"):
        return listed("passes", [*PIPELINES, *PASSES, *PLUGINS.names()])
    if action.dest == "code":
        return words_or_files("codes", errors.titles())
    endings = getattr(action, "endings", None)
    return None if endings is None else files(endings)


def files(endings: Sequence[str]) -> dict[str, Any]:
    """A file with one of some endings, or a folder on the way to one."""
    how = shtab.glob(*(f"*{e}" for e in endings))
    if len(endings) == 1:  # zsh reads the parentheses of shtab's (*.npz) as a qualifier
        how["zsh"] = f"_files -g '*{endings[0]}'"
    return dict(how)


def words_or_files(name: str, words: Iterable[str], pattern: str = "") -> dict[str, Any]:
    """One of some words, or a file of a pattern, or a folder on the way to one."""
    known = " ".join(words)
    files = f'\n  compgen -f -X "!{pattern}" -- "$1"\n  compgen -d -- "$1"' if pattern else ""
    zsh_files = f"_files -g '{pattern}'" if pattern else ""
    return {
        "bash": f"_dnnc_{name}",
        "zsh": "{compadd -- " + known + ("; " + zsh_files if pattern else "") + "}",
        "preamble": {"bash": f'_dnnc_{name}() {{\n  compgen -W "{known}" -- "$1"{files}\n}}'},
    }


def listed(name: str, words: Iterable[str]) -> dict[str, Any]:
    """Some of some words, with commas between them."""
    known = " ".join(words)
    body = f'  local before=""\n  [[ $1 == *,* ]] && before="${{1%,*}},"\n  compgen -P "$before" -W "{known}" -- "${{1##*,}}"'
    return {
        "bash": f"_dnnc_{name}",
        "zsh": f"_sequence compadd - {known}",
        "preamble": {"bash": f"_dnnc_{name}() {{\n{body}\n}}"},
    }
