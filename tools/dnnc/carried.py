"""The network that a program was made of, kept in its file, so that its stores can be compared with nothing else at hand.

The file holds the text of the network before it was tiled, the passes from there on, and its constants: by their place
where a region has them as they are, else as bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from xdsl.dialects.builtin import ModuleOp

from dnnc.backends.npu.program import REGIONS, Program
from dnnc.backends.npu.target import Executable
from dnnc.ir import text
from dnnc.ir.context import make_context
from dnnc.ir.diagnostics import DnncError, Finding
from dnnc.ir.sched import BufferOp
from dnnc.ir.weights import WeightStore, store_of
from dnnc.network import Network
from dnnc.passes.pipeline import Pipeline

WEIGHTS = REGIONS.index("weights")


@dataclass(frozen=True)
class Carried:
    """A program file with the network in it, as `Comparison` wants it."""

    network: Network
    graph: Network
    lowering: Pipeline
    file: Executable

    def executable(self) -> Executable:
        """The program with what the host does."""
        return self.file

    def carrying(self) -> Program:
        """The file."""
        return self.file.program


def carry(program: Program, graph: Network, lowering: Pipeline, scheduled: ModuleOp) -> Program:
    """The program with the network it was made of, before the passes that made its schedule."""
    store, constants, table = store_of(graph.ctx), bytearray(), {}
    places = _places(scheduled)
    for key in sorted(text.weight_keys(graph.module)):
        array = store[key]
        raw = np.ascontiguousarray(array).reshape(-1).view(np.uint8).tobytes()
        at = places.get(key)
        there = at is not None and program.weights[at : at + len(raw)] == raw
        table[key] = {
            "dtype": array.dtype.name,
            "shape": array.shape,
            "region": there,
            "at": at if there else len(constants),
        }
        constants += b"" if there else raw
    about = {
        "name": graph.name,
        "text": text.text_of(graph.module, locations=True),
        "lowering": str(lowering),
        "constants": table,
    }
    return replace(program, network=json.dumps(about, sort_keys=True), constants=bytes(constants))


def _places(scheduled: ModuleOp) -> dict[str, int]:
    """Where the weights of a schedule lie in their region."""
    buffers = (op for op in scheduled.walk() if isinstance(op, BufferOp) and op.space.data == "weights")
    return {b.constant.data: b.offset.data for b in buffers if b.constant is not None and b.offset is not None}


def carried(file: Executable, source: str) -> Carried:
    """The network in a program; DnncError when there is none, or it is not as `carry` writes it."""
    program = file.program
    if not program.network:
        message = "expected a program that carries the network to compare with, this one does not."
        todo = "Compile it with --with-network, or give the network itself with --on npu."
        raise DnncError(Finding(source, f"{message} {todo}", "E0108"))
    try:
        about = json.loads(program.network)
        store, name = _constants(program, about["constants"]), about["name"]
        ctx = make_context(store)
        network = Network(text.parse(ctx, about["text"], f"{source}: network"), ctx, name)
        return Carried(network, network, Pipeline(about["lowering"]), file)
    except (KeyError, TypeError, ValueError) as error:
        message = f"expected a network as dnnc writes it: {error!r}. Compile it again."
        raise DnncError(Finding(f"{source}: section 'network'", message, "E0812")) from None


def _constants(program: Program, table: Mapping[str, Any]) -> WeightStore:
    store = WeightStore()
    for key, entry in table.items():
        kind, shape = np.dtype(entry["dtype"]), tuple(entry["shape"])
        data = program.weights if entry["region"] else program.constants
        size = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
        store.add(key, np.frombuffer(data[entry["at"] : entry["at"] + size], kind).reshape(shape))
    return store
