"""Block convolution: what it does to the outputs is measured and told; layers by name; errors."""

import warnings

import numpy as np
import pytest

import dnnc
from dnnc.ir.blocked import Blocked, blocked_of
from dnnc.ir.diagnostics import DnncError, Remark
from dnnc.ir.dnn.contraction import ConvOp
from dnnc.ir.text import parse, text_of
from dnnc.passes.block_convolution import BlockConvolutionPass
from dnnc.pipelines import run_passes

NET = """
input x: f32[1, 2, 24, 24]
first = relu(conv(x, he(f32[4, 2, 3, 3]), pad=1))
second = conv(first, he(f32[4, 4, 3, 3], seed=1), pad=1)
whole = conv(second, he(f32[4, 4, 3, 3], seed=2))
y = reshape(reduce_mean(whole, axes=[2, 3]), shape=[1, 4])
output y
"""


@pytest.fixture
def network(tmp_path):
    path = tmp_path / "net.dnn"
    path.write_text(NET)
    return dnnc.load(path)


def blocked(network, samples=None, **options):
    one = BlockConvolutionPass(**{"pixels": 8, **options})
    with pytest.warns(Remark) as told:
        run_passes(network, [one], samples)
    return one, str(told[0].message)


def blocks(network):
    return [op.window.data.block for op in network.module.walk() if isinstance(op, ConvOp)]


def test_the_error_is_that_of_the_samples(network):
    x = np.random.default_rng(3).standard_normal((5, 2, 24, 24)).astype(np.float32)
    before = [network.run(sample[None])[0] for sample in x]
    one, told = blocked(network, x)
    after = [network.run(sample[None])[0] for sample in x]
    error = np.concatenate(after).astype(np.float64) - np.concatenate(before)
    found = blocked_of(network.module)
    assert one.found == [found]
    assert found.max_error == pytest.approx(np.abs(error).max())
    assert found.snr_db == pytest.approx(10 * np.log10((np.concatenate(before) ** 2).sum() / (error**2).sum()))
    assert found.same_class == sum(int(a.argmax() == b.argmax()) for a, b in zip(before, after))
    assert (found.layers, found.samples, found.source) == (2, 5, "5 samples")
    assert f"block-convolution: 2 layers in blocks of at least 8 change the outputs: SNR {found.snr_db:.1f} dB" in told
    assert told.endswith("on 5 samples. Blocks below 28 are known to cost accuracy")


def test_without_samples_inputs_are_drawn_and_said_to_be(network):
    one, told = blocked(network, samples=None)
    assert "on 16 inputs drawn at random, as no samples are given" in told
    assert one.found[0].max_error > 0


def test_no_more_samples_than_asked_for(network):
    one = BlockConvolutionPass(8, samples=2)
    x = np.zeros((5, 2, 24, 24), np.float32)
    with pytest.warns(Remark, match="leave the outputs as they were, on 2 of 5 samples"):
        run_passes(network, [one], x)


def test_layers_by_name(network):
    blocked(network, layers=("second",))
    assert blocks(network) == [(), (8, 8), ()]


def test_figures_are_those_of_all_blocks(network):
    x = np.random.default_rng(3).standard_normal((5, 2, 24, 24)).astype(np.float32)
    alike = network.clone()
    with pytest.warns(Remark):
        run_passes(alike, [BlockConvolutionPass(8, ("first.conv",)), BlockConvolutionPass(12, ("second",))], x)
    assert blocks(alike) == [(8, 8), (12, 12), ()]
    before = np.concatenate([network.run(sample[None])[0] for sample in x])
    after = np.concatenate([alike.run(sample[None])[0] for sample in x])
    found = blocked_of(alike.module)
    assert (found.layers, found.pixels) == (2, 8)
    assert found.max_error == pytest.approx(np.abs(after.astype(np.float64) - before).max())


def test_what_cannot_run_in_blocks_is_told_by_name(network):
    with pytest.raises(DnncError) as refused:
        BlockConvolutionPass(8, ("whole", "secnd")).apply(network.ctx, network.module)
    told = [str(f) for f in refused.value.findings]
    assert "expected padding that keeps the size, [24, 24], for blocks, not [22, 22]. Leave it out. [E0453]" in told[0]
    assert "expected the name of a convolution or maximum pool, not 'secnd'. Did you mean 'second'? [E0453]" in told[1]
    assert blocks(network) == [(), (), ()]


def test_blocks_too_large_for_any_layer_are_told(network):
    with pytest.warns(Remark, match="no layer is as large as two blocks of 28"):
        run_passes(network, [BlockConvolutionPass()])
    assert blocked_of(network.module) is None


def test_pixels_are_at_least_one():
    with pytest.raises(DnncError, match="expected pixels of at least 1, not 0"):
        BlockConvolutionPass(pixels=0)


def test_figures_read_back(network):
    one, _ = blocked(network)
    again = parse(network.ctx, text_of(network.module))
    assert blocked_of(again) == one.found[0]


def test_absent_figures():
    unknown = Blocked(1, 28, 0, "weights are absent", None, None, None, None)
    assert (
        unknown.text()
        == "1 layer in blocks of at least 28 changes the outputs, by how much is not known: weights are absent"
    )


def test_outputs_that_are_not_finite():
    assert (
        Blocked(2, 28, 16, "16 samples", None, None, None, None).text().endswith("some are not finite, on 16 samples")
    )


@pytest.mark.parametrize("front", [True, False])
def test_compiled_networks_agree_with_the_interpreter(network, front):
    """Before quantization or after it, on the simulator and in C."""
    x = np.random.default_rng(3).standard_normal((4, 2, 24, 24)).astype(np.float32)
    for emit, rest in (("npu", ",fuse-layers,tile,encode-weights,plan-memory"), ("c", "")):
        passes = "block-convolution{pixels=8},int8" if front else "int8,block-convolution{pixels=8}"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Remark)
            program = dnnc.compile(network, emit=emit, pipeline=passes + rest, calibrate=x)
        assert program.blocked is not None and program.blocked.layers == 2
        wanted = (program.graph or program.network).run(x[:1])[0]
        assert np.array_equal(program.run(x[:1])[0], wanted)
