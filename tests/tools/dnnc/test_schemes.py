"""Schemes: what is written reads back to the same network, what is stated holds, what fits nothing is told with its line."""

from __future__ import annotations

import numpy as np
import pytest

from dnnc import api
from dnnc.ir.diagnostics import DnncError
from dnnc.ir.dnn.contraction import ConvOp, MatmulOp
from dnnc.ir.dnn.quantize import QuantizeOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.stages import ISLAND
from dnnc.ir.types import type_name
from dnnc.ir.weights import store_of
from dnnc.passes.analysis.choices import Choice
from dnnc.passes.analysis.layers import Layer
from dnnc.passes.analysis.scheme import Scheme, exact
from dnnc.schemes import Asked, pipeline_of

NETWORK = """
input x: f32[1, 3, 8, 8]
a = relu(conv(x, he(f32[8, 3, 3, 3]), pad=1))
b = relu(conv(a, he(f32[8, 8, 3, 3]), pad=1))
c = concat(a, b, axis=1)
y = matmul(flatten(c), he(f32[1024, 10]))
output y
"""
LOWER = 'passes = ["simplify", {}"quantize", "quantize-lower"]\n'


@pytest.fixture
def network(tmp_path):
    """A network of three layers with weights."""
    (tmp_path / "net.dnn").write_text(NETWORK)

    def load(text: str | Scheme | None = None, out=None) -> api.Network:
        found = api.load(tmp_path / "net.dnn")
        scheme = Scheme.parse(text, "s.toml") if isinstance(text, str) else text
        found.asked = Asked(scheme, out=out)
        return found

    return load


def samples(count=12):
    return np.random.default_rng(1).normal(size=(count, 3, 8, 8)).astype(np.float32)


def compiled(network, emit="ir", pipeline="int8", calibrate=None):
    return api.compile(network, "edge", emit, pipeline, samples() if calibrate is None else calibrate)


def weights(program):
    """The types of all weights, in order."""
    ops = [op for op in program.network.module.walk() if isinstance(op, (ConvOp, MatmulOp))]
    return [type_name(op.operands[1].type.element_type) for op in ops]


def refused(network, text):
    with pytest.raises(DnncError) as e:
        compiled(network(text))
    return str(e.value)


@pytest.mark.parametrize(
    "pipeline",
    [
        "int8",
        "simplify,equalize,gptq{bits=3},correct-bias,calibrate{method=mse},int8",
        "simplify,quantize-weights{bits=5},quantize{symmetric=true per-tensor=true},quantize-lower{rounding=half_up}",
    ],
)
def test_what_a_run_writes_gives_the_same_network(network, pipeline, tmp_path):
    path = tmp_path / "s.toml"
    first = compiled(network(None, path), pipeline=pipeline)
    second = compiled(network(Scheme.read(path)), pipeline="int8")
    again = compiled(network(Scheme.read(path), path), pipeline="int8")
    assert second.network.scheme == again.network.scheme == Scheme.read(path)
    for x in samples(4):
        np.testing.assert_array_equal(first.run(x[None]), second.run(x[None]))


def test_the_last_rule_that_states_a_key_decides(network):
    text = LOWER.format("") + '[layers]\n"*" = { weights = "int8" }\n"[ab].conv" = { weights = "int4" }\n'
    text += (
        '"b.conv" = { weights = "int3" }\n"a.conv" = { activations = "uint8" }\n"b.conv*" = { activations = "uint8" }\n'
    )
    program = compiled(network(text), pipeline="simplify,quantize,quantize-lower")
    assert weights(program) == ["q<i4>", "q<i3>", "q<i8>"]


def test_mixed_widths_are_the_same_bits_everywhere(network):
    text = LOWER.format('"gptq", "correct-bias", ')
    text += '[layers]\n"a.conv" = { weights = "int3" }\n"b.conv" = { weights = "int5", by = "tensor" }\n'
    programs = [compiled(network(text), *how) for how in (("ir", "int8"), ("c", None), ("npu", None))]
    for x in samples(2):
        first, *others = [p.run(x[None])[0] for p in programs]
        for other in others:
            np.testing.assert_array_equal(first, other)


def test_a_stated_type_of_values_is_the_one_they_get(network):
    text = (
        LOWER.format("")
        + '[layers]\n"*" = { activations = "uint8" }\n"x" = { activations = "int16", range = [-4, 4] }\n'
    )
    module = compiled(network(text), pipeline="simplify,quantize").network.module
    types = [op.to for op in module.walk() if isinstance(op, QuantizeOp)]
    assert [type_name(t.storage) for t in types] == ["i16"] + ["ui8"] * (len(types) - 1)
    assert float(types[0].scale) == pytest.approx(8 / 65535)


def test_a_layer_stated_in_float_is_an_island(network):
    text = (
        LOWER.format("")
        + '[layers]\n"*" = { weights = "int8" }\n"b.conv" = { weights = "float", activations = "float" }\n'
    )
    program = compiled(network(text), pipeline="simplify,quantize,quantize-lower")
    convs = [op for op in program.network.module.walk() if isinstance(op, ConvOp)]
    assert [ISLAND in op.attributes for op in convs] == [False, True]
    assert weights(program)[:2] == ["q<i8>", "f32"]
    exact = compiled(network()).network
    for x in samples(2):
        assert np.abs(program.run(x[None])[0] - exact.run(x[None])[0]).max() < 0.1 * np.abs(exact.run(x[None])[0]).max()


def test_an_island_is_the_same_in_c(network):
    text = LOWER.format("") + '[layers]\n"b.conv" = { weights = "float", activations = "float" }\n'
    reference, c = compiled(network(text)), compiled(network(text), "c", None)
    for x in samples(2):
        np.testing.assert_allclose(reference.run(x[None])[0], c.run(x[None])[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("way", ["", '"quantize-weights{bits=4}", ', '"gptq{bits=4}", '])
@pytest.mark.parametrize("by", ["channel", "tensor"])
def test_outliers_alone_take_more_bits(network, way, by):
    loaded = network(
        LOWER.format(way) + f'[layers]\n"a.conv" = {{ weights = "int4", outliers = "int8", by = "{by}" }}\n'
    )
    store = store_of(loaded.ctx)
    op = next(o for o in loaded.module.walk() if isinstance(o, ConvOp))
    w = op.operands[1].owner.array(store).copy()
    w[2] *= 20
    op.operands[1].owner.properties["key"] = ConstOp.of(w, store, "wide").key
    program = compiled(loaded, pipeline="simplify,quantize")
    conv = next(o for o in program.network.module.walk() if isinstance(o, ConvOp))
    values = conv.operands[1].owner.array(store).astype(int)
    reach = np.abs(values).reshape(8, -1).max(1)
    assert reach[2] > 8 and (np.delete(reach, 2) <= 8).all()
    assert program.network.scheme.rules[1].bits == 27 * (7 * 4 + 8) + 8  # a bit a channel says which width it has


@pytest.mark.parametrize("way", ["", '"quantize-weights{bits=4}", ', '"gptq{bits=4}", '])
def test_channels_take_the_bits_stated_one_by_one(network, way):
    stated = (5, 2, 3, 3, 8, 4, 2, 3)
    text = LOWER.format(way) + f'[layers]\n"a.conv" = {{ weights = {list(stated)}, outliers = "int8" }}\n'
    program = compiled(network(text), pipeline="simplify,quantize")
    conv = next(o for o in program.network.module.walk() if isinstance(o, ConvOp))
    values = conv.operands[1].owner.array(store_of(program.network.ctx)).astype(int).reshape(8, -1)
    half = 2 ** (np.array(stated) - 1)
    assert (values.min(1) >= -half).all() and (values.max(1) < half).all()
    assert (2 * np.abs(values).max(1) >= half).all()
    rule = program.network.scheme.rules[1]
    assert rule.choice.weights == stated and rule.bits == 27 * sum(stated) + 3 * 8
    assert Scheme.parse(program.network.scheme.text()) == program.network.scheme


def test_a_later_line_takes_the_place_of_bits_stated_one_by_one(network):
    text = LOWER.format("") + '[layers]\n"a.conv" = { weights = [3, 3] }\n"*" = { weights = "int4" }\n'
    assert weights(compiled(network(text), pipeline="simplify,quantize"))[0] == "q<i4>"


def test_bits_are_stated_of_all_channels(network):
    message = refused(network, LOWER.format("") + '[layers]\n"a.conv" = { weights = [3, 4] }\n')
    assert "s.toml:3: layer 'a.conv': expected the bits of 8 output channels, not of 2." in message


def test_a_pass_named_for_a_layer_alone_makes_its_integers(network):
    text = LOWER.format('"quantize-weights{bits=8}", "gptq{bits=8}", ')
    stated = '[layers]\n"*" = { algorithm = "quantize-weights" }\n"b.conv" = { algorithm = "gptq", weights = "int4" }\n'
    keys = [
        c.key.data for c in compiled(network(text + stated)).network.module.walk() if isinstance(c, ConstOp) and c.key
    ]
    assert any(".i4" in k for k in keys)
    message = refused(network, LOWER.format("") + '[layers]\n"b.conv" = { algorithm = "gptq" }\n')
    assert "expected weights that 'gptq' made integers of, which did not run." in message


def test_all_that_is_wrong_with_a_file_is_told_at_once(golden):
    text = """
passes = ["simplify", 3]
speed = 1

[layers]
"*" = { weights = "int9", by = "row", symmetric = "yes" }
"conv?" = 4

["layers".'y']
outliers = "int16"
range = [1, "2"]
observer = "guess"
activation = "int8"
"outlier-ratio" = 0.5
"""
    with pytest.raises(DnncError) as e:
        Scheme.parse(text, "s.toml")
    golden.check("scheme.txt", str(e.value))


def test_passes_that_are_none_are_told_with_their_line():
    scheme = Scheme.parse('passes = [\n  "simplify",\n  "gptk{bits=4}",\n  "gptq{bots=4}",\n]\n', "s.toml")
    with pytest.raises(DnncError) as e:
        pipeline_of(scheme)
    assert [f.where for f in e.value.findings] == ["s.toml:3", "s.toml:4"]


@pytest.mark.parametrize("last", ["simplify", "npu"])
def test_the_passes_of_a_scheme_end_with_integers(network, last):
    message = refused(network, f'passes = ["quantize", "{last}"]\n')
    assert f"expected passes up to integers, the last of them quantize-lower, not {last}." in message


def test_patterns_and_keys_that_fit_nothing_are_told_together(network, golden):
    text = '[layers]\n"a.con" = { weights = "int4" }\n"x" = { weights = "int4" }\n"c" = { activations = "int8" }\n'
    golden.check("nothing.txt", refused(network, LOWER.format("") + text))


def test_values_joined_by_a_concatenation_have_one_type(network):
    message = refused(network, LOWER.format("") + '[layers]\n"a*" = { activations = "int16" }\n')
    assert "expected one type for the values that 'dnn.concat' joins, not int16 and int8." in message


def test_a_name_with_letters_of_patterns_is_written_so_that_it_fits_alone():
    layer, other = (Layer(name, (), None) for name in ("conv[0]", "conv0"))  # pyright: ignore[reportArgumentType]
    (rule,) = Scheme.parse(Scheme((exact(layer, Choice(weights="int4")),)).text()).rules
    assert rule.fits(layer) and not rule.fits(other)
