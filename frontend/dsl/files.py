"""Files: what each one defines, what it takes from others, and the arrays it names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path, PurePath
from typing import Any
from zipfile import BadZipFile

import numpy as np

from dnnc.frontend.dsl import tree as t
from dnnc.frontend.dsl.evaluate import Frame, element_of
from dnnc.frontend.dsl.messages import Mistake, finding
from dnnc.frontend.dsl.syntax import parse
from dnnc.frontend.dsl.unit import Arrays, Unit
from dnnc.ir.diagnostics import Collector, DnncError, Finding
from dnnc.ir.weights import read_safetensors


class Reader:
    """Reads a file and those it imports, each once; mistakes are noted and reading goes on."""

    def __init__(self, problems: Collector):
        self.problems = problems
        self.known: dict[Path, Unit] = {}
        self.open: list[tuple[Path | None, str]] = []  # files being read, outermost first

    def read(self, source: t.Source, folder: Path, path: Path | None = None) -> Unit:
        """The unit of a text; `path` is its file, when it has one."""
        unit = Unit(source, folder, parse(source, self.problems))
        if path is not None:
            self.known[path] = unit
        self.open.append((path, source.name))
        for statement in unit.statements:
            try:
                self._define(unit, statement)
            except Mistake as e:
                self.problems.errors.append(finding(source, e.at, str(e), e.code))
        self.open.pop()
        return unit

    def _define(self, unit: Unit, statement: t.Statement) -> None:
        match statement:
            case t.Function(at, name):
                _new(unit, unit.functions, "function", at, name)
                unit.functions[name] = (unit, statement)
            case t.Alias(at, name):
                _new(unit, unit.aliases, "type", at, name)
                unit.aliases[name] = (unit, statement, element_of(Frame(unit), statement.element))
            case t.Seed(value=value):
                unit.seed = value
            case t.Weights(at, path):
                self._weights(unit, at, path)
            case t.Import():
                self._import(unit, statement)

    def _weights(self, unit: Unit, at: t.Span, path: str) -> None:
        unit.weights.append(path)
        for key, array in open_arrays(unit.folder / path, at).items():
            if key in unit.arrays:
                raise Mistake(at, f"expected keys of their own in each file of weights, not '{key}' in two.", "E0328")
            unit.arrays[key] = array

    def _import(self, unit: Unit, statement: t.Import) -> None:
        path = Path(os.path.normpath((unit.folder / statement.path).absolute()))
        shown = str(PurePath(unit.source.name).parent / statement.path)
        paths = [p for p, _ in self.open]
        if path in paths:
            circle = " -> ".join([*(name for _, name in self.open[paths.index(path) :]), shown])
            raise Mistake(
                statement.at, f"expected files that do not import each other in a circle, not {circle}.", "E0323"
            )
        if path not in self.known:
            self.read(t.Source(shown, read_text(path, statement.at)), path.parent, path)
        prefix = f"{statement.prefix}." if statement.prefix else ""
        other = self.known[path]
        for name, function in other.functions.items():
            _new(unit, unit.functions, "function", statement.at, prefix + name)
            unit.functions[prefix + name] = function
        for name, alias in other.aliases.items():
            _new(unit, unit.aliases, "type", statement.at, prefix + name)
            unit.aliases[prefix + name] = alias


def _new(unit: Unit, known: Mapping[str, tuple[Any, ...]], kind: str, at: t.Span, name: str) -> None:
    """Verify that a name is not taken."""
    if name in known:
        owner, first, *_ = known[name]
        place = f"{owner.source.name}:{first.at.line}:{first.at.column}"
        todo = "" if owner is unit else ' Import it with a prefix: import "file.dnn" as f.'
        raise Mistake(at, f"expected a new name for a {kind}, not '{name}', which {place} has.{todo}", "E0324")


def read_text(path: Path, at: t.Span) -> str:
    """The text of an imported file."""
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        raise Mistake(
            at, "expected a .dnn file, found nothing there. Paths start at the folder of this file.", "E0322"
        ) from None
    except OSError as e:
        raise Mistake(at, f"expected a .dnn file that can be read, not this one: {e.strerror}.", "E0322") from e
    except UnicodeDecodeError as e:
        raise Mistake(at, f"expected UTF-8 text, not the byte at {e.start}.", "E0106") from e


def open_arrays(path: Path, at: t.Span) -> Arrays:
    """The arrays of a .safetensors (memory-mapped) or .npz file (each read on first use)."""
    if path.suffix not in (".safetensors", ".npz"):
        raise Mistake(at, f"expected weights as .safetensors or .npz, not '{path.suffix}'.", "E0325")
    try:
        if path.suffix == ".safetensors":
            arrays, _ = read_safetensors(path)
            return {key: lambda a=a: a for key, a in arrays.items()}
        archive = np.load(path, allow_pickle=False)
        return {key: lambda key=key: archive[key] for key in archive.files}
    except FileNotFoundError:
        message = "expected a file of weights, found nothing there. Paths start at the folder of this file."
        raise Mistake(at, message, "E0325") from None
    except OSError as e:
        raise Mistake(
            at, f"expected a file of weights that can be read, not this one: {e.strerror or e}.", "E0325"
        ) from e
    except (ValueError, AttributeError, BadZipFile) as e:  # np.load gives a bare array for what is no archive
        raise Mistake(at, f"expected a whole .npz file, not a damaged one ({e}). Write it again.", "E0325") from e
    except DnncError as e:
        raise Mistake(at, e.findings[0].message, e.findings[0].code) from e


@cache
def prelude() -> Unit:
    """The functions that come with the language."""
    path = Path(__file__).with_name("prelude.dnn")
    problems = Collector()
    unit = Reader(problems).read(t.Source(path.name, path.read_text("utf-8")), path.parent, path)
    problems.raise_if_any()
    return unit


def main_unit(path: Path, problems: Collector) -> Unit:
    """The unit of a file named by the user."""
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as e:
        message = f"expected UTF-8 text, not the byte at {e.start}. Give a .dnn file."
        raise DnncError(Finding(str(path), message, "E0106")) from e
    except OSError as e:
        message = f"expected a .dnn file that can be read, not this one: {e.strerror}."
        raise DnncError(Finding(str(path), message, "E0103")) from e
    return Reader(problems).read(t.Source(path.name, text), path.parent, Path(os.path.normpath(path.absolute())))
