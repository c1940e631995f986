"""What a plan that does not fit says: steps, buffers, bytes, what is proved, and the smallest memory found."""

from dataclasses import replace

import pytest

from dnnc.backends.npu.catalog import load_target
from dnnc.ir.arch import MODULE_ATTRIBUTE, AcceleratorAttr
from dnnc.ir.context import make_context
from dnnc.ir.diagnostics import DnncError
from dnnc.ir.sched import BufferOp
from dnnc.ir.text import parse
from dnnc.passes.plan_memory import PlanMemoryPass

TINY = load_target("tiny")


def program(*rows):
    """A schedule whose buffers in the arena live from one step to another: (bytes, first, last)."""
    lines = [f'  %b{i} = sched.buffer "b{i}" in <arena> : memref<{size}xi8>' for i, (size, _, _) in enumerate(rows)]
    for step in range(1 + max(last for _, _, last in rows)):
        lines.append(f'  %t{step} = sched.buffer "step{step}" in <input> : memref<1xi8>')
        for i, (size, first, last) in enumerate(rows):
            if step in (first, last):
                ends = f"%t{step} to %b{i}" if step == first else f"%b{i} to %t{step}"
                types = ("memref<1xi8>", f"memref<{size}xi8>")
                source, target = types if step == first else types[::-1]
                copy = f"sched.copy {ends} at() <[0 size 1 in {size}]> : {source} to {target}"
                lines.append(f"  sched.loop %i = 0 to 1 step 1 {{ {copy} }}")  # while the step runs, not before it
    return "\n".join(["func.func @main() {", *lines, "  func.return", "}"])


def told(text, **dram):
    """The findings of a plan on `tiny` with another DRAM."""
    module = parse(make_context(), text)
    module.attributes[MODULE_ATTRIBUTE] = AcceleratorAttr(replace(TINY, dram=replace(TINY.dram, **dram)))
    with pytest.raises(DnncError) as error:
        PlanMemoryPass().apply(make_context(), module)
    return "\n".join(map(str, error.value.findings)) + "\n"


CROWDED = [(32, 0, 3), (48, 1, 2), (16, 2, 5), (64, 4, 6), (16, 6, 7), *((16, 7, 7) for _ in range(9))]
# 80 bytes are alive at every step, and no placement needs fewer than 96
SCATTERED = [(16, 1, 3), (32, 4, 5), (32, 3, 4), (32, 6, 6), (32, 0, 0), (48, 5, 6), (16, 1, 4), (48, 0, 2)]


@pytest.mark.parametrize(
    "name, text, dram",
    (
        ("crowded", program(*CROWDED), {"arena_bytes": 80}),
        ("scattered", program(*SCATTERED), {"arena_bytes": 80}),
        ("dram", program(*CROWDED), {"bytes": 100}),
    ),
)
def test_what_does_not_fit(golden, name, text, dram):
    golden.check(f"{name}.txt", told(text, **dram))


def unified(size, *rows):
    """A schedule on one memory for all roles, its buffers alive from one step to another: (role, bytes, first, last)."""
    roles = ("input", "weight", "output", "accumulator", "parameter")
    arch = replace(TINY, memory=(replace(TINY.memory[0], name="sram", bytes=size, holds=roles),))
    lines = [
        f'  %b{i} = sched.buffer "b{i}" in <{role}> : memref<{bytes_}xi8>'
        for i, (role, bytes_, _, _) in enumerate(rows)
    ]
    lines.append('  %a = sched.buffer "a" in <arena> : memref<4xi8>')
    for step in range(1 + max(last for *_, last in rows)):
        for i, (_, size, first, last) in enumerate(rows):
            if step in (first, last):
                copy = f"sched.copy %a to %b{i} at() <[0 size 1 in 4]> : memref<4xi8> to memref<{size}xi8>"
                lines.append(f"  sched.loop %i = 0 to 1 step 1 {{ {copy} }}")
    module = parse(make_context(), "\n".join(["func.func @main() {", *lines, "  func.return", "}"]))
    module.attributes[MODULE_ATTRIBUTE] = AcceleratorAttr(arch)
    return module


def test_parameters_lie_where_instructions_reach_them():
    module = unified(400_000, ("input", 200_000, 0, 3), ("output", 100_000, 1, 2), ("parameter", 40_000, 1, 3))
    PlanMemoryPass().apply(make_context(), module)
    offsets = {op.label.data: op.offset.data for op in module.walk() if isinstance(op, BufferOp)}
    assert offsets["b2"] == 0 and offsets["b0"] >= 40_000 and offsets["b1"] >= 40_000


def test_parameters_that_cannot_lie_there_are_told():
    module = unified(400_000, ("input", 200_000, 0, 3), ("parameter", 70_000, 0, 3))
    with pytest.raises(
        DnncError, match=r"sram: parameters in its first 65536 bytes, .* not b1 above\. .*memory of their own"
    ):
        PlanMemoryPass().apply(make_context(), module)
