"""The loops, copies and compute of one layer."""

from __future__ import annotations

from xdsl.dialects.builtin import IntegerType
from xdsl.ir import Attribute, Block, SSAValue

from dnnc.ir.dnn.structure import GroupOp
from dnnc.ir.fixed import AFFINE, EXP_BYTES
from dnnc.ir.sched import BufferOp, ComputeOp, CopyOp, LoopOp, Slice, SlicesAttr, buffer_of
from dnnc.passes.analysis.group import Group
from dnnc.passes.analysis.group_operands import UI8
from dnnc.passes.analysis.tiling import ORDERS, Tile


class Nest:
    """The loops, copies and compute of one layer; `places` has where each of its tensors lies, off chip or whole on it."""

    def __init__(self, group: Group, tile: Tile, op: GroupOp, places: dict[str, SSAValue]) -> None:
        self.group, self.tile, self.op = group, tile, op
        self.whole = {role: place for role, place in places.items() if buffer_of(place).on_chip}
        self.dram = {role: place for role, place in places.items() if role not in self.whole}
        layer = self.layer = group.layer
        spans = {
            "n": (layer.N, 1),
            "g": (layer.groups, 1),
            "s": (layer.out[0], tile.rows),
            "z": (layer.M // layer.packs, tile.channels // layer.packs),
            "k": (layer.C if layer.kind == "dense" else 1, tile.reduction),
        }
        order = "ngszk" if tile.order == ORDERS[0] else "ngzsk"
        self.loops = [LoopOp(*spans[d], name=d) if spans[d][0] > spans[d][1] else None for d in order]
        self.order = order
        self.index = {d: i for i, d in enumerate(d for d, loop in zip(order, self.loops) if loop)}
        self.chip = self._buffers()

    def _buffers(self) -> dict[str, BufferOp]:
        layer, tile = self.layer, self.tile
        heights = [layer.rows(at, min(tile.rows, layer.out[0] - at)) for at in range(0, layer.out[0], tile.rows)]
        box = max(r.input[1] + sum(r.pad) for r in heights)
        rows = max(r.sums[1] for r in heights)
        width = layer.W + sum(layer.columns()[0])
        source, result = self.group.source.storage, self.group.result.storage
        shapes: dict[str, tuple[Attribute, tuple[int, ...], int]] = {
            "input": (source, (layer.C if tile.input_resident else tile.reduction, box, width), tile.inputs),
            "output": (result, (tile.channels // layer.packs, tile.rows, layer.out[1]), tile.outputs),
        }
        if self.group.second is not None:
            shapes["second"] = (self.group.second.type.storage, self._second_tile(rows), tile.inputs)
        if layer.kind != "none":
            weights = (tile.channels, tile.reduction if layer.kind == "dense" else 1, layer.taps)
            if tile.weights_resident:
                weights = (layer.groups * layer.M, layer.C if layer.kind == "dense" else 1, layer.taps)
            shapes["weight"] = (IntegerType(8), weights, tile.weights)
            if not layer.wide:  # else the output is the sums
                shapes["accumulator"] = (IntegerType(32), (tile.channels, rows, layer.sums[1]), tile.sums)
        if layer.records:
            records = (layer.records if tile.parameters_resident else tile.channels, layer.record)
            shapes["parameter"] = (UI8, records, 1 if tile.parameters_resident else tile.outputs)
        if layer.table_bytes:
            shapes["table"] = (UI8, (layer.table_bytes,), 1)
        if layer.vector == "softmax":
            shapes["exp"] = (UI8, (EXP_BYTES,), 1)
        if layer.affine:
            shapes["affine"] = (UI8, (layer.affine, AFFINE.itemsize), 1)
        roles = {"table": "parameter", "exp": "parameter", "affine": "weight", "second": "input"}
        roles |= {"output": "accumulator"} if layer.wide else {}
        return {
            role: BufferOp(f"{layer.name}.{role}", roles.get(role, role), element, shape, copies)
            for role, (element, shape, copies) in shapes.items()
            if role not in self.whole
        }

    def _second_tile(self, sums: int) -> tuple[int, ...]:
        """Channels, rows and columns of one tile of the second operand."""
        sizes = self.layer.sizes("second")
        rows = self.tile.rows if self.layer.summed_first else sums
        return min(self.tile.channels, sizes["c"]), min(rows, sizes["y"]), sizes["x"]

    def emit(self, block: Block) -> None:
        """Add the layer's operations to a block."""
        for buffer in self.chip.values():
            block.add_op(buffer)
        blocks = {-1: block}
        current = block
        for depth, loop in enumerate(self.loops):
            blocks[depth] = current = loop.body.block if loop else current
        for role, depth in self._depths().items():
            if role in self.dram and role != "output":
                blocks[depth].add_op(self._copy(role, depth))
        parent = block
        for depth, loop in enumerate(self.loops):
            if loop:
                parent.add_op(loop)
                parent = blocks[depth]
        parent.add_op(self._compute())
        depth = self._depths()["output"]
        if "output" in self.dram:
            blocks[depth].add_op(self._copy("output", depth))

    def _depths(self) -> dict[str, int]:
        """How deep each role's copy stands: just inside the innermost loop that moves it."""
        tied = self.layer.kind != "dense"
        moves = {
            **dict.fromkeys(("table", "exp", "affine"), ""),
            "parameter": "" if self.tile.parameters_resident else "gz",
            "weight": "" if self.tile.weights_resident else "gzk",
            "input": "ngsz" if tied else "ngs" if self.tile.input_resident else "ngsk",
            "second": "".join({"y": "s", "c": "z"}.get(d, d) for d in self.layer.second or ""),
            "output": "ngsz",
        }
        inner = {d: i for i, (d, loop) in enumerate(zip(self.order, self.loops)) if loop}
        return {role: max((inner[d] for d in dims if d in inner), default=-1) for role, dims in moves.items()}

    def _slice(self, dim: str, size: int, extent: int, base: int = 0, step: int = 1) -> Slice:
        if dim not in self.index:
            return Slice(base, size, extent)
        return Slice(base, size, extent, step, self.index[dim])

    def _channels(self, size: int, extent: int) -> Slice:
        """Channels that move with those of the output, whose loop counts the bytes made of them."""
        return self._slice("z", size, extent, step=self.layer.packs)

    def _slices(self, role: str) -> list[Slice]:
        """The tile a copy moves, over [n, g, c, h, w], [g, m, c, taps], records or a table."""
        layer, tile, whole = self.layer, self.tile, Slice.whole
        n, g = self._slice("n", 1, layer.N), self._slice("g", 1, layer.groups)
        z = self._channels(tile.channels, layer.M)
        k = self._slice("k", tile.reduction, layer.C)
        if layer.kind != "dense":
            k = self._channels(tile.reduction, layer.C)
        if role == "input":
            k = whole(layer.C) if tile.input_resident else k
            return [n, g, k, self._input_rows(), whole(layer.W)]
        if role == "output":
            bytes_ = self._slice("z", tile.channels // layer.packs, layer.M // layer.packs)
            return [n, g, bytes_, self._slice("s", tile.rows, layer.out[0]), whole(layer.out[1])]
        if role == "second":
            return self._second_slices(n, g, z)
        if role in ("table", "exp"):
            return [whole(layer.table_bytes if role == "table" else EXP_BYTES)]
        if role == "affine":
            return [whole(layer.affine), whole(AFFINE.itemsize)]
        resident = tile.weights_resident if role == "weight" else tile.parameters_resident
        outer = [whole(layer.groups), whole(layer.M)] if resident else [g, z]
        if role == "parameter" and layer.kind == "none":
            return [whole(layer.records), whole(layer.record)]
        if role == "parameter":
            return [*outer, whole(layer.record)]
        inner = whole(1) if layer.kind != "dense" else whole(layer.C) if resident else k
        return [*outer, inner, whole(layer.taps)]

    def _input_rows(self) -> Slice:
        layer = self.layer
        used = layer.rows(0, layer.out[0]).input
        pool, window = layer.pool, layer.window
        base = -pool.pads[0][0] * window.stride[0] - window.pads[0][0]
        sums = (self.tile.rows - 1) * pool.stride[0] + pool.extent[0]
        size = (sums - 1) * window.stride[0] + window.extent[0]
        return self._slice("s", size, used[0] + used[1], base, pool.stride[0] * window.stride[0])

    def _second_slices(self, n: Slice, g: Slice, z: Slice) -> list[Slice]:
        layer, sizes, pool = self.layer, self.layer.sizes("second"), self.layer.pool
        used = layer.rows(0, layer.out[0]).sums
        y = self._slice("s", self.tile.rows, layer.out[0])
        if not layer.summed_first:
            size = (self.tile.rows - 1) * pool.stride[0] + pool.extent[0]
            y = self._slice("s", size, used[0] + used[1], -pool.pads[0][0], pool.stride[0])
        moving = dict(zip("ngcy", (n, g, z, y)))
        fixed = [moving[d] if d in (layer.second or "") else Slice.whole(1) for d in "ngcy"]
        return [*fixed, Slice.whole(sizes["x"])]

    def _indices(self, depth: int) -> list[SSAValue]:
        return [loop.index for loop in self.loops[: depth + 1] if loop]

    def _copy(self, role: str, depth: int) -> CopyOp:
        sides = self.dram[role], self.chip[role].result
        source, target = sides if role != "output" else sides[::-1]
        slices = SlicesAttr(tuple(self._slices(role)))
        copy = CopyOp(source, target, self._indices(depth), slices)
        copy.location = self.op.location
        return copy

    def _compute(self) -> ComputeOp:
        layer, tile = self.layer, self.tile
        slices = (
            self._slice("n", 1, layer.N),
            self._slice("g", 1, layer.groups),
            self._channels(tile.channels, layer.M),
            self._slice("s", tile.rows, layer.out[0]),
            self._slice("k", tile.reduction, layer.C) if layer.kind == "dense" else Slice.whole(1),
        )
        tiles = {role: buffer.result for role, buffer in self.chip.items()} | self.whole
        body = self.op.body.clone()
        for old, new in zip(self.op.body.block.ops, body.block.ops):
            new.location = old.location
        compute = ComputeOp(layer.name, tiles, self._indices(len(self.loops)), SlicesAttr(slices), body)
        compute.location = self.op.location
        return compute
