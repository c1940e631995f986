"""Totals, liveness and the forms a report is written in."""

import csv
import io
import json

import pytest

from dnnc.backends.report import COLUMNS, TOTALS, report
from dnnc.ir import arch, text
from dnnc.ir.arch import AcceleratorAttr
from dnnc.ir.context import make_context
from dnnc.passes.analysis.allocation import Buffer, lower_bound

SMALL = """%w1 = dnn.const key = "conv1.weight" : () -> tensor<4x3x3x3xf32>
%b1 = dnn.const key = "conv1.bias" : () -> tensor<4xf32>
%c1 = dnn.conv %x, %w1, bias(%b1) window = <[3, 3], pad [1, 1, 1, 1]>
  : (tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32>, tensor<4xf32>) -> tensor<1x4x8x8xf32> loc("conv1")
%r1 = dnn.relu %c1 : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32> loc("relu1")
%w2 = dnn.const key = "conv2.weight" : () -> tensor<4x1x3x3xf32>
%c2 = dnn.conv %r1, %w2 window = <[3, 3], pad [1, 1, 1, 1]> groups = 4
  : (tensor<1x4x8x8xf32>, tensor<4x1x3x3xf32>) -> tensor<1x4x8x8xf32> loc("conv2")
%a = dnn.add %c2, %r1 : (tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32> loc("add")
%p = dnn.max_pool %a window = <[2, 2], stride [2, 2]> : (tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xf32> loc("pool")
%f = dnn.reshape %p shape = [1, 64] : (tensor<1x4x4x4xf32>) -> tensor<1x64xf32> loc("flatten")
%w3 = dnn.const key = "ip.weight" : () -> tensor<10x64xf32>
%b3 = dnn.const key = "ip.bias" : () -> tensor<10xf32>
%o = dnn.matmul %f, %w3, bias(%b3) trans_b
  : (tensor<1x64xf32>, tensor<10x64xf32>, tensor<10xf32>) -> tensor<1x10xf32> loc("ip")"""


@pytest.fixture
def small(reported, toy):
    return reported("%x: tensor<1x3x8x8xf32>", SMALL, "%o: tensor<1x10xf32>", toy, "small")


def test_totals(small):
    conv1, conv2, ip = 64 * 4 * 27, 64 * 4 * 9, 640
    wanted = {
        "layers": 6,
        "macs": conv1 + conv2 + ip,
        "conv_macs": conv1 + conv2,
        "fc_macs": ip,
        "product_macs": 0,
        "ops": 256 + 256 + 256 + 256 + 10,
        "weights": 108 + 36 + 640,
        "conv_weights": 144,
        "fc_weights": 640,
        "biases": 14,
        "conv_biases": 4,
        "fc_biases": 10,
        "weights_with_biases": 798,
        "parameters": 0,
        "weight_bytes": 798 * 4,
        "output_elements": 4 * 256 + 64 + 10,
        "network_bytes": (192 + 798 + 10) * 4,
        "peak_live_bytes": 3 * 1024,  # conv2 + relu1 + add
    }
    assert {k: small.totals[k] for k in wanted} == wanted
    assert small.totals["compulsory_bytes"] == 4 * (
        (192 + 112 + 256) + 512 + (256 + 36 + 256) + 768 + 320 + (64 + 650 + 10)
    )


def test_live_bytes_follow_the_program(small):
    assert [r.live_bytes for r in small.rows] == [768 + 1024, 2048, 2048, 3072, 1024 + 256, 256 + 40]


def test_peak_is_the_liveness_bound_of_the_allocator(small):
    steps = {"x": (192, 0, 1), "c1": (256, 0, 2), "r1": (256, 1, 4), "c2": (256, 2, 4), "a": (256, 3, 5)}
    steps |= {"p": (64, 4, 6), "o": (10, 5, 6)}
    assert small.totals["peak_live_bytes"] == lower_bound([Buffer(k, 4 * n, a, b) for k, (n, a, b) in steps.items()])


def test_results_live_to_the_end_and_unused_inputs_for_a_step(reported):
    rep = reported(
        "%x: tensor<4xf32>, %unused: tensor<100xf32>",
        """%a = dnn.relu %x : (tensor<4xf32>) -> tensor<4xf32>
        %b = dnn.relu %a : (tensor<4xf32>) -> tensor<4xf32>
        %c = dnn.relu %b : (tensor<4xf32>) -> tensor<4xf32>""",
        "%a: tensor<4xf32>; %c: tensor<4xf32>",
    )
    assert [r.live_bytes for r in rep.rows] == [16 + 400 + 16, 32, 48]
    assert rep.totals["network_bytes"] == 16 + 32


def test_a_network_without_layers_keeps_its_input(reported):
    rep = reported("%x: tensor<4xf32>", "", "%x: tensor<4xf32>")
    assert (rep.rows, rep.totals["peak_live_bytes"], rep.totals["macs"], rep.totals["intensity"]) == ((), 16, 0, None)
    assert rep.text()


def test_one_stored_constant_under_two_names_counts_once(reported):
    rep = reported(
        "%x: tensor<2x2xf32>",
        """%v = dnn.const key = "w" : () -> tensor<2x2xf32>
        %w = dnn.const key = "w" : () -> tensor<2x2xf32>
        %a = dnn.matmul %x, %v : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
        %b = dnn.add %a, %w : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>""",
        "%b: tensor<2x2xf32>",
    )
    assert (rep.totals["weights"], rep.totals["parameters"], rep.totals["weight_bytes"]) == (4, 0, 16)


def test_the_modules_own_target_is_used(toy):
    ctx = make_context()
    module = text.parse(ctx, "func.func @main(%x: tensor<4xi8>) -> tensor<4xi8> { func.return %x : tensor<4xi8> }")
    module.attributes[arch.MODULE_ATTRIBUTE] = AcceleratorAttr(toy)
    assert report(module, ctx).to_dict()["target"] == {
        "name": "toy",
        "description": "4 x 8 array for hand-computed figures",
        "clock_mhz": 100,
        "macs_per_cycle": 32,
        "depthwise_macs_per_cycle": 8,
        "dram_bytes_per_cycle": 4,
        "on_chip_bytes": 256,
    }


def test_float_values_on_an_integer_target_are_noted(small, reported):
    assert small.notes == (
        "bytes are those of f32 values; toy computes on i8. Quantize the network to see what it moves there.",
    )
    assert reported("%x: tensor<4xf32>", "", "%x: tensor<4xf32>").notes == (
        "roofline, cycles and least DRAM traffic need a target.",
    )


def test_json_keeps_its_schema(small):
    data = json.loads(small.json())
    assert list(data) == ["schema", "name", "target", "columns", "total_columns", "layers", "totals", "notes"]
    assert data["schema"] == "dnnc.report/1"
    assert data == small.to_dict()
    for part, rows in (("columns", data["layers"]), ("total_columns", [data["totals"]])):
        assert all(set(c) == {"key", "header", "unit", "doc"} for c in data[part])
        assert all(list(row) == [c["key"] for c in data[part]] for row in rows)


@pytest.mark.parametrize("columns", [COLUMNS, TOTALS])
def test_every_column_says_what_it_is(columns):
    keys = [c.key for c in columns]
    assert len(set(keys)) == len(keys)
    assert all(c.header and c.doc.endswith(".") and c.doc[0] in c.doc[0].upper() + "|mcw" for c in columns)


def test_counts_are_integers(small):
    data = small.to_dict()
    ratios = {"intensity", "microseconds"}
    for row in (*data["layers"], data["totals"]):
        assert not [k for k, v in row.items() if isinstance(v, float) and k not in ratios]


def test_csv_has_the_figures_of_json(small):
    lines = list(csv.DictReader(io.StringIO(small.csv())))
    layers = small.to_dict()["layers"]
    assert len(lines) == len(layers)
    for line, layer in zip(lines, layers):
        assert line == {k: "" if v is None else str(v) for k, v in layer.items()}


def test_html_escapes_names(reported):
    rep = reported(
        "%x: tensor<4xf32>",
        '%a = dnn.relu %x : (tensor<4xf32>) -> tensor<4xf32> loc("<b>&")',
        "%a: tensor<4xf32>",
    )
    assert "<td>&lt;b&gt;&amp;</td>" in rep._repr_html_()
    assert "<b>" not in rep._repr_html_()


def test_brackets_in_names_are_no_markup(reported):
    rep = reported(
        "%x: tensor<4xf32>",
        '%a = dnn.relu %x : (tensor<4xf32>) -> tensor<4xf32> loc("[red]a")',
        "%a: tensor<4xf32>",
        name="[bold]net",
    )
    assert "[red]a" in rep.text()
    assert rep.text().startswith("[bold]net")


def test_html(small, golden):
    golden.check("small.html", small._repr_html_())


@pytest.mark.parametrize("form", ["text", "json", "csv"])
def test_golden(small, golden, form):
    golden.check(f"small.{'txt' if form == 'text' else form}", getattr(small, form)())


@pytest.mark.parametrize(
    ("element", "size"),
    [
        ("!dnn.q<i4, axis 0, [0.5, 0.25]>", 8),
        ("!dnn.pow2<i3, 0.5>", 6),
        ("!dnn.codebook<ui2, [-1.0, 0.0, 1.0, 3.5], 0.5>", 4 + 4 * 4),
        ("!dnn.block<i4, [1, 4], [0.5, 0.25, 0.5, 0.5], [0, 1, 0, 0]>", 8 + 4 * 4 + 2),
        ("!dnn.scaled<f8E4M3FN, 0.5>", 16),
    ],
)
def test_weights_count_as_they_are_stored(reported, toy, element, size):
    body = f"""%c = dnn.const key = "w" : () -> tensor<2x8x{element}>
%w = dnn.dequantize %c : (tensor<2x8x{element}>) -> tensor<2x8xf32>
%y = dnn.matmul %x, %w trans_b : (tensor<1x8xf32>, tensor<2x8xf32>) -> tensor<1x2xf32>"""
    document = reported("%x: tensor<1x8xf32>", body, "%y: tensor<1x2xf32>", toy, "codes")
    assert document.totals["weight_bytes"] == size
    assert document.totals["compulsory_bytes"] == size + 4 * (8 + 2)
