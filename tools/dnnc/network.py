"""A network as IR with its weights, and what can be asked of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from dnnc.ir import text
from dnnc.ir.interpret import evaluate, input_names, main_function, output_names
from dnnc.ir.weights import store_of
from dnnc.passes.analysis.scheme import Scheme
from dnnc.schemes import Asked

if TYPE_CHECKING:
    from dnnc.backends.report import Report
    from dnnc.backends.view import View


@dataclass
class Network:
    """A network as IR with its weights: what `load` gives and what passes work on."""

    module: ModuleOp
    ctx: Context
    name: str = "network"
    asked: Asked | None = None  # how it is to be quantized
    scheme: Scheme | None = None  # how it was

    def run(self, *inputs: np.ndarray) -> list[np.ndarray]:
        """Outputs by the reference semantics."""
        return evaluate(self.module, inputs, store_of(self.ctx))

    def clone(self) -> Network:
        """A copy whose module may be changed; weights are shared, since keys are immutable."""
        return Network(self.module.clone(), self.ctx, self.name, self.asked, self.scheme)

    def save(self, path: str | Path) -> None:
        """Write `path` (.mlir) and the weights it names beside it."""
        text.save(self.module, self.ctx, Path(path))

    def report(self, target: str | None = None) -> Report:
        """The analytical cost report, with rooflines of a target when one is given."""
        from dnnc.backends.npu.catalog import load_target
        from dnnc.backends.report import report

        return report(self.module, self.ctx, load_target(target) if target else None, self.name)

    def view(self, path: str | Path | None = None, stage: str = "") -> View:
        """The network as it stands, to look at; written to `path` (.svg, .html or .json) when one is given.

        A graph of layers, or once it is tiled the loops of each; `stage` is added to the heading.
        """
        from dnnc.backends.view import view

        found = view(self.module, self.name, stage)
        if path is not None:
            found.save(path)
        return found

    def inputs(self) -> list[str]:
        """Names of the inputs, in order."""
        return input_names(main_function(self.module))

    def outputs(self) -> list[str]:
        """Names of the outputs, in order."""
        return output_names(main_function(self.module))

    def __str__(self) -> str:
        return text.text_of(self.module)

    def _repr_html_(self) -> str:
        return self.view()._repr_html_()
