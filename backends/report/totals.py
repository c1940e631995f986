"""The figures of a whole network. A new total is one entry here; it ends the column of the same key."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from xdsl.ir import SSAValue

from dnnc.backends.report.column import Column
from dnnc.backends.report.columns import Row
from dnnc.backends.report.layers import Constant, Layer, weightier
from dnnc.backends.report.roofline import Roof
from dnnc.ir.types import nbytes


@dataclass(frozen=True)
class Network:
    """Rows of the layers, each constant once, bytes of what crosses the border of the layers not on the host."""

    rows: tuple[Row, ...]
    constants: tuple[Constant, ...]
    border_bytes: int
    peak_live_bytes: int
    roof: Roof | None

    def count(self, *roles: str, family: str = "") -> int:
        """Elements of the distinct constants of some roles (and family)."""
        return sum(c.elements for c in self.constants if c.role in roles and family in ("", c.family))

    def macs(self, family: str) -> int:
        """MACs of one family of contractions."""
        return sum(c.macs for r in self.rows for c in r.layer.contractions if c.family == family)

    def sum(self, of: Callable[[Row], int]) -> int:
        """A figure summed over the layers."""
        return sum(map(of, self.rows))

    @property
    def constant_bytes(self) -> int:
        """Bytes of the distinct constants."""
        return sum(c.bytes for c in self.constants)


def distinct(rows: tuple[Row, ...]) -> tuple[Constant, ...]:
    """The constants of all layers, each once, in its weightiest role."""
    found: dict[Hashable, Constant] = {}
    for row in rows:
        for c in row.layer.constants:
            found[c.id] = weightier(found.get(c.id, c), c)
    return tuple(found.values())


def border(rows: Sequence[Row], returned: set[SSAValue]) -> int:
    """Bytes that enter and leave the layers not on the host, each value and each constant once."""
    inside = tuple(r for r in rows if not r.layer.host)
    made = {v for r in inside for v in r.layer.writes}
    entering = {v for r in inside for v in r.layer.reads} - made
    needed = {v for r in rows if r.layer.host for v in r.layer.reads} | returned
    return sum(nbytes(v.type) for v in entering | (made & needed)) + sum(c.bytes for c in distinct(inside))


def _on_target(n: Network, of: Callable[[Roof, Layer], int]) -> int | None:
    """A figure of the target summed over the layers that run on it."""
    return n.sum(lambda r: of(r.roof, r.layer) if r.roof else 0) if n.roof else None


def _fused_cycles(n: Network) -> int | None:
    compute = _on_target(n, Roof.compute_cycles)
    return None if compute is None or n.roof is None else max(compute, n.roof.transfer_cycles(n.border_bytes))


def _microseconds(n: Network) -> float | None:
    cycles = _on_target(n, Roof.cycles)
    return None if cycles is None or n.roof is None else cycles / n.roof.clock_mhz


def _compulsory(n: Network) -> int:
    return n.sum(lambda r: r.layer.traffic.total)


TOTALS: tuple[Column[Network], ...] = (
    Column(
        "layers",
        "layers",
        "",
        "Operations and groups that run; constants and views are not layers.",
        lambda n: len(n.rows),
    ),
    Column("macs", "MACs", "", "Multiply-accumulates of all layers.", lambda n: n.sum(lambda r: r.layer.macs)),
    Column("conv_macs", "MACs, convolutions", "", "MACs of convolutions.", lambda n: n.macs("conv")),
    Column("fc_macs", "MACs, fully connected", "", "MACs of matrix products with a constant.", lambda n: n.macs("fc")),
    Column(
        "product_macs",
        "MACs, products of activations",
        "",
        "MACs of matrix products of two activations.",
        lambda n: n.macs("product"),
        False,
    ),
    Column(
        "ops", "other operations", "", "Elementary operations besides MACs.", lambda n: n.sum(lambda r: r.layer.ops)
    ),
    Column(
        "weights",
        "weights",
        "",
        "Distinct constants multiplied in contractions, each once.",
        lambda n: n.count("weight"),
    ),
    Column(
        "conv_weights",
        "weights, convolutions",
        "",
        "Those of convolutions.",
        lambda n: n.count("weight", family="conv"),
    ),
    Column(
        "fc_weights",
        "weights, fully connected",
        "",
        "Those of matrix products.",
        lambda n: n.count("weight", family="fc"),
    ),
    Column("biases", "biases", "", "Distinct constants added to sums.", lambda n: n.count("bias")),
    Column(
        "conv_biases",
        "biases, convolutions",
        "",
        "Those of convolutions.",
        lambda n: n.count("bias", family="conv"),
        False,
    ),
    Column(
        "fc_biases",
        "biases, fully connected",
        "",
        "Those of matrix products.",
        lambda n: n.count("bias", family="fc"),
        False,
    ),
    Column("weights_with_biases", "weights and biases", "", "weights + biases.", lambda n: n.count("weight", "bias")),
    Column("parameters", "other constants", "", "Distinct other constants.", lambda n: n.count("parameter")),
    Column("weight_bytes", "constants", "B", "Bytes of all distinct constants.", lambda n: n.constant_bytes),
    Column(
        "output_elements",
        "activations written",
        "",
        "Elements of all layers' results.",
        lambda n: n.sum(lambda r: r.layer.output_elements),
    ),
    Column(
        "output_bytes",
        "activations written",
        "B",
        "Bytes of all layers' results.",
        lambda n: n.sum(lambda r: r.layer.output_bytes),
    ),
    Column(
        "peak_live_bytes",
        "peak of live activations",
        "B",
        "Most bytes of activations that exist at once, in this order of layers: no arena is smaller "
        "unless layers compute in place.",
        lambda n: n.peak_live_bytes,
    ),
    Column(
        "compulsory_bytes",
        "compulsory traffic, layer by layer",
        "B",
        "Sum of all layers' compulsory bytes: activations go through DRAM between layers.",
        _compulsory,
    ),
    Column(
        "network_bytes",
        "compulsory traffic, whole network",
        "B",
        "What enters and leaves the layers not on the host + their distinct constants: activations between them stay on chip.",
        lambda n: n.border_bytes,
    ),
    Column(
        "intensity",
        "intensity, layer by layer",
        "MAC/B",
        "MACs / compulsory bytes, layer by layer.",
        lambda n: n.sum(lambda r: r.layer.macs) / _compulsory(n) if _compulsory(n) else None,
    ),
    Column(
        "dram_bytes",
        "least DRAM traffic, layer by layer",
        "B",
        "Sum of the layers' least DRAM bytes for the target's on-chip memory.",
        lambda n: _on_target(n, Roof.dram_bytes),
    ),
    Column(
        "cycles",
        "cycles, layer by layer >=",
        "",
        "Sum of the layers' least cycles: one layer after the other.",
        lambda n: _on_target(n, Roof.cycles),
    ),
    Column(
        "network_cycles",
        "cycles, whole network >=",
        "",
        "max(sum of compute cycles, ceil(whole-network compulsory bytes / bandwidth)).",
        _fused_cycles,
    ),
    Column("microseconds", "time, layer by layer >=", "us", "Cycles layer by layer / clock in MHz.", _microseconds),
)
