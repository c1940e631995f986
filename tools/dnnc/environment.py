"""The versions dnnc runs with."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

import dnnc


def facts() -> dict[str, Any]:
    """Versions of dnnc, Python and what dnnc is built on, the platform and the C compiler."""
    return {
        "dnnc": dnnc.__version__,
        "python": platform.python_version(),
        "executable": sys.executable,
        "platform": platform.platform(),
        "c_compiler": c_compiler(),
        "dependencies": {name: found(name) for name in dependencies()},
    }


def dependencies() -> list[str]:
    """Names of the packages dnnc needs, in the order it declares them."""
    try:
        declared = requires("dnnc") or []
    except PackageNotFoundError:
        return []
    return [name(line) for line in declared if "extra ==" not in line]


def name(requirement: str) -> str:
    """The package of a requirement: `numpy` of `numpy>=2.0`."""
    end = next((i for i, c in enumerate(requirement) if not (c.isalnum() or c in "-_.")), len(requirement))
    return requirement[:end]


def found(package: str) -> str | None:
    """The version of a package, if it is there."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def c_compiler() -> str | None:
    """The first line the system's C compiler says of itself, if there is one."""
    path = shutil.which("gcc") or shutil.which("cc")
    if path is None:
        return None
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout.splitlines()
    return said[0] if said else path
