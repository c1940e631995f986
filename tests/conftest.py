"""Runs the RUN lines of `.mlir` files inside pytest, and keeps golden files.

A line `// RUN: dnnc-opt %s -p "..." | filecheck %s` is one test; `%s` is the file, `%S` its folder. Both programs run in
this process (about 14 ms a line, against 500 ms as commands); the same lines work for `lit`.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filecheck.finput import FInput
from filecheck.matcher import Matcher
from filecheck.options import parse_argv_options
from filecheck.parser import Parser
from hypothesis import settings
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from dnnc import opt
from dnnc.ir.context import make_context
from dnnc.ir.text import parse
from dnnc.ir.weights import WeightStore

settings.register_profile("dnnc", derandomize=True, deadline=None)
settings.load_profile("dnnc")

TESTS = Path(__file__).parent
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--bless", action="store_true", help="rewrite golden files with what the tests produce")


def pytest_collect_file(parent: pytest.Collector, file_path: Path) -> pytest.Collector | None:
    if file_path.suffix == ".mlir" and "golden" not in file_path.parts:
        return MlirFile.from_parent(parent, path=file_path)
    return None


class MlirFile(pytest.File):
    """A `.mlir` file with RUN lines."""

    def collect(self) -> Iterator[MlirRun]:
        lines = run_lines(self.path.read_text("utf-8"))
        if not lines:
            raise self.CollectError(
                f"{self.path}: expected a line '// RUN: dnnc-opt %s ... | filecheck %s', found none."
            )
        for number, command in lines:
            yield MlirRun.from_parent(self, name=f"line {number}: {command}", number=number, command=command)


def run_lines(text: str) -> list[tuple[int, str]]:
    """(line number, command) of each RUN line; a backslash at the end joins the next RUN line."""
    found: list[tuple[int, str]] = []
    joining = False
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r"\s*// RUN:\s*(.*?)\s*$", line)
        if match is None:
            continue
        command = match[1].removesuffix("\\").rstrip()
        if joining:
            found[-1] = (found[-1][0], f"{found[-1][1]} {command}")
        else:
            found.append((number, command))
        joining = match[1].endswith("\\")
    return found


class MlirFailure(Exception):
    """What a RUN line gave instead of what it should."""


class MlirRun(pytest.Item):
    """One RUN line: a pipe of dnnc-opt commands that may end in filecheck."""

    def __init__(self, *, number: int, command: str, **kwargs):
        super().__init__(**kwargs)
        self.number = number
        self.command = command

    def runtest(self) -> None:
        # An input that is read again by a later stage of the pipe is the text before it, as in a shell.
        text = ""
        for stage in self.command.split(" | "):
            here = stage.replace("%s", str(self.path)).replace("%S", str(self.path.parent))
            program, *arguments = shlex.split(here)
            text = self.stage(program, arguments, text)

    def stage(self, program: str, arguments: list[str], text: str) -> str:
        if program == "dnnc-opt":
            return self.run_opt(arguments, text)
        if program == "filecheck":
            return self.run_filecheck(arguments, text)
        raise MlirFailure(f"expected dnnc-opt or filecheck, not '{program}'.")

    def run_opt(self, arguments: list[str], text: str) -> str:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stderr(err):
            code = opt.run(arguments, io.StringIO(text), out)
        if code:
            raise MlirFailure(f"dnnc-opt {shlex.join(arguments)}\nended with exit code {code}:\n{err.getvalue()}")
        return out.getvalue()

    def run_filecheck(self, arguments: list[str], text: str) -> str:
        options = parse_argv_options(["filecheck", *arguments])
        err = io.StringIO()
        with contextlib.redirect_stderr(err):
            matcher = Matcher(options, FInput("dnnc-opt", text), Parser.from_opts(options))
            code = matcher.run()
        if code:
            message = _COLOUR.sub("", err.getvalue()).replace(f"{TESTS.parent}/", "")
            raise MlirFailure(f"{message}\nThe whole output was:\n{text}")
        return ""

    def repr_failure(self, excinfo, style=None) -> str:
        if isinstance(excinfo.value, MlirFailure):
            return f"{self.path.relative_to(TESTS.parent)}:{self.number}: {self.command}\n\n{excinfo.value}"
        return str(super().repr_failure(excinfo, "short"))

    def reportinfo(self):
        return self.path, self.number - 1, self.command


class Golden:
    """Texts kept under tests/golden/<path of the test file>/."""

    def __init__(self, folder: Path, bless: bool):
        self.folder = folder
        self.bless = bless

    def check(self, name: str, text: str) -> None:
        """Compare with the file `name`; `pytest --bless` writes it instead."""
        path = self.folder / name
        shown = path.relative_to(TESTS.parent)
        if self.bless:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        elif not path.exists():
            pytest.fail(f"{shown} does not exist yet. If this text is right, write it with `pytest --bless`:\n{text}")
        else:
            assert text == path.read_text("utf-8"), f"not as in {shown}. If the new text is right: `pytest --bless`."


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Golden files of this test: `golden.check("lenet.txt", text)` reads tests/golden/<test path>/lenet.txt."""
    here = Path(request.path).relative_to(TESTS).with_suffix("")
    return Golden(TESTS / "golden" / here, request.config.getoption("--bless"))


Program = tuple[ModuleOp, Context]


@pytest.fixture
def program() -> Callable[..., Program]:
    """A function that parses a program: `module, ctx = program(text, store)`."""

    def make(text: str, store: WeightStore | None = None) -> Program:
        ctx = make_context(store)
        return parse(ctx, text, "test.mlir"), ctx

    return make


@pytest.fixture
def main_program(program: Callable[..., Program]) -> Callable[..., Program]:
    """A function that makes @main of a line: `main_program("dnn.relu %a", "tensor<2xf32>", result="tensor<2xf32>")`."""

    def make(line: str, *operands: str, result: str, store: WeightStore | None = None) -> Program:
        arguments = ", ".join(f"%{n}: {t}" for n, t in zip("abcdefgh", operands))
        body = f"%y = {line} : ({', '.join(operands)}) -> {result}\n  func.return %y : {result}"
        return program(f"func.func @main({arguments}) -> {result} {{\n  {body}\n}}", store)

    return make
