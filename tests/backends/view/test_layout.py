"""Pictures of graphs: nothing overlaps, edges keep clear of boxes, texts fit, the same graph gives the same picture."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnnc import api, pipelines
from dnnc.backends.view.boxes import PAD, SIZE
from dnnc.backends.view.coordinate import places
from dnnc.backends.view.crossing import crossings, order
from dnnc.backends.view.graph import Edge, Graph, Group, Node, graph_of
from dnnc.backends.view.layering import Arc, Item, layered
from dnnc.backends.view.layout import Layout, Point, Rect, arrange
from dnnc.backends.view.measure import fitted, si, width
from dnnc.ir.interpret import main_function
from dnnc.zoo import ZOO


def network(name: str, pipeline: str) -> Graph:
    net = api.load(ZOO[name](shapes_only=True))
    pipelines.run_passes(net, api.Pipeline(pipeline))
    return graph_of(main_function(net.module), name)


def node(i: int, group: str | None = None) -> Node:
    return Node(f"n{i}", "op", "relu", "activation", f"layer{i}" + "x" * (i % 5 * 4), "", "1x8", "f32", group=group)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Any acyclic graph, some of whose consecutive nodes are in groups."""
    n = draw(st.integers(1, 14))
    cuts = draw(st.lists(st.booleans(), min_size=n, max_size=n))
    numbers = np.cumsum(cuts).tolist()
    groups = [f"g{k}" if draw(st.booleans()) else None for k in range(numbers[-1] + 1)]
    nodes = tuple(node(i, groups[numbers[i]]) for i in range(n))
    pairs = st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda p: p[0] < p[1])
    chosen = draw(st.lists(pairs, unique=True, max_size=2 * n)) if n > 1 else []
    edges = tuple(Edge(f"n{a}", f"n{b}", a % 2, "x", "1x8", "f32", 32) for a, b in chosen)
    used = dict.fromkeys(m.group for m in nodes if m.group)
    return Graph("any", nodes, edges, tuple(Group(g, g) for g in used))


def overlap(a: Rect, b: Rect) -> bool:
    return a.x < b.x + b.width and b.x < a.x + a.width and a.y < b.y + b.height and b.y < a.y + a.height


def along(points: list[Point]) -> np.ndarray:
    """Points of the drawn curve, close to each other."""
    t = np.linspace(0, 1, 33)[:, None]
    parts = []
    for (x, y), (u, v) in pairwise(points):
        m = (y + v) / 2
        curve = [np.array(p) for p in ((x, y), (x, m), (u, m), (u, v))]
        weights = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3
        parts.append(sum(w * p for w, p in zip(weights, curve)))
    return np.concatenate(parts)


def inside(r: Rect, points: np.ndarray, slack: float = 0.5) -> bool:
    x, y = points.T
    within = (x > r.x + slack) & (x < r.x + r.width - slack) & (y > r.y + slack) & (y < r.y + r.height - slack)
    return bool(within.any())


def check(graph: Graph, layout: Layout) -> None:
    assert set(layout.nodes) == {n.id for n in graph.nodes}
    assert set(layout.frames) == {g.id for g in graph.groups}
    assert len(layout.paths) == len(graph.edges)
    outer = [layout.nodes[n.id] for n in graph.nodes if n.group is None] + list(layout.frames.values())
    assert not any(overlap(a, b) for i, a in enumerate(outer) for b in outer[:i])
    for group, frame in layout.frames.items():
        members = [layout.nodes[n.id] for n in graph.nodes if n.group == group]
        assert not any(overlap(a, b) for i, a in enumerate(members) for b in members[:i])
        assert all(frame.x < r.x and r.x + r.width < frame.x + frame.width for r in members)
        assert all(frame.y < r.y and r.y + r.height < frame.y + frame.height for r in members)
    check_edges(graph, layout)


def check_edges(graph: Graph, layout: Layout) -> None:
    home = {n.id: n.group for n in graph.nodes}
    for edge, points in layout.paths:
        source, target = layout.nodes[edge.source], layout.nodes[edge.target]
        assert points[0][1] == pytest.approx(source.y + source.height, abs=0.2)
        assert points[-1][1] == pytest.approx(target.y, abs=0.2)
        assert source.x < points[0][0] < source.x + source.width
        assert target.x < points[-1][0] < target.x + target.width
        curve = along(points)
        assert (np.diff(curve[:, 1]) >= -1e-9).all(), "an edge goes up"
        strangers = [r for n, r in layout.nodes.items()]
        strangers += [r for g, r in layout.frames.items() if g not in (home[edge.source], home[edge.target])]
        assert not any(inside(r, curve) for r in strangers), f"{edge.source} to {edge.target} runs through a box"


@pytest.mark.parametrize("pipeline", ["simplify", "fuse"])
@pytest.mark.parametrize("name", ["lenet5", "googlenet", "resnet50", "mobilenet_v1_025"])
def test_nothing_overlaps(name: str, pipeline: str):
    graph = network(name, pipeline)
    layout = arrange(graph)
    check(graph, layout)
    for n in graph.nodes:
        box = layout.boxes[n.id]
        room = layout.nodes[n.id].width - 2 * PAD + 1
        assert width(box.title, SIZE, bold=True) <= room
        assert all(width(text, SIZE) <= room for _, text in box.rows)


@settings(max_examples=60)
@given(graphs())
def test_nothing_overlaps_in_any_graph(graph: Graph):
    check(graph, arrange(graph))


def test_the_trunk_of_a_residual_network_is_straight():
    """Every group of ResNet-50 but those beside a projection stands on one axis."""
    graph = network("resnet50", "fuse")
    layout = arrange(graph)
    axes = [round(layout.nodes[n.id].x + layout.nodes[n.id].width / 2) for n in graph.nodes]
    assert len(set(axes)) == 1


def test_crossings_are_counted_and_removed():
    items = [Item(10, 10, 10)] * 6
    graph = layered(items, [Arc(0, 5), Arc(1, 4), Arc(2, 3)])
    assert crossings(graph) == 3
    order(graph)
    assert crossings(graph) == 0


def test_a_long_arc_runs_straight_beside_a_chain():
    items = [Item(20, 20, 10)] * 5
    graph = layered(items, [Arc(0, 1), Arc(1, 2), Arc(2, 3), Arc(3, 4), Arc(0, 4)])
    order(graph)
    xs = places(graph, lambda a, b: 10)
    assert len({xs[v] for v in range(5)}) == 1
    bends = {xs[v] for v in range(5, len(xs))}
    assert len(bends) == 1 and abs(bends.pop() - xs[0]) >= 30


def test_arcs_of_one_value_share_a_trunk():
    graph = layered([Item(1, 1, 1)] * 4, [Arc(0, 1), Arc(1, 2), Arc(2, 3), Arc(0, 2), Arc(0, 3)])
    assert len(graph.items) - graph.real == 2


def test_what_nothing_feeds_stands_above_its_user():
    graph = layered([Item(1, 1, 1)] * 4, [Arc(0, 2), Arc(2, 3), Arc(1, 3)])
    assert graph.layers == [[0], [2, 1], [3]] or graph.layers == [[0], [1, 2], [3]]


def test_texts_are_cut_in_the_middle():
    assert fitted("short", 100, 12) == "short"
    cut = fitted("MobilenetV1/MobilenetV1/Conv2d_12_pointwise/Relu6", 120, 12)
    assert cut.startswith("Mobile") and cut.endswith("Relu6") and "…" in cut and width(cut, 12) <= 120


def test_counts_are_written_in_three_digits():
    assert [si(n, "MACs") for n in (7, 999, 288_000, 2_293_000, 1_582_671_872)] == [
        "7 MACs",
        "999 MACs",
        "288 k MACs",
        "2.29 M MACs",
        "1.58 G MACs",
    ]
    assert si(2080, "B") == "2.08 kB"
