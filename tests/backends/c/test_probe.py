"""A debug build hands out what each layer writes, bit for bit that of the interpreter, and changes no result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from xdsl.ir import SSAValue

from dnnc import api
from dnnc.backends.c.target import Options, compile_and_load, emit
from dnnc.ir.interpret import evaluate
from dnnc.ir.weights import store_of
from dnnc.stimuli import draw_inputs

EXAMPLES = Path(__file__).parents[3] / "docs/examples"


def test_each_layer_is_what_the_interpreter_computes():
    network = api.load(EXAMPLES / "quantized.dnn")
    fused = api.compile(network, emit="c").network
    inputs = draw_inputs(fused.module)
    values: dict[SSAValue, np.ndarray] = {}
    evaluate(fused.module, inputs, store_of(fused.ctx), lambda op, r: values.update(zip(op.results, r)))
    run = compile_and_load(emit(fused.module, fused.ctx, "q", Options(probe=True)), flags=("-O1",))
    seen: dict[SSAValue, np.ndarray] = {}
    outputs = run.watched(lambda value, x: seen.update({value: x}), *inputs)
    assert len(seen) > 2
    assert all(np.array_equal(x, values[v]) for v, x in seen.items())
    assert all(map(np.array_equal, outputs, run(*inputs)))


def test_a_build_without_probes_has_no_trace_of_them():
    network = api.compile(EXAMPLES / "quantized.dnn", emit="c").network
    assert "probe" not in emit(network.module, network.ctx, "q").source
