"""A scheme: which layer is quantized to what, as patterns of names in a TOML file, and back.

passes = ["simplify", "gptq", "correct-bias", "quantize", "quantize-lower"]

[layers]
"*" = { weights = "int8", activations = "int8" }
"conv*" = { weights = "int4" }          # a later line overrides the keys it states
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import reduce
from glob import escape
from operator import or_
from pathlib import Path
from typing import Any

from xdsl.dialects.builtin import ModuleOp

from dnnc.ir.diagnostics import Collector, nearest
from dnnc.ir.interpret import main_function
from dnnc.ir.toml_file import TomlFile
from dnnc.passes.analysis.choices import KEYS, OF_WEIGHTS, Choice, set_choice, set_input_choices
from dnnc.passes.analysis.contractions import Contraction, weight_axis
from dnnc.passes.analysis.layers import Layer, layers_of

LAYERS, PASSES = "layers", "passes"
REMEDY = "`dnnc scheme MODEL` prints one with the names of all layers."


@dataclass(frozen=True)
class Rule:
    """What a line of a scheme says of the layers its pattern fits, and where it stands."""

    pattern: str
    choice: Choice
    place: str = field(default="", compare=False)
    weights: int = field(default=0, compare=False)  # how many the layer has, and the bits of them all
    bits: int = field(default=0, compare=False)
    kl: float | None = field(default=None, compare=False)  # what the layer alone loses

    @property
    def note(self) -> str:
        """What is written behind it."""
        lost = "" if self.kl is None else f", KL {self.kl:.2g}"
        return f"{self.weights:,} weights{lost}" if self.weights else ""

    def fits(self, layer: Layer) -> bool:
        """Whether a layer, by its own name or by that of a node it came from, fits the pattern."""
        return any(fnmatchcase(name, self.pattern) for name in (layer.name, *layer.names))


@dataclass(frozen=True)
class Scheme:
    """Rules, of which the last that states a key decides it, and the passes that run up to integers, as text."""

    rules: tuple[Rule, ...] = ()
    passes: tuple[str, ...] = ()
    places: tuple[str, ...] = field(default=(), compare=False)  # of the passes
    source: str = field(default="scheme", compare=False)
    comments: tuple[str, ...] = field(default=(), compare=False)  # written in front

    @staticmethod
    def read(path: str | Path) -> Scheme:
        """The scheme of a file; DnncError lists every key and value it does not take, with its line."""
        return _Reader(TomlFile.read(Path(path))).scheme()

    @staticmethod
    def parse(text: str, source: str = "scheme.toml") -> Scheme:
        """The scheme of a text."""
        return _Reader(TomlFile.parse(text, source)).scheme()

    def choice(self, layer: Layer) -> Choice:
        """What the rules that fit a layer say of it together."""
        whole = reduce(or_, (r.choice for r in self.rules if r.fits(layer)), Choice())
        return Choice(**{k: v for k, v in whole.stated().items() if _concerns(k, layer)})

    def text(self) -> str:
        """The file that reads back to this scheme."""
        lines = [f"# {c}".rstrip() for c in self.comments]
        if self.passes:
            lines += [f"{PASSES} = [", *(f"  {_quoted(p)}," for p in self.passes), "]"]
        widest = max((len(_quoted(r.pattern)) for r in self.rules), default=0)
        lines += ["", f"[{LAYERS}]", *(_line(r, widest) for r in self.rules)]
        return "\n".join(lines) + "\n"

    def _place(self, layer: Layer) -> str:
        """Where the last rule stands that says something of a layer's value, or of each of its channels."""
        stated = (r for r in reversed(self.rules) if r.choice.activations or r.choice.channels is not None)
        return next((r.place for r in stated if r.fits(layer)), self.source)

    def annotate(self, module: ModuleOp) -> None:
        """Note on every layer what is said of it; DnncError lists the patterns and keys that fit nothing."""
        layers, problems = layers_of(module), Collector()
        for rule in self.rules:
            _check(rule, layers, problems)
        chosen = {layer: self.choice(layer) for layer in layers}
        for layer, choice in chosen.items():
            _agree(layer, choice, self._place(layer), problems)
        problems.raise_if_any()
        set_input_choices(main_function(module), {i: c for i, (x, c) in enumerate(chosen.items()) if x.op is None})
        for layer, choice in chosen.items():
            if layer.op is not None:
                set_choice(layer.op, choice)


def exact(layer: Layer, choice: Choice, weights: int = 0, bits: int = 0) -> Rule:
    """The rule for one layer alone."""
    return Rule(escape(layer.name), choice, weights=weights, bits=bits)


def _line(rule: Rule, widest: int) -> str:
    keys = ", ".join(f"{k.replace('_', '-')} = {_value(v)}" for k, v in rule.choice.stated().items())
    return f"{_quoted(rule.pattern):{widest}} = {{ {keys} }}" + (f"  # {rule.note}" if rule.note else "")


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _value(v: Any) -> str:
    return json.dumps(list(v) if isinstance(v, tuple) else v, ensure_ascii=False)


def _check(rule: Rule, layers: Sequence[Layer], problems: Collector) -> None:
    """A pattern fits some layer, and each of its keys says something of one that it fits."""
    fitting = [x for x in layers if rule.fits(x)]
    if not fitting:
        near = nearest(rule.pattern, dict.fromkeys(n for x in layers for n in (x.name, *x.names)))
        message = f"expected the name of a layer, or a pattern that fits one, not '{rule.pattern}'."
        problems.error(rule.place, f"{message}{near or f' {REMEDY}'}", "E0707")
        return
    for key in rule.choice.stated():
        if not any(_concerns(key, x) for x in fitting):
            kind = "with constant weights" if key in OF_WEIGHTS else "whose value has a type of its own"
            more = "" if key in OF_WEIGHTS else ", which has that of what it reads"
            message = f"{key.replace('_', '-')}: expected a layer {kind}, not '{fitting[0].name}'{more}."
            problems.error(rule.place, f"{message} State it of another layer.", "E0708")


def _concerns(key: str, layer: Layer) -> bool:
    """Whether a key says something of a layer: of its weights, or of its value where that has a type of its own."""
    return layer.weights() is not None if key in OF_WEIGHTS else layer.typed()


def _agree(layer: Layer, choice: Choice, place: str, problems: Collector) -> None:
    """What is said of a layer holds together."""
    weights, place = layer.weights(), f"{place}: layer '{layer.name}'"
    if weights is not None and choice.channels is not None and len(choice.channels) != (n := _channels(layer)):
        message = f"expected the bits of {n} output channels, not of {len(choice.channels)}."
        problems.error(place, f'{message} List them all, or state one type: weights = "int4".', "E0709")
    if weights is not None and choice.weights == "float" and choice.activations not in (None, "float"):
        message = f"expected float activations with float weights, not {choice.activations}."
        problems.error(place, f'{message} Give it weights of integers, or activations = "float".', "E0709")
    if choice.symmetric and (choice.activations or "").startswith("u"):
        message = f"expected signed integers with a zero point of 0, not {choice.activations}."
        problems.error(place, f"{message} Leave symmetric out, or give it {choice.activations[1:]}.", "E0709")  # pyright: ignore


def _channels(layer: Layer) -> int:
    """How many output channels a layer's weights have; 1 where they lie along no single dimension."""
    assert isinstance(layer.op, Contraction)
    axis = weight_axis(layer.op)
    return 1 if axis is None else layer.op.shape(1)[axis]


@dataclass
class _Reader:
    file: TomlFile
    problems: Collector = field(default_factory=Collector)

    def scheme(self) -> Scheme:
        for key in self.file.values:
            if key not in (LAYERS, PASSES):
                self._unknown((key,), (LAYERS, PASSES))
        passes = self._passes()
        rules = tuple(self._rules())
        self.problems.raise_if_any()
        places = tuple(self._place_of_pass(p) for p in passes)
        return Scheme(rules, passes, places, self.file.source)

    def _passes(self) -> tuple[str, ...]:
        given = self.file.values.get(PASSES, [])
        if not isinstance(given, list) or not all(isinstance(p, str) for p in given):
            self._error((PASSES,), f"expected an array of passes in quotes, not {shown(given)}.")
            return ()
        return tuple(given)

    def _place_of_pass(self, text: str) -> str:
        """Where a pass stands in the array that names it."""
        start, lines = self.file.line(PASSES), self.file.text.splitlines()
        at = next((n for n in range(start, len(lines) + 1) if text in lines[n - 1]), start)
        return f"{self.file.source}:{at}"

    def _rules(self) -> Iterable[Rule]:
        tables = self.file.values.get(LAYERS, {})
        if not isinstance(tables, dict):
            self._error((LAYERS,), f"expected a table of patterns, not {shown(tables)}.")
            return
        for pattern, table in tables.items():
            if not isinstance(table, dict):
                self._error((LAYERS, pattern), f'expected keys, as in {{ weights = "int4" }}, not {shown(table)}.')
                continue
            choice = self._choice(pattern, table)
            yield Rule(pattern, choice, self.file.place(LAYERS, pattern))

    def _choice(self, pattern: str, table: Mapping[str, Any]) -> Choice:
        stated = {}
        for key, value in table.items():
            if key not in KEYS:
                self._unknown((LAYERS, pattern, key), KEYS)
            elif not KEYS[key][0](value):
                self._error((LAYERS, pattern, key), f"expected {KEYS[key][1]}, not {shown(value)}.")
            else:
                kind = int if key == "weights" else float
                stated[key.replace("-", "_")] = tuple(kind(v) for v in value) if isinstance(value, list) else value
        return Choice(**stated)

    def _unknown(self, keys: tuple[str, ...], known: Iterable[str]) -> None:
        message = f"expected one of the keys {', '.join(known)}, not '{keys[-1]}'.{nearest(keys[-1], known)}"
        self.problems.error(self.file.place(*keys), message, "E0706")

    def _error(self, keys: tuple[str, ...], message: str) -> None:
        self.problems.error(f"{self.file.place(*keys)}: {keys[-1]}", message, "E0706")


def shown(value: Any) -> str:
    """A value as TOML has it, or nearly."""
    return str(value).lower() if isinstance(value, bool) else repr(value)
