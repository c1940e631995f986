"""Every store of a run held against the interpreter: its bytes must be those of the tensor that its buffer holds.

A tensor that stays on chip is compared when its layer has written all of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue

from dnnc.backends.npu.iss import Simulator
from dnnc.backends.npu.kept import last_writes, made_on_chip, read
from dnnc.backends.npu.program import Symbol
from dnnc.backends.npu.queues import Event
from dnnc.backends.npu.target import symbol
from dnnc.backends.npu.trace import KINDS
from dnnc.ir.diagnostics import DnncError, Finding
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.movement import Strided
from dnnc.ir.interpret import run_block
from dnnc.ir.sched import BufferOp, ComputeOp, CopyOp, buffer_of
from dnnc.ir.weights import WeightStore
from dnnc.passes.schedule.host import Holdings

ST = KINDS.index("st")


class WrongTile(DnncError):
    """A tile is stored otherwise than the interpreter has it."""


@dataclass(frozen=True)
class _Image:
    """A tensor off chip: where it lies, and its elements."""

    symbol: Symbol
    tensor: NDArray[Any]

    @property
    def bytes(self) -> NDArray[np.uint8]:
        """The tensor as it lies in DRAM."""
        return _bytes(self.tensor)

    def holds(self, region: int, low: int, high: int) -> bool:
        """Whether it has these bytes of a region."""
        start = self.symbol.offset
        return region == self.symbol.region and start <= low and high <= start + self.bytes.size


class Agreement:
    """A watch of the simulator that compares each store, and the inputs before the first instruction; WrongTile at the first.

    A tile that a movement fills a tensor with, before parts of it are written over, is the fill.
    """

    def __init__(
        self, module: ModuleOp, holdings: Holdings, inputs: Sequence[NDArray[Any]], store: WeightStore
    ) -> None:
        tensors, self.outputs = _tensors(holdings, inputs, store)
        held = {b: np.ascontiguousarray(tensors[v]) for b, v in holdings.values.items()}
        off_chip = _with_copies(module, {b: x for b, x in held.items() if not b.on_chip})
        self.images = {b: _Image(symbol(b), np.ascontiguousarray(x)) for b, x in off_chip.items()}
        self.of_layer = _of_layer(module, self.images, store)
        self.kept = {layer: (b, held[b]) for layer, (_, b) in made_on_chip(module).items()}
        self.stores = 0
        self._written: dict[int, str] | None = None

    def host(self, names: Sequence[str], outputs: Sequence[NDArray[Any]]) -> None:
        """Compare what the host made of the accelerator's outputs."""
        for name, mine, theirs in zip(names, outputs, self.outputs):
            wrong = np.flatnonzero(_bytes(mine) != _bytes(theirs)) // theirs.itemsize
            if wrong.size:
                at = [int(i) for i in np.unravel_index(int(wrong[0]), theirs.shape)]
                values = f"{theirs.reshape(-1)[wrong[0]]} was expected at {at}, not {mine.reshape(-1)[wrong[0]]}"
                raise WrongTile(Finding(f"output '{name}'", f"{values}. The host's part is wrong; report it.", "E0833"))

    def _inputs(self, simulator: Simulator) -> None:
        """Compare what the host wrote."""
        for buffer, image in self.images.items():
            if buffer.space.data == "inputs":
                whole = Strided.rows(image.bytes.shape)
                at = Strided(whole.shape, whole.strides, image.symbol.offset)
                self._compare(simulator, image, at, f"input '{image.symbol.name}'")

    def __call__(self, simulator: Simulator, event: Event) -> None:
        if self._written is None:
            self._written = last_writes(simulator, self.kept)
        if (layer := self._written.get(event.index)) is not None:
            self._on_chip(simulator, *self.kept[layer], simulator.describe(event.index))
        if simulator.kind[event.index] != ST:
            return
        assert simulator.machine is not None
        if not self.stores:
            self._inputs(simulator)
        self.stores += 1
        region, box = simulator.machine.stored(event.index)
        tag = simulator.program.tag(int(simulator.tag[event.index]))
        low, high = box.offset, box.offset + sum((n - 1) * s for n, s in zip(box.shape, box.strides)) + 1
        images = self.of_layer.get(tag.layer, ())
        place = simulator.describe(event.index) + (f", {tag.node}" if tag.node else "")
        image = next((i for i in images if i.holds(region, low, high)), None)
        if image is None:
            raise WrongTile(_outside(place, images, region, low, high))
        self._compare(simulator, image, box, place)

    def _on_chip(self, simulator: Simulator, buffer: BufferOp, tensor: NDArray[Any], place: str) -> None:
        """Compare a tensor that stays on chip."""
        found = read(simulator, buffer)
        wrong = np.flatnonzero(found.reshape(-1) != tensor.reshape(-1))
        if wrong.size:
            first = int(wrong[0])
            at = [int(i) for i in np.unravel_index(first, tensor.shape)]
            text = f"{tensor.reshape(-1)[first]} was expected at {at} of '{buffer.label.data}' on chip"
            count = f"{wrong.size} of {found.size} elements differ"
            todo = "Look at what it is made of: run until this instruction and dump the memories"
            raise WrongTile(Finding(place, f"{text}, not {found.reshape(-1)[first]}; {count}. {todo}.", "E0833"))

    def _compare(self, simulator: Simulator, image: _Image, box: Strided, place: str) -> None:
        """Raise WrongTile, with the first element in row-major order that is wrong, unless all bytes of a box are right."""
        assert simulator.machine is not None
        memory, start = simulator.machine.regions[image.symbol.region], image.symbol.offset
        inside = Strided(box.shape, box.strides, box.offset - start)
        wrong = box.of(memory) != inside.of(image.bytes)
        if not wrong.any():
            return
        offsets = sum(i * s for i, s in zip(np.nonzero(wrong), box.strides)) + inside.offset
        first = int(np.min(offsets)) // image.tensor.itemsize
        stored = memory[start : start + image.bytes.size].view(image.tensor.dtype)[first]
        at = [int(i) for i in np.unravel_index(first, image.tensor.shape)]
        expected = f"{image.tensor.reshape(-1)[first]} was expected at {at} of '{image.symbol.name}', not {stored}"
        count = f"{np.count_nonzero(wrong)} of {wrong.size} bytes of the tile differ"
        todo = "Look at what the tile is made of: run until this instruction and dump the memories"
        raise WrongTile(Finding(place, f"{expected}; {count}. {todo}.", "E0833"))


def _bytes(x: NDArray[Any]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(x).reshape(-1).view(np.uint8)


def _tensors(
    holdings: Holdings, inputs: Sequence[NDArray[Any]], store: WeightStore
) -> tuple[dict[SSAValue, NDArray[Any]], list[NDArray[Any]]]:
    """The values that buffers hold and the outputs, by the interpreter."""
    wanted, block = set(holdings.values.values()), holdings.main.body.block
    found: dict[SSAValue, NDArray[Any]] = {v: x for v, x in zip(block.args, inputs) if v in wanted}

    def note(op: DnnOp, results: Sequence[NDArray[Any]]) -> None:
        found.update((v, x) for v, x in zip(op.results, results) if v in wanted)

    with threadpool_limits(1, "blas"):
        outputs = run_block(block, inputs, store, note)
    return found, outputs


def _with_copies(module: ModuleOp, held: dict[BufferOp, NDArray[Any]]) -> dict[BufferOp, NDArray[Any]]:
    """What buffers hold, those that are whole copies of others among them."""
    loaded: dict[BufferOp, BufferOp] = {}
    found = dict(held)
    for op in module.walk():
        if isinstance(op, CopyOp):
            source, target = buffer_of(op.source), buffer_of(op.target)
            if op.loads:
                loaded[target] = source
            elif target not in found:
                found[target] = found[loaded[source]]
    return found


def _of_layer(module: ModuleOp, images: Mapping[BufferOp, _Image], store: WeightStore) -> dict[str, tuple[_Image, ...]]:
    """What stores may write, by the layer their tags name: that of the compute whose tile it is, else the tile's own."""
    layers: dict[BufferOp, str] = {}
    computed: set[BufferOp] = set()
    fills: dict[BufferOp, int] = {}
    found: dict[str, dict[BufferOp, _Image]] = {}
    for op in module.walk():
        if isinstance(op, ComputeOp):
            computed.update(map(buffer_of, op.tiles))
            for buffer in op.own():
                layers.setdefault(buffer, op.label.data)
    for op in module.walk():
        if not isinstance(op, CopyOp):
            continue
        source, target = buffer_of(op.source), buffer_of(op.target)
        if op.loads and source.constant is not None and target not in computed:
            fills[target] = int(store[source.constant.data].reshape(-1).view(np.uint8)[0])
        elif not op.loads:
            image = images[target]
            if source in fills:
                image = _Image(image.symbol, np.full(image.bytes.size, fills[source], np.uint8))
            found.setdefault(layers.get(source, source.label.data), {})[target] = image
    return {layer: tuple(of.values()) for layer, of in found.items()}


def _outside(place: str, images: Sequence[_Image], region: int, low: int, high: int) -> Finding:
    """A store to where none of its layer's tensors lies."""
    lies = [f"[{i.symbol.offset}, {i.symbol.offset + i.bytes.size}) of region {i.symbol.region}" for i in images]
    expected = (
        f"a store within bytes {' or '.join(lies)} was expected" if lies else "no store of this layer was expected"
    )
    return Finding(place, f"{expected}, not to [{low}, {high}) of region {region}. Compile it again.", "E0833")
