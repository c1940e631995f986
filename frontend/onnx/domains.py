"""Rules by ONNX domain: those of dnnc, one file a domain, and those packages add."""

from __future__ import annotations

from dnnc.frontend.onnx import microsoft
from dnnc.frontend.onnx.table import TABLE
from dnnc.ir.dnn.domains import Rules, onnx_rules

DOMAINS: dict[str, Rules] = {
    "": TABLE,
    "com.microsoft": microsoft.RULES,
}


def rules(domain: str) -> Rules:
    """The rule of each operator of a domain; dnnc's own come before those of packages."""
    own = DOMAINS.get(domain, {})
    return own if domain == "" else {**onnx_rules(domain), **own}
