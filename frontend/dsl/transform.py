"""Parse tree to syntax tree: one method per rule of the grammar."""

from __future__ import annotations

from typing import Any

from lark import Token, Transformer, Tree, v_args
from lark.tree import Meta

from dnnc.frontend.dsl import tree as t
from dnnc.frontend.dsl.messages import finding
from dnnc.frontend.dsl.syntax import string_value
from dnnc.ir.diagnostics import Collector


def statements(tree: Tree, source: t.Source, problems: Collector) -> list[t.Statement]:
    """The statements of a parsed text; what is wrong with a literal is noted."""
    return _ToTree(source, problems).transform(tree)


def span(token: Token) -> t.Span:
    """Where a token stands."""
    assert token.line is not None and token.column is not None
    return t.Span(token.line, token.column, len(token))


def _place(meta: Meta) -> t.Span:
    width = meta.end_column - meta.column if meta.line == meta.end_line else 1
    return t.Span(meta.line, meta.column, width)


def _name(token: Token) -> t.Name:
    return t.Name(span(token), str(token))


def _present(items: list[Any]) -> tuple[Any, ...]:
    return tuple(i for i in items if i is not None)


@v_args(inline=True)
class _ToTree(Transformer):
    def __init__(self, source: t.Source, problems: Collector):
        super().__init__()
        self.source = source
        self.problems = problems

    def _text(self, token: Token) -> str:
        try:
            return string_value(str(token))
        except ValueError:
            message = 'expected a string with the escapes \\", \\\\, \\n, \\t or \\uXXXX, not this one.'
            self.problems.errors.append(finding(self.source, span(token), message, "E0301"))
            return str(token)

    # Statements

    def start(self, *items):
        return list(items)

    def network(self, name):
        return t.Network(span(name), str(name))

    def importing(self, path, prefix):
        return t.Import(span(path), self._text(path), str(prefix) if prefix is not None else None)

    def weights(self, path):
        return t.Weights(span(path), self._text(path))

    def seed(self, number):
        if not number.isdigit():
            self.problems.errors.append(
                finding(self.source, span(number), f"expected a whole number as the seed, not {number}.", "E0332")
            )
            return t.Seed(span(number), 0)
        return t.Seed(span(number), int(number))

    def alias(self, name, element):
        return t.Alias(span(name), str(name), element)

    def define(self, name, *rest):
        parameters = tuple(r for r in rest if isinstance(r, t.Parameter))
        body = tuple(r for r in rest if isinstance(r, t.Statement))
        return t.Function(span(name), str(name), parameters, body)  # pyright: ignore[reportArgumentType]

    def parameter(self, name, default):
        return t.Parameter(_name(name), default)

    @v_args(inline=False, meta=True)
    def returning(self, meta, values):
        return t.Return(_place(meta), tuple(values))

    def input(self, name, type_, node):
        return t.Input(span(name), _name(name), type_, node)

    @v_args(inline=False, meta=True)
    def output(self, meta, results):
        return t.Output(_place(meta), tuple(results))

    def result(self, name, node):
        return (name, node)

    def assign(self, *parts):
        *targets, value, node = parts
        return t.Assign(span(targets[0]), tuple(map(_name, targets)), value, node)

    @v_args(inline=False, meta=True)
    def node(self, meta, parts):
        *notes, name = parts
        return t.Node(_place(meta), self._text(name) if name is not None else None, tuple(notes))

    def note(self, name, value):
        return t.Note(_name(name), value)

    # Expressions

    @v_args(inline=True, meta=True)
    def binary(self, meta, left, sign, right):
        return t.Binary(_place(meta), str(sign), left, right)

    @v_args(inline=True, meta=True)
    def negative(self, meta, _, value):
        at = _place(meta)
        if isinstance(value, t.Literal) and not isinstance(value.value, str):
            return t.Literal(at, -value.value)
        return t.Negative(at, value)

    def number(self, number):
        text = str(number)
        return t.Literal(span(number), int(text) if text.isdigit() else float(text))

    def string(self, text):
        return t.Literal(span(text), self._text(text))

    def named(self, name):
        return _name(name)

    def call(self, name, *arguments):
        return t.Call(span(name), str(name), _present(list(arguments)))

    def keyword(self, name, value):
        return t.Keyword(_name(name), value)

    @v_args(inline=False, meta=True)
    def list(self, meta, items):
        return t.Sequence(_place(meta), _present(items))

    @v_args(inline=False, meta=True)
    def shaped(self, meta, items):
        return t.Shaped(_place(meta), _name(items[0]), _present(items[1:]))

    @v_args(inline=False, meta=True)
    def shaped_quantized(self, meta, items):
        return t.Shaped(_place(meta), items[0], _present(items[1:]))

    @v_args(inline=False, meta=True)
    def quantized(self, meta, items):
        storage, *rest = items
        axis = None
        if isinstance(rest[0], Token):
            axis, *rest = rest[1:]
        scales, zeros = rest
        return t.Quantized(_place(meta), _name(storage), scales, zeros, axis)
