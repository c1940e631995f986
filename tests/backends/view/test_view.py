"""Views of modules at every stage: what they hold, the pictures of small ones, pages that fetch nothing."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from dnnc import api, pipelines
from dnnc.backends.view import View, view
from dnnc.backends.view.graph import Graph, graph_of
from dnnc.backends.view.schedule import Schedule
from dnnc.ir.diagnostics import DnncError
from dnnc.ir.interpret import main_function
from dnnc.passes.analysis.traffic import traffic

MODELS = Path(__file__).parents[2] / "models"

RESIDUAL = """func.func @main(%x: tensor<1x4x6x6xf32> {dnn.name = "image"}) -> (tensor<1x4x3x3xf32> {dnn.name = "y"}) {
  %w = dnn.const key = "a.w" : () -> tensor<4x4x3x3xf32>
  %b = dnn.const value = dense<[0.0, 1.0, 2.0, 3.0]> : tensor<4xf32> : () -> tensor<4xf32>
  %0 = dnn.relu %x : (tensor<1x4x6x6xf32>) -> tensor<1x4x6x6xf32> loc("first")
  %1 = dnn.conv %0, %w, bias(%b) window = <[3, 3], pad [1, 1, 1, 1]>
    : (tensor<1x4x6x6xf32>, tensor<4x4x3x3xf32>, tensor<4xf32>) -> tensor<1x4x6x6xf32> loc("a")
  %2 = dnn.leaky_relu %1 alpha = 0.1 : (tensor<1x4x6x6xf32>) -> tensor<1x4x6x6xf32> loc("a_<&>")
  %3 = dnn.conv %2, %w window = <[3, 3], pad [1, 1, 1, 1]>
    : (tensor<1x4x6x6xf32>, tensor<4x4x3x3xf32>) -> tensor<1x4x6x6xf32> loc("b")
  %4 = dnn.add %3, %0 : (tensor<1x4x6x6xf32>, tensor<1x4x6x6xf32>) -> tensor<1x4x6x6xf32> loc("sum")
  %5 = dnn.max_pool %4 window = <[2, 2], stride [2, 2]> : (tensor<1x4x6x6xf32>) -> tensor<1x4x3x3xf32> loc("pool")
  func.return %5 : tensor<1x4x3x3xf32>
}"""


@pytest.fixture
def residual(program) -> api.Network:
    return api.Network(*program(RESIDUAL), "residual")


@pytest.fixture(scope="module")
def tiled() -> api.Network:
    samples = str(MODELS / "digits_calibration.npz")
    return api.compile(str(MODELS / "lenet5.onnx"), emit="ir", pipeline="npu", calibrate=samples).network


def graph(network: api.Network) -> Graph:
    return graph_of(main_function(network.module), network.name)


def test_nodes_say_what_their_operations_are(residual):
    nodes = {n.name: n for n in graph(residual).nodes if n.kind == "op"}
    conv = nodes["a"]
    assert (conv.op, conv.family, conv.facts) == ("conv", "contraction", "M4 C4 6x6 R3x3")
    assert (conv.macs, conv.weight_bytes, conv.output_bytes) == (4 * 36 * 36, (4 * 36 + 4) * 4, 4 * 36 * 4)
    assert [(c.role, c.key, c.type, c.bytes) for c in conv.constants] == [
        ("w", "a.w", "4x4x3x3 f32", 576),
        ("bias", None, "4 f32", 16),
    ]
    assert dict(conv.attributes) == {"window": "R3x3 pad 1"} and conv.location == "node 'a'"
    assert nodes["a_<&>"].facts == "alpha 0.1" and nodes["pool"].facts == "R2x2 U2"


def test_edges_are_the_uses_of_values(residual):
    g = graph(residual)
    names = {n.id: (n.kind, n.name) for n in g.nodes}
    edges = {(names[e.source][1], names[e.target], e.operand) for e in g.edges}
    assert edges == {
        ("image", ("op", "first"), "x"),
        ("first", ("op", "a"), "x"),
        ("a", ("op", "a_<&>"), "x"),
        ("a_<&>", ("op", "b"), "x"),
        ("b", ("op", "sum"), "a"),
        ("first", ("op", "sum"), "b"),
        ("sum", ("op", "pool"), "x"),
        ("pool", ("output", "y"), ""),
    }


def test_groups_keep_their_edges(residual):
    before = {(e.source, e.target, e.operand) for e in graph(residual).edges}
    pipelines.run_passes(residual, api.Pipeline("fuse-groups"))
    after = graph(residual)
    assert {(e.source, e.target, e.operand) for e in after.edges} == before
    assert [g.name for g in after.groups] == ["first", "a + a_<&>", "b + sum + pool"]


def test_quantized_types_are_short(main_program):
    line = main_program(
        "dnn.quantize %a to = !dnn.q<i8, 0.0123456, 3>", "tensor<2xf32>", result="tensor<2x!dnn.q<i8, 0.0123456, 3>>"
    )
    assert graph(api.Network(*line)).layers[0].type == "i8, scale 0.0123, zero 3"


def test_a_function_may_return_a_constant(program):
    text = """func.func @main(%x: tensor<1xf32>) -> tensor<1xf32> {
      %c = dnn.const value = dense<[2.0]> : tensor<1xf32> : () -> tensor<1xf32>
      func.return %c : tensor<1xf32>
    }"""
    g = graph(api.Network(*program(text)))
    assert [n.op for n in g.nodes] == ["input", "const", "output"]
    assert [(e.source, e.target) for e in g.edges] == [("n1", "n2")]


@pytest.mark.parametrize("stage", ["", "fuse-groups"])
def test_picture(residual, stage, golden):
    pipelines.run_passes(residual, api.Pipeline(stage))
    picture = view(residual.module, "residual", stage and "grouped").svg()
    ET.fromstring(picture)
    assert picture == view(residual.module, "residual", stage and "grouped").svg()
    golden.check(f"residual{'-grouped' * bool(stage)}.svg", picture)


def test_a_schedule_counts_what_the_traffic_counts(tiled):
    data = view(tiled.module, "lenet5").data
    assert isinstance(data, Schedule)
    steps = [s for nest in data.layers for s in nest.walk()]
    moved = traffic(tiled.module)
    assert sum(s.bytes for s in steps if s.kind == "load") == moved.read
    assert sum(s.bytes for s in steps if s.kind == "store") == moved.write
    assert sum(s.macs for s in steps) == 2_293_000
    assert [n.name for n in data.layers] == ["conv1", "conv2", "ip1", "ip2"]
    assert [line.split()[0] for line in (*data.before, *data.after)] == ["quantize", "dequantize"]
    assert {b.space for b in data.layers[0].buffers} >= {"inputs", "weights", "input", "output", "accumulator"}


def test_a_schedule_is_drawn_with_every_step(tiled):
    shown = view(tiled.module, "lenet5")
    root = ET.fromstring(shown.svg())
    texts = [e.text for e in root.iter("{http://www.w3.org/2000/svg}text")]
    assert isinstance(shown.data, Schedule)
    steps = [s for nest in shown.data.layers for s in nest.walk()]
    for kind in ("load", "store", "compute"):
        assert texts.count(kind) == sum(s.kind == kind for s in steps)
    assert sum((t or "").startswith("for ") for t in texts) == sum(s.kind == "loop" for s in steps)


def data_of(page: str) -> dict:
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def test_page_holds_everything_and_fetches_nothing(residual, tiled):
    for network in (residual, tiled):
        shown = view(network.module, network.name)
        page = shown.html()
        assert not re.search(r"(src|href)=|url\(|@import|fetch\(", page)
        assert set(re.findall(r"https?://[^\"' ]+", page)) == {"http://www.w3.org/2000/svg"}
        assert set(data_of(page)["items"]) == set(re.findall(r'class="node" data-id="(\w+)"', page))


def test_page_knows_the_neighbours(residual):
    items = data_of(view(residual.module, "residual").html())["items"]
    named = {i["name"]: i for i in items.values() if i["kind"] not in ("input", "output")}
    total = named["sum"]
    assert [items[p]["name"] for p in total["producers"]] == ["b", "first"]
    assert [items[c]["name"] for c in total["consumers"]] == ["pool"]
    details = dict(map(tuple, named["a"]["details"]))
    assert details["MACs"] == "5,184" and details["source"] == "node 'a'"
    assert details["constants"] == ["w: a.w, 4x4x3x3 f32, 576 bytes", "bias: 4 f32, 16 bytes"]


def test_names_cannot_break_the_page(program):
    name = "</script><script>alert(1)</script>\"'&"
    text = f"""func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {{
      %0 = dnn.relu %x : (tensor<2xf32>) -> tensor<2xf32> loc({json.dumps(name)})
      func.return %0 : tensor<2xf32>
    }}"""
    page = view(program(text)[0], name).html()
    assert "<script>alert" not in page and page.count("</script>") == 2
    assert name in {i["name"] for i in data_of(page)["items"].values()}


def test_notebooks_show_the_start_of_a_large_graph(program):
    body = "\n".join(f"%v{i + 1} = dnn.relu %v{i} : (tensor<2xf32>) -> tensor<2xf32>" for i in range(200))
    text = f"func.func @main(%v0: tensor<2xf32>) -> tensor<2xf32> {{\n{body}\nfunc.return %v200 : tensor<2xf32>\n}}"
    shown = view(program(text)[0], "deep")
    html = shown._repr_html_()
    assert "150 layers" in html and "50 more layers are not shown" in html
    assert "200 layers" in shown.svg() and "not shown" not in shown.svg()


def test_a_group_is_not_cut(residual):
    pipelines.run_passes(residual, api.Pipeline("fuse-groups"))
    g = graph(residual)
    assert [n.name for n in g.head(2).layers] == ["first"]
    assert [n.name for n in g.head(3).layers] == ["first", "a", "a_<&>"]
    assert g.head(99) is g


def test_files_by_their_ending(residual, tmp_path):
    shown = view(residual.module, "residual")
    for ending, text in ((".svg", shown.svg()), (".html", shown.html()), (".json", shown.json())):
        shown.save(tmp_path / f"x{ending}")
        assert (tmp_path / f"x{ending}").read_text("utf-8") == text
    with pytest.raises(
        DnncError, match=r"x.png: expected a file to view as .svg, .html or .json, not '.png'. .* \[E0906\]"
    ):
        shown.save(tmp_path / "x.png")


def test_json_is_the_data(residual, tiled):
    for network, level in ((residual, "graph"), (tiled, "schedule")):
        shown = view(network.module, network.name)
        loaded = json.loads(shown.json())
        assert (loaded["schema"], loaded["level"], loaded["name"]) == ("dnnc.view/1", level, network.name)
        assert isinstance(shown, View)


def test_every_stage_can_be_seen():
    network = api.load(MODELS / "lenet5.onnx")
    samples = [np.zeros((2, 1, 28, 28), np.float32)]
    seen = []
    api.compile(
        network, emit="ir", pipeline="npu", calibrate=samples, after=lambda p, m: seen.append(view(m, p.name).svg())
    )
    assert len(seen) > 10 and all(s.startswith("<svg") for s in seen)
