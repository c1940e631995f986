"""What dnnc.toml says, checked against what the commands take."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dnnc.arguments import COMMON, Parser, nearest
from dnnc.ir.diagnostics import Collector
from dnnc.ir.toml_file import TomlFile

DEFAULTS = "defaults"
VALUE = "E0125"


@dataclass
class Project:
    """A file's tables, checked against what the commands take; paths in it are meant from `folder`."""

    file: TomlFile
    folder: Path
    parsers: Mapping[str, Parser]
    problems: Collector = field(default_factory=Collector)

    def values(self, name: str) -> dict[str, Any]:
        """What the file says for a command, by the name of its argument."""
        found: dict[str, Any] = {}
        for title, table in self.file.values.items():
            taken = self._table(title, table)
            if title == DEFAULTS:
                own = {a.dest for a in options(self.parsers[name])}
                found = {k: v for k, v in taken.items() if k in own} | found
            elif title == name:
                found |= taken
        self.problems.raise_if_any()
        return found

    def _table(self, title: str, table: Any) -> dict[str, Any]:
        if title != DEFAULTS and title not in self.parsers:
            near = nearest(title, [DEFAULTS, *self.parsers])
            what = f"expected [{DEFAULTS}] or the name of a command, not [{title}].{near}"
            if not isinstance(table, dict):
                what = f"expected tables, not the key '{title}'. Put it below [{DEFAULTS}] or the name of a command."
            self._error(title, None, what, "E0124")
            return {}
        if not isinstance(table, dict):
            self._error(title, None, f"expected a table [{title}], not {shown(table)}.", VALUE)
            return {}
        known = self._options(title)
        return dict(v for key, value in table.items() if (v := self._value(title, key, value, known)) is not None)

    def _options(self, title: str) -> dict[str, argparse.Action]:
        """The options a table may set, by key."""
        chosen = self.parsers.values() if title == DEFAULTS else [self.parsers[title]]
        return {key(a): a for p in chosen for a in options(p)}

    def _value(self, title: str, key: str, value: Any, known: Mapping[str, argparse.Action]) -> tuple[str, Any] | None:
        action = known.get(key)
        if action is None:
            what = "an option of some command" if title == DEFAULTS else f"an option of `dnnc {title}`"
            self._error(title, key, f"expected {what}, not '{key}'.{nearest(key, known)}", "E0124")
            return None
        try:
            return action.dest, self._converted(action, value)
        except (TypeError, argparse.ArgumentTypeError) as e:
            self._error(title, key, str(e), VALUE)
            return None

    def _converted(self, action: argparse.Action, value: Any) -> Any:
        if action.nargs == 0:
            return typed(value, bool, "true or false")
        if isinstance(action.default, list):
            return [typed(v, str, "an array of strings") for v in typed(value, list, "an array of strings")]
        if action.type is int:
            return typed(value, int, "a whole number")
        text = typed(value, str, "a string")
        if callable(action.type):
            return action.type(text)
        return self._path(text, getattr(action, "endings", None))

    def _path(self, text: str, endings: tuple[str, ...] | None) -> str:
        """A path is meant from the folder of the file; a target's name is no path."""
        is_path = endings is not None and (endings != (".toml",) or text.endswith(".toml"))
        return str(self.folder / text) if is_path else text

    def _error(self, title: str, key: str | None, message: str, code: str) -> None:
        place = self.file.place(title, *([key] if key else []))
        self.problems.error(f"{place}: {key}" if code == VALUE and key else place, message, code)


def options(p: Parser) -> list[argparse.Action]:
    """The options of a command that a project may set."""
    common = {name for names in COMMON for name in names} | {"--help"}
    return [a for a in p.actions if a.option_strings and not common & set(a.option_strings)]


def key(action: argparse.Action) -> str:
    """An option's key: its long name."""
    return max(action.option_strings, key=len).lstrip("-")


def typed(value: Any, kind: type, expected: str) -> Any:
    """The value, which must be of a type; TypeError says what was expected."""
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise TypeError(f"expected {expected}, not {shown(value)}.")
    return value


def shown(value: Any) -> str:
    """A value as TOML has it, or nearly."""
    return str(value).lower() if isinstance(value, bool) else repr(value)
