"""The instruction-set simulator: function and time in one pass, deterministic, one trace row per instruction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from dnnc.backends.npu.catalog import target_of
from dnnc.backends.npu.cost import COUNTERS
from dnnc.backends.npu.encoding import header
from dnnc.backends.npu.isa import Engine
from dnnc.backends.npu.loaded import Loaded
from dnnc.backends.npu.machine import Machine
from dnnc.backends.npu.program import Program, Symbol
from dnnc.backends.npu.queues import Event, Queues, limits
from dnnc.backends.npu.trace import COLUMNS, KINDS, STALLS, Trace
from dnnc.ir.arch import ROLES, Accelerator
from dnnc.ir.diagnostics import DnncError, Finding, nearest
from dnnc.ir.weights import atomic_file


class MachineFault(DnncError):
    """An instruction did what the machine forbids; the finding names instruction, tag and layer."""


@dataclass(frozen=True)
class Run:
    """What a run gives: output tensors by name, the trace, and counters by tag (the last entry: no tag)."""

    outputs: Mapping[str, NDArray[Any]]
    trace: Trace
    by_tag: Mapping[str, NDArray[np.int64]]

    @property
    def cycles(self) -> int:
        """Length of the run."""
        return self.trace.cycles

    @cached_property
    def total(self) -> dict[str, int]:
        """Every counter summed over all tags."""
        return {name: int(values.sum()) for name, values in self.by_tag.items()}


class Simulator:
    """One machine with one program loaded; `run` once, or `start`, then `step` or `advance`, and `finish`.

    `kept` is for the host: what it made before the run and reads after it.
    """

    def __init__(
        self,
        program: Program | Loaded,
        arch: Accelerator | None = None,
        seed: int | None = None,
        timing_only: bool = False,
    ) -> None:
        """Raise DnncError when the program is for another target; `arch` defaults to the known target it names.

        Many runs of one program share its `Loaded` form.
        """
        loaded = program if isinstance(program, Loaded) else Loaded.of(program, arch or target_of(program))
        self.program, self.arch, self.timing_only = loaded.program, loaded.arch, timing_only
        self.words, self.origin, self.memories = loaded.words, loaded.origin, loaded.memories
        self.faults, self.costs, self.waits = loaded.faults, loaded.costs, loaded.waits
        self.kind, self.tag = loaded.kind, loaded.tag
        self.queues = Queues(loaded.work, limits(self.arch), self.describe, seed)
        self.machine = None if timing_only else Machine(self.program, loaded.works, self.memories)
        self.events: list[Event] = []
        self.saturated: list[int] = []
        self.kept: list[np.ndarray] = []

    def describe(self, index: int) -> str:
        """`instruction 57, tag conv3 tile 2`, by index in the stream."""
        return f"instruction {self.origin[index]}, tag {self.program.tag(int(self.tag[index]))}"

    def step(self) -> Event | None:
        """Execute one instruction; None at the end. Raises MachineFault or DeadlockError."""
        event = self.queues.step()
        if event is None:
            return None
        if fault := self.faults.get(event.index):
            raise MachineFault(Finding(self.describe(event.index), f"{fault}. Rebuild the program.", "E0825"))
        kind = KINDS[self.kind[event.index]]
        self.saturated.append(self._execute(kind, event.index))
        self.events.append(event)
        return event

    def _execute(self, kind: str, index: int) -> int:
        """Do the arithmetic of an instruction; the number of values that were clipped."""
        if self.machine is None or kind not in self.machine.kinds:
            return 0
        try:
            return self.machine.execute(kind, index)
        except DnncError as e:
            raise MachineFault(Finding(self.describe(index), e.findings[0].message, "E0825")) from e

    def advance(
        self, layer: str | None = None, instruction: int | None = None, cycle: int | None = None
    ) -> Event | None:
        """Step until an instruction of the layer, of that index in the program, or that starts at the cycle or later.

        The instruction it returns has been executed; None when the program ended before.
        """
        with threadpool_limits(1, "blas"):
            while (event := self.step()) is not None:
                tag = self.program.tag(int(self.tag[event.index]))
                at = (layer == tag.layer, instruction == self.origin[event.index])
                if any(at) or (cycle is not None and event.start >= cycle):
                    return event
        return None

    def run(
        self, inputs: Mapping[str, NDArray[Any]] | None = None, watch: Callable[[Simulator, Event], None] | None = None
    ) -> Run:
        """Write the inputs, execute to the end, read the outputs (none when timing only); `watch` sees each instruction."""
        self.start(inputs or {})
        return self.finish(watch)

    def start(self, inputs: Mapping[str, NDArray[Any]]) -> None:
        """Write all inputs, unless there is no data."""
        for symbol in self._symbols("input"):
            if not self.timing_only:
                self.write(symbol, inputs.get(symbol.name))

    def finish(self, watch: Callable[[Simulator, Event], None] | None = None) -> Run:
        """Execute what is left of the program, and read the outputs."""
        # products of a tile are too small to share: a second BLAS thread makes them many times slower
        with threadpool_limits(1, "blas"):
            while (event := self.step()) is not None:
                if watch is not None:
                    watch(self, event)
        outputs = {} if self.timing_only else {s.name: self.read(s) for s in self._symbols("output")}
        trace = self.trace()
        return Run(outputs, trace, self._by_tag(trace))

    def memory(self, name: str) -> NDArray[np.uint8]:
        """The bytes of a memory on chip by its name or role, of a DRAM region, or of an input or output, as they are now.

        A view: what is written to it is what the next instruction reads.
        """
        machine, symbols = self._data(), {s.name: s for s in self.program.symbols}
        if name in symbols:
            return self._bytes(symbols[name])
        names = dict(zip(ROLES, self.memories.role)) | {n: i for i, n in enumerate(self.memories.names)}
        if name not in names:
            known = [*names, *symbols]
            text = f"expected one of {', '.join(known)}, not '{name}'.{nearest(name, known)}"
            raise DnncError(Finding("memory", text, "E0834"))
        return [*machine.chip, *machine.regions][names[name]]

    def dump(self, name: str, path: Path | str) -> None:
        """Write the bytes of a memory: as a NumPy array (.npy), of its own type for an input or output, else as they are."""
        data = self.memory(name)
        symbol = next((s for s in self.program.symbols if s.name == name), None)
        with atomic_file(path) as f:
            if Path(path).suffix != ".npy":
                f.write(data.tobytes())
            else:
                np.save(f, data if symbol is None else self.read(symbol))  # pyright: ignore[reportArgumentType]

    def _symbols(self, direction: str) -> list[Symbol]:
        return [s for s in self.program.symbols if s.direction == direction]

    def write(self, symbol: Symbol, value: NDArray[Any] | None) -> None:
        """Put an input tensor into DRAM."""
        if value is None or value.shape != symbol.shape or value.dtype != symbol.dtype:
            got = "nothing" if value is None else f"{value.dtype}{list(value.shape)}"
            raise DnncError(
                f"input {symbol.name!r}: {symbol.dtype}{list(symbol.shape)} was expected, not {got}. Convert it.",
                "E0121",
            )
        self._bytes(symbol)[...] = np.ascontiguousarray(value).reshape(-1).view(np.uint8)

    def read(self, symbol: Symbol) -> NDArray[Any]:
        """Copy a tensor out of DRAM."""
        return self._bytes(symbol).copy().view(symbol.dtype).reshape(symbol.shape)

    def _bytes(self, symbol: Symbol) -> NDArray[np.uint8]:
        return self._data().regions[symbol.region][symbol.offset : symbol.offset + symbol.bytes]

    def _data(self) -> Machine:
        if self.machine is None:
            raise DnncError("simulator: a run with data was expected, not timing only. Leave timing_only out.", "E0828")
        return self.machine

    def trace(self) -> Trace:
        """The trace of what has been executed."""
        rows = np.array([(e.index, e.engine, e.start, e.end, e.stall, e.stall_cycles) for e in self.events], np.int64)
        index, engine, start, end, stall, stall_cycles = rows.reshape(-1, 6).T
        counters = self.costs.counters
        columns = {
            "index": self.origin[index],
            "engine": engine,
            "kind": self.kind[index],
            "start": start,
            "end": end,
            "tag": self.tag[index],
            "bytes": (counters["dram_read"] + counters["dram_write"])[index],
            "macs": counters["macs"][index],
            "stall": stall,
            "stall_cycles": stall_cycles,
            "saturated": np.array(self.saturated, np.int64),
            "place": index,
            "wait": self.waits[index],
            "signal": header(self.words, "signal")[index],
            "bus": self.costs.bus[index],
            "chip": self.costs.chip[index],
        }
        columns = {name: columns[name].astype(dtype) for name, dtype in COLUMNS.items()}
        return Trace(columns, self.program.tags, self.arch.name, self.arch.clock_mhz, limits(self.arch))

    def _by_tag(self, trace: Trace) -> dict[str, NDArray[np.int64]]:
        index = trace["place"].astype(np.int64)
        slot = np.minimum(trace["tag"].astype(np.int64), len(self.program.tags))
        amounts = {name: self.costs.counters[name][index] for name in COUNTERS}
        amounts["saturated"] = trace["saturated"]
        duration = trace["end"] - trace["start"]
        amounts |= {f"busy_{e.name.lower()}": np.where(trace["engine"] == e, duration, 0) for e in Engine}
        stalls = enumerate(STALLS)
        amounts |= {f"stall_{s}": np.where(trace["stall"] == i, trace["stall_cycles"], 0) for i, s in stalls if i}
        return {name: _summed(slot, values, len(self.program.tags) + 1) for name, values in amounts.items()}


def _summed(slot: NDArray[np.int64], values: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    out = np.zeros(n, np.int64)
    np.add.at(out, slot, values)
    return out
