"""What a machine knows of a program before it runs: all that depends on neither inputs nor order, worked out once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dnnc.backends.npu.cost import Costs, costs
from dnnc.backends.npu.encoding import Column, Decoded, Words, decode, header
from dnnc.backends.npu.faults import Faults, faults
from dnnc.backends.npu.footprint import Memories, memories
from dnnc.backends.npu.machine import Work, works
from dnnc.backends.npu.program import Program, inconsistencies
from dnnc.backends.npu.queues import Load, load
from dnnc.backends.npu.sequence import expand
from dnnc.backends.npu.trace import KINDS
from dnnc.ir.arch import Accelerator
from dnnc.ir.diagnostics import DnncError


@dataclass(frozen=True)
class Loaded:
    """A program for one accelerator, decoded; `origin` leads from the stream that runs to the program's instructions."""

    program: Program
    arch: Accelerator
    words: Words
    origin: Column
    decoded: Mapping[str, Decoded]
    memories: Memories

    @classmethod
    def of(cls, program: Program, arch: Accelerator) -> Loaded:
        """Raise DnncError when the program is for another accelerator or does not fit itself."""
        program.require(arch)
        stream = expand(program.text)
        if problems := inconsistencies(program, arch):
            raise DnncError(problems)
        return cls(program, arch, stream.words, stream.origin, decode(stream.words), memories(program, arch))

    @cached_property
    def faults(self) -> Faults:
        """What the machine forbids, by instruction of the stream."""
        return faults(self.words, self.decoded, self.memories)

    @cached_property
    def costs(self) -> Costs:
        """Cycles and counters of every instruction."""
        return costs(self.decoded, len(self.words), self.arch)

    @cached_property
    def kind(self) -> Column:
        """The place of each instruction's kind in `trace.KINDS`; 0, nop, for words that are none."""
        found = np.zeros(len(self.words), np.int64)
        for name, d in self.decoded.items():
            found[d.index] = KINDS.index(name)
        return found

    @cached_property
    def tag(self) -> Column:
        """The number of each instruction's tag."""
        return header(self.words, "tag")

    @cached_property
    def work(self) -> Load:
        """What the queues need to know."""
        return load(self.words, self.decoded, self.costs.cycles)

    @cached_property
    def waits(self) -> Column:
        """The queues each instruction waits for: for a token of theirs, or as a barrier until they are empty."""
        found = header(self.words, "wait").astype(np.int64)
        found[list(self.work.barrier)] = list(self.work.barrier.values())
        return found

    @cached_property
    def works(self) -> Mapping[str, Work]:
        """The operands of what computes and moves data."""
        return works(self.decoded)
