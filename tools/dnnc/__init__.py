"""dnnc: a compiler for DNN accelerators. `load` a network, `compile` it, run the program, read its report and trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dnnc.api import Network, Program, compile, load
    from dnnc.differences import diff
    from dnnc.ir.diagnostics import DnncError, UnsupportedError
    from dnnc.passes.pipeline import Bytes, Pipeline, pattern

__version__ = "0.1.0"
__all__ = [
    "Bytes",
    "DnncError",
    "Network",
    "Pipeline",
    "Program",
    "UnsupportedError",
    "compile",
    "diff",
    "load",
    "pattern",
]

_HOME = {
    "Bytes": "dnnc.passes.pipeline",
    "DnncError": "dnnc.ir.diagnostics",
    "Pipeline": "dnnc.passes.pipeline",
    "diff": "dnnc.differences",
    "UnsupportedError": "dnnc.ir.diagnostics",
    "pattern": "dnnc.passes.pipeline",
}


def __getattr__(name: str) -> Any:
    """Public names load their module on first use, so that `dnnc --help` answers at once."""
    if name not in __all__:
        raise AttributeError(f"module 'dnnc' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME.get(name, "dnnc.api")), name)
