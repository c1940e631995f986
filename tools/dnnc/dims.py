"""Sizes of symbolic dimensions, as the command line gives them."""

from __future__ import annotations

from collections.abc import Sequence

from dnnc.ir.diagnostics import DnncError, Finding


def parse_dims(texts: Sequence[str]) -> dict[str, int]:
    """`["batch=1"]` as a mapping; all mistakes at once."""
    dims, findings = {}, []
    for t in texts:
        name, _, value = t.partition("=")
        if name and value.isdigit():
            dims[name] = int(value)
        else:
            findings.append(Finding("--dim", f"expected NAME=VALUE with a whole number, not '{t}'.", "E0107"))
    if findings:
        raise DnncError(findings)
    return dims
