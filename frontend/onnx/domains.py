"""Rules by ONNX domain: those of dnnc, one file a domain, and those packages add."""

from __future__ import annotations

from dnnc.frontend.onnx import finn, microsoft, pulp, qonnx
from dnnc.frontend.onnx.table import TABLE
from dnnc.ir.dnn.domains import Rules, onnx_rules

QONNX: Rules = {**qonnx.RULES, **finn.RULES}  # FINN's tools use all these names

DOMAINS: dict[str, Rules] = {
    "": {**TABLE, **pulp.RULES},  # Deeploy's networks name no domain
    "PACTOps": pulp.RULES,
    "com.microsoft": microsoft.RULES,
    "finn.custom_op.general": QONNX,
    "onnx.brevitas": QONNX,
    "qonnx.custom_op.general": QONNX,
}


def rules(domain: str) -> Rules:
    """The rule of each operator of a domain; dnnc's own come before those of packages."""
    own = DOMAINS.get(domain, {})
    return own if domain == "" else {**onnx_rules(domain), **own}
