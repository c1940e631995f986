"""The accelerators dnnc knows by name: every TOML file in `targets/`, those of plug-ins; and files of the user by path."""

from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import NoReturn

from dnnc.backends.npu.program import Program
from dnnc.ir import arch
from dnnc.ir.arch import Accelerator
from dnnc.ir.diagnostics import DnncError
from dnnc.ir.plugins import Group, Origin, Rejected

FOLDER = Path(__file__).parent / "targets"

DEFAULT = "edge"


def bundled() -> tuple[str, ...]:
    """Names of the targets that come with dnnc, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def _accepted(name: str, thing: object) -> Path:
    """The TOML file an entry point leads to, read once to see that it is one."""
    if not isinstance(thing, (str, Path)) or not Path(thing).is_file():
        raise Rejected(f"expected the path of a TOML file, not {thing!r}. Let the entry point name one.")
    try:
        given = arch.read(thing).name
    except DnncError as e:
        raise Rejected(
            f"expected a target dnnc can read, not one with {len(e.findings)} mistakes: {e.findings[0]}"
        ) from e
    if given != name:
        raise Rejected(f"expected a target named '{name}', not '{given}'. Give file and entry point one name.")
    return Path(thing)


PLUGINS = Group("dnnc.targets", _accepted, bundled)


def known() -> list[tuple[Accelerator, Origin | None]]:
    """All targets, those of packages last, with the package each comes from."""
    return [with_origin(name) for name in (*bundled(), *PLUGINS.all())]


def with_origin(name_or_path: str) -> tuple[Accelerator, Origin | None]:
    """A target, with the package it comes from when it is one's."""
    return load_target(name_or_path), PLUGINS.origin(name_or_path) if name_or_path in PLUGINS.all() else None


def load_target(name_or_path: str = DEFAULT) -> Accelerator:
    """The accelerator of a name, or of a path ending in `.toml` as it is now; DnncError names the nearest ones."""
    path = file_of(name_or_path)
    return _read(path, path.read_bytes())


@cache
def _read(path: Path, content: bytes) -> Accelerator:
    """The accelerator of a file, read once for each content."""
    return arch.read(path)


def target_of(program: Program, name_or_path: str | None = None) -> Accelerator:
    """The accelerator to take a program for: the one named, else the known one the program names; DnncError when neither is."""
    if name_or_path is None and program.target not in (*bundled(), *PLUGINS.names()):
        raise DnncError(
            f"program: a known target was expected, not '{program.target}'. Give its file with -t X.toml.", "E0814"
        )
    return load_target(name_or_path or program.target)


def file_of(name_or_path: str) -> Path:
    """The TOML file of a name, or the one at a path ending in `.toml`; DnncError names the nearest ones."""
    if name_or_path in bundled():
        return FOLDER / f"{name_or_path}.toml"
    if not name_or_path.endswith(".toml"):
        return PLUGINS.get(name_or_path) or _unknown(name_or_path)
    path = Path(name_or_path)
    if path.is_dir():
        raise DnncError(f"target: a TOML file was expected, not the folder {name_or_path!r}. Name the file.", "E0602")
    if not path.is_file():
        raise DnncError(
            f"target: a TOML file was expected, not {name_or_path!r}, which does not exist. Check the path.", "E0602"
        )
    return path


def _unknown(name: str) -> NoReturn:
    """Refuse a name no target has, with the nearest ones."""
    names = [*bundled(), *PLUGINS.names()]
    near = get_close_matches(name, names, 3) or names
    raise DnncError(
        f"target: the name of a target or a path to a .toml file was expected, not {name!r}. "
        f"Did you mean {' or '.join(near)}?",
        "E0601",
    )
