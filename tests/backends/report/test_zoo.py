"""Counts of the zoo from its imported IR, and the table of them."""

import json
from dataclasses import replace

import pytest

from dnnc.backends.report import ZOO_COLUMNS, report, zoo_json, zoo_table, zoo_text
from dnnc.frontend.onnx.importer import import_onnx
from dnnc.ir.context import make_context
from dnnc.zoo import PUBLISHED, ZOO

# Conv weights, conv MACs, FC weights, FC MACs, written down apart from the zoo's own list.
EXACT = {
    "lenet5": (25_570, 1_888_000, 405_510, 405_000),
    "alexnet": (2_332_704, 665_784_864, 58_621_952, 58_621_952),
    "overfeat_fast": (15_984_672, 2_671_478_784, 129_925_120, 129_925_120),
    "vgg16": (14_710_464, 15_346_630_656, 123_633_664, 123_633_664),
    "googlenet": (5_966_272, 1_581_647_872, 1_024_000, 1_024_000),
    "resnet50": (23_454_912, 3_855_925_248, 2_048_000, 2_048_000),
}


@pytest.fixture(scope="module")
def rows():
    return zoo_table(ZOO, PUBLISHED, import_onnx)


def test_all_published_counts_are_reproduced(rows):
    assert [r["network"] for r in rows] == list(PUBLISHED)
    assert [r["network"] for r in rows if not r["match"]] == []


@pytest.mark.parametrize("name", EXACT)
def test_counts_of_the_table(rows, name):
    row = next(r for r in rows if r["network"] == name)
    conv_weights, conv_macs, fc_weights, fc_macs = EXACT[name]
    assert (row["conv_weights"], row["conv_macs"], row["fc_weights"], row["fc_macs"]) == EXACT[name]
    assert (row["weights"], row["macs"]) == (conv_weights + fc_weights, conv_macs + fc_macs)


def test_googlenet_says_that_the_printed_figure_is_not_reproducible(rows):
    row = next(r for r in rows if r["network"] == "googlenet")
    assert "1.43 G" in row["note"]
    assert "not reproducible" in row["note"]


def test_alexnet_moves_what_is_published():
    """|I| + |W| + |O| over its eight contractions is 62,028,963 words, 60,954,656 of them weights."""
    ctx = make_context()
    found = report(import_onnx(ZOO["alexnet"](shapes_only=True), ctx), ctx).network
    layers = [r.layer for r in found.rows if r.layer.contractions]
    assert len(layers) == 8
    assert sum(x.input_elements + x.count("weight") + x.output_elements for x in layers) == 62_028_963


def test_a_difference_is_shown():
    published = {"lenet_300_100": replace(PUBLISHED["lenet_300_100"], fc_macs=1)}
    (row,) = zoo_table(ZOO, published, import_onnx)
    assert row["match"] is False
    assert zoo_text([row]).splitlines()[2].endswith(" no")


def test_json_and_text(rows):
    data = json.loads(zoo_json(rows))
    assert list(data) == ["schema", "columns", "networks"]
    assert data["schema"] == "dnnc.zoo-table/1"
    assert data["networks"] == rows
    assert [c["key"] for c in data["columns"]] == [c.key for c in ZOO_COLUMNS]
    table = zoo_text(rows)
    assert "724,406,816" in table
    assert "1.43 G" in table
