"""Errors a user can act on: `<where>: <what was expected>, not <what was got>. <what to do>`."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import overload

from xdsl.dialects.builtin import ArrayAttr, FileLineColLoc, FusedLoc, LocationAttr, NameLoc
from xdsl.utils.exceptions import VerifyException

MANY = 4
"""Places that a sentence is said of one by one."""


@dataclass(frozen=True)
class Finding:
    """One problem: where it is, the sentence that states expectation, fact and remedy, and the code of its kind."""

    where: str
    message: str
    code: str

    def __str__(self) -> str:
        sentence, line, excerpt = self.message.partition("\n")
        place = f"{self.where}: " if self.where else ""
        return f"{place}{sentence} [{self.code}]{line}{excerpt}"


class Remark(UserWarning):
    """What a pass did beyond what was asked of it, or what that costs, for the user to know."""


class DnncError(Exception):
    """The user's input is wrong; carries every problem found in one run."""

    kind = "error"

    @overload
    def __init__(self, findings: Finding | Iterable[Finding]): ...

    @overload
    def __init__(self, findings: str, code: str): ...

    def __init__(self, findings: Finding | str | Iterable[Finding], code: str | None = None):
        if isinstance(findings, str):
            assert code is not None
            findings = Finding("", findings, code)
        several = (findings,) if isinstance(findings, Finding) else findings
        self.findings: tuple[Finding, ...] = tuple(dict.fromkeys(several))
        super().__init__("\n".join(str(f) for f in self.findings))

    def __reduce__(self):
        return type(self), (self.findings,)


def _together(findings: Iterable[Finding]) -> Iterator[Finding]:
    """The findings, those that say the same of many places, as of the steps of a loop, as one that names them all."""
    places: dict[tuple[str, str], list[str]] = {}
    for f in findings:
        places.setdefault((f.message, f.code), []).append(f.where)
    for (message, code), where in places.items():
        yield from (
            [Finding(", ".join(where), message, code)]
            if len(where) > MANY
            else (Finding(w, message, code) for w in where)
        )


class UnsupportedError(DnncError, NotImplementedError):
    """The input is valid but something in it is not supported (here, or on the chosen target)."""

    kind = "unsupported"

    def __str__(self) -> str:
        lines = [str(f) for f in _together(self.findings)]
        head = f"{len(self.findings)} unsupported things:\n"
        return lines[0] if len(self.findings) == 1 else head + "\n".join(lines)


class InternalError(DnncError):
    """dnnc broke one of its own invariants; please report it."""

    kind = "internal error"


class Collector:
    """Gathers problems so that one run reports all of them."""

    def __init__(self) -> None:
        self.errors: list[Finding] = []
        self.unsupported: list[Finding] = []

    def error(self, where: str, message: str, code: str) -> None:
        """Note a mistake in the user's input."""
        self.errors.append(Finding(where, message, code))

    def refuse(self, where: str, message: str, code: str) -> None:
        """Note something valid that dnnc does not support."""
        self.unsupported.append(Finding(where, message, code))

    def raise_if_any(self) -> None:
        """Raise DnncError if there is a mistake, else UnsupportedError if something is refused."""
        if self.errors:
            raise DnncError(self.errors + self.unsupported)
        if self.unsupported:
            raise UnsupportedError(self.unsupported)


class BrokenRule(VerifyException):
    """A rule of an operation or a type does not hold; `code` is the code of the rule."""

    def __init__(self, message: str, code: str):
        super().__init__(message)
        self.code = code


def rule_code(error: BaseException | None) -> str:
    """The code of a verifier's error: its own, or E0403 for a rule of xDSL's."""
    return error.code if isinstance(error, BrokenRule) else "E0403"


class BeyondDialect(BrokenRule):
    """The construction makes sense but the dialect does not have it, as an element type an operation does not take."""


def expect(holds: bool, expected: str | Callable[[], str], got: object, todo: str = "", *, code: str) -> None:
    """Raise the verifier's error `<expected>, not <got>. <todo>` unless `holds`.

    Rules are checked after every pass: give what takes long to write as it is, or as a function of no arguments.
    """
    if not holds:
        want = expected if isinstance(expected, str) else expected()
        raise BrokenRule(f"expected {want}, not {got}." + (f" {todo}" if todo else ""), code)


def support(holds: bool, expected: str, got: object, todo: str = "", *, code: str) -> None:
    """Raise like `expect`, for what makes sense but the dialect does not have."""
    if not holds:
        raise BeyondDialect(f"expected {expected}, not {got}." + (f" {todo}" if todo else ""), code)


def where(location: LocationAttr, fallback: str = "") -> str:
    """Text of a location: `node 'conv1'`, `node 'conv1' (net.dnn:3:5)`, `file.mlir:3:5`, or the fallback when unknown."""
    if isinstance(location, NameLoc):
        inside = f" ({where(location.location)})" if isinstance(location.location, FileLineColLoc) else ""
        return f"node '{location.desc.data}'{inside}"
    if isinstance(location, FileLineColLoc):
        return f"{location.filename.data}:{location.line.data}:{location.column.data}"
    if isinstance(location, FusedLoc):
        parts = (where(part) for part in location.locations)  # pyright: ignore[reportGeneralTypeIssues]
        return " + ".join(filter(None, parts)) or fallback
    return fallback


def node_names(location: LocationAttr) -> list[str]:
    """Names of the nodes a location stands for, in order, each once; file positions where a part has no name."""
    if isinstance(location, NameLoc):
        return [location.desc.data]
    if isinstance(location, FusedLoc):
        assert isinstance(location.locations, ArrayAttr)
        parts = location.locations.data
        return list(dict.fromkeys(n for part in parts for n in node_names(part) or [where(part)] if n))
    return []


def nearest(name: str, known: Iterable[str]) -> str:
    """` Did you mean 'conv'?`, or nothing when no known name is close."""
    near = difflib.get_close_matches(name, list(known), 1)
    return f" Did you mean '{near[0]}'?" if near else ""


def short(name: str, most: int = 48) -> str:
    """A name, or its beginning and end where it is long, as converters chain all they fused."""
    return name if len(name) <= most else f"{name[: most - 20]}…{name[-19:]}"


def counted(names: Iterable[str]) -> str:
    """Names with their multiplicity, most frequent first: `Conv (12), Relu (3)`."""
    return ", ".join(f"{name} ({n})" for name, n in Counter(names).most_common())
