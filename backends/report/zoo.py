"""Weights and MACs of known networks, counted in their imported IR, beside what others publish."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from dnnc.backends.report import render
from dnnc.backends.report.column import Column, Value, described, record
from dnnc.backends.report.document import report
from dnnc.backends.report.totals import Network
from dnnc.ir.context import make_context

ZOO_SCHEMA = "dnnc.zoo-table/1"


class Published(Protocol):
    """Figures to compare with, as `dnnc.zoo.PublishedCounts` has them."""

    @property
    def conv_weights(self) -> int: ...
    @property
    def conv_macs(self) -> int: ...
    @property
    def fc_weights(self) -> int: ...
    @property
    def fc_macs(self) -> int: ...
    @property
    def biases_counted(self) -> bool: ...
    @property
    def source(self) -> str: ...
    @property
    def convention(self) -> str: ...
    @property
    def note(self) -> str: ...


@dataclass(frozen=True)
class Compared:
    """One network, counted and published."""

    name: str
    network: Network
    published: Published

    def weights(self, *family: str) -> int:
        """Distinct weights of some families, with biases where the source counts them."""
        roles = ("weight", "bias") if self.published.biases_counted else ("weight",)
        return sum(self.network.count(*roles, family=f) for f in family)

    def counts(self) -> tuple[int, int, int, int]:
        """Weights and MACs of convolutions, then of fully connected layers."""
        n = self.network
        return self.weights("conv"), n.macs("conv"), self.weights("fc"), n.macs("fc")

    def figures(self) -> tuple[int, int, int, int]:
        """What is published, in the order of `counts`."""
        p = self.published
        return p.conv_weights, p.conv_macs, p.fc_weights, p.fc_macs


def _of(index: int) -> Callable[[Compared], Value]:
    return lambda c: c.counts()[index]


def _sum(values: tuple[int, int, int, int], first: int) -> int:
    return values[first] + values[first + 2]


ZOO_COLUMNS: tuple[Column[Compared], ...] = (
    Column("network", "network", "", "Name in the zoo.", lambda c: c.name),
    Column("conv_weights", "conv weights", "", "Distinct weights of convolutions.", _of(0)),
    Column("conv_macs", "conv MACs", "", "MACs of convolutions; those on padding zeros count.", _of(1)),
    Column("fc_weights", "FC weights", "", "Distinct weights of fully connected layers.", _of(2)),
    Column("fc_macs", "FC MACs", "", "MACs of fully connected layers.", _of(3)),
    Column("weights", "weights", "", "Convolutions and fully connected layers.", lambda c: _sum(c.counts(), 0)),
    Column("macs", "MACs", "", "Convolutions and fully connected layers.", lambda c: _sum(c.counts(), 1)),
    Column("biases", "biases", "", "Whether the weights count biases.", lambda c: c.published.biases_counted),
    Column("published_conv_weights", "", "", "Published conv_weights.", lambda c: c.published.conv_weights, False),
    Column("published_conv_macs", "", "", "Published conv_macs.", lambda c: c.published.conv_macs, False),
    Column("published_fc_weights", "", "", "Published fc_weights.", lambda c: c.published.fc_weights, False),
    Column("published_fc_macs", "", "", "Published fc_macs.", lambda c: c.published.fc_macs, False),
    Column("published_weights", "published weights", "", "Published sum of weights.", lambda c: _sum(c.figures(), 0)),
    Column("published_macs", "published MACs", "", "Published sum of MACs.", lambda c: _sum(c.figures(), 1)),
    Column("match", "match", "", "Whether all four counts equal those published.", lambda c: c.counts() == c.figures()),
    Column(
        "convention", "", "", "The reading of the network that is counted.", lambda c: c.published.convention, False
    ),
    Column("source", "", "", "Where the published figures are from.", lambda c: c.published.source, False),
    Column("note", "note", "", "What the source prints that no reading gives.", lambda c: c.published.note),
)


def zoo_table(
    builders: Mapping[str, Callable[..., Any]],
    published: Mapping[str, Published],
    import_fn: Callable[[Any, Context], ModuleOp],
) -> list[dict[str, Value]]:
    """The figures of `ZOO_COLUMNS` for each published network, built `shapes_only` and counted after import.

    `import_fn(model, context)` turns what a builder returns into a dnn module; weights are never read.
    """
    return [record(ZOO_COLUMNS, _compare(name, builders[name], p, import_fn)) for name, p in published.items()]


def _compare(
    name: str, build: Callable[..., Any], published: Published, import_fn: Callable[[Any, Context], ModuleOp]
) -> Compared:
    ctx = make_context()
    return Compared(name, report(import_fn(build(shapes_only=True), ctx), ctx, name=name).network, published)


def zoo_json(rows: Sequence[Mapping[str, Value]]) -> str:
    """The table as JSON: `schema`, `columns` (key, header, unit, doc), `networks` (a mapping by key for each)."""
    table = {"schema": ZOO_SCHEMA, "columns": described(ZOO_COLUMNS), "networks": [dict(r) for r in rows]}
    return json.dumps(table, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def zoo_text(rows: Sequence[Mapping[str, Value]]) -> str:
    """The table as plain text, its notes below."""
    shown = [c for c in ZOO_COLUMNS if c.text and c.key != "note"]
    columns = [Column(c.key, c.header, c.unit, c.doc, _entry(c.key)) for c in shown]
    notes = [f"{r['network']}: {r['convention']}" + (f"; {r['note']}" if r["note"] else "") for r in rows]
    return render.plain_text(lambda *_: iter([render.table(columns, list(rows)), *map(render.line, notes)]))


def _entry(key: str) -> Callable[[Mapping[str, Value]], Value]:
    return lambda row: row[key]
