"""Counts of single layers against figures computed by hand."""

import pytest

from dnnc.backends.report import COLUMNS
from dnnc.ir.diagnostics import UnsupportedError


def figures(rep, index=0):
    return {c.key: c.of(rep.rows[index]) for c in COLUMNS}


def expect(rep, index=0, **wanted):
    found = figures(rep, index)
    assert {k: found[k] for k in wanted} == wanted


def test_convolution(reported):
    # 2 images, 3 channels of 7x6, 4 filters of 3x2, stride 2 and 1, padded by one row above and below
    rep = reported(
        "%x: tensor<2x3x7x6xf32>",
        """%w = dnn.const key = "w" : () -> tensor<4x3x3x2xf32>
        %b = dnn.const key = "b" : () -> tensor<4xf32>
        %y = dnn.conv %x, %w, bias(%b) window = <[3, 2], stride [2, 1], pad [1, 0, 1, 0]>
          : (tensor<2x3x7x6xf32>, tensor<4x3x3x2xf32>, tensor<4xf32>) -> tensor<2x4x4x5xf32> loc("c")""",
        "%y: tensor<2x4x4x5xf32>",
    )
    expect(rep, name="c", kind="conv", element="f32", output="2x4x4x5")
    expect(rep, N=2, M=4, C=3, H=7, W=6, R=3, S=2, E=4, F=5, U=2, U_columns=1, groups=1)
    expect(rep, dims="N2 M4 C3 7x6 R3x2 U2x1")
    expect(rep, macs=2 * 4 * 4 * 5 * 3 * 3 * 2, ops=2 * 4 * 4 * 5, weights=72, biases=4, parameters=0)
    expect(rep, input_elements=252, input_bytes=1008, weight_bytes=(72 + 4) * 4, output_elements=160, output_bytes=640)
    expect(rep, compulsory_bytes=1008 + 304 + 640, intensity=2880 / 1952)
    expect(rep, dram_bytes=None, roofline=None, bound=None, cycles=None)


def test_grouped_convolution(reported):
    rep = reported(
        "%x: tensor<1x8x5x5xf32>",
        """%w = dnn.const key = "w" : () -> tensor<6x4x3x3xf32>
        %y = dnn.conv %x, %w window = <[3, 3]> groups = 2
          : (tensor<1x8x5x5xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x3x3xf32>""",
        "%y: tensor<1x6x3x3xf32>",
    )
    expect(rep, kind="conv", M=6, C=8, groups=2, macs=6 * 9 * 4 * 9, ops=0, weights=6 * 4 * 9, dims="M6 C8 5x5 R3x3 g2")


def test_depthwise_convolution(reported, toy):
    rep = reported(
        "%x: tensor<1x8x6x6xi8>",
        """%w = dnn.const key = "w" : () -> tensor<8x1x3x3xi8>
        %y = dnn.conv %x, %w window = <[3, 3], pad [1, 1, 1, 1]> groups = 8
          : (tensor<1x8x6x6xi8>, tensor<8x1x3x3xi8>) -> tensor<1x8x6x6xi8>""",
        "%y: tensor<1x8x6x6xi8>",
        toy,
    )
    expect(rep, kind="depthwise_conv", groups=8, macs=8 * 36 * 9, weights=72, compulsory_bytes=288 + 72 + 288)
    expect(rep, compute_cycles=2592 // 8, memory_cycles=648 // 4, cycles=324, bound="compute", roofline=8 * 10**8)


def test_one_dimensional_convolution_is_one_row(reported):
    rep = reported(
        "%x: tensor<1x2x10xf32>",
        """%w = dnn.const key = "w" : () -> tensor<3x2x4xf32>
        %y = dnn.conv %x, %w window = <[4], stride [3]> : (tensor<1x2x10xf32>, tensor<3x2x4xf32>) -> tensor<1x3x3xf32>""",
        "%y: tensor<1x3x3xf32>",
    )
    expect(rep, H=1, W=10, R=1, S=4, E=1, F=3, U=1, U_columns=3, macs=3 * 3 * 2 * 4)


def test_transposed_convolution(reported):
    rep = reported(
        "%x: tensor<1x3x4x4xf32>",
        """%w = dnn.const key = "w" : () -> tensor<3x5x2x2xf32>
        %y = dnn.conv_transpose %x, %w window = <[2, 2], stride [2, 2]>
          : (tensor<1x3x4x4xf32>, tensor<3x5x2x2xf32>) -> tensor<1x5x8x8xf32>""",
        "%y: tensor<1x5x8x8xf32>",
    )
    expect(rep, kind="conv_transpose", M=5, C=3, E=8, F=8, macs=3 * 16 * 5 * 4, weights=60)
    assert (rep.totals["conv_weights"], rep.totals["conv_macs"]) == (60, 960)


def test_fully_connected(reported):
    rep = reported(
        "%x: tensor<5x64xf32>",
        """%w = dnn.const key = "w" : () -> tensor<10x64xf32>
        %b = dnn.const key = "b" : () -> tensor<10xf32>
        %y = dnn.matmul %x, %w, bias(%b) trans_b
          : (tensor<5x64xf32>, tensor<10x64xf32>, tensor<10xf32>) -> tensor<5x10xf32>""",
        "%y: tensor<5x10xf32>",
    )
    expect(rep, kind="matmul", N=5, M=10, C=64, H=1, W=1, R=1, E=1, U=1, dims="N5 M10 C64")
    expect(rep, macs=3200, ops=50, weights=640, biases=10, input_bytes=1280, output_bytes=200)
    assert rep.totals["fc_weights"] == 640


def test_product_of_activations_has_a_group_for_each_batch(reported):
    rep = reported(
        "%q: tensor<3x4x8xf32>, %k: tensor<3x8x5xf32>",
        "%y = dnn.matmul %q, %k : (tensor<3x4x8xf32>, tensor<3x8x5xf32>) -> tensor<3x4x5xf32>",
        "%y: tensor<3x4x5xf32>",
    )
    expect(rep, N=4, M=15, C=24, groups=3, macs=3 * 4 * 5 * 8, weights=0, input_elements=96 + 120)
    dims = rep.rows[0].layer.only.dims
    assert dims.macs == rep.rows[0].layer.macs
    assert (rep.totals["product_macs"], rep.totals["fc_macs"]) == (480, 0)


def test_pool_elementwise_and_other_constants(reported):
    rep = reported(
        "%x: tensor<1x4x6x6xf32>",
        """%p = dnn.max_pool %x window = <[3, 3], stride [3, 3]> : (tensor<1x4x6x6xf32>) -> tensor<1x4x2x2xf32>
        %c = dnn.const key = "c" : () -> tensor<4x1x1xf32>
        %a = dnn.add %p, %c : (tensor<1x4x2x2xf32>, tensor<4x1x1xf32>) -> tensor<1x4x2x2xf32>
        %s = dnn.add %a, %a : (tensor<1x4x2x2xf32>, tensor<1x4x2x2xf32>) -> tensor<1x4x2x2xf32>""",
        "%s: tensor<1x4x2x2xf32>",
    )
    expect(rep, 0, kind="max_pool", macs=0, ops=16 * 9, weights=0, compulsory_bytes=(144 + 16) * 4, intensity=None)
    expect(rep, 1, kind="add", ops=16, weights=0, parameters=4, weight_bytes=16, N=None, compulsory_bytes=64 + 16 + 64)
    expect(rep, 2, input_elements=16, compulsory_bytes=128)  # the same value twice is read once
    assert rep.totals["parameters"] == 4


def test_inputs_no_window_reaches_are_not_compulsory(reported):
    rep = reported(
        "%x: tensor<1x2x8x8xf32>",
        """%w = dnn.const key = "w" : () -> tensor<2x2x1x1xf32>
        %y = dnn.conv %x, %w window = <[1, 1], stride [2, 2]>
          : (tensor<1x2x8x8xf32>, tensor<2x2x1x1xf32>) -> tensor<1x2x4x4xf32>""",
        "%y: tensor<1x2x4x4xf32>",
    )
    expect(rep, input_bytes=512, compulsory_bytes=(32 + 4 + 32) * 4)


def test_fused_group_counts_as_its_parts_and_reads_from_outside_only(reported):
    rep = reported(
        "%x: tensor<1x3x8x8xf32>",
        """%w = dnn.const key = "w" : () -> tensor<4x3x3x3xf32>
        %b = dnn.const key = "b" : () -> tensor<4xf32>
        %g = dnn.group [%x, %w, %b] {
        ^bb0(%i: tensor<1x3x8x8xf32>, %v: tensor<4x3x3x3xf32>, %c: tensor<4xf32>):
          %1 = dnn.conv %i, %v, bias(%c) window = <[3, 3], pad [1, 1, 1, 1]>
            : (tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32>, tensor<4xf32>) -> tensor<1x4x8x8xf32>
          %2 = dnn.relu %1 : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
          %3 = dnn.max_pool %2 window = <[2, 2], stride [2, 2]> : (tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xf32>
          dnn.yield %3 : tensor<1x4x4x4xf32>
        } : (tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32>, tensor<4xf32>) -> tensor<1x4x4x4xf32> loc(fused["c", "r", "p"])""",
        "%g: tensor<1x4x4x4xf32>",
    )
    assert len(rep.rows) == 1
    expect(rep, name="c", nodes="c+r+p", kind="conv+relu+max_pool", output="1x4x4x4", E=8, F=8)
    expect(rep, macs=6912, ops=256 + 256 + 256, weights=108, biases=4, compulsory_bytes=(192 + 112 + 64) * 4)


def test_quantized_values_count_their_storage(reported):
    rep = reported(
        "%x: tensor<1x16x!dnn.q<i8, 0.5, 3>>",
        """%w = dnn.const key = "w" : () -> tensor<4x16x!dnn.q<i4, 0.25, 0>>
        %y = dnn.matmul %x, %w trans_b
          : (tensor<1x16x!dnn.q<i8, 0.5, 3>>, tensor<4x16x!dnn.q<i4, 0.25, 0>>) -> tensor<1x4x!dnn.q<i32, 0.125, 0>>
        %z = dnn.requantize %y to = !dnn.q<i8, 1.0, 0>
          : (tensor<1x4x!dnn.q<i32, 0.125, 0>>) -> tensor<1x4x!dnn.q<i8, 1.0, 0>>""",
        "%z: tensor<1x4x!dnn.q<i8, 1.0, 0>>",
    )
    expect(rep, 0, element="q<i32>", weights=64, weight_bytes=32, input_bytes=16, output_bytes=16)
    expect(rep, 1, kind="requantize", input_bytes=16, output_bytes=4, macs=0, ops=4)


def test_views_and_what_is_known_at_compile_time_are_not_layers(reported):
    rep = reported(
        "%x: tensor<2x8xf32>",
        """%w = dnn.const key = "w" : () -> tensor<8x3xf32>
        %t = dnn.transpose %w perm = [1, 0] : (tensor<8x3xf32>) -> tensor<3x8xf32>
        %v = dnn.reshape %x shape = [4, 4] : (tensor<2x8xf32>) -> tensor<4x4xf32>
        %u = dnn.reshape %v shape = [2, 8] : (tensor<4x4xf32>) -> tensor<2x8xf32>
        %y = dnn.matmul %u, %t trans_b : (tensor<2x8xf32>, tensor<3x8xf32>) -> tensor<2x3xf32>""",
        "%y: tensor<2x3xf32>",
    )
    assert [r.layer.kind for r in rep.rows] == ["matmul"]
    expect(rep, weights=24, input_elements=16)


def test_a_loop_counts_all_steps_and_its_weights_once(reported):
    rep = reported(
        "%x: tensor<5x2x4xf32>, %h: tensor<2x4xf32>",
        """%y = dnn.scan [%h], [%x], [] steps = 5 {
        ^bb0(%s: tensor<2x4xf32>, %t: tensor<2x4xf32>):
          %w = dnn.const key = "w" : () -> tensor<4x4xf32>
          %p = dnn.matmul %s, %w : (tensor<2x4xf32>, tensor<4x4xf32>) -> tensor<2x4xf32>
          %n = dnn.add %p, %t : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
          dnn.yield %n : tensor<2x4xf32>
        } : (tensor<2x4xf32>, tensor<5x2x4xf32>) -> tensor<2x4xf32>""",
        "%y: tensor<2x4xf32>",
    )
    expect(rep, kind="scan", macs=5 * 2 * 4 * 4, ops=5 * 8, weights=16, weight_bytes=64, input_elements=48)


def test_other_dialects_are_refused_by_name(reported):
    with pytest.raises(UnsupportedError) as caught:
        reported("%x: tensor<4xf32>", '%b = sched.buffer "a" in <input> : memref<4xi8>', "%x: tensor<4xf32>")
    assert str(caught.value) == (
        "module:2:1: operations of the dnn dialect were expected, not sched.buffer (1). "
        "Report the module before it is tiled. [E0905]"
    )
