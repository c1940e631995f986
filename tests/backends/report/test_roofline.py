"""Both sides of the roofline, and the picture of it."""

import re
import xml.etree.ElementTree as ElementTree

import pytest

from dnnc.ir.diagnostics import DnncError

DENSE = """%w = dnn.const key = "w" : () -> tensor<{m}x{c}xi8>
%y = dnn.matmul %x, %w trans_b : (tensor<{n}x{c}xi8>, tensor<{m}x{c}xi8>) -> tensor<{n}x{m}xi8>"""


def dense(reported, target, n, m, c):
    return reported(f"%x: tensor<{n}x{c}xi8>", DENSE.format(n=n, m=m, c=c), f"%y: tensor<{n}x{m}xi8>", target)


def test_memory_binds_at_low_intensity(reported, toy):
    # 6400 MACs; 64 + 6400 + 100 bytes at 4 a cycle; 32 MACs a cycle
    row = dense(reported, toy, 1, 100, 64).rows[0]
    roof, layer = row.roof, row.layer
    assert (roof.compute_cycles(layer), roof.memory_cycles(layer), roof.cycles(layer)) == (200, 1641, 1641)
    assert roof.bound(layer) == "memory"
    assert roof.attainable(layer) == 6400 * 4 * 10**8 // 6564


def test_compute_binds_at_high_intensity(reported, toy):
    # 262,144 MACs; 3 * 4096 bytes; at least 2 * 262144 / sqrt(256) = 32,768 bytes with 256 on chip
    row = dense(reported, toy, 64, 64, 64).rows[0]
    roof, layer = row.roof, row.layer
    assert (roof.compute_cycles(layer), roof.memory_cycles(layer)) == (8192, 3072)
    assert (roof.bound(layer), roof.attainable(layer)) == ("compute", 32 * 10**8)
    assert (layer.traffic.total, roof.dram_bytes(layer)) == (12288, 32768)


def test_ridge_point_counts_as_compute(reported, toy):
    # 8 MAC/byte is the ridge: n = m = c = 24 has 13,824 MACs and 1,728 bytes
    row = dense(reported, toy, 24, 24, 24).rows[0]
    assert row.roof.ridge_side(row.layer) == 0
    assert row.roof.bound(row.layer) == "compute"
    assert row.roof.compute_cycles(row.layer) == row.roof.memory_cycles(row.layer) == 432


def test_bound_of_tiling_applies_to_what_comes_from_dram_only(reported, toy):
    """Two contractions in one group hand values over on chip, so only the compulsory bytes are sure."""
    rep = reported(
        "%x: tensor<64x64xi8>",
        """%w = dnn.const key = "w" : () -> tensor<64x64xi8>
        %g = dnn.group [%x, %w] {
        ^bb0(%i: tensor<64x64xi8>, %v: tensor<64x64xi8>):
          %1 = dnn.matmul %i, %v : (tensor<64x64xi8>, tensor<64x64xi8>) -> tensor<64x64xi8>
          %2 = dnn.matmul %1, %v : (tensor<64x64xi8>, tensor<64x64xi8>) -> tensor<64x64xi8>
          dnn.yield %2 : tensor<64x64xi8>
        } : (tensor<64x64xi8>, tensor<64x64xi8>) -> tensor<64x64xi8>""",
        "%g: tensor<64x64xi8>",
        toy,
    )
    layer = rep.rows[0].layer
    assert layer.macs == 2 * 64**3
    assert rep.rows[0].roof.dram_bytes(layer) == layer.traffic.total == 3 * 4096
    assert rep.to_dict()["layers"][0]["M"] is None
    assert rep.to_dict()["layers"][0]["dims"] == "N64 M64 C64; N64 M64 C64"


def test_whole_network_bound_is_below_the_sum_of_layers(reported, toy):
    rep = reported(
        "%x: tensor<64x64xi8>",
        """%w = dnn.const key = "w" : () -> tensor<64x64xi8>
        %1 = dnn.matmul %x, %w : (tensor<64x64xi8>, tensor<64x64xi8>) -> tensor<64x64xi8>
        %2 = dnn.matmul %1, %w : (tensor<64x64xi8>, tensor<64x64xi8>) -> tensor<64x64xi8>""",
        "%2: tensor<64x64xi8>",
        toy,
    )
    totals = rep.totals
    assert (totals["compulsory_bytes"], totals["network_bytes"]) == (2 * 3 * 4096, 3 * 4096)
    assert (totals["cycles"], totals["network_cycles"], totals["microseconds"]) == (16384, 16384, 163.84)
    assert (totals["weights"], totals["weight_bytes"]) == (4096, 4096)  # shared: once


def test_picture_is_well_formed_and_has_a_dot_for_each_layer(reported, toy):
    picture = dense(reported, toy, 64, 64, 64).roofline_svg()
    root = ElementTree.fromstring(picture)
    titles = [t.text for t in root.iter("{http://www.w3.org/2000/svg}title")]
    assert len(titles) == 1
    assert "262,144 MACs, 21.3 MAC/B, 3.2 GMAC/s, compute-bound" in titles[0]
    numbers = [float(n) for n in re.findall(r'c[xy]="([\d.]+)"', picture)]
    assert all(0 < n < 760 for n in numbers)


def test_picture_needs_a_target(reported):
    with pytest.raises(
        DnncError, match=r"^roofline: a target was expected, not none\. Give one with -t NAME\. \[E0108\]$"
    ):
        dense(reported, None, 2, 2, 2).roofline_svg()
