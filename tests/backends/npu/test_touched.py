"""What an instruction touches, against the machine: bytes outside do not matter to it, bytes inside of a product do."""

import numpy as np
import pytest

from dnnc.backends.npu.catalog import load_target
from dnnc.backends.npu.encoding import decode
from dnnc.backends.npu.iss import Simulator
from dnnc.backends.npu.target import assemble
from dnnc.backends.npu.touched import Touched, under
from dnnc.backends.npu.unwritten import KINDS
from dnnc.ir.dnn.attributes import Window
from dnnc.ir.dnn.integer import QAddOp, QAvgPoolOp

EDGE = load_target()
THREE = Window.of((2, 2), (3, 3))


def added(net):
    before = net.conv(5, 3, pad=1).v
    net.conv(5, 3, pad=1, pool=None)
    return net.apply(lambda v: QAddOp(v, before, to=net.quant(1.3)))


NETWORKS = {
    "strides past the kernel": lambda n: n.Net((1, 3, 17, 15)).conv(5, 2, stride=3).conv(4, 1, stride=2),
    "dilation": lambda n: n.Net((1, 4, 14, 13)).conv(6, 3, dilation=2, stride=2),
    "depthwise": lambda n: n.Net((1, 6, 9, 8)).conv(12, 3, groups=6, pad=1, stride=2),
    "pool past the window": lambda n: n.Net((1, 3, 12, 12)).conv(4, 3, pool=THREE).pool((2, 2), (3, 3)),
    "average": lambda n: (net := n.Net((1, 3, 12, 12)).conv(4, 3)).apply(
        lambda v: QAvgPoolOp(v, window=Window.of((3, 3), (2, 2), (1, 1, 1, 1)), to=net.quant(0.7))
    ),
    "added": lambda n: added(n.Net((1, 3, 9, 9))),
    "matrices": lambda n: n.Net((3, 40)).fc(17).fc(9, trans_b=False),
}


def touches(program):
    """The stream's decoded kinds and what each instruction touches, by index."""
    simulator = Simulator(program, EDGE)
    decoded = decode(simulator.words)
    for name, engine in KINDS.items():
        if name in decoded:
            kind = Touched(decoded, name, engine, simulator.memories)
            columns = {k: np.broadcast_to(v, kind.t.index.shape).tolist() for k, v in kind.columns().items()}
            for j, index in enumerate(kind.t.index.tolist()):
                yield simulator, name, index, list(kind.of({k: v[j] for k, v in columns.items()}))


def bytes_of(simulator):
    return [*simulator.machine.chip, *simulator.machine.regions]


def masks(simulator, found, write):
    out = [np.zeros(len(m), bool) for m in bytes_of(simulator)]
    for t in found:
        if t.write == write:
            t.box.of(out[t.memory])[...] = True
    return out


@pytest.mark.parametrize("name", NETWORKS)
def test_only_what_is_touched_matters(nets, name):
    module, ctx = NETWORKS[name](nets).done()
    program = assemble(nets.schedule(module, ctx, EDGE), ctx)
    rng = np.random.default_rng(0)
    for simulator, kind, index, found in touches(program):
        memories, reads, writes = bytes_of(simulator), masks(simulator, found, False), masks(simulator, found, True)
        before = [rng.integers(0, 256, len(m), np.uint8) for m in memories]
        after = []
        for start in (before, [np.where(r, b, rng.integers(0, 256, len(b), np.uint8)) for b, r in zip(before, reads)]):
            for memory, values in zip(memories, start):
                memory[...] = values
            simulator.machine.execute(kind, index)
            after.append([m.copy() for m in memories])
            assert all(np.array_equal(m[~w], b[~w]) for m, w, b in zip(memories, writes, start))
        assert all(np.array_equal(a[w], b[w]) for a, b, w in zip(*after, writes))


def test_every_tap_matters(nets):
    """Each byte of the input that a product is said to read changes some sum: no more than needed is told."""
    module, ctx = NETWORKS["strides past the kernel"](nets).done()
    program = assemble(nets.schedule(module, ctx, EDGE), ctx)
    rng, seen = np.random.default_rng(1), 0
    for simulator, kind, index, found in touches(program):
        reads = [t for t in found if t.operand == "mm.input"]
        if kind != "mm" or seen >= 3:
            continue
        seen += 1
        for memory in simulator.machine.chip:
            memory[...] = rng.integers(1, 100, len(memory), np.uint8)
        held, mask = simulator.machine.memory("input"), masks(simulator, reads, False)[reads[0].memory]
        sums = simulator.machine.memory("accumulator")
        start = sums.copy()
        simulator.machine.execute(kind, index)
        wanted = sums.copy()
        for place in rng.choice(np.flatnonzero(mask), 40):
            held[place] ^= 1
            sums[...] = start
            simulator.machine.execute(kind, index)
            assert not np.array_equal(sums, wanted)
            held[place] ^= 1
    assert seen == 3


@pytest.mark.parametrize("seed", range(30))
def test_places_under_windows_are_those_of_the_formula(seed):
    rng = np.random.default_rng(seed)
    count, stride, kernel, dilation = (int(rng.integers(1, n)) for n in (7, 5, 5, 4))
    reach = (count - 1) * stride + (kernel - 1) * dilation + 1
    low, high = sorted(rng.integers(-1, reach + 2, 2).tolist())
    wanted = {e * stride + r * dilation for e in range(count) for r in range(kernel)}
    found = {first + i * step for first, n, step in under(count, stride, kernel, dilation, low, high) for i in range(n)}
    assert found == {place for place in wanted if low <= place < high}
