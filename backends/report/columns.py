"""The figures of a layer. A new column of the report is one entry here."""

from __future__ import annotations

from dataclasses import dataclass

from dnnc.backends.report.column import Column, si
from dnnc.backends.report.layers import Layer
from dnnc.backends.report.roofline import Roof


@dataclass(frozen=True)
class Row:
    """A layer with what depends on its place in the program and on the target."""

    layer: Layer
    live_bytes: int
    target: Roof | None

    @property
    def roof(self) -> Roof | None:
        """The target's figures when the layer runs on it."""
        return None if self.layer.host else self.target


def _dim(row: Row, letter: str, axis: int = 0) -> int | None:
    """A loop bound of the row's only contraction; spatial ones by axis, 0 rows and 1 columns (1-D: one row)."""
    only = row.layer.only
    if only is None or len(only.dims.HW) > 2:
        return None
    value = getattr(only.dims, letter)
    return value if isinstance(value, int) else ((1,) * (2 - len(value)) + value)[axis]


def _intensity(row: Row) -> float | None:
    moved = row.layer.traffic.total
    return row.layer.macs / moved if moved and row.layer.macs else None


_FIRST = "of the layer's only contraction; none without one or with several"

COLUMNS: tuple[Column[Row], ...] = (
    Column("name", "layer", "", "Name of the first node the layer was made from.", lambda r: r.layer.name),
    Column(
        "nodes", "nodes", "", "Names of all nodes fused into the layer, joined by +.", lambda r: r.layer.nodes, False
    ),
    Column("kind", "kind", "", "Operations of the layer in order, joined by +.", lambda r: r.layer.kind),
    Column("element", "type", "", "Element type of the output.", lambda r: r.layer.element, False),
    Column("output", "output", "", "Shape of the output.", lambda r: "x".join(map(str, r.layer.output)) or "scalar"),
    Column(
        "dims",
        "loops",
        "",
        "Loop bounds of each contraction: images N, filters M, channels C, input HxW, filter RxS, stride U, groups g; "
        "1 is left out.",
        lambda r: "; ".join(c.dims.text() for c in r.layer.contractions) or None,
    ),
    Column("N", "N", "", f"Images (rows of a matrix product), {_FIRST}.", lambda r: _dim(r, "N"), False),
    Column("M", "M", "", f"Filters (output channels), {_FIRST}.", lambda r: _dim(r, "M"), False),
    Column("C", "C", "", f"Input channels, {_FIRST}.", lambda r: _dim(r, "C"), False),
    Column("H", "H", "", f"Input rows, {_FIRST}.", lambda r: _dim(r, "HW"), False),
    Column("W", "W", "", f"Input columns, {_FIRST}.", lambda r: _dim(r, "HW", 1), False),
    Column("R", "R", "", f"Filter rows, {_FIRST}.", lambda r: _dim(r, "RS"), False),
    Column("S", "S", "", f"Filter columns, {_FIRST}.", lambda r: _dim(r, "RS", 1), False),
    Column("E", "E", "", f"Rows of sums, {_FIRST}.", lambda r: _dim(r, "EF"), False),
    Column("F", "F", "", f"Columns of sums, {_FIRST}.", lambda r: _dim(r, "EF", 1), False),
    Column("U", "U", "", f"Stride between rows, {_FIRST}.", lambda r: _dim(r, "U"), False),
    Column("U_columns", "U'", "", f"Stride between columns, {_FIRST}.", lambda r: _dim(r, "U", 1), False),
    Column("groups", "groups", "", f"Independent parts of channels, {_FIRST}.", lambda r: _dim(r, "groups"), False),
    Column(
        "place",
        "place",
        "",
        "`host` for a layer off the accelerator (float island, conversion at its border), else none; "
        "a host layer has no figures of the target.",
        lambda r: "host" if r.layer.host else None,
    ),
    Column(
        "macs",
        "MACs",
        "",
        "Multiply-accumulates N*M*E*F*(C/groups)*R*S; those on padding zeros count.",
        lambda r: r.layer.macs,
    ),
    Column(
        "ops",
        "other ops",
        "",
        "Elementary operations besides MACs: bias additions, activations, pooling steps, conversions.",
        lambda r: r.layer.ops,
        False,
    ),
    Column(
        "weights",
        "weights",
        "",
        "Constants that are multiplied in contractions, without biases.",
        lambda r: r.layer.count("weight"),
    ),
    Column("biases", "biases", "", "Constants added to sums.", lambda r: r.layer.count("bias"), False),
    Column(
        "parameters",
        "parameters",
        "",
        "Other constants the layer reads: batch-norm statistics, slopes, tables, addends.",
        lambda r: r.layer.count("parameter"),
        False,
    ),
    Column(
        "weight_bytes",
        "constants",
        "B",
        "Bytes of all constants the layer reads (weights, biases, parameters), ceil(elements * bits / 8) each.",
        lambda r: sum(c.bytes for c in r.layer.constants),
        False,
    ),
    Column(
        "input_elements",
        "inputs",
        "",
        "Elements of the distinct activations the layer reads.",
        lambda r: r.layer.input_elements,
        False,
    ),
    Column("input_bytes", "inputs", "B", "Bytes of these activations.", lambda r: r.layer.input_bytes, False),
    Column(
        "output_elements", "outputs", "", "Elements of the layer's results.", lambda r: r.layer.output_elements, False
    ),
    Column("output_bytes", "outputs", "B", "Bytes of these results.", lambda r: r.layer.output_bytes),
    Column(
        "live_bytes",
        "live",
        "B",
        "Bytes of all activations that must exist while the layer runs, its inputs and outputs included.",
        lambda r: r.live_bytes,
        False,
    ),
    Column(
        "compulsory_bytes",
        "compulsory",
        "B",
        "|I| + |W| + |O|: each element the layer needs read once, each result written once; "
        "inputs no window reaches are not needed.",
        lambda r: r.layer.traffic.total,
        False,
    ),
    Column(
        "intensity",
        "intensity",
        "MAC/B",
        "MACs / compulsory bytes.",
        _intensity,
    ),
    Column(
        "dram_bytes",
        "least DRAM",
        "B",
        "max(compulsory, 2*MACs/sqrt(R*S) words): S on-chip words, R = filter size / stride^2 >= 1; derived for "
        "output-stationary blocks, no tiling tried went below it.",
        lambda r: r.roof and r.roof.dram_bytes(r.layer),
    ),
    Column(
        "roofline",
        "roofline",
        "MAC/s",
        "min(peak, intensity * DRAM bandwidth).",
        lambda r: r.roof and r.roof.attainable(r.layer),
        show=si,
    ),
    Column(
        "bound",
        "bound",
        "",
        "The side of the roofline that binds: compute, or memory.",
        lambda r: r.roof and r.roof.bound(r.layer),
    ),
    Column(
        "compute_cycles",
        "compute",
        "cycles",
        "ceil(MACs / peak MACs a cycle); rows * depthwise lanes a cycle for a depthwise convolution.",
        lambda r: r.roof and r.roof.compute_cycles(r.layer),
        False,
    ),
    Column(
        "memory_cycles",
        "memory",
        "cycles",
        "ceil(compulsory bytes / DRAM bytes a cycle).",
        lambda r: r.roof and r.roof.memory_cycles(r.layer),
        False,
    ),
    Column(
        "cycles",
        "cycles >=",
        "",
        "max(compute, memory): no schedule that runs the layer alone takes fewer.",
        lambda r: r.roof and r.roof.cycles(r.layer),
    ),
)
