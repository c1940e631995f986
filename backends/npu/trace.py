"""The trace: one row per executed instruction, as columns; the file format stays behind this module.

A trace file is one safetensors file, a tensor per column, with the names of tags and kinds as JSON in its header.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from dnnc.backends.html import Head, table
from dnnc.backends.npu import timeline
from dnnc.backends.npu.isa import HALT, INSTRUCTIONS, Engine
from dnnc.backends.npu.program import Tag
from dnnc.backends.npu.queues import Limits
from dnnc.ir.diagnostics import DnncError
from dnnc.ir.weights import write_safetensors

STALLS = ("none", "dispatch", "token", "bandwidth")
"""Why an instruction started later than its engine was free."""

COLUMNS = {
    "index": np.int64,
    "engine": np.uint8,
    "kind": np.uint8,
    "start": np.int64,
    "end": np.int64,
    "tag": np.uint16,
    "bytes": np.int64,
    "macs": np.int64,
    "stall": np.uint8,
    "stall_cycles": np.int64,
    "saturated": np.int64,
    "place": np.int64,
    "wait": np.uint8,
    "signal": np.uint8,
}
"""`index` counts in the program, `place` in the stream of its unrolled loops; `wait` and `signal` are sets of queues."""

KINDS = tuple(i.name for i in INSTRUCTIONS)

_ONE_BY_ONE = Limits(1, 1, 1, True)

_KEY = "trace"

_UNITS = {"bytes": "B", "start": "cycle", "end": "cycle", "busy": "cycles", "stall": "cycles"}


@dataclass(frozen=True)
class Trace:
    """Rows in the order of execution; `bytes` are DRAM bytes, `index` the instruction in the program text."""

    columns: Mapping[str, NDArray[Any]]
    tags: tuple[Tag, ...]
    target: str = ""
    clock_mhz: int = 1
    limits: Limits = _ONE_BY_ONE

    def __len__(self) -> int:
        return len(self.columns["index"])

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.columns[name]

    @property
    def cycles(self) -> int:
        """Length of the run."""
        return int(self["end"].max(initial=0))

    def layer_of_tag(self) -> tuple[list[str], NDArray[np.int64]]:
        """Layer names in order of first tag, and the layer number of each row; rows without a tag are in the last."""
        names = list(dict.fromkeys(t.layer for t in self.tags))
        number = {name: i for i, name in enumerate(names)}
        table = np.array([number[t.layer] for t in self.tags] + [len(names)])
        return [*names, "(no layer)"], table[np.minimum(self["tag"].astype(np.int64), len(self.tags))]

    def require_whole(self) -> None:
        """Raise DnncError unless every instruction of a run is here, up to its halt."""
        if (
            not len(self)
            or int(self["place"].max()) + 1 != len(self)
            or KINDS[self["kind"][self["place"].argmax()]] != HALT.name
        ):
            raise DnncError(
                "trace: all instructions of a run were expected, not a slice. Leave the slice out.", "E0829"
            )

    def where(self, rows: NDArray[np.bool_]) -> "Trace":
        """The rows of a mask."""
        return replace(self, columns={k: v[rows] for k, v in self.columns.items()})

    def slice(
        self, layer: str | None = None, engine: str | None = None, begin: int = 0, end: int | None = None
    ) -> "Trace":
        """Rows of a layer, of an engine, and that overlap the cycles [begin, end)."""
        keep = self["end"] > begin
        if end is not None:
            keep &= self["start"] < end
        if layer is not None:
            names, of_row = self.layer_of_tag()
            if layer not in names:
                raise DnncError(
                    f"trace: one of the layers {', '.join(names)} was expected, not {layer!r}. Choose one.", "E0827"
                )
            keep &= of_row == names.index(layer)
        if engine is not None:
            if engine.upper() not in Engine.__members__:
                raise DnncError(
                    f"trace: one of ld, mm, ppu, st, ctrl was expected, not {engine!r}. Choose one.", "E0827"
                )
            keep &= self["engine"] == Engine[engine.upper()]
        return self.where(keep)

    def summary(self) -> list[dict[str, Any]]:
        """Per layer: first and last cycle, busy cycles by engine, stalls by reason, DRAM bytes, MACs, saturations."""
        names, of_row = self.layer_of_tag()
        rows = []
        for number, name in enumerate(names):
            part = self.where(of_row == number)
            if len(part):
                rows.append({"layer": name, **part._totals()})
        return rows

    def _totals(self) -> dict[str, Any]:
        duration = self["end"] - self["start"]
        busy = np.bincount(self["engine"], duration, len(Engine)).astype(np.int64)
        stalled = np.bincount(self["stall"], self["stall_cycles"], len(STALLS)).astype(np.int64)
        return {
            "instructions": len(self),
            "start": int(self["start"].min()),
            "end": self.cycles,
            **{f"busy_{e.name.lower()}": int(busy[e]) for e in Engine},
            **{f"stall_{name}": int(stalled[i]) for i, name in enumerate(STALLS) if i},
            **{name: int(self[name].sum()) for name in ("bytes", "macs", "saturated")},
        }

    def stalls(self) -> list[dict[str, Any]]:
        """Cycles lost, by engine and reason, largest first."""
        lost = np.zeros((len(Engine), len(STALLS)), np.int64)
        np.add.at(lost, (self["engine"], self["stall"]), self["stall_cycles"])
        rows = [
            {"engine": e.name.lower(), "reason": STALLS[s], "cycles": int(lost[e, s])}
            for e in Engine
            for s in (1, 2, 3)
        ]
        return sorted((r for r in rows if r["cycles"]), key=lambda r: -r["cycles"])

    def rows(self, limit: int | None = None) -> list[dict[str, Any]]:
        """Rows as dictionaries with names in place of numbers."""
        columns = {k: v[:limit].tolist() for k, v in self.columns.items()}
        found = [dict(zip(columns, values)) for values in zip(*columns.values())]
        for row in found:
            row["layer"], row["tile"] = self._tag(row["tag"])
            row["engine"], row["kind"] = Engine(row["engine"]).name.lower(), KINDS[row["kind"]]
            row["stall"] = STALLS[row["stall"]]
        return found

    def _tag(self, number: int) -> tuple[str, str]:
        return (self.tags[number].layer, self.tags[number].tile) if number < len(self.tags) else ("", "")

    def timeline(self) -> dict[str, list[dict[str, Any]]]:
        """The rows of each engine in time order."""
        rows = self.rows()
        return {e.name.lower(): [r for r in rows if r["engine"] == e.name.lower()] for e in Engine}

    def svg(self) -> str:
        """Layers and the busy part of each engine over time, as a self-contained SVG picture."""
        return timeline.picture(self)

    def _repr_html_(self) -> str:
        rows = self.summary()
        keys = [k for k in (rows[0] if rows else {}) if k == "layer" or any(r[k] for r in rows)]
        heads = [Head(k.replace("_", " "), _UNITS.get(k.partition("_")[0], ""), number=k != "layer") for k in keys]
        cells = [[f"{r[k]:,}" if k != "layer" else r[k] for k in keys] for r in rows]
        return f'<div style="overflow-x:auto">{self.svg()}</div>\n{table(heads, cells)}'

    def perfetto(self) -> dict[str, Any]:
        """Chrome trace events for Perfetto: a thread per engine, times in microseconds of the target's clock."""
        names = [{"ph": "M", "pid": 0, "tid": int(e), "name": "thread_name", "args": {"name": e.name}} for e in Engine]
        events = [
            {
                "ph": "X",
                "pid": 0,
                "tid": int(Engine[r["engine"].upper()]),
                "ts": r["start"] / self.clock_mhz,
                "dur": (r["end"] - r["start"]) / self.clock_mhz,
                "name": f"{r['kind']} {r['layer']}".strip(),
                "args": {k: r[k] for k in ("index", "tile", "bytes", "macs", "stall", "stall_cycles")},
            }
            for r in self.rows()
        ]
        return {"traceEvents": names + events, "displayTimeUnit": "ns", "otherData": {"target": self.target}}

    def save(self, path: Path | str) -> None:
        """Write the trace file; the same trace gives the same bytes."""
        tags = [[t.layer, t.node, t.tile] for t in self.tags]
        about = {"tags": tags, "target": self.target, "clock_mhz": self.clock_mhz, "limits": asdict(self.limits)}
        columns = {k: np.ascontiguousarray(self[k], dtype) for k, dtype in COLUMNS.items()}
        write_safetensors(path, columns, {_KEY: json.dumps(about, sort_keys=True)})


def load(path: Path | str) -> Trace:
    """Read a trace file."""
    try:
        with safe_open(path, "numpy") as file:
            about = json.loads((file.metadata() or {})[_KEY])
            columns = {name: file.get_tensor(name) for name in COLUMNS}
            limits = Limits(**about["limits"])
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise DnncError(
            f"{path}: a trace written by dnnc was expected: {error}. Run the program again.", "E0826"
        ) from None
    return Trace(columns, tuple(Tag(*t) for t in about["tags"]), about["target"], about["clock_mhz"], limits)
