"""The text of pipelines, `simplify, fuse-groups{max-ops=4}`, as a tree whose parts know where they stand.

    pipeline   = [entry ("," entry)* [","]]
    entry      = NAME "=" "(" pipeline ")" | NAME ["{" option* "}"]
    option     = NAME ["=" value ("," value)*]
    value      = NUMBER | WORD | STRING

`#` begins a comment that ends with its line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dnnc.ir.diagnostics import DnncError, Finding

EXAMPLE = "'simplify,fuse-groups{max-ops=4}'"


@dataclass(frozen=True)
class Source:
    """A pipeline's text and the file it is of; the command line is no file."""

    text: str
    file: str | None = None

    @property
    def folder(self) -> Path:
        """What paths in the text are relative to."""
        return Path(self.file).parent if self.file else Path()

    def where(self, at: int) -> str:
        """`p.dnnp:3:5` in a file, `pipeline` on the command line."""
        if self.file is None:
            return "pipeline"
        before = self.text[:at]
        return f"{self.file}:{before.count(chr(10)) + 1}:{at - before.rfind(chr(10))}"


@dataclass(frozen=True)
class Token:
    """A word of the text: its kind (the group of the lexer's expression, or the sign itself), text and position."""

    kind: str
    text: str
    at: int


@dataclass(frozen=True)
class Option:
    """`max-ops=4`: a name and its values as written, none for a bare flag."""

    name: str
    values: tuple[Token, ...]
    at: int


@dataclass(frozen=True)
class Call:
    """A pass or a pipeline by name, with options."""

    name: str
    options: tuple[Option, ...]
    at: int


@dataclass(frozen=True)
class Definition:
    """`front = (simplify, cse)`: a name for what stands in parentheses."""

    name: str
    entries: tuple[Entry, ...]
    at: int


Entry = Call | Definition

# A name may also say where a function is: `package.module:function`, `folder/file.py:function`.
_LEXER = re.compile(
    r"""(?P<space>\s+|\#[^\n]*) | (?P<string>"(\\.|[^"\\\n])*") | (?P<word>[\w.:/\\+*~@%-]+) | (?P<sign>[{}(),=])""",
    re.X,
)


def parse(source: Source) -> tuple[Entry, ...]:
    """The entries of a pipeline's text; DnncError at the first thing that does not fit."""
    return _Parser(source).whole()


def unquoted(token: Token) -> str:
    """The text a value stands for."""
    return json.loads(token.text) if token.kind == "string" else token.text


def _tokens(source: Source) -> Iterator[Token]:
    at = 0
    while at < len(source.text):
        match = _LEXER.match(source.text, at)
        if match is None:
            raise refusal(source, at, source.text[at], "a name, a value or one of , { } = ( )")
        if match.lastgroup != "space":
            kind = match[0] if match.lastgroup == "sign" else match.lastgroup or ""
            yield Token(kind, match[0], at)
        at = match.end()
    yield Token("end", "", at)


def refusal(source: Source, at: int, got: str, expected: str) -> DnncError:
    """The error of a text that does not fit at a place."""
    inside = "" if source.file else f" in {source.text!r}, column {at + 1}"
    message = (
        f"expected {expected}, not {got!r}{inside}."
        if got
        else f"expected {expected}, not the end of the text{inside}."
    )
    return DnncError(Finding(source.where(at), f"{message} Write passes like {EXAMPLE}.", "E0501"))


class _Parser:
    def __init__(self, source: Source):
        self.source = source
        self.tokens = list(_tokens(source))
        self.next = 0

    def whole(self) -> tuple[Entry, ...]:
        entries = self.entries()
        self.take("end", expected="',' and the next pass" if entries else "the name of a pass")
        return entries

    def peek(self, ahead: int = 0) -> Token:
        return self.tokens[min(self.next + ahead, len(self.tokens) - 1)]

    def take(self, *kinds: str, expected: str) -> Token:
        token = self.peek()
        if token.kind not in kinds:
            raise refusal(self.source, token.at, token.text, expected)
        self.next += 1
        return token

    def skip(self, kind: str) -> bool:
        found = self.peek().kind == kind
        self.next += found
        return found

    def entries(self) -> tuple[Entry, ...]:
        found: list[Entry] = []
        while self.peek().kind not in ("end", ")"):
            found.append(self.entry())
            if not self.skip(","):
                break
        return tuple(found)

    def entry(self) -> Entry:
        name = self.take("word", "string", expected="the name of a pass or a pipeline")
        if self.skip("="):
            self.take("(", expected=f"'(' and the passes '{name.text}' stands for")
            entries = self.entries()
            self.take(")", expected="',' and the next pass, or ')'")
            return Definition(unquoted(name), entries, name.at)
        return Call(unquoted(name), self.options() if self.skip("{") else (), name.at)

    def options(self) -> tuple[Option, ...]:
        found: list[Option] = []
        while not self.skip("}"):
            name = self.take("word", expected="the name of an option, or '}'")
            found.append(Option(name.text, self.values() if self.skip("=") else (), name.at))
            if self.peek().kind == ",":
                raise refusal(self.source, self.peek().at, ",", "a space between options")
        return tuple(found)

    def values(self) -> tuple[Token, ...]:
        values = [self.value()]
        while self.peek().kind == "," and self.peek(1).kind in ("word", "string") and self.peek(2).kind != "=":
            self.next += 1
            values.append(self.value())
        return tuple(values)

    def value(self) -> Token:
        return self.take("word", "string", expected='a value (one with other signs in quotes, "like this")')
