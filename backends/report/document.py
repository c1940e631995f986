"""The cost report of a program: counted once, then written as text, JSON, CSV or HTML."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, ModuleOp, StringAttr

from dnnc.backends.report import svg
from dnnc.backends.report.columns import COLUMNS, Row
from dnnc.backends.report.layers import Layer, constants_of, layers_of, root
from dnnc.backends.report.liveness import lifetimes, live_bytes
from dnnc.backends.report.roofline import Roof
from dnnc.backends.report.sheet import Sheet
from dnnc.backends.report.totals import TOTALS, Network, border, distinct
from dnnc.ir.arch import MODULE_ATTRIBUTE, Accelerator, of_module
from dnnc.ir.blocked import blocked_notes
from dnnc.ir.interpret import main_function
from dnnc.ir.weights import ABSENT

SCHEMA = "dnnc.report/1"
"""Raised when a key goes or changes its meaning; new keys leave it alone."""


@dataclass(frozen=True)
class Report(Sheet[Row, Network]):
    """What a network costs: a row for each layer, totals, notes. All counts are exact integers."""

    name: str
    network: Network
    arch: Accelerator | None
    notes: tuple[str, ...] = ()

    schema = SCHEMA
    columns = COLUMNS
    total_columns = TOTALS

    @property
    def rows(self) -> tuple[Row, ...]:
        return self.network.rows

    @property
    def whole(self) -> Network:
        return self.network

    @property
    def accelerator(self) -> Accelerator | None:
        return self.arch if self.network.roof is not None else None

    @property
    def title(self) -> str:
        roof = self.network.roof
        if roof is None:
            return f"{self.name}: no target given"
        return (
            f"{self.name} on {roof.name}: {roof.macs_per_cycle} MACs and {roof.bytes_per_cycle} DRAM bytes a cycle, "
            f"{roof.on_chip_bytes:,} bytes on chip, {roof.clock_mhz} MHz"
        )

    def roofline_svg(self) -> str:
        """The roofline of the target with a dot for each layer that multiplies, as a self-contained SVG picture."""
        return svg.roofline(self.name, self.rows, self.network.roof)


def report(module: ModuleOp, ctx: Context, arch: Accelerator | None = None, name: str = "") -> Report:
    """Count what @main of a dnn-level module costs; for the module's own target unless `arch` is given.

    Works on float and quantized modules, with fused groups or without. `ctx` holds the weights, which counting never
    reads. UnsupportedError when an operation is not of the dnn dialect.
    """
    if arch is None and MODULE_ATTRIBUTE in module.attributes:
        arch = of_module(module)
    block = main_function(module).body.block
    layers, known = layers_of(block), constants_of(block)
    alive = lifetimes(block, layers, known)
    live = live_bytes(alive, len(layers))
    roof = Roof.of(arch) if arch is not None else None
    rows = tuple(Row(layer, b, roof) for layer, b in zip(layers, live))
    returned = {root(v) for v in block.last_op.operands} if block.last_op is not None else set()
    network = Network(rows, distinct(rows), border(rows, returned), max(live), roof)
    notes = (*_absent(module), *_notes(layers, arch), *blocked_notes(module))
    return Report(name or "network", network, arch, notes)


def _absent(module: ModuleOp) -> list[str]:
    files = module.attributes.get(ABSENT)
    if not isinstance(files, ArrayAttr):
        return []
    names = ", ".join(f.data for f in files if isinstance(f, StringAttr))
    return [f"counted by shapes alone: the weights in {names} are absent."]


def _notes(layers: list[Layer], arch: Accelerator | None) -> tuple[str, ...]:
    """What a reader could take wrongly."""
    if arch is None:
        return ("roofline, cycles and least DRAM traffic need a target.",)
    notes = []
    host = sum(layer.host for layer in layers)
    if host:
        notes.append(f"{host} of the layers run on the host: least DRAM, cycles and time leave them out.")
    wide = sorted({layer.element for layer in layers if layer.contractions and layer.element.startswith(("f", "bf"))})
    if wide:
        notes.append(
            f"bytes are those of {', '.join(wide)} values; {arch.name} computes on {arch.array.data_type}. "
            "Quantize the network to see what it moves there."
        )
    return tuple(notes)
