"""Convolutions and maximum pools run in independent blocks of the feature map: no halo, other results at the borders.

%1 = dnn.conv %x, %w window = <[3, 3], pad [1, 1, 1, 1]>
  ->  %1 = dnn.conv %x, %w window = <[3, 3], pad [1, 1, 1, 1], block [28, 28]>

Each block is padded with zeros by itself (block convolution, DATE 2018), so that layers which run depth-first hand on blocks
and compute nothing twice. What that does to the outputs is measured and told.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import BlockArgument, OpResult, SSAValue
from xdsl.passes import ModulePass

from dnnc.ir.blocked import BLOCKED, Blocked, blocked_of
from dnnc.ir.diagnostics import Collector, DnncError, Finding, Remark, nearest, node_names, where
from dnnc.ir.dnn.attributes import Window, WindowAttr
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.bitwise import BitConvOp
from dnnc.ir.dnn.contraction import ConvOp
from dnnc.ir.dnn.reduction import MaxPoolOp
from dnnc.ir.dnn.structure import GroupOp
from dnnc.ir.interpret import main_function
from dnnc.ir.rewriting import allowed
from dnnc.ir.types import shape_of
from dnnc.ir.weights import store_of
from dnnc.passes.analysis.output_error import measured

HARMLESS = 28
"""Pixels of a block from which VGG-16 loses no more than 0.14 points of its top-1 accuracy; with 14 it loses 1.1."""

Windowed = ConvOp | MaxPoolOp


@dataclass(frozen=True)
class BlockConvolutionPass(ModulePass):
    """Cut convolutions and maximum pools that look beyond their own pixel into independent blocks of at least `pixels` squared.

    Blocks of one layer nest in those of the next, where strides allow it; what is smaller than two blocks stays whole, and so
    does what has no padding to keep its size. `layers` are the names of those to cut, all unless given. The outputs change: by
    how much all blocks together do, those that were there too, is measured on `samples` of the samples of the run, or on as many
    seeded random inputs, told as a warning and kept as `dnn.blocked`.
    """

    name = "block-convolution"
    pixels: int = HARMLESS
    layers: tuple[str, ...] = ()
    samples: int = 16
    found: list[Blocked] = field(default_factory=list, init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        for name, value in (("pixels", self.pixels), ("samples", self.samples)):
            if value < 1:
                message = f"expected {name} of at least 1, not {value}."
                raise DnncError(Finding(f"pass '{self.name}'", message, "E0503"))

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        before = _whole(op)
        sizes = _Blocks(self.pixels, self._chosen(op)).sizes(op)
        cut = [layer for layer in sizes if allowed("Blocks", layer)]
        for layer in cut:
            layer.properties["window"] = WindowAttr(replace(layer.window.data, block=sizes[layer]))
        if not cut:
            warnings.warn(Remark(f"{self.name}: no layer is as large as two blocks of {self.pixels}"), stacklevel=2)
            return
        told = blocked_of(op)
        blocks = len(_blocked(op)), min(self.pixels, told.pixels) if told else self.pixels
        found = measured(before, op, store_of(ctx), blocks, self.samples)
        self.found.append(found)
        op.attributes[BLOCKED] = found.attribute()
        small = f". Blocks below {HARMLESS} are known to cost accuracy" if self.pixels < HARMLESS else ""
        warnings.warn(Remark(f"{self.name}: {found.text()}{small}"), stacklevel=2)

    def _chosen(self, module: ModuleOp) -> list[Windowed]:
        """The layers to cut; those named that cannot be are an error."""
        windowed = [op for op in main_function(module).walk() if isinstance(op, Windowed | BitConvOp)]
        if not self.layers:
            return [op for op in windowed if isinstance(op, Windowed) and _refusal(op) is None]
        report, found = Collector(), []
        for name in self.layers:
            mine = [op for op in windowed if name in node_names(op.location)]
            if not mine:
                known = [n for op in windowed for n in node_names(op.location)]
                meant = nearest(name, known) or " `dnnc report` lists the layers."
                text = f"expected the name of a convolution or maximum pool, not '{name}'.{meant}"
                report.error(f"pass '{self.name}'", text, "E0453")
            for op in mine:
                if why := _refusal(op):
                    report.error(where(op.location, op.name), why, "E0453")
                elif isinstance(op, Windowed):
                    found.append(op)
        report.raise_if_any()
        return found


def _blocked(module: ModuleOp) -> list[Windowed]:
    """The layers that run in blocks."""
    return [op for op in main_function(module).walk() if isinstance(op, Windowed) and op.window.data.block]


def _whole(module: ModuleOp) -> ModuleOp:
    """A copy without blocks."""
    found = module.clone()
    for op in _blocked(found):
        op.properties["window"] = WindowAttr(op.window.data.whole)
    return found


def _refusal(op: Windowed | BitConvOp) -> str | None:
    """Why a layer cannot run in blocks."""
    window, size, todo = op.window.data, op.shape()[2:], "Leave it out."
    if isinstance(op, BitConvOp):
        return f"expected values of a byte for blocks, not packed ones. {todo}"
    if window.block:
        return f"expected a layer without blocks, not blocks of {list(window.block)}. {todo}"
    if not any(_looks_beyond(window, axis) for axis in range(window.rank)):
        return f"expected a window that looks beyond its own pixels, not {list(window.kernel)}. {todo}"
    if not window.keeps(size):
        wanted = [-(-h // u) for h, u in zip(size, window.stride)]
        return f"expected padding that keeps the size, {wanted}, for blocks, not {list(window.output(size))}. {todo}"
    return None


def _looks_beyond(window: Window, axis: int) -> bool:
    return window.extent[axis] > window.stride[axis] or any(window.pads[axis])


class _Blocks:
    """Sizes of blocks, from the end of a network to its beginning, so that those of a layer nest in those of its readers."""

    def __init__(self, pixels: int, chosen: list[Windowed]) -> None:
        self.pixels, self.chosen = pixels, set(chosen)
        self.grids: dict[SSAValue, tuple[int, ...]] = {}

    def sizes(self, module: ModuleOp) -> dict[Windowed, tuple[int, ...]]:
        """The blocks of every layer that has at least two."""
        found: dict[Windowed, tuple[int, ...]] = {}
        for op in reversed(list(_computing(module))):
            grid = self.grids.get(op.results[0]) if len(op.results) == 1 else None
            if isinstance(op, Windowed):
                outputs = shape_of(op.result.type)[2:]
                if op in self.chosen:
                    grid = tuple(map(self._size, outputs, grid or outputs))
                    if any(b < e for b, e in zip(grid, outputs)):
                        found[op] = grid
                else:
                    grid = op.window.data.block or grid
                if grid and op.window.data.keeps(op.shape()[2:]):
                    self._asks(op.x, tuple(b * u for b, u in zip(grid, op.window.data.stride)))
            elif grid:
                for value in op.operands:
                    if shape_of(value.type)[2:] == shape_of(op.results[0].type)[2:]:
                        self._asks(value, grid)
        return found

    def _asks(self, value: SSAValue, grid: tuple[int, ...]) -> None:
        self.grids.setdefault(_made(value), grid)

    def _size(self, outputs: int, outer: int) -> int:
        """The size of blocks: the smallest of at least `pixels` that divides the reader's, or that makes as equal parts."""
        if outputs < 2 * self.pixels:
            return outputs
        if self.pixels <= outer < outputs:
            return outer // max(m for m in range(1, outer // self.pixels + 1) if outer % m == 0)
        return -(-outputs // (outputs // self.pixels))


def _computing(module: ModuleOp) -> Iterator[DnnOp]:
    return (op for op in main_function(module).walk() if isinstance(op, DnnOp) and not isinstance(op, GroupOp))


def _made(value: SSAValue) -> SSAValue:
    """The value of an operation, inside a group or not, that a value stands for."""
    if isinstance(value, BlockArgument):
        group = value.owner.parent_op()
        return _made(group.inputs[value.index]) if isinstance(group, GroupOp) else value
    if isinstance(value, OpResult) and isinstance(value.op, GroupOp):
        return _made(value.op.yielded()[value.index])
    return value
