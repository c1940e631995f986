"""What each code at the end of an error means: a page for each, printed by `dnnc explain E0203`."""

from __future__ import annotations

import difflib
from pathlib import Path

from dnnc.ir.diagnostics import DnncError, Finding

FOLDER = Path(__file__).parent

RANGES = {
    "E01": "Files, command lines, samples",
    "E02": "ONNX import",
    "E03": "The .dnn language",
    "E04": "IR: text, types, rules of operations",
    "E05": "Pipelines, passes, numerical checks",
    "E06": "Targets",
    "E07": "Calibration and quantization",
    "E08": "Tiling, memory, programs, simulator, trace",
    "E09": "C, report, faults of dnnc",
}


def titles() -> dict[str, str]:
    """What is wrong, in a line, for each code in order."""
    return {path.stem: _title(path) for path in sorted(FOLDER.glob("E*.md"))}


def explain(code: str) -> str:
    """The page of a code, as markdown; upper and lower case are alike."""
    known = [path.stem for path in sorted(FOLDER.glob("E*.md"))]
    if code.upper() in known:
        return (FOLDER / f"{code.upper()}.md").read_text("utf-8")
    near = difflib.get_close_matches(code.upper(), known, 3, 0.5)
    hint = f"Did you mean {', '.join(near)}?" if near else "`dnnc explain` lists all codes."
    raise DnncError(Finding("explain", f"expected a code of an error such as E0203, not '{code}'. {hint}", "E0105"))


def _title(path: Path) -> str:
    with path.open(encoding="utf-8") as page:
        return page.readline().removeprefix(f"# {path.stem}: ").strip()
