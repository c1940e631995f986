"""Elementwise operations: one loop nest over the result, with as few dimensions as the operands' broadcasting allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from xdsl.ir import SSAValue

from dnnc.backends.c.kernel import Kernel
from dnnc.backends.c.kernels.blocks import spread_shape
from dnnc.backends.c.kernels.steps import Step, step_of
from dnnc.backends.c.text import Bound, c_type, collapse, index, strides_to
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.types import shape_of


@dataclass
class Walk:
    """A nest over part of a result: loop bounds, and where each loop stands in the result.

    `origin` is added to each result coordinate (C text or a number), so that an operand is read at the right place. Of axes
    that are `cut` into blocks the target has two dimensions, and so has every operand.
    """

    bounds: Sequence[Bound]
    origin: Sequence[Bound]
    target: tuple[int, ...]
    arrays: list[tuple[str, tuple[int, ...], Bound]] = field(default_factory=list)
    cut: Sequence[int | None] = ()

    def array(self, pointer: str, strides: Sequence[int], offset: Bound = 0) -> int:
        """Add an array walked with these strides from an offset; returns its number."""
        entry = (pointer, tuple(strides), offset)
        if entry not in self.arrays:
            self.arrays.append(entry)
        return self.arrays.index(entry)

    def operand(self, kernel: Kernel, value: SSAValue) -> int:
        """Add an operand that broadcasts to the result."""
        shape = shape_of(value.type)
        strides = strides_to(spread_shape(shape, self.cut) if any(self.cut) else shape, self.target)
        return self.array(kernel.x(value), strides, self.offset(strides))

    def offset(self, strides: Sequence[int]) -> str:
        """Where an array with these strides over the result begins."""
        return index(self.origin, strides)

    def channels(self, kernel: Kernel, step: Step) -> list[int]:
        """Add the constants of a step that has one value a channel."""
        strides = tuple(int(d == step.axis) for d in range(len(self.target)))
        return [self.array(kernel.constant(c), strides, self.offset(strides)) for c in step.channel]


def emit_elementwise(kernel: Kernel) -> None:
    """y[i] = the unit's operations applied one after another to the operands' elements."""
    shape = shape_of(kernel.unit.outputs[0].type)
    walk = Walk(shape, (0,) * len(shape), shape)
    y = walk.array(kernel.y(), strides_to(shape, shape))  # dimensions of size 1 are dropped, whatever their stride
    emit_walk(kernel, walk, y, kernel.unit.ops, {})


def emit_walk(kernel: Kernel, walk: Walk, y: int, ops: Sequence[DnnOp], known: dict[SSAValue, tuple[int, ...]]) -> None:
    """The nest that stores in array `y` the result of `ops`; a `known` value is the sum of arrays of the walk.

    Without operations the known value itself is stored.
    """
    sources = dict(known)
    steps = [(op, step_of(kernel, op)) for op in ops]
    made = {r for op in ops for r in op.results}
    for v in (v for _, step in steps for v in step.operands):
        if v not in sources and v not in made:
            sources[v] = (walk.operand(kernel, v),)
    channels = [walk.channels(kernel, step) for _, step in steps]
    bounds, strides = collapse(walk.bounds, [s for _, s, _ in walk.arrays])
    code = kernel.code
    with code.nest(bounds) as variables:
        at = [f"{p}[{index(variables, s, o)}]" for (p, _, o), s in zip(walk.arrays, strides)]
        texts = {v: at[a[0]] if len(a) == 1 else f"({' + '.join(at[i] for i in a)})" for v, a in sources.items()}
        final = next(iter(texts.values()), "0")
        for n, ((op, step), each) in enumerate(zip(steps, channels)):
            final = step.text([texts[v] for v in step.operands], [at[i] for i in each])
            if n + 1 < len(ops):
                code.add(f"const {c_type(op.results[0])} v{n} = {final};")
                texts[op.results[0]] = f"v{n}"
        code.add(f"{at[y]} = {final};")
