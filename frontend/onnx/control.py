"""Control flow that is settled when the network is imported."""

from __future__ import annotations

from xdsl.ir import SSAValue

from dnnc.frontend.onnx.site import Site, Unknown
from dnnc.frontend.onnx.tensors import Literal


def if_(site: Site) -> list[SSAValue | Literal]:
    """If with a constant condition: the branch it takes."""
    taken = bool(site.scalar(0))
    branches = {True: site.graph("then_branch"), False: site.graph("else_branch")}
    results = site.importer.branch(branches[taken], site.node)
    if any(r is None for r in results):
        raise Unknown
    return [r for r in results if r is not None]
