"""The accelerators that come with dnnc: every TOML file in `targets/`, by name, and files of the user by path."""

from difflib import get_close_matches
from functools import cache
from pathlib import Path

from dnnc.ir import arch
from dnnc.ir.arch import Accelerator
from dnnc.ir.diagnostics import DnncError

FOLDER = Path(__file__).parent / "targets"

DEFAULT = "edge"


def bundled() -> tuple[str, ...]:
    """Names of the targets that come with dnnc, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


@cache
def load_target(name_or_path: str = DEFAULT) -> Accelerator:
    """The accelerator of a bundled name, or of a path ending in `.toml`; DnncError names the nearest bundled ones."""
    if name_or_path in bundled():
        return arch.read(FOLDER / f"{name_or_path}.toml")
    if not name_or_path.endswith(".toml"):
        near = get_close_matches(name_or_path, bundled(), 3) or bundled()
        raise DnncError(
            f"target: one of {', '.join(bundled())} or a path to a .toml file was expected, not {name_or_path!r}. "
            f"Did you mean {' or '.join(near)}?",
            "E0601",
        )
    if not Path(name_or_path).is_file():
        raise DnncError(
            f"target: a TOML file was expected, not {name_or_path!r}, which does not exist. Check the path.", "E0602"
        )
    return arch.read(name_or_path)
