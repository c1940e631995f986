"""Programs whose arena is too small: the interpreter's bits, copies that are counted and named, programs that verify."""

from dataclasses import replace

import numpy as np
import pytest

from dnnc.backends.npu.catalog import load_target
from dnnc.backends.npu.encoding import HEADER_AT, HEADER_BITS, decode, header, set_field
from dnnc.backends.npu.executed import executed
from dnnc.backends.npu.isa import BY_NAME, Engine
from dnnc.backends.npu.listing import listing
from dnnc.backends.npu.operands import box, dram_runs, operands
from dnnc.backends.npu.program import REGIONS
from dnnc.backends.npu.target import Executable, assemble
from dnnc.backends.npu.verify import verify
from dnnc.ir.arch import MODULE_ATTRIBUTE, AcceleratorAttr
from dnnc.ir.diagnostics import DnncError, Remark
from dnnc.ir.dnn.activation import ReluOp
from dnnc.ir.dnn.integer import QAddOp
from dnnc.ir.dnn.movement import ConcatOp
from dnnc.ir.interpret import evaluate, main_function
from dnnc.ir.sched import BufferOp, CopyOp, buffer_of
from dnnc.ir.types import shape_of
from dnnc.passes.analysis import timing
from dnnc.passes.analysis.footprint import buffer_bytes
from dnnc.passes.analysis.traffic import bus_bytes, copy_bytes, traffic
from dnnc.passes.plan_memory import PlanMemoryPass
from dnnc.passes.spill import SpillPass
from dnnc.passes.tile import TilePass

TINY = load_target("tiny")


def bounded(arena, cycles=1):
    """`tiny`, with a bounded arena and a slow way beyond it."""
    dma, dram = replace(TINY.dma, spill_bytes_per_cycle=cycles), replace(TINY.dram, arena_bytes=arena)
    return replace(TINY, dma=dma, dram=dram)


def wired(nets, seed):
    """Convolutions in a row, each result also added to a later one or concatenated at the end."""
    rng = np.random.default_rng(seed)
    net = nets.Net((1, 3, 9, 9), seed)
    made = [net.conv(8, 3, pad=1, relu=ReluOp).v]
    for _ in range(5):
        made.append(net.conv(8, 3, pad=1, relu=ReluOp).v)
        if rng.random() < 0.6:
            other = made[int(rng.integers(0, len(made) - 1))]
            made.append(net.apply(lambda v, other=other: QAddOp(v, other, to=net.quant(1.3, 2))).v)
    # one concatenation takes values of one type
    first = made[0]
    if seed % 2:
        net.apply(lambda v: QAddOp(v, first, to=first.type.element_type))
        net.apply(lambda v: ConcatOp([v, first], axis=1))
    return net.conv(4, 3).done()


def scheduled(module, ctx, target):
    out = module.clone()
    out.attributes[MODULE_ATTRIBUTE] = AcceleratorAttr(target)
    for one in (TilePass(), SpillPass(), PlanMemoryPass()):
        one.apply(ctx, out)
        out.verify()
    return out


def bytes_of(module, space):
    found = [b for b in module.walk() if isinstance(b, BufferOp) and b.space.data == space]
    return max((b.offset.data + buffer_bytes(b) for b in found), default=0)


@pytest.mark.parametrize("seed", [*range(1), *(pytest.param(s, marks=pytest.mark.full) for s in range(1, 3))])
@pytest.mark.parametrize("percent", (75, 40, 5))
@pytest.mark.filterwarnings("ignore::dnnc.ir.diagnostics.Remark")
def test_bits_and_bytes_of_programs_that_spill(nets, seed, percent):
    module, ctx = wired(nets, seed)
    whole = bytes_of(scheduled(module, ctx, TINY), "arena")
    target = bounded(max(16, whole * percent // 100 // 16 * 16))
    placed = scheduled(module, ctx, target)
    assert bytes_of(placed, "arena") <= target.dram.arena_bytes
    assert bytes_of(placed, "spill") > 0
    program = assemble(placed, ctx)
    assert verify(program, target) == []
    x = np.random.default_rng(seed).normal(0, 1.5, shape_of(main_function(module).body.block.args[0].type))
    x = x.astype(np.float32)
    wanted = evaluate(module, [x], nets.store_of(ctx))
    for order in (1, None):
        outputs, run = Executable(program, target).run([x], seed=order)
        assert all(np.array_equal(a, b) for a, b in zip(outputs, wanted))
        moved = traffic(placed)
        assert (run.total["dram_read"], run.total["dram_write"]) == (moved.read, moved.write)
    assert sum(e.cycles for e in executed(program, target)) == run.cycles


def test_what_fits_is_left_alone(nets):
    module, ctx = wired(nets, 0)
    plain = scheduled(module, ctx, TINY)
    target = bounded(bytes_of(plain, "arena"))
    again = scheduled(module, ctx, target)
    assert [r.name for r in assemble(again, ctx).regions] == ["weights", "parameters", "inputs", "outputs", "arena"]
    assert np.array_equal(assemble(again, ctx).text, assemble(plain, ctx).text)


def test_copies_are_named_and_told(nets):
    module, ctx = wired(nets, 3)
    whole = bytes_of(scheduled(module, ctx, TINY), "arena")
    with pytest.warns(
        Remark,
        match=r"^arena: layer1 spilled to DRAM, since at most \d+ bytes .* in bursts of \d+ bytes together \(the fewest\)",
    ):
        placed = scheduled(module, ctx, bounded(whole - 16))
    program = assemble(placed, ctx)
    assert "layer1.spill" in {tag.layer for tag in program.tags}
    assert any("spill+0x0" in line for line in listing(program).splitlines())


def test_a_slower_way_takes_longer(nets):
    module, ctx = wired(nets, 2)
    whole = bytes_of(scheduled(module, ctx, TINY), "arena")
    cycles = []
    for width in (1, 4):
        with pytest.warns(Remark):
            program = assemble(scheduled(module, ctx, bounded(whole // 2, width)), ctx)
        cycles.append(sum(e.cycles for e in executed(program, bounded(whole // 2, width))))
    assert cycles[0] > cycles[1]


def returning(nets):
    """A value read at the beginning and, twice, after a run of large ones: it is spilled and comes back."""
    net = nets.Net((1, 3, 8, 8), 3)
    early = net.conv(8, 3, pad=1, relu=ReluOp).v
    for channels in (8, 16, 16, 8, 8):
        net.conv(channels, 3, pad=1, relu=ReluOp)
    net.apply(lambda v: QAddOp(v, early, to=net.quant(1.3, 2)))
    net.apply(lambda v: QAddOp(v, early, to=net.quant(1.3, 2)))
    return net.conv(8, 3, pad=1, groups=8).done()


@pytest.fixture(scope="module")
def spilled(nets):
    """(program, target) in which a value leaves the arena and returns."""
    module, ctx = returning(nets)
    target = bounded(1408)
    with pytest.warns(Remark, match="layer0 spilled"):
        return assemble(scheduled(module, ctx, target), ctx), target


def of_copies(program, kind):
    """Index, words and layer of the transfers of copies to and from beyond the arena."""
    for at in decode(program.text)[kind].index.tolist():
        layer = program.tag(int(header(program.text[at], "tag"))).layer
        if layer.endswith((".spill", ".reload")):
            yield at, program.text.copy(), layer


def lost(words, at, kind):
    """It does nothing any more, and keeps its tokens."""
    field, place = HEADER_AT["op"]
    set_field(words[at : at + 1], "planted", field, place, BY_NAME["nop"].op)
    words[at, 1:] = 0


def elsewhere(words, at, kind):
    """It moves 64 bytes further on or back."""
    field, place = BY_NAME[kind].layout["offset"]
    offset = int(decode(words)[kind]["offset"][list(decode(words)[kind].index).index(at)])
    set_field(words[at : at + 1], "planted", field, HEADER_BITS + place, offset + (64 if offset < 64 else -64))


@pytest.mark.parametrize("kind", ("ld", "st"))
@pytest.mark.parametrize("plant", (lost, elsewhere))
def test_planted_faults_of_copies_are_found_and_named(spilled, plant, kind):
    program, target = spilled
    assert verify(program, target) == []
    planted = list(of_copies(program, kind))
    assert {layer for _, _, layer in planted} == {"layer0.spill", "layer0.reload"}
    for at, words, layer in planted:
        plant(words, at, kind)
        found = [str(f) for f in verify(replace(program, text=words), target)]
        # the copy itself, or who reads what it should have made
        assert any(f"tag {layer} " in f or "'layer0.spill'" in f or "'layer0.reload'" in f for f in found) or (
            plant is lost and kind == "st" and any("tag layer0.reload " in f for f in found)
        ), found


def test_a_value_that_lies_over_another_alive_is_found(nets):
    module, ctx = returning(nets)
    placed = scheduled(module, ctx, TINY)
    arena = [b for b in placed.walk() if isinstance(b, BufferOp) and b.space.data == "arena"]
    arena[1].offset = arena[0].offset
    with pytest.raises(
        DnncError, match=r"tag layer\d.*: 'layer0' was expected in \[0, 512\), 512 of 512 bytes hold 'layer1'"
    ):
        assemble(placed, ctx)


def test_what_the_bus_takes_is_counted_in_whole_bursts(nets):
    net = nets.Net((1, 4, 8, 5)).conv(3, 3, pad=1)
    # parts of rows of 10 bytes
    module, ctx = net.apply(lambda v: ConcatOp([v, v], axis=3)).lookup().done()
    placed = scheduled(module, ctx, TINY)
    sides = [(op, buffer_of(op.source if op.loads else op.target)) for op in placed.walk() if isinstance(op, CopyOp)]
    counted = sum(bus_bytes(op, TINY.dma.burst_bytes) for op, outside in sides if outside.space.data == "arena")
    decoded, taken = decode(assemble(placed, ctx).text), 0
    for name, engine in (("ld", Engine.LD), ("st", Engine.ST)):
        t = operands(decoded, name, engine)
        bursts = timing.bursts(*dram_runs(t, box(t)), TINY)
        taken += int(bursts[t["region"] == REGIONS.index("arena")].sum())
    moved = sum(copy_bytes(op) for op, outside in sides if outside.space.data == "arena")
    assert counted == taken > 1.5 * moved
