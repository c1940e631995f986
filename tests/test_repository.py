"""What must hold of the repository as a whole, so that nothing can be left out."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest
from xdsl.ir import Operation

import dnnc
from dnnc import errors
from dnnc.backends.npu.catalog import FOLDER, bundled, load_target
from dnnc.ir.dnn import FAMILIES, OPS
from dnnc.ir.sched import Sched
from dnnc.passes import PASSES

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FOLDERS = PROJECT["tool"]["setuptools"]["package-dir"]
SOURCES = ("ir", "passes", "frontend", "backends", "tools")

# Who may import whom: tools -> backends | frontend -> passes -> ir.
MAY_IMPORT = {
    "ir": set(),
    "passes": {"ir"},
    "frontend": {"ir"},
    "backends": {"ir", "passes"},
    "zoo": set(),
    "tools": {"ir", "passes", "frontend", "backends", "zoo"},
}
OP_CLASSES: list[type[Operation]] = [*OPS, *Sched.operations]


def python_files() -> list[Path]:
    return sorted(p for part in SOURCES for p in (ROOT / part).rglob("*.py"))


@cache
def committed() -> list[Path]:
    """Files under version control, and those that would be; all files where there is no git."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    if listed.returncode:
        kept = (p for part in (*SOURCES, "docs", "tests") for p in (ROOT / part).rglob("*"))
        return [p for p in kept if p.is_file() and "__pycache__" not in p.parts]
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def import_name(path: Path) -> str:
    """The name a source file is imported by: tools/dnnc/cli.py is dnnc.cli."""
    relative = path.relative_to(ROOT).with_suffix("")
    for package, folder in sorted(FOLDERS.items(), key=lambda item: -len(item[1])):
        if relative.is_relative_to(folder):
            rest = relative.relative_to(folder).parts
            return ".".join((package, *(part for part in rest if part != "__init__")))
    return ".".join(relative.parts)


def layer(module: str) -> str:
    """The layer a module of dnnc belongs to."""
    part = module.split(".")[1] if "." in module else ""
    return part if part in MAY_IMPORT else "tools"


def imports(path: Path) -> set[str]:
    """Names of the modules of dnnc a file imports, relative ones refused."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: expected an absolute import."
            found.add(node.module or "")
            if node.module == "dnnc":
                found |= {f"dnnc.{name.name}" for name in node.names}
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
    return {name for name in found if name.split(".")[0] == "dnnc" and name != "dnnc"}


def test_packages_listed_are_the_folders():
    folders = {p.parent for p in python_files() if p.name == "__init__.py"}
    outside = {ROOT / "tools" / "docs", ROOT / "tools" / "bench"}  # run from the repository, not installed
    found = sorted(import_name(folder / "__init__.py") for folder in folders - outside)
    assert sorted(PROJECT["tool"]["setuptools"]["packages"]) == found


def test_every_folder_with_code_is_a_package():
    bare = {p.parent.relative_to(ROOT) for p in python_files() if not (p.parent / "__init__.py").exists()}
    assert bare <= {Path("tools/docs"), Path("tools/bench")}


@pytest.mark.parametrize("path", python_files(), ids=lambda p: str(p.relative_to(ROOT)))
def test_import_directions(path: Path):
    own = import_name(path)
    here = layer(own) if own.startswith("dnnc") else "tools"
    for name in imports(path):
        there = layer(name)
        assert there == here or there in MAY_IMPORT[here], f"{own} imports {name}: {here} may not import {there}."
        if here == there == "backends":
            mine, other = (n.split(".")[2:3] for n in (own, name))
            shared = not other or not (ROOT / "backends" / other[0]).is_dir()
            assert shared or other == mine, f"{own} imports {name}: backends never import each other."


def public_modules() -> list[str]:
    return sorted({dnnc.__name__, *(m.name for m in pkgutil.walk_packages(dnnc.__path__, "dnnc."))})


@pytest.mark.parametrize("name", sorted(import_name(p) for p in python_files() if import_name(p).startswith("dnnc")))
def test_every_module_imports(name: str):
    if not name.endswith("__main__"):
        assert importlib.import_module(name).__doc__, f"{name} has no docstring."


@pytest.mark.parametrize("name", PASSES)
def test_a_pass_has_one_name(name: str):
    """FuseGroupsPass = fuse-groups = passes/fuse_groups.py = tests/passes/fuse-groups.mlir."""
    kind = PASSES[name]
    assert kind.__name__ == "".join(part.capitalize() for part in name.split("-")) + "Pass"
    assert kind.__module__ == f"dnnc.passes.{name.replace('-', '_')}"
    assert kind.__doc__ and not kind.__doc__.startswith(f"{kind.__name__}("), "a pass says in a sentence what it does"
    test = ROOT / "tests" / "passes" / f"{name}.mlir"
    runs = [line for line in test.read_text().splitlines() if line.startswith("// RUN:")]
    assert any(name in line for line in runs), f"expected a RUN line with {name} in {test}."


def test_every_pass_file_is_registered():
    files = {p.stem.replace("_", "-") for p in (ROOT / "passes").glob("*.py")} - {"--init--", "pipeline"}
    assert files == set(PASSES)
    tests = {p.stem for p in (ROOT / "tests" / "passes").glob("*.mlir")}
    assert tests == set(PASSES)


@pytest.mark.parametrize("op", OP_CLASSES, ids=lambda op: op.name)
def test_an_operation_has_one_name(op: type[Operation]):
    """HardSwishOp = dnn.hard_swish."""
    assert op.__name__.lower() == op.name.split(".")[1].replace("_", "") + "op"


@pytest.mark.parametrize("op", OP_CLASSES, ids=lambda op: op.name)
def test_an_operation_says_what_it_means(op: type[Operation]):
    """A sentence, and in the graph dialect a formula in it."""
    assert "__doc__" in vars(op) and op.__doc__, f"{op.__name__} has no docstring."
    first = op.__doc__.strip().splitlines()[0]
    assert first.rstrip().endswith((".", ":")) or len(first) > 60, f"{op.__name__}: expected a sentence, not {first!r}."
    structural = op.name in ("dnn.group", "dnn.yield") or op.name.startswith("sched.")
    assert structural or "=" in first, f"{op.__name__}: expected a formula, not {first!r}."


def round_trips(dialect: str) -> str:
    return (ROOT / "tests" / "ir" / dialect / "ops.mlir").read_text()


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_every_operation_round_trips(op: type[Operation]):
    """Stands in ops.mlir with its custom form, which the second RUN line also sends through the generic one."""
    text = round_trips("dnn")
    assert re.search(rf"^ +(%.* = )?{re.escape(op.name)}( |$)", text, re.MULTILINE)
    assert "// RUN: dnnc-opt %s --print-op-generic | dnnc-opt | filecheck %s" in text


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_every_parameter_is_written_in_ops_mlir(op: type[Operation]):
    lines = [line for line in round_trips("dnn").splitlines() if "CHECK" not in line and f" {op.name} " in line]
    for name in op.get_irdl_definition().properties:
        if name != "operandSegmentSizes":
            assert any(re.search(rf" {name}( |$)", line) for line in lines), f"{op.name} never has {name} in ops.mlir."


def test_every_operation_is_in_one_family():
    assert len({op.name for op in OPS}) == len(OPS)
    assert {op.__module__ for op in OPS} == {family.__name__ for family in FAMILIES}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda p: p.stem)
def test_every_target_is_loaded(path: Path):
    assert path.stem in bundled()
    target = load_target(path.stem)
    assert target.name == path.stem
    golden = list((ROOT / "tests" / "golden").rglob(f"*{path.stem}*"))
    assert golden, f"expected a golden report of target {path.stem} under tests/golden."


def test_generated_pages_are_up_to_date():
    done = subprocess.run([sys.executable, "-m", "tools.docs", "--check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def source_of_dnnc() -> str:
    """The source of what is installed."""
    return "\n".join(p.read_text("utf-8") for p in python_files() if import_name(p).startswith("dnnc"))


def test_no_finding_is_without_a_code():
    """The type checker holds calls to it; an empty code would pass it."""
    assert not re.search(r"""code(: str)? ?= ?(""|'')[,)]""", source_of_dnnc())


def test_every_code_has_a_page_and_every_page_a_code():
    used = {code for found in re.findall(r'"(E0\d{3})"|\[(E0\d{3})\]', source_of_dnnc()) for code in found if code}
    pages = set(errors.titles())
    assert pages == used, f"expected a page in tools/dnnc/errors for {used - pages}, and none for {pages - used}."


def text_files() -> list[Path]:
    binary = (".npz", ".onnx", ".pb", ".safetensors", ".png", ".npu")
    return [p for p in committed() if p.suffix not in binary and p.name != "LICENSE"]


def test_no_machine_is_named():
    """No absolute path of some machine and no package registry in what is committed."""
    machine = re.compile(
        r"/(?:home|Users|root|opt|work|mnt)/\w|[A-Z]:\\\\|pypi\.|files\.pythonhosted|--(?:extra-)?index-url"
    )
    own = Path(__file__)
    for path in text_files():
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            assert path == own or not machine.search(line), f"{path.relative_to(ROOT)}:{number}: {line.strip()}"


def test_files_stay_small():
    """A source file of more than 450 lines wants to be two; isa.py-like tables count as well."""
    limit = {"elementwise.py": 720}  # one class of four lines an operation
    for path in python_files():
        lines = len(path.read_text("utf-8").splitlines())
        assert lines <= limit.get(path.name, 450), f"{path.relative_to(ROOT)} has {lines} lines."


def test_the_extras_are_not_needed():
    """Nothing outside its own folder imports what only [bench], [dev] or [zoo] brings, but where it is used."""
    runtime = {re.split(r"[<>=]", line)[0] for line in PROJECT["project"]["dependencies"]} | {
        "google"
    }  # protobuf, by onnx
    for path in python_files():
        if path.is_relative_to(ROOT / "tools" / "bench") or path.is_relative_to(ROOT / "tools" / "docs"):
            continue
        for node in ast.parse(path.read_text("utf-8")).body:
            names = [n.name for n in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                top = name.split(".")[0]
                known = top == "dnnc" or top in runtime or top in sys.stdlib_module_names
                assert known, f"{path.relative_to(ROOT)}:{node.lineno} imports {top} at its top level."


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The sdist, and the wheel built from it."""
    out = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "build", "--outdir", str(out), str(ROOT)], check=True, capture_output=True)
    return {p.suffix: p for p in out.iterdir()}


@pytest.mark.full
@pytest.mark.parametrize("kind", [".whl", ".gz"])
def test_installs_into_an_empty_environment(distributions: dict[str, Path], kind: str, tmp_path: Path):
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    bin_ = tmp_path / "venv" / "bin"

    def run(program: str, *arguments: str) -> str:
        done = subprocess.run([str(bin_ / program), *arguments], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, f"{program} {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
        return done.stdout

    run("python", "-m", "pip", "install", "-q", "-c", str(ROOT / "constraints.txt"), str(distributions[kind]))
    assert "compile" in run("dnnc", "--help")
    assert "dnn.relu" in run("dnnc-opt", str(ROOT / "tests" / "passes" / "dce.mlir"), "-p", "dce")
    demo = run("python", "-m", "dnnc.demo", "--models", str(ROOT / "tests" / "models"), "-o", str(tmp_path / "demo"))
    assert "simulator = interpreter, bit for bit" in demo and "2,293,000" in demo
    names = [name for name in public_modules() if not name.endswith("__main__")]
    run("python", "-c", "import importlib\nfor name in " + repr(names) + ": importlib.import_module(name)")
