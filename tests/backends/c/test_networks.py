"""Whole networks of the zoo as C against the interpreter."""

from pathlib import Path

import numpy as np
import pytest

from dnnc import api
from dnnc.backends.c.load import compile_and_load
from dnnc.backends.c.target import emit
from dnnc.frontend.onnx import import_onnx
from dnnc.ir.context import make_context
from dnnc.ir.interpret import evaluate
from dnnc.ir.weights import store_of
from dnnc.passes import pipeline
from dnnc.zoo import ZOO

LARGE = ("googlenet", "resnet50", "alexnet")
EXAMPLES = Path(__file__).parents[3] / "docs/examples"
HEAVY = ("alexnet", "vgg16")
FUNCTIONS = "layers"  # a file for others to import


@pytest.mark.parametrize(
    "name",
    [
        "resnet8",
        "ds_cnn",
        "mobilenet_v1_025",
        "toyadmos_autoencoder",
        *(pytest.param(n, marks=pytest.mark.full) for n in LARGE),
    ],
)
def test_network_agrees_with_the_interpreter(name):
    ctx = make_context()
    module = import_onnx(ZOO[name](), ctx)
    pipeline.run(pipeline.parse("fuse"), module, ctx)
    program = emit(module, ctx, name)
    x = np.random.default_rng(1).standard_normal(program.inputs[0].shape, np.float32)
    (got,) = compile_and_load(program, flags=("-O2", "-march=native"))(x)
    (want,) = evaluate(module, [x], store_of(ctx))
    assert np.abs(got - want).max() <= 1e-4 * np.abs(want).max()
    assert program.arena_bytes <= 1.05 * program.plan.lower_bound


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=pytest.mark.full if path.stem in HEAVY else ())
        for path in sorted(EXAMPLES.glob("*.dnn"))
        if path.stem != FUNCTIONS
    ],
)
def test_every_example_of_the_language(path):
    program = api.compile(path, emit="c")
    assert program.c is not None
    x = np.random.default_rng(1).standard_normal(program.c.inputs[0].shape).astype(program.c.inputs[0].dtype)
    got = compile_and_load(program.c, flags=("-O1",))(x)
    for y, want in zip(got, program.network.run(x), strict=True):
        exact = program.c.interface.exact
        assert np.array_equal(y, want) if exact else np.abs(y - want).max() <= 1e-4 * np.abs(want).max()
