"""`python -m tools.docs` writes the reference pages; `--check` fails when one differs from what would be written."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from tools.docs import cli, errors, instructions, json_output, onnx, ops, passes, report, schemas, targets

ROOT = Path(__file__).parents[2]

PAGES: dict[str, Callable[[], str]] = {
    "docs/reference/ops.md": ops.text,
    "docs/reference/passes.md": passes.text,
    "docs/reference/instructions.md": instructions.text,
    "docs/reference/targets.md": targets.text,
    "docs/reference/onnx.md": onnx.text,
    "docs/reference/report.md": report.text,
    "docs/reference/errors.md": errors.text,
    "docs/reference/cli.md": cli.text,
    "tools/dnnc/schemas/report.json": schemas.report,
    "tools/dnnc/schemas/targets.json": schemas.targets,
    "docs/reference/json.md": json_output.text,  # after the schemas it reads
}


def main() -> int:
    """Write or check every page; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, name the pages that are not up to date")
    check = parser.parse_args().check
    stale = []
    for name, text in PAGES.items():
        path = ROOT / name
        written = text()
        if not path.exists() or path.read_text("utf-8") != written:
            stale.append(name)
            if not check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(written, "utf-8")
    for name in stale:
        print(
            f"{name}: expected the page of today's code, not another one. Run make docs." if check else f"wrote {name}"
        )
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
