"""Mixed widths: budgets are met on samples held out, stated widths are kept, sensitive layers get more bits."""

import numpy as np
import pytest

import dnnc
from dnnc.ir.diagnostics import DnncError
from dnnc.ir.weights import WeightStore, store_of
from dnnc.passes import pipeline
from dnnc.passes.analysis.choices import Choice, choice_of, set_choice
from dnnc.passes.analysis.divergence import mean_divergence
from dnnc.passes.analysis.integer_weights import bits_of, layers
from dnnc.passes.analysis.samples import providing
from dnnc.passes.analysis.sensitivity import scores
from dnnc.passes.mixed_precision import MixedPrecisionPass

NETWORK = """
func.func @main(%x: tensor<1x16xf32>) -> tensor<1x5xf32> {
  %w1 = dnn.const key = "w1" : () -> tensor<24x16xf32>
  %w2 = dnn.const key = "w2" : () -> tensor<64x24xf32>
  %w3 = dnn.const key = "w3" : () -> tensor<5x64xf32>
  %1 = dnn.matmul %x, %w1 trans_b : (tensor<1x16xf32>, tensor<24x16xf32>) -> tensor<1x24xf32>
  %2 = dnn.relu %1 : (tensor<1x24xf32>) -> tensor<1x24xf32>
  %3 = dnn.matmul %2, %w2 trans_b : (tensor<1x24xf32>, tensor<64x24xf32>) -> tensor<1x64xf32>
  %4 = dnn.relu %3 : (tensor<1x64xf32>) -> tensor<1x64xf32>
  %5 = dnn.matmul %4, %w3 trans_b : (tensor<1x64xf32>, tensor<5x64xf32>) -> tensor<1x5xf32>
  func.return %5 : tensor<1x5xf32>
}
"""
SHAPES = {"w1": (24, 16), "w2": (64, 24), "w3": (5, 64)}


def samples(seed=1, count=48):
    return [[x[None]] for x in np.random.default_rng(seed).normal(size=(count, 16)).astype(np.float32)]


@pytest.fixture
def network(program):
    rng, store = np.random.default_rng(3), WeightStore()
    for key, shape in SHAPES.items():
        store.add(key, (2 * rng.normal(size=shape) / np.sqrt(shape[1])).astype(np.float32))
    return program(NETWORK, store)


def found(network, **options):
    one = MixedPrecisionPass(**options)
    with providing(samples):
        pipeline.run([one], *network)
    return one.found[-1] if one.found else None


def average(module):
    each = [choice_of(x).channels for x in layers(module)]
    bits = [bits_of(c if c is not None else choice_of(x).bits, x.shape(1)) for x, c in zip(layers(module), each)]
    return sum(bits) / sum(x.shape(1)[0] * x.shape(1)[1] for x in layers(module))


@pytest.mark.parametrize("quantizer", ["gptq", "quantize-weights"])
def test_bits_are_within_their_budget_and_lose_less_than_fewer(network, quantizer):
    module, _ = network
    losses = []
    for budget in (2.5, 4, 6):
        for layer in layers(module):
            set_choice(layer, Choice())
        allocation = found(network, budget_bits=budget, quantizer=quantizer)
        assert average(module) == pytest.approx(allocation.average) and allocation.average <= budget
        losses.append(allocation.kl)
    assert losses == sorted(losses, reverse=True)


def test_the_loss_is_that_of_the_passes_behind_on_samples_held_out(network):
    module, ctx = network
    held = samples()[1::2]
    exact = scores(module, store_of(ctx), held)
    allocation = found(network, budget_kl=0.01)
    assert allocation.kl <= 0.01 and (allocation.samples, allocation.held_out) == (24, 24)
    with providing(lambda: samples()[::2]):
        pipeline.run(pipeline.parse("gptq,correct-bias"), module, ctx)
    assert mean_divergence(exact, scores(module, store_of(ctx), held)) == pytest.approx(allocation.kl)


def test_a_larger_budget_of_loss_takes_no_more_bits(network):
    module, _ = network
    bits = []
    for budget in (0.001, 0.01, 0.1):
        for layer in layers(module):
            set_choice(layer, Choice())
        bits.append(found(network, budget_kl=budget).average)
    assert bits == sorted(bits, reverse=True)


def test_widths_that_are_stated_are_kept(network):
    module, _ = network
    first = next(layers(module))
    set_choice(first, Choice(weights="int7"))
    assert len(found(network, budget_bits=3.0).layers) == 2
    assert choice_of(first).bits == 7


def test_channels_have_widths_of_their_own_unless_layers_are_asked_for(network):
    module, _ = network
    allocation = found(network, budget_bits=3.3)
    several = [x for x in allocation.layers if isinstance(x.width, tuple)]
    assert several and all(len(x.width) == SHAPES[key][0] for x, key in zip(allocation.layers, SHAPES) if x in several)
    for layer in layers(module):
        set_choice(layer, Choice())
    assert all(isinstance(x.width, int) for x in found(network, budget_bits=3.3, by="layer").layers)


def test_outliers_count_with_their_bits(network):
    module, ctx = network
    first = next(layers(module))
    w = first.operands[1].owner.array(store_of(ctx)).copy()
    w[3] *= 30
    first.operands[1].owner.properties["key"] = first.operands[1].owner.of(w, store_of(ctx), "wide").key
    set_choice(first, Choice(outliers="int8"))
    allocation = found(network, budget_bits=2.5, widths=(2, 8))
    first_layer = allocation.layers[0]
    assert first_layer.bits == (23 * first_layer.width + 8) * 16 + (24 if first_layer.width < 8 else 0)


@pytest.mark.parametrize(
    ("options", "code"),
    [({"budget_bits": 1.0}, "E0712"), ({"budget_kl": 1e-12}, "E0712"), ({"budget_bits": 3, "widths": (1,)}, "E0705")],
)
def test_what_cannot_be_met_is_refused(network, options, code):
    with pytest.raises(DnncError, match=code):
        found(network, **options)


def test_one_sample_is_not_enough(network):
    with providing(lambda: samples(count=1)), pytest.raises(DnncError, match="E0711"):
        pipeline.run(pipeline.parse("mixed-precision{budget-bits=4}"), *network)


def test_a_budget_with_no_layer_left_to_choose_for_is_an_error(tmp_path):
    (tmp_path / "net.dnn").write_text("input x: f32[1, 8]\ny = relu(x)\noutput y\n")
    network = dnnc.load(tmp_path / "net.dnn")
    with pytest.raises(DnncError, match="expected a layer whose weights have no width yet"):
        dnnc.compile(
            network,
            emit="ir",
            pipeline="simplify,mixed-precision{budget-kl=0.1}",
            calibrate=[np.zeros((4, 8), np.float32)],
        )
