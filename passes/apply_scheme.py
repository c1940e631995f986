"""What a scheme file says is noted on the layers, for the passes behind it.

"conv*" = { weights = "int4" }    ->    %1 = dnn.conv %x, %w attributes {dnn.scheme = {weights = "int4"}}
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from dnnc.passes.analysis.scheme import Scheme


@dataclass(frozen=True)
class ApplySchemePass(ModulePass):
    """Note on each layer what the scheme `file` says of it; the passes that the file names are not run."""

    name = "apply-scheme"
    file: str

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        Scheme.read(self.file).annotate(op)
