"""Text to tree: the parser, and what is said about text it cannot read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from dnnc.frontend.dsl.messages import finding
from dnnc.frontend.dsl.tree import Source, Span, Statement
from dnnc.ir.diagnostics import Collector, Finding, nearest

if TYPE_CHECKING:
    from lark import Lark, Token
    from lark.exceptions import UnexpectedInput

_MOST = 10  # syntax errors reported in one run
KEYWORDS = {  # how a line with each keyword is written
    "network": "network lenet5", "import": 'import "blocks.dnn"', "weights": 'weights "net.safetensors"', "seed": "seed 7",
    "type": "type act = q<i8, 0.1, 0>", "def": "def block(x, filters) { ... }", "input": "input x: f32[1, 3, 32, 32]",
    "output": "output y", "return": "return y",
}  # fmt: skip
_SHOWN = {
    "LPAR": "'('", "RPAR": "')'", "LSQB": "'['", "RSQB": "']'", "LBRACE": "'{'", "RBRACE": "'}'",
    "COMMA": "','", "EQUAL": "'='", "COLON": "':'", "LESSTHAN": "'<'", "MORETHAN": "'>'",
    "NAME": "a name", "STRING": "a string", "NUMBER": "a number", "AT": "'@'", "_NL": "the end of the line",
    "$END": "the end of the file", "_Q": "a quantized type", "AXIS": "'axis'", "_RETURN": "'return'", "_AS": "'as'",
}  # fmt: skip
_VALUE = {"NAME", "NUMBER", "STRING", "LSQB", "LPAR", "MINUS", "_Q"}
_OPERATORS = {"ADDITIVE", "MULTIPLICATIVE", "LPAR"}


class _Lines:
    """Drops the ends of lines inside ( ) and [ ]."""

    always_accept = ("_NL",)

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        depth = 0
        for token in stream:
            if token.type in ("LPAR", "LSQB"):
                depth += 1
            elif token.type in ("RPAR", "RSQB"):
                depth -= 1
            if token.type != "_NL" or depth <= 0:
                yield token


@cache
def parser() -> Lark:
    """The LALR(1) parser of the grammar."""
    from lark import Lark

    grammar = Path(__file__).with_name("grammar.lark").read_text("utf-8")
    return Lark(grammar, parser="lalr", postlex=_Lines(), propagate_positions=True)  # pyright: ignore


def parse(source: Source, problems: Collector) -> list[Statement]:
    """The statements of a text; every line that cannot be read is noted, as long as it does not hide the lines after."""
    from lark.exceptions import UnexpectedInput

    from dnnc.frontend.dsl.transform import statements

    text = source.text + "\n"
    for _ in range(_MOST):
        try:
            tree = parser().parse(text)
        except UnexpectedInput as e:
            line, column = _position(e, text)
            problems.errors.append(_finding(source, text, e, line, column))
            rest = _without(text, line)
            if rest is None or getattr(getattr(e, "token", None), "type", "") == "$END":
                break
            text = rest
        else:
            return statements(tree, source, problems)
    return []


def _position(e: UnexpectedInput, text: str) -> tuple[int, int]:
    """Line and column of the token that does not fit; the end of a file is where its last text ends."""
    token = getattr(e, "token", None)
    if token is not None and token.type == "$END":
        last = text.rstrip()
        return last.count("\n") + 1, len(last) - last.rfind("\n")
    return e.line, e.column


def _finding(source: Source, text: str, e: UnexpectedInput, line: int, column: int) -> Finding:
    token = getattr(e, "token", None)
    got, width = _got(text, e, token)
    if token is None:
        expected = "a string that ends on its line" if got.startswith("one") else "a name, a number or a sign"
    else:
        expected = _expected(set(e.accepts))  # pyright: ignore[reportAttributeAccessIssue]
    start = re.match(r"\s*(\w+)\s+", source.lines[line - 1]) if token is not None else None
    if start and start.end() == column - 1 and nearest(start[1], KEYWORDS) and start[1] not in KEYWORDS:
        message = f"expected a statement, not '{start[1]}'.{nearest(start[1], KEYWORDS)}"
        return finding(source, Span(line, start.start(1) + 1, len(start[1])), message, "E0302")
    message = f"expected {expected}, not {got}.{_remedy(source, text, token, line, column)}"
    return finding(source, Span(line, column, width), message, "E0301")


def _got(text: str, e: UnexpectedInput, token: Token | None) -> tuple[str, int]:
    """What stands there, and how wide it is."""
    if token is None:
        char = text[e.pos_in_stream]  # pyright: ignore[reportArgumentType, reportCallIssue]
        if char == '"':
            return "one without its closing '\"'", 1
        return f"the character {char!r}", 1
    if token.type == "$END":
        return "the end of the file", 1
    if token.type == "_NL":
        return "the end of the line", 1
    return f"'{token}'", len(token)


def _expected(kinds: set[str]) -> str:
    """Names of terminals as a phrase, the many ways to begin a value or a statement as one."""
    if {"_INPUT", "NAME"} <= kinds:
        return "a statement"
    if {"_RETURN", "NAME"} <= kinds:
        return "a statement or '}'"
    parts = []
    if kinds >= _VALUE:
        kinds, parts = kinds - _VALUE, ["a value"]
    elif "ADDITIVE" in kinds:
        kinds = kinds - _OPERATORS
    if "_NL" in kinds:
        kinds = kinds - {"AT", "LBRACE"}
    if "RPAR" in kinds:
        kinds = kinds - {"EQUAL"}
    parts += sorted({_SHOWN.get(k, f"'{k}'") for k in kinds - {"LSQB"} or kinds})
    return " or ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _remedy(source: Source, text: str, token: Token | None, line: int, column: int) -> str:
    """What to do, when it can be guessed: a misspelt keyword, a bracket left open."""
    before = source.lines[line - 1][: column - 1].split() if line <= len(source.lines) else []
    keyword = before[0] if len(before) == 1 and before[0] in KEYWORDS else ""
    offset = sum(len(part) + 1 for part in text.split("\n")[: line - 1]) + column - 1
    at_end = token is not None and token.type == "$END"
    left = [(sign, at) for sign, at in open_brackets(text[:offset]) if sign != "{" or at_end or keyword]
    if keyword and not left:
        return f" A line with '{keyword}' is written: {KEYWORDS[keyword]}"
    if left and (at_end or left[-1][1][0] < line):
        sign, (row, col) = left[-1]
        return f" The '{sign}' at {row}:{col} is still open."
    return ""


def open_brackets(text: str) -> list[tuple[str, tuple[int, int]]]:
    """Brackets of a text that are not closed, with line and column of each."""
    found: list[tuple[str, tuple[int, int]]] = []
    for row, line in enumerate(text.split("\n"), 1):
        for m in re.finditer(r'"(?:\\.|[^"\\])*"|#.*|[()\[\]{}]', line):
            if m[0] in "([{":
                found.append((m[0], (row, m.start() + 1)))
            elif m[0] in ")]}" and found:
                found.pop()
    return found


def _without(text: str, line: int) -> str | None:
    """The text with a line emptied; None when the lines after it cannot be understood without it."""
    lines = text.split("\n")
    before = "\n".join(lines[: line - 1])
    left = {sign for sign, _ in open_brackets(before)}
    word = (lines[line - 1].split() or [""])[0]
    inside = left & {"(", "["} or (left and word in KEYWORDS and word != "return")
    balanced = not open_brackets(lines[line - 1]) and lines[line - 1].count("}") == lines[line - 1].count("{")
    if inside or not balanced or not lines[line - 1].strip():
        return None
    lines[line - 1] = ""
    return "\n".join(lines)


def string_value(text: str) -> str:
    """The value of a string literal, escapes as in JSON; ValueError when it is none."""
    return json.loads(text)
