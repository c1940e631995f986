"""A tiled module as plain data: for each layer its buffers and the nest of loops, copies and computes that runs it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from math import prod

from xdsl.dialects.builtin import MemRefType, ModuleOp
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Operation

from dnnc.backends.view.graph import element_text, kind_of, label_of
from dnnc.ir.dnn.base import DnnOp, Work
from dnnc.ir.interpret import main_function
from dnnc.ir.sched import DIMS, BufferOp, ComputeOp, CopyOp, LoopOp, ViewOp, buffer_of, loops_around
from dnnc.passes.analysis.footprint import buffer_bytes
from dnnc.passes.analysis.traffic import copy_bytes


@dataclass(frozen=True)
class Buffer:
    """A stretch of a memory space; `bytes` are those of all its copies, `offset` is None before memory is planned."""

    label: str
    space: str
    offset: int | None
    copies: int
    bytes: int
    shape: str
    type: str
    key: str | None


@dataclass(frozen=True)
class Step:
    """A loop with what it repeats, a load, a store or a compute: what it says, how often it runs, bytes and MACs in all."""

    kind: str
    text: str
    runs: int
    bytes: int = 0
    macs: int = 0
    body: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Nest:
    """A layer: what it holds and how it runs."""

    id: str
    name: str
    buffers: tuple[Buffer, ...]
    steps: tuple[Step, ...]

    def walk(self) -> Iterator[Step]:
        """Every step, outer ones first."""
        return _walk(self.steps)


def _walk(steps: Iterable[Step]) -> Iterator[Step]:
    for step in steps:
        yield step
        yield from _walk(step.body)


@dataclass(frozen=True)
class Schedule:
    """A tiled network: what the host does before and after, and its layers in order; `hidden` counts those left out."""

    name: str
    before: tuple[str, ...]
    layers: tuple[Nest, ...]
    after: tuple[str, ...]
    hidden: int = 0

    def head(self, count: int) -> Schedule:
        """The schedule with its first `count` layers alone; itself when it has no more."""
        if len(self.layers) <= count:
            return self
        return replace(self, layers=self.layers[:count], after=(), hidden=len(self.layers) - count)


def schedule_of(module: ModuleOp, name: str) -> Schedule:
    """The schedule of a tiled module."""
    functions = {f.sym_name.data: f for f in module.body.block.ops if isinstance(f, FuncOp)}
    before, after = (tuple(_host(functions.get(n))) for n in ("prologue", "epilogue"))
    parts = enumerate(_layers(main_function(module).body.block.ops))
    return Schedule(name, before, tuple(_nest(f"n{i}", ops) for i, ops in parts), after)


def _host(function: FuncOp | None) -> Iterator[str]:
    for op in function.body.block.ops if function is not None else ():
        if isinstance(op, DnnOp):
            yield f"{kind_of(op)} {label_of(op)}".strip()


def _layers(ops: Iterable[Operation]) -> list[list[Operation]]:
    """Operations by layer: each begins with its buffers."""
    parts: list[list[Operation]] = []
    steps = True
    for op in ops:
        if not isinstance(op, ReturnOp):
            if steps and (isinstance(op, BufferOp) or not parts):
                parts.append([])
            parts[-1].append(op)
            steps = steps if isinstance(op, ViewOp) else not isinstance(op, BufferOp)
    return parts


def _nest(id_: str, ops: list[Operation]) -> Nest:
    buffers = tuple(_buffer(op) for op in ops if isinstance(op, BufferOp))
    computes = [c for op in ops for c in op.walk() if isinstance(c, ComputeOp)]
    name = computes[0].label.data if computes else buffers[0].label if buffers else ops[0].name
    return Nest(id_, name, buffers, tuple(_steps(ops)))


def _buffer(op: BufferOp) -> Buffer:
    type_ = op.result.type
    assert isinstance(type_, MemRefType)
    return Buffer(
        label=op.label.data,
        space=op.space.data,
        offset=op.offset.data if op.offset is not None else None,
        copies=op.copies.data,
        bytes=buffer_bytes(op),
        shape="x".join(map(str, type_.get_shape())),
        type=element_text(type_.element_type),
        key=op.constant.data if op.constant is not None else None,
    )


def _steps(ops: Iterable[Operation]) -> Iterator[Step]:
    for op in ops:
        runs = prod(len(loop.values) for loop in loops_around(op))
        match op:
            case LoopOp():
                head = f"{op.index.name_hint or 'i'} = 0 to {op.upper.data} step {op.step.data}"
                yield Step("loop", head, len(op.values), body=tuple(_steps(op.body.block.ops)))
            case CopyOp():
                yield Step("load" if op.loads else "store", _copy(op), runs, bytes=copy_bytes(op))
            case ComputeOp():
                body = [o for o in op.body.block.ops if isinstance(o, DnnOp)]
                macs = sum((o.work() for o in body), Work()).macs
                yield Step("compute", f"{', '.join(map(kind_of, body))}{_tile(op)}", runs, macs=macs)
            case BufferOp():
                continue
            case _:
                yield Step("step", op.name, runs)


def _copy(op: CopyOp) -> str:
    tile = "x".join(str(s.size) for s in op.slices.data)
    decoder = op.decoder.data if op.decoder is not None else "dense"
    through = f" through {decoder}" if decoder != "dense" else ""
    return f"{buffer_of(op.source).label.data} to {buffer_of(op.target).label.data}, {tile}{through}"


def _tile(op: ComputeOp) -> str:
    """The dimensions that are cut into tiles."""
    cut = [f"{n} {s.size} of {s.extent}" for n, s in zip(DIMS, op.slices.data) if s.loop >= 0]
    return f" on {', '.join(cut)}" if cut else ""
