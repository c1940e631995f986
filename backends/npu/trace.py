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
from dnnc.backends.npu.levels import Label, labelled, layer_named
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
    "bus": np.int64,
    "chip": np.int64,
}
"""`index` counts in the program, `place` in the stream of its unrolled loops; `wait` and `signal` are sets of queues; `bus` and
`chip` are what bounds a transfer, off chip and on it: it takes its setup and the larger one."""

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
        labels, of_row = self.grouped("layer")
        return [label["layer"] for label in labels], of_row

    def grouped(self, level: str) -> tuple[list[Label], NDArray[np.int64]]:
        """What the rows belong to at a level of `LEVELS`, in order of first tag, and the number of each row's."""
        labels, of_tag = labelled((*self.tags, Tag("(no layer)")), level)
        return labels, of_tag[np.minimum(self["tag"].astype(np.int64), len(self.tags))]

    def stacks(self) -> dict[int, str]:
        """The layers of each stack, by its number."""
        return {label["stack"]: label["layers"] for label in self.grouped("stack")[0] if label["stack"] is not None}

    @property
    def whole(self) -> bool:
        """Whether all instructions of a run are here, up to its halt."""
        if not len(self) or int(self["place"].max()) + 1 != len(self):
            return False
        return KINDS[self["kind"][self["place"].argmax()]] == HALT.name

    def require_whole(self) -> None:
        """Raise DnncError unless every instruction of a run is here."""
        if not self.whole:
            raise DnncError(
                "trace: all instructions of a run were expected, not a slice. Leave the slice out.", "E0829"
            )

    def where(self, rows: NDArray[np.bool_]) -> "Trace":
        """The rows of a mask."""
        return replace(self, columns={k: v[rows] for k, v in self.columns.items()})

    def slice(
        self,
        layer: str | None = None,
        engine: str | None = None,
        begin: int = 0,
        end: int | None = None,
        stack: int | None = None,
    ) -> "Trace":
        """Rows of a stack, of a layer, of an engine, and that overlap the cycles [begin, end)."""
        keep = self["end"] > begin
        if end is not None:
            keep &= self["start"] < end
        if stack is not None:
            labels, of_row = self.grouped("stack")
            numbers = [label["stack"] for label in labels]
            if stack not in numbers:
                known = ", ".join(f"{n} ({layers})" for n, layers in self.stacks().items()) or "none: there are none"
                raise DnncError(f"trace: one of the stacks {known} was expected, not {stack}. Choose one.", "E0827")
            keep &= of_row == numbers.index(stack)
        if layer is not None:
            names, of_row = self.layer_of_tag()
            keep &= of_row == names.index(layer_named(layer, names, "trace", "E0827"))
        if engine is not None:
            if engine.upper() not in Engine.__members__:
                raise DnncError(
                    f"trace: one of ld, mm, ppu, st, ctrl was expected, not {engine!r}. Choose one.", "E0827"
                )
            keep &= self["engine"] == Engine[engine.upper()]
        return self.where(keep)

    def summary(self, level: str = "layer") -> list[dict[str, Any]]:
        """Per layer, or another of `LEVELS`: first and last cycle, busy cycles by engine, stalls by reason, DRAM bytes,
        MACs, saturations.
        """
        labels, of_row = self.grouped(level)
        columns = self._totals(of_row, len(labels))
        rows = zip(labels, *(values.tolist() for values in columns.values()))
        return [{**label, **dict(zip(columns, values))} for label, *values in rows if values[0]]

    def _totals(self, of_row: NDArray[np.int64], n: int) -> dict[str, NDArray[np.int64]]:
        """The columns of `summary`, for n groups of rows."""

        def summed(values: NDArray[Any], rows: Any = ...) -> NDArray[np.int64]:
            out = np.zeros(n, np.int64)
            np.add.at(out, of_row[rows], values[rows])
            return out

        start, end = np.full(n, self.cycles), np.zeros(n, np.int64)
        np.minimum.at(start, of_row, self["start"])
        np.maximum.at(end, of_row, self["end"])
        duration = self["end"] - self["start"]
        return {
            "instructions": np.bincount(of_row, minlength=n),
            "start": start,
            "end": end,
            **{f"busy_{e.name.lower()}": summed(duration, self["engine"] == e) for e in Engine},
            **{f"stall_{s}": summed(self["stall_cycles"], self["stall"] == i) for i, s in enumerate(STALLS) if i},
            **{name: summed(self[name]) for name in ("bytes", "macs", "saturated")},
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
            tag = self.tags[row["tag"]] if row["tag"] < len(self.tags) else Tag("")
            row |= {"stack": tag.stack, "step": tag.step, "layer": tag.layer, "tile": tag.tile}
            row["engine"], row["kind"] = Engine(row["engine"]).name.lower(), KINDS[row["kind"]]
            row["stall"] = STALLS[row["stall"]]
        return found

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
        cells = [["" if r[k] is None else f"{r[k]:,}" if k != "layer" else r[k] for k in keys] for r in rows]
        return f'<div style="overflow-x:auto">{self.svg()}</div>\n{table(heads, cells)}'

    def save(self, path: Path | str) -> None:
        """Write the trace file; the same trace gives the same bytes."""
        tags = [t.entry() for t in self.tags]
        about = {"tags": tags, "target": self.target, "clock_mhz": self.clock_mhz, "limits": asdict(self.limits)}
        columns = {k: np.ascontiguousarray(self[k], dtype) for k, dtype in COLUMNS.items()}
        write_safetensors(path, columns, {_KEY: json.dumps(about, sort_keys=True)})


def load(path: Path | str) -> Trace:
    """Read a trace file."""
    if not Path(path).is_file():
        raise DnncError(f"{path}: a trace file was expected, there is none. Write it with dnnc run --trace.", "E0103")
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
