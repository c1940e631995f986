"""Packages of strangers, installed for one test: their files and what pip would write of their entry points."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from dnnc.ir import plugins

ACME = Path(__file__).parent / "acme"

Points = Mapping[str, Mapping[str, str]]


def write_dist_info(folder: Path, name: str, version: str, points: Points) -> None:
    """What an installer leaves of a package beside its modules."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in named.items()) for group, named in points.items()]
    (info / "entry_points.txt").write_text("\n".join(lines))


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """A function that installs a package: name, version, entry points by group, and its modules as text."""
    site = tmp_path / "site"
    site.mkdir()
    before = set(sys.modules)

    def add(name: str, version: str, points: Points, **modules: str) -> Path:
        write_dist_info(site, name, version, points)
        for module, text in modules.items():
            (site / f"{module}.py").write_text(text)
        plugins.forget()
        return site

    monkeypatch.syspath_prepend(str(site))
    yield add
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith((str(tmp_path), str(ACME))):
            del sys.modules[name]
    monkeypatch.undo()
    plugins.forget()


@pytest.fixture
def acme(install: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package of tests/plugins/acme, installed; the folder to put on a path."""
    project = tomllib.loads((ACME / "pyproject.toml").read_text())["project"]
    monkeypatch.syspath_prepend(str(ACME))
    return install(project["name"], project["version"], project["entry-points"])
