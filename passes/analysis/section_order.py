"""What an order of the sections of a schedule needs of the arena: each section with what it reads, makes and writes over.

It is what `plan-memory` counts, step by step: values that layers hand on in depth-first stacks are on chip and need no bytes,
parts of a concatenation are one buffer, what a section has read before it stores anything shares bytes with what it makes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue

from dnnc.ir.sched import BufferOp, CopyOp, layout_of
from dnnc.passes.analysis.footprint import buffer_bytes
from dnnc.passes.analysis.in_place import overwritings
from dnnc.passes.analysis.liveness import Span, lifetimes, sides
from dnnc.passes.analysis.ordering import Program, Task
from dnnc.passes.analysis.sections import Section, sections
from dnnc.passes.analysis.strides import contiguous


def program(module: ModuleOp, given: Sequence[Section] | None = None) -> Program:
    """The sections as tasks over the buffers of the arena."""
    times = lifetimes(module)
    parts = sections(module, times) if given is None else given
    number: dict[BufferOp, int] = {}
    tasks: list[Task] = []
    spans: dict[int, dict[int, Span]] = {}
    for i, section in enumerate(parts):
        begin = 2 * section.steps[0]
        copies = [(c, b) for c in section.copies() if (b := sides(c)[0]).space.data == "arena"]
        used: dict[int, Span] = {}
        for c, b in copies:
            span, n = _within(c, times.copies[c], begin), number.setdefault(b, len(number))
            used[n] = _both(used.get(n, span), span)
        makes = tuple(dict.fromkeys(number[b] for c, b in copies if not c.loads))
        tasks.append((frozenset(used) - frozenset(makes), makes))
        spans[i] = used
    sizes = [buffer_bytes(b) for b in number]
    return Program(tasks, sizes, waits=_waits(parts), over=_over(module, parts, number), spans=spans)


def _within(copy: CopyOp, span: Span, begin: int) -> Span:
    """The first and last step of a section that a copy runs in; what it loads is there when the section begins."""
    return 0 if copy.loads else span[0] - begin, span[1] - 1 - begin


def _both(a: Span, b: Span) -> Span:
    return min(a[0], b[0]), max(a[1], b[1])


def _over(module: ModuleOp, parts: Sequence[Section], number: dict[BufferOp, int]) -> dict[int, frozenset[int]]:
    """Over what each section may write."""
    section = {op: i for i, part in enumerate(parts) for op in part.ops}
    return {section[o.loop]: frozenset(number[x] for x in o.read) for o in overwritings(module)}


def _waits(parts: Sequence[Section]) -> list[frozenset[int]]:
    """For each section the earlier ones that touch bytes which it touches, where one of the two writes them."""
    touched: dict[BufferOp, list[tuple[int, bool, SSAValue]]] = {}
    found: list[set[int]] = [set() for _ in parts]
    for i, part in enumerate(parts):
        for place, writes in _places(part):
            buffer = place[1]
            for j, wrote, other in touched.setdefault(buffer, []):
                if j != i and (writes or wrote) and _meet(place[0], other, buffer):
                    found[i].add(j)
            touched[buffer].append((i, writes, place[0]))
    return [frozenset(f) for f in found]


def _places(part: Section) -> Iterator[tuple[tuple[SSAValue, BufferOp], bool]]:
    """What a section touches off chip, once each, and whether it writes there."""
    seen = set()
    for copy in part.copies():
        place = copy.source if copy.loads else copy.target
        if sides(copy)[0].constant is None and (place, copy.loads) not in seen:
            seen.add((place, copy.loads))
            yield (place, sides(copy)[0]), not copy.loads


def _meet(a: SSAValue, b: SSAValue, buffer: BufferOp) -> bool:
    """Whether two parts of a buffer have an element in common."""
    x, y = layout_of(a), layout_of(b)
    if contiguous(x) and contiguous(y):
        return x.offset < y.offset + prod(y.shape) and y.offset < x.offset + prod(x.shape)
    marked = np.zeros(prod(layout_of(buffer.result).shape), np.bool_)
    x.of(marked)[...] = True
    return bool(y.of(marked).any())
