"""The page of the instruction set, from the declarations in isa.py."""

from __future__ import annotations

from collections.abc import Iterator

from dnnc.backends.npu import isa
from dnnc.backends.npu.isa import Field, Instruction
from tools.docs.markdown import literal, page, table


def position(low: int, bits: int) -> str:
    """`7` or `7..12`: the payload bits of a field."""
    return str(low) if bits == 1 else f"{low}..{low + bits - 1}"


def values(field: Field) -> str:
    """What a field may hold: names in order of their numbers, or a range."""
    if field.names:
        return ", ".join(f"{i} {name}" for i, name in enumerate(field.names))
    return f"{field.low:,} to {field.high:,}"


def instruction(one: Instruction) -> Iterator[str]:
    """The section of one instruction."""
    yield f"## {one.name}"
    engines = ", ".join(e.name.lower() for e in one.engines)
    register = "" if one.register is None else f", register {one.register}"
    yield f"Op {one.op}{register}; on {engines}; {one.payload_bits} of {isa.PAYLOAD_BITS} payload bits."
    yield one.meaning
    if one.layout:
        rows = (
            [literal(name), position(low, f.bits), values(f), f.doc + (" (advanced by step)" if f.address else "")]
            for name, (f, low) in one.layout.items()
        )
        yield table(["field", "payload bits", "values", "meaning"], rows)


def header() -> str:
    """The fields every instruction has."""
    rows, low = [], 0
    for field in isa.HEADER:
        rows.append([literal(field.name), position(low, field.bits), values(field), field.doc])
        low += field.bits
    return table(["field", "bits", "values", "meaning"], rows)


def text() -> str:
    """The page."""
    introduction = " ".join((isa.__doc__ or "").split())
    overview = table(
        ["instruction", "op", "engines", "payload bits"],
        (
            [
                f"[{i.name}](#{i.name.replace('.', '')})",
                i.op,
                ", ".join(e.name.lower() for e in i.engines),
                i.payload_bits,
            ]
            for i in isa.INSTRUCTIONS
        ),
    )
    sections = [part for one in isa.INSTRUCTIONS for part in instruction(one)]
    return page(
        "Instructions", "`backends/npu/isa.py`", introduction, "## Header", header(), "## Overview", overview, *sections
    )
