"""The accelerators dnnc knows by name: every TOML file in `targets/`, those of plug-ins; and files of the user by path."""

from difflib import get_close_matches
from functools import cache
from pathlib import Path

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
    added = [(load_target(name), PLUGINS.origin(name)) for name in PLUGINS.all()]
    return [*((load_target(name), None) for name in bundled()), *added]


@cache
def load_target(name_or_path: str = DEFAULT) -> Accelerator:
    """The accelerator of a name, or of a path ending in `.toml`; DnncError names the nearest ones."""
    if name_or_path in bundled():
        return arch.read(FOLDER / f"{name_or_path}.toml")
    if not name_or_path.endswith(".toml"):
        if (added := PLUGINS.get(name_or_path)) is not None:
            return arch.read(added)
        known = [*bundled(), *PLUGINS.names()]
        near = get_close_matches(name_or_path, known, 3) or known
        raise DnncError(
            f"target: the name of a target or a path to a .toml file was expected, not {name_or_path!r}. "
            f"Did you mean {' or '.join(near)}?",
            "E0601",
        )
    if Path(name_or_path).is_dir():
        raise DnncError(f"target: a TOML file was expected, not the folder {name_or_path!r}. Name the file.", "E0602")
    if not Path(name_or_path).is_file():
        raise DnncError(
            f"target: a TOML file was expected, not {name_or_path!r}, which does not exist. Check the path.", "E0602"
        )
    return arch.read(name_or_path)
