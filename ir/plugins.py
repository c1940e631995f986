"""Packages that add to dnnc: objects named by their entry points, loaded when first asked for.

A package that cannot be used is told about in a warning, once, and never stands in the way of the rest.
"""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from dnnc.ir.diagnostics import Finding

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

T = TypeVar("T")


class PluginWarning(UserWarning):
    """A plug-in was left out; the text says which, why, and what to do."""


class Rejected(Exception):
    """The object of an entry point is not what its group takes: `expected .., not ... What to do.`."""


@dataclass(frozen=True)
class Origin:
    """The package something comes from."""

    package: str
    version: str

    def __str__(self) -> str:
        return f"{self.package} {self.version}"


@dataclass(frozen=True)
class Entry:
    """One entry point of a package."""

    point: EntryPoint
    origin: Origin

    def finding(self, message: str, code: str) -> Finding:
        """What is wrong with it, and where: its name, group and package."""
        return Finding(f"plug-in '{self.point.name}' ({self.point.group}) of {self.origin}", message, code)


@dataclass
class Group(Generic[T]):
    """What plug-ins may add of one kind: the group of their entry points, what checks and makes an object of them.

    `accept(name, object)` gives what dnnc uses or raises Rejected; `taken()` are the names of dnnc itself.
    """

    name: str
    accept: Callable[[str, Any], T]
    taken: Callable[[], Iterable[str]]
    _entries: dict[str, Entry] | None = None
    _loaded: dict[str, T] = field(default_factory=dict)
    _refused: dict[str, Finding] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _GROUPS.append(self)

    def names(self) -> list[str]:
        """Names of the entry points, sorted; nothing is imported."""
        return list(self._found())

    def origin(self, name: str) -> Origin:
        """The package a name comes from."""
        return self._found()[name].origin

    def get(self, name: str) -> T | None:
        """What a name stands for; None when no package adds it, or when it was left out (see `refused`)."""
        entry = self._found().get(name)
        if entry is None or name in self._refused:
            return None
        if name not in self._loaded:
            try:
                self._loaded[name] = self.accept(name, entry.point.load())
            except Rejected as e:
                self.refuse(name, str(e), "E0521")
            except (Exception, SystemExit) as e:  # whatever a stranger's module does when it is imported
                message = f"expected '{entry.point.value}' to import, not {brief(e)}. "
                todo = f"Install what it needs, or take it out: pip uninstall {entry.origin.package}."
                self.refuse(name, message + todo, "E0520")
        return self._loaded.get(name)

    def all(self) -> dict[str, T]:
        """Everything that loads, by name."""
        return {name: one for name in self.names() if (one := self.get(name)) is not None}

    def refused(self, name: str) -> Finding | None:
        """Why an entry point of this name was left out."""
        return self._refused.get(name)

    def refuse(self, name: str, message: str, code: str) -> None:
        """Leave an entry point out from now on, with a warning."""
        self._loaded.pop(name, None)
        self._refused[name] = self._found()[name].finding(message, code)
        warnings.warn(str(self._refused[name]), PluginWarning, stacklevel=2)

    def forget(self) -> None:
        """Look for packages anew the next time."""
        self._entries = None
        self._loaded.clear()
        self._refused.clear()

    def _found(self) -> dict[str, Entry]:
        if self._entries is None:
            self._entries, taken = {}, {name: "dnnc" for name in self.taken()}
            for entry in entries(self.name):
                name = entry.point.name
                if name in taken:
                    message = (
                        f"expected a name that is free, not '{name}', which {taken[name]} has. Rename one of them."
                    )
                    warnings.warn(str(entry.finding(message, "E0522")), PluginWarning, stacklevel=3)
                else:
                    self._entries[name], taken[name] = entry, str(entry.origin)
        return self._entries


_GROUPS: list[Group[Any]] = []


def entries(group: str) -> list[Entry]:
    """The entry points of a group in all installed packages, by name, then package."""
    from importlib.metadata import entry_points  # 17 ms, and most commands ask for nothing a package adds

    found = [
        Entry(p, Origin(p.dist.name, p.dist.version) if p.dist else Origin("?", "?")) for p in entry_points(group=group)
    ]
    unique = {
        (e.point.name, e.origin.package): e for e in reversed(found)
    }  # a package found twice: the first on the path
    return [unique[key] for key in sorted(unique)]


def forget() -> None:
    """Look for packages anew: the path changed in this process."""
    for group in _GROUPS:
        group.forget()


def brief(e: BaseException) -> str:
    """An exception in a line, with the place it was raised at: `KeyError: 'x' (passes.py:12)`."""
    frames = [
        f for f in traceback.extract_tb(e.__traceback__) if "importlib" not in f.filename and f.filename != __file__
    ]
    place = f" ({frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno})" if frames else ""
    text = str(e)
    if isinstance(e, SyntaxError) and e.filename:
        text, place = e.msg, f" ({e.filename.rsplit('/', 1)[-1]}:{e.lineno})"
    first = (text.splitlines() or [""])[0]
    return f"{type(e).__name__}: {first}{place}" if first else f"{type(e).__name__}{place}"
