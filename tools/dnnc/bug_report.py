"""The bundle a fault of dnnc leaves: a zip of all that is needed to see it again, without weights and without secrets."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from xdsl.dialects.builtin import ModuleOp

from dnnc import config, environment
from dnnc.ir.text import text_of
from dnnc.passes.pipeline import Pipeline

VARIABLES = (
    *("CC", "CFLAGS", "COLUMNS", "FORCE_COLOR", "LANG", "LC_ALL", "MKL_NUM_THREADS", "NO_COLOR", "OMP_NUM_THREADS"),
    *("OPENBLAS_NUM_THREADS", "PYTHONHASHSEED", "PYTHONOPTIMIZE", "PYTHONPATH", "TERM", "TMPDIR"),
)


def write(error: BaseException, arguments: Sequence[str]) -> Path:
    """Write the bundle into the current folder, or the one for temporary files; its path."""
    name = f"dnnc-fault-{datetime.now():%Y%m%d-%H%M%S}-{os.getpid()}.zip"
    here = Path.cwd()
    path = (here if os.access(here, os.W_OK) else Path(tempfile.gettempdir())) / name
    with ZipFile(path, "w", ZIP_DEFLATED) as bundle:
        for part, text in parts(error, arguments).items():
            bundle.writestr(part, text)
    return path


def parts(error: BaseException, arguments: Sequence[str]) -> dict[str, str]:
    """The files of the bundle by name."""
    held = list(_held(error.__traceback__))
    files = {
        "traceback.txt": "".join(traceback.format_exception(error)),
        "command.txt": shlex.join(["dnnc", *arguments]) + "\n",
        "versions.json": _json(environment.facts()),
        "environment.json": _json({k: v for k in VARIABLES if (v := os.environ.get(k)) is not None}),
        "files.json": _json([_fingerprint(Path(a)) for a in arguments if Path(a).is_file()]),
    }
    module = next((v for v in held if isinstance(v, ModuleOp)), None)
    pipelines = [v for v in held if isinstance(v, Pipeline) and len(v)]
    if pipelines:
        files["pipeline.txt"] = f"{pipelines[-1]}\n"  # the outermost is the whole
    if module is not None:
        files["module.mlir"] = _text(module)
    if (project := config.find()) is not None:
        files["dnnc.toml"] = project.read_text("utf-8", "replace")
    return files


def _held(trace: TracebackType | None) -> Iterator[Any]:
    """What the functions on the way to the fault had in hand, the innermost first."""
    for frame, _ in reversed(list(traceback.walk_tb(trace))):
        yield from list(frame.f_locals.values())


def _text(module: ModuleOp) -> str:
    """The module as text; in the generic form, or not at all, when the fault has left it half made."""
    for generic in (False, True):
        try:
            return text_of(module, generic)
        except Exception as e:  # whatever state it is in, the report must not fail as well
            reason = repr(e)
    return f"// the module could not be printed: {reason}\n"


def _fingerprint(path: Path) -> dict[str, Any]:
    with path.open("rb") as f:
        digest = hashlib.file_digest(f, "sha256").hexdigest()
    return {"name": path.name, "bytes": path.stat().st_size, "sha256": digest}


def _json(value: Any) -> str:
    return json.dumps(value, indent=2) + "\n"
