"""TOML files, with the line of every key, so that what is wrong with one is told where it stands."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from os.path import relpath
from pathlib import Path
from typing import Any

from dnnc.ir.diagnostics import DnncError, Finding

_PART = r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|[\w-]+)"""
_KEY = re.compile(rf"\s*({_PART}(?:\s*\.\s*{_PART})*)\s*=")
_HEAD = re.compile(rf"\s*\[{{1,2}}\s*({_PART}(?:\s*\.\s*{_PART})*)\s*\]")

Keys = tuple[str, ...]


@dataclass(frozen=True)
class TomlFile:
    """What a file says, and on which line each of its tables and keys stands."""

    source: str
    values: dict[str, Any]
    lines: dict[Keys, int]
    text: str = ""

    @staticmethod
    def read(path: Path) -> TomlFile:
        """A file, found and in TOML; otherwise a located error."""
        source = relpath(path)
        try:
            return TomlFile.parse(path.read_text("utf-8"), source)
        except FileNotFoundError as e:
            raise DnncError(Finding(source, "expected a file, found nothing there. Check the path.", "E0101")) from e
        except IsADirectoryError as e:
            raise DnncError(Finding(source, "expected a file, not a folder. Name a file in it.", "E0103")) from e
        except UnicodeDecodeError as e:
            message = f"expected UTF-8 text, not the byte at {e.start}. Save the file as UTF-8."
            raise DnncError(Finding(source, message, "E0106")) from e

    @staticmethod
    def parse(text: str, source: str) -> TomlFile:
        """The values and places of a text."""
        try:
            return TomlFile(source, tomllib.loads(text), dict(_places(text)), text)
        except tomllib.TOMLDecodeError as e:
            raise DnncError(Finding(source, f"expected TOML, not this ({e}).", "E0123")) from e

    def line(self, *keys: str) -> int:
        """The line of a key, or of the innermost table around it that has one."""
        return next((self.lines[keys[:n]] for n in range(len(keys), 0, -1) if keys[:n] in self.lines), 1)

    def place(self, *keys: str) -> str:
        """`scheme.toml:7`, where a key stands."""
        return f"{self.source}:{self.line(*keys)}"


def _places(text: str) -> Iterator[tuple[Keys, int]]:
    table: Keys = ()
    for number, line in enumerate(text.splitlines(), 1):
        if head := _HEAD.match(line):
            table = _parts(head[1])
            yield table, number
        elif key := _KEY.match(line):
            yield (*table, *_parts(key[1])), number


def _parts(dotted: str) -> Keys:
    """The keys of a dotted one, as TOML reads it."""
    found, parts = tomllib.loads(f"{dotted} = 0"), []
    while isinstance(found, dict):
        ((name, found),) = found.items()
        parts.append(name)
    return tuple(parts)
