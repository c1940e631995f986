"""Whole networks of the zoo as C against the interpreter."""

import numpy as np
import pytest

from dnnc.backends.c.load import compile_and_load
from dnnc.backends.c.target import emit
from dnnc.frontend.onnx import import_onnx
from dnnc.ir.context import make_context
from dnnc.ir.interpret import evaluate
from dnnc.ir.weights import store_of
from dnnc.passes import pipeline
from dnnc.zoo import ZOO

LARGE = ("googlenet", "resnet50", "alexnet")


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
