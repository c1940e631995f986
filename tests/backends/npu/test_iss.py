import numpy as np
import pytest

from dnnc.backends.npu.catalog import load_target
from dnnc.backends.npu.encoding import encode, mask
from dnnc.backends.npu.isa import BY_NAME, Engine
from dnnc.backends.npu.iss import MachineFault, Simulator
from dnnc.backends.npu.program import Program, Region, Tag
from dnnc.backends.npu.queues import DeadlockError
from dnnc.ir.diagnostics import DnncError

EDGE = load_target()
TAGS = (Tag("layer"),)


def image(seed):
    return np.random.default_rng(seed).integers(-128, 128, (3, 12, 12)).astype(np.int8)


def program(*words, regions=(), tags=TAGS, arch=EDGE):
    return Program(
        arch.name, arch.digest, np.concatenate([*words, encode(BY_NAME["halt"])]), regions=regions, tags=tags
    )


def op(name, engine=None, wait=(), signal=(), tag=0, **fields):
    return encode(BY_NAME[name], engine, mask(wait), mask(signal), tag, **fields)


@pytest.mark.parametrize("target", ["edge", "tiny", "tpu-v1"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_two_layers_equal_plain_numpy(hand, target, seed):
    arch = load_target(target)
    run = Simulator(hand.build(arch), arch).run({"x": image(seed)})
    np.testing.assert_array_equal(run.outputs["y"], hand.reference(image(seed)))


def test_queue_order_seeds_change_the_order_but_no_result(hand):
    runs = [Simulator(hand.build(), seed=s).run({"x": image(0)}) for s in (None, 1, 2, 3, 4)]
    for run in runs:
        np.testing.assert_array_equal(run.outputs["y"], hand.reference(image(0)))
        assert {k: v for k, v in run.total.items() if "stall" not in k} == {
            k: v for k, v in runs[0].total.items() if "stall" not in k
        }
    assert len({tuple(r.trace["index"]) for r in runs}) == len(runs)


def test_runs_repeat_exactly(hand):
    a, b = (Simulator(hand.build(), seed=5).run({"x": image(0)}) for _ in range(2))
    for name in a.trace.columns:
        np.testing.assert_array_equal(a.trace[name], b.trace[name])


def test_timing_only_gives_the_same_times(hand):
    full, timed = Simulator(hand.build()).run({"x": image(0)}), Simulator(hand.build(), timing_only=True).run()
    assert timed.outputs == {}
    for name in ("index", "start", "end", "stall", "stall_cycles", "bytes", "macs"):
        np.testing.assert_array_equal(full.trace[name], timed.trace[name])


def test_counters_are_the_work_of_the_layers(hand):
    total = Simulator(hand.build()).run({"x": image(0)}).total
    assert total["macs"] == 8 * 12 * 12 * 27 + 288 * 10
    inputs, rows = 3 * 12 * 14, 18 * 9
    assert total["dram_read"] == inputs + rows + 8 * 27 + 288 * 10 + 288
    assert total["dram_write"] == 288 + 10
    # the second half of the fully connected layer reads its ten sums back, each fold of nine rows too
    assert total["input_write"] == 2 * 3 * 8 * 14 + 288


def test_counters_of_a_tag_belong_to_its_layer(hand):
    run = Simulator(hand.build()).run({"x": image(0)})
    assert run.by_tag["macs"].tolist() == [0, 4 * 3888, 4 * 3888, 1440, 1440, 0]


def test_step_executes_one_instruction_at_a_time(hand):
    sim = Simulator(hand.build())
    sim.write(sim.program.symbols[0], image(0))
    seen = []
    while event := sim.step():
        seen.append(event.index)
    assert sorted(seen) == list(range(len(sim.words)))
    np.testing.assert_array_equal(sim.read(sim.program.symbols[1]), hand.reference(image(0)))


def test_wrong_target_is_refused_with_both_hashes(hand):
    tiny = load_target("tiny")
    with pytest.raises(DnncError) as caught:
        Simulator(hand.build(), tiny)
    assert tiny.digest[:16] in str(caught.value)
    assert EDGE.digest[:16] in str(caught.value)


@pytest.mark.parametrize(
    ("value", "got"),
    [(None, "nothing"), (np.zeros((3, 12, 12), np.uint8), "uint8"), (np.zeros(3, np.int8), r"int8\[3\]")],
)
def test_wrong_input_is_refused(hand, value, got):
    with pytest.raises(DnncError, match=rf"input 'x': int8\[3, 12, 12\] was expected, not {got}"):
        Simulator(hand.build()).run({} if value is None else {"x": value})


def test_access_out_of_bounds_traps_with_instruction_tag_and_layer():
    words = op("ld", region=0, rows=2, row_bytes=8, address=EDGE.holding("input").bytes - 15)
    with pytest.raises(MachineFault) as caught:
        Simulator(program(words, regions=(Region("weights", 16),))).run()
    assert str(caught.value) == (
        "instruction 0, tag layer: ld.address within the 262144 bytes of scratchpad was expected, not [262129, 262145). "
        "Rebuild the program. [E0825]"
    )


def test_a_fault_after_the_halt_does_not_trap():
    words = [op("halt"), op("ld", region=7)]
    assert len(Simulator(program(*words)).run().trace) == 1


def test_deadlock_says_who_waits_for_whom():
    words = [
        op("nop", Engine.LD, signal=[Engine.MM]),
        op("nop", Engine.MM, wait=[Engine.LD, Engine.PPU], signal=[Engine.PPU]),
        op("nop", Engine.PPU, wait=[Engine.MM]),
        op("nop", Engine.PPU, signal=[Engine.MM], tag=1),
        op("nop", Engine.ST, wait=[Engine.LD]),
    ]
    with pytest.raises(DeadlockError) as caught:
        Simulator(program(*words, tags=(Tag("conv1"), Tag("conv3", tile="2")))).run()
    assert [str(f) for f in caught.value.findings] == [
        "deadlock at cycle 1: MM at instruction 1, tag conv1 waits for a token from PPU, next signalled by instruction 3, "
        "tag conv3 tile 2 [E0824]",
        "deadlock at cycle 1: PPU at instruction 2, tag conv1 waits for a token from MM, next signalled by instruction 1, "
        "tag conv1 [E0824]",
        "deadlock at cycle 1: ST at instruction 4, tag conv1 waits for a token from LD, which no instruction gives [E0824]",
        "deadlock at cycle 1: dispatch at instruction 5, tag conv1 waits for empty queues [E0824]",
    ]


def test_a_full_token_counter_holds_the_signaller_back():
    tiny = load_target("tiny")
    depth = tiny.queues.token_depth
    many = op("nop", Engine.LD, signal=[Engine.MM] * 1).repeat(depth + 1, axis=0)
    take = op("nop", Engine.MM, wait=[Engine.LD]).repeat(depth + 1, axis=0)
    with pytest.raises(
        DeadlockError, match=r"LD at .* waits for room for a token, next taken by MM, which no instruction"
    ):
        Simulator(program(many, arch=tiny), tiny).run()
    assert Simulator(program(many, take, arch=tiny), tiny).run().cycles > depth


def test_fence_orders_queues_without_tokens():
    words = [
        op("ld", region=2, row_bytes=64),
        op("fence", mask=mask([Engine.LD])),
        op("st", region=3, row_bytes=64),
    ]
    regions = tuple(Region(n, 64) for n in ("weights", "parameters", "inputs", "outputs"))
    trace = Simulator(program(*words, regions=regions)).run().trace
    rows = {r["kind"]: r for r in trace.rows()}
    assert rows["st"]["start"] >= rows["fence"]["start"] >= rows["ld"]["end"]


def test_one_dma_serves_loads_and_stores_in_turn():
    words = [op("ld", region=2, row_bytes=640), op("st", region=3, row_bytes=640, address=1024)]
    regions = tuple(Region(n, 640) for n in ("weights", "parameters", "inputs", "outputs"))
    rows = Simulator(program(*words, regions=regions)).run().trace.rows()
    assert (rows[0]["start"], rows[0]["end"]) == (0, EDGE.dma.setup_cycles + 640 // EDGE.dma.bytes_per_cycle)
    assert (rows[1]["start"], rows[1]["stall"]) == (rows[0]["end"], "bandwidth")


def test_loops_step_their_addresses():
    words = [
        op("loop", count=3),
        op("step", index=0, slot=0, delta=8),
        op("step", index=0, slot=1, delta=16),
        op("ld", region=2, row_bytes=8, signal=[Engine.ST]),
        op("endloop"),
        op("st", region=3, space=0, rows=3, row_bytes=8, wait=[Engine.LD]),
        op("nop", Engine.ST, wait=[Engine.LD]),
        op("nop", Engine.ST, wait=[Engine.LD]),
    ]
    # the store comes after the third load: swap it behind the waits
    words = [*words[:5], words[6], words[7], op("set.local", Engine.ST, local1=16), words[5]]
    regions = tuple(Region(n, 24) for n in ("weights", "parameters", "inputs", "outputs"))
    sim = Simulator(program(*words, regions=regions))
    sim.machine.regions[2][:] = np.arange(24)
    trace = sim.run().trace
    np.testing.assert_array_equal(sim.machine.regions[3], np.arange(24))
    assert trace["index"].tolist().count(3) == 3


def test_breakpoints_by_layer_instruction_and_cycle(hand):
    stops = ({"layer": "fc"}, {"instruction": 14}, {"cycle": 500})
    for where in stops:
        sim = Simulator(hand.build(), timing_only=True)
        event = sim.advance(**where)
        before = [e for e in sim.events if e is not event]
        assert all("tag fc" not in sim.describe(e.index) for e in before) or "layer" not in where
        assert all(sim.origin[e.index] != 14 for e in before) or "instruction" not in where
        assert all(e.start < 500 for e in before) or "cycle" not in where
        assert sim.events[-1] is event
        assert sim.run().cycles == Simulator(hand.build(), timing_only=True).run().cycles
    assert Simulator(hand.build(), timing_only=True).advance(layer="no such") is None
