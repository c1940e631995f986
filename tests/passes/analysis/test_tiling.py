from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnnc.backends.npu import isa
from dnnc.backends.npu.catalog import load_target
from dnnc.ir.diagnostics import UnsupportedError
from dnnc.ir.dnn.attributes import Window
from dnnc.ir.fixed import AFFINE, EXP_BYTES
from dnnc.passes.analysis import shapes, tiling
from dnnc.passes.analysis.candidates import buffered, forms, splits
from dnnc.passes.analysis.layer import Layer
from dnnc.passes.analysis.tile_search import search
from dnnc.passes.analysis.tiling import ORDERS, Model, Tile
from dnnc.passes.schedule import moves

TINY = load_target("tiny")
STAGES = {224: (3, 64, 64), 112: (64, 128, 128), 56: (128, *[256] * 3), 28: (256, *[512] * 3), 14: (*[512] * 4,)}
VGG16 = [
    Layer(f"conv{size}", "dense", 1, 1, m, c, size, size, Window.of((3, 3), pad=(1, 1, 1, 1)))
    for size, channels in STAGES.items()
    for c, m in pairwise(channels)
]


def target(scratchpad, accumulators, parameters=4096):
    sizes = {"scratchpad": scratchpad, "accumulator": accumulators, "parameter": parameters}
    return TINY.resized(sizes)


@st.composite
def layers(draw):
    r, u = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    kind = draw(st.sampled_from(["dense", "depthwise", "none"]))
    c = draw(st.integers(1, 6))
    m = draw(st.integers(1, 7)) if kind == "dense" else c
    groups = draw(st.integers(1, 2)) if kind == "dense" else 1
    h, w = draw(st.integers(r, 9)), draw(st.integers(r, 7))
    window = Window.of((r, r), (u, u), tuple(draw(st.lists(st.integers(0, r - 1), min_size=4, max_size=4))))
    layer = Layer(
        "layer", kind, draw(st.integers(1, 2)), groups, m, c, h, w, Window.of((1, 1)) if kind == "none" else window
    )
    if kind == "none" or (draw(st.booleans()) and min(layer.sums) >= 2):
        size = min(2, *layer.sums)
        pooling = draw(st.sampled_from(["max", "sum"]))
        layer = replace(layer, pool=Window.of((size, size), (draw(st.integers(1, 2)),) * 2), pooling=pooling)
    second = draw(st.sampled_from([None, "ngcyx", "cyx", "cx", "gc", "yx", ""]))
    constants = draw(st.integers(0, 2)) if kind == "none" else 0
    widths = (1 if kind != "none" else draw(st.integers(1, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 2)))
    table = draw(st.sampled_from([0, 256, 1026]))
    return replace(layer, table_bytes=table, second=second, constants=constants, widths=widths)


def brute_force_traffic(layer: Layer, tile: Tile) -> int:
    """DRAM bytes of a tile by walking its loops and noting when each buffer changes."""
    spans = {"s": (layer.out[0], tile.rows), "z": (layer.M, tile.channels), "k": (layer.C, tile.reduction)}
    if layer.kind != "dense":
        spans["k"] = (1, 1)
    order = ("s", "z", "k") if tile.order == ORDERS[0] else ("z", "s", "k")
    ranges = [range(layer.N), range(layer.groups), *(range(0, *spans[d]) for d in order)]
    held: dict[str, object] = {}
    total = layer.groups * layer.M * (layer.C if layer.kind == "dense" else 1) * layer.taps * tile.weights_resident
    total += layer.table_bytes + EXP_BYTES * (layer.vector == "softmax") + AFFINE.itemsize * layer.affine
    total += layer.record * layer.records * tile.parameters_resident
    for n, g, *at in product(*ranges):
        i = dict(zip(order, at))
        count = {d: min(spans[d][1], spans[d][0] - i[d]) for d in order}
        tied = layer.kind != "dense"
        k = count["z"] * layer.C // layer.M if tied else count["k"]
        depth, at_depth = (layer.C, 0) if tile.input_resident else (k, i["z"] if tied else i["k"])
        wanted = {
            "x": (
                (n, g, i["s"], at_depth),
                layer.bytes_of("input") * depth * layer.W * layer.rows(i["s"], count["s"]).input[1],
            ),
            "w": ((g, i["z"], i["k"]), count["z"] * (1 if tied else k) * layer.taps),
            "p": ((g, i["z"]), layer.record * count["z"]),
        }
        if layer.second is not None:
            wanted["b"] = _second_tile(layer, {"n": n, "g": g, "y": i["s"], "c": i["z"]}, count)
        if layer.kind == "none" or tile.weights_resident:
            del wanted["w"]
        if layer.kind == "none" or layer.wide or tile.parameters_resident:
            del wanted["p"]
        for name, (key, size) in wanted.items():
            total += size * (held.get(name) != key)
            held[name] = key
        if i["k"] + count["k"] >= spans["k"][0]:
            total += layer.bytes_of("output") * count["z"] // layer.packs * count["s"] * layer.out[1]
    return total


def _second_tile(layer: Layer, at: dict[str, int], count: dict[str, int]) -> tuple[object, int]:
    """(which tile of the second operand, its bytes)."""
    letters, sizes = layer.second or "", layer.sizes("second")
    rows = count["s"] if layer.summed_first else layer.rows(at["y"], count["s"]).sums[1]
    size = min(rows, sizes["y"]) * min(count["z"], sizes["c"]) * sizes["x"]
    return tuple(at[letter] for letter in "ngyc" if letter in letters), layer.bytes_of("second") * size


@settings(max_examples=60, deadline=None)
@given(layers(), st.integers(0, 2**31))
def test_traffic_of_every_candidate_equals_walking_its_loops(layer, seed):
    arch = target(1 << 20, 1 << 20, 48 if seed % 2 else 4096)
    model = Model(layer, arch)
    copies = model.copies()
    c = model.c
    for i in np.random.default_rng(seed).integers(0, len(c.rows), 12):
        sizes = (int(c.rows[i]), int(c.channels[i]), int(c.reduction[i]))
        flags = (bool(c.whole[i]), bool(c.resident[i]), model.records_resident)
        tile = Tile(*sizes, tiling.ORDERS[c.order[i]], *flags, 1, 1, 1, 1, 0, 0)
        assert sum(int(b[i]) for b, _ in copies.values()) == brute_force_traffic(layer, tile)


@settings(max_examples=40, deadline=None)
@given(layers(), st.integers(60, 2000))
def test_the_best_tile_fits_and_nothing_that_fits_moves_less(layer, size):
    arch = target(size, 4 * size)
    model = Model(layer, arch)
    traffic = sum(b for b, _ in model.copies().values())
    if not model.fits().any():
        with pytest.raises(UnsupportedError, match=r"expected a memory '.*' of at least .* for its smallest tile"):
            search(layer, arch)
        return
    least = int(traffic[model.fits()].min())
    assert search(layer, arch, slack=0).dram_bytes == least
    assert least <= search(layer, arch).dram_bytes <= least * 1.1


def every_size(layer):
    """Every tile size from one to the whole, not only those that split evenly."""
    tied = layer.kind != "dense"
    multiple = layer.M // layer.C if layer.kind == "depthwise" else 1
    channels = range(1, layer.M + 1) if multiple == 1 else [layer.M]
    for rows, z in product(range(1, layer.out[0] + 1), channels):
        for k in [z // multiple] if tied else range(1, layer.C + 1):
            yield rows, z, k


@settings(max_examples=12, deadline=None)
@given(layers(), st.integers(60, 1200), st.integers(1, 6))
def test_least_traffic_is_that_of_all_tile_sizes_walked_loop_by_loop(layer, size, share):
    arch = target(size, size * 4 // share)
    sizes = tuple(np.array(s, np.int64) for s in zip(*every_size(layer)))
    model = Model(layer, arch, buffered(layer, forms(layer, sizes)))
    c, fits = model.c, np.flatnonzero(model.fits())
    if not len(fits):
        return
    # copies of buffers do not change what moves
    walked = {
        (
            int(c.rows[i]),
            int(c.channels[i]),
            int(c.reduction[i]),
            int(c.order[i]),
            bool(c.whole[i]),
            bool(c.resident[i]),
        )
        for i in fits
    }
    least = min(
        brute_force_traffic(layer, Tile(r, z, k, tiling.ORDERS[o], w, held, model.records_resident, 1, 1, 1, 1, 0, 0))
        for r, z, k, o, w, held in walked
    )
    assert search(layer, arch, slack=0).dram_bytes == least


def test_the_quick_search_finds_what_looking_at_everything_finds():
    arch = target(2000, 4000)
    layer = Layer("conv", "dense", 1, 1, 24, 18, 20, 13, Window.of((3, 3), pad=(1, 1, 1, 1)))
    model = Model(layer, arch)
    fits = model.fits()
    least = model.traffic()[fits].min()
    near = np.flatnonzero(fits & (100 * model.traffic() <= 110 * least))
    cycles = model.cycles()[near]
    tile = search(layer, arch)
    assert 100 * tile.cycles <= 102 * cycles.min()
    assert tile.cycles in cycles


def test_all_distinct_tile_sizes_are_candidates():
    assert splits(10).tolist() == [10, 5, 4, 3, 2, 1]
    for n in (1, 7, 224, 512):
        assert set(splits(n)) == {-(-n // k) for k in range(1, n + 1)}


def test_a_layer_that_does_not_fit_names_the_memory_that_would_do():
    layer = Layer("conv9", "dense", 1, 1, 8, 8, 30, 40, Window.of((3, 3)))
    with pytest.raises(UnsupportedError) as caught:
        search(layer, target(100, 1 << 14))
    message = str(caught.value)
    assert message.startswith("conv9: expected a memory 'scratchpad' of at least ")
    enough = int(message.split("at least ")[1].split()[0])
    search(layer, target(enough, 1 << 14))
    with pytest.raises(UnsupportedError):
        search(layer, target(enough - 1, 1 << 14))


def test_both_memories_too_small_are_both_named():
    layer = Layer("conv9", "dense", 1, 1, 8, 8, 30, 40, Window.of((3, 3)))
    with pytest.raises(UnsupportedError) as caught:
        search(layer, target(100, 100))
    assert {str(f).split("at least")[0] for f in caught.value.findings} == {
        "conv9: expected a memory 'scratchpad' of ",
        "conv9: expected a memory 'accumulator' of ",
    }


def test_double_buffering_is_taken_when_it_fits():
    layer = Layer("conv", "dense", 1, 1, 64, 64, 56, 56, Window.of((3, 3), pad=(1, 1, 1, 1)))
    tile = search(layer, load_target())
    assert (tile.inputs, tile.weights, tile.outputs) == (2, 1 if tile.weights_resident else 2, 2)


@pytest.mark.parametrize("scratchpad", [68096, 110592, 1 << 18, 1 << 19, 1 << 20])
def test_copies_of_buffers_cost_a_network_little_traffic(scratchpad):
    """VGG-16: what streams past a resident operand has two copies, for at most 10 % over the least data."""
    edge = load_target()
    arch = edge.resized({"scratchpad": scratchpad})
    tiles = [search(layer, arch) for layer in VGG16]
    least = sum(search(layer, arch, slack=0).dram_bytes for layer in VGG16)
    assert least <= sum(t.dram_bytes for t in tiles) <= 1.1 * least
    assert sum(t.inputs == 2 or t.weights == 2 for t in tiles) >= 9


def test_limits_are_those_of_the_instruction_set():
    fields = isa.MM.layout
    assert fields["channels"][0].high >= tiling.MAX_CHANNELS
    assert fields["rows"][0].high >= tiling.MAX_ROWS
    assert isa.LD.layout["row_bytes"][0].high >= tiling.MAX_RUN
    assert isa.LD.layout["rows"][0].high >= tiling.MAX_RUNS
    assert isa.MM_WINDOW.layout["columns"][0].high >= tiling.MAX_COLUMNS
    assert isa.MM_INPUT.layout["channels"][0].high >= tiling.MAX_RUN
    for register in (isa.MM_WINDOW, isa.PPU_POOL):
        assert register.layout["kernel_h"][0].high >= shapes.MAX_KERNEL
        assert register.layout["stride_h"][0].high >= shapes.MAX_STRIDE
    assert isa.PPU_SOURCE.layout["columns"][0].high > shapes.LONGEST
    assert 1 << sum(isa.PPU_NORM.layout[f"epsilon_{half}"][0].bits for half in ("low", "high")) >= shapes.MAX_EPSILON
    assert isa.LD.layout["rows"][0].high > moves.LONGEST
    assert isa.DMA_COUNT.layout["count3"][0].high > moves.LONGEST
    assert isa.LD.layout["row_bytes"][0].high > moves.LONGEST_RUN


def test_vgg_layers_are_searched_quickly():
    import time

    start = time.process_time()
    for m, c, h in ((64, 3, 224), (64, 64, 224), (128, 128, 112), (256, 256, 56), (512, 512, 28), (512, 512, 14)):
        search(Layer("conv", "dense", 1, 1, m, c, h, h, Window.of((3, 3), pad=(1, 1, 1, 1))), load_target())
    search(Layer("fc", "dense", 1, 1, 4096, 25088, 1, 1, matrix=True), load_target())
    assert time.process_time() - start < 5
