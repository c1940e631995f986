"""What a failed command says, and its exit code; a fault of dnnc leaves a bundle to report it by."""

from __future__ import annotations

import errno
import traceback
from collections.abc import Sequence
from pathlib import Path

from dnnc import bug_report, console
from dnnc.ir.diagnostics import DnncError, Finding, InternalError, UnsupportedError

REMEDIES = {
    errno.ENOENT: "Check the path.",
    errno.ENOSPC: "Free some space, or write elsewhere.",
    errno.EACCES: "Check who may read and write it.",
    errno.EROFS: "Write elsewhere.",
}
ELSE = "Check the path, or give another one."


def told(error: Exception, arguments: Sequence[str]) -> int:
    """Say it on stderr; the exit code."""
    match error:
        case InternalError():
            return _fault(error, str(error), arguments)
        case UnsupportedError():
            return _refused("unsupported", error, 3)
        case DnncError():
            return _refused("error", error, 1)
        case OSError():
            return _refused("error", unreachable(error), 1)
        case MemoryError():
            message = "expected enough memory for this network, not less. Use a smaller one or a larger machine."
            return _refused("error", DnncError(message, "E0126"), 1)
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    first = str(error).strip().splitlines()[:1] or ["no message"]
    return _fault(error, f"{type(error).__name__} at {place}: {first[0]}", arguments)


def unreachable(error: OSError) -> DnncError:
    """What the operating system refused, as an error in the input."""
    why = error.strerror or str(error)
    message = f"expected to read or write here, got: {why[:1].lower()}{why[1:]}. {REMEDIES.get(error.errno or 0, ELSE)}"
    return DnncError(Finding(str(error.filename or "file"), message, "E0103"))


def _refused(kind: str, error: DnncError, code: int) -> int:
    console.error(kind, str(error))
    codes = sorted({f.code for f in error.findings} - {""})
    if codes:
        console.hint(f"`dnnc explain {codes[0]}` says more of {codes[0]}.")
    return code


def _fault(error: Exception, message: str, arguments: Sequence[str]) -> int:
    if console.level.verbose:
        traceback.print_exception(error)
    try:
        place = f"please report it with {bug_report.write(error, arguments)}, which says all about it."
    except OSError as e:
        place = f"please report it with the command; no bundle could be written ({e.strerror})."
    code = "" if message.endswith("]") else " [E0999]"
    console.error("internal error", f"{message}{code}")
    console.note(f"This is a fault of dnnc; {place}")
    return 70
