"""Functions, patterns and classes by where they stand: `package.module:name`, `folder/file.py:name`."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from dnnc.ir.plugins import brief


class Nowhere(ValueError):
    """Nothing stands at a place; the message says what was expected there."""


def found(place: str, folder: Path) -> Any:
    """What stands at a place; a file's path is relative to `folder`. Nowhere says why there is nothing."""
    home, _, name = place.rpartition(":")
    if home.endswith(".py") and not (folder / home).is_file():
        raise Nowhere(f"expected a Python file at {home}, found nothing there. Check the path.")
    try:
        module = _of_file(folder / home) if home.endswith(".py") else import_module(home)
    except (Exception, SystemExit) as e:
        hint = f" A file is named with its ending: {home}.py:{name}." if isinstance(e, ModuleNotFoundError) else ""
        raise Nowhere(f"expected '{home}' to import, not {brief(e)}.{hint}") from e
    thing: Any = module
    for part in name.split("."):
        thing = getattr(thing, part, None)
    if thing is None:
        public = [n for n, v in vars(module).items() if not n.startswith("_") and _own(v, module)]
        raise Nowhere(f"expected '{name}' in {home}, found {', '.join(public) or 'nothing'}.")
    return thing


def place_of(thing: Any) -> str | None:
    """Where a function, pattern or class can be found again; None when it is inside another function."""
    module = sys.modules.get(thing.__module__)
    if module is None or "<" in (name := getattr(thing, "__qualname__", None) or type(thing).__qualname__):
        return None
    by_path = module.__name__ == "__main__" or module.__name__.startswith(_PREFIX)
    home = getattr(module, "__file__", None) if by_path else module.__name__
    return f"{home}:{name}" if home else None


_PREFIX = "dnnc_file:"  # of modules read from a path


def _own(value: Any, module: ModuleType) -> bool:
    return getattr(value, "__module__", None) == module.__name__


def _of_file(path: Path) -> ModuleType:
    """The module of a file, run once; the program that is running is not run again."""
    path = path.resolve()
    main = getattr(sys.modules["__main__"], "__file__", None)
    if main and Path(main).resolve() == path:
        return sys.modules["__main__"]
    name = f"{_PREFIX}{path}"
    if name not in sys.modules:
        spec = spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        module = sys.modules[name] = module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]
